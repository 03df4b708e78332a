//! Rich text: lines of runs, which both platforms draw.

use std::borrow::Cow;

use alert_connectors_model::Link;

use crate::autolink;

/// A line of a description; without runs it is blank.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Line<'t> {
    pub(crate) kind: LineKind,
    pub(crate) runs: Vec<Run<'t>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum LineKind {
    /// Ordinary text.
    #[default]
    Text,
    /// A line whose columns matter: of a fence, a table, or with tabs inside. It is drawn in a monospaced font.
    Code,
}

/// Text of one look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Run<'t> {
    pub(crate) text: Cow<'t, str>,
    pub(crate) look: Look,
    pub(crate) link: Option<Link>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Look {
    pub(crate) bold: bool,
    pub(crate) italic: bool,
    pub(crate) code: bool,
}

impl LineKind {
    /// How an ordinary line is drawn: tabs inside it make columns.
    pub(crate) fn of(line: &str) -> Self {
        if line.trim().contains('\t') {
            Self::Code
        } else {
            Self::Text
        }
    }
}

impl Look {
    pub(crate) fn is_plain(self) -> bool {
        self == Self::default()
    }
}

impl<'t> Line<'t> {
    /// A line of ordinary text, its URLs linked to themselves.
    pub(crate) fn text(text: &'t str) -> Self {
        Self::with_links(LineKind::Text, text)
    }

    /// A line whose columns matter, in which nothing is a link.
    pub(crate) fn code(text: Cow<'t, str>) -> Self {
        let run = (!text.is_empty()).then(|| Run {
            text,
            ..Run::default()
        });
        Self {
            kind: LineKind::Code,
            runs: run.into_iter().collect(),
        }
    }

    /// A line of this kind, its URLs linked to themselves.
    pub(crate) fn with_links(kind: LineKind, text: &'t str) -> Self {
        let runs = autolink::pieces(text).into_iter().map(Run::of_piece);
        Self {
            kind,
            runs: runs.collect(),
        }
    }

    /// What a reader sees of it.
    pub(crate) fn chars(&self) -> usize {
        self.runs.iter().map(|run| run.text.chars().count()).sum()
    }

    pub(crate) fn is_blank(&self) -> bool {
        self.runs.iter().all(|run| run.text.trim().is_empty())
    }
}

impl<'t> Run<'t> {
    pub(crate) fn of_piece((text, link): autolink::Piece<'t>) -> Self {
        Self {
            text: Cow::Borrowed(text),
            look: Look::default(),
            link,
        }
    }
}
