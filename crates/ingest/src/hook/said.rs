//! What one part of a post says: plain text, which means what it shows, or Markdown.

use std::borrow::Cow;

use super::mrkdwn;

/// A text, and how it is to be read.
pub(super) enum Said<'t> {
    Plain(Cow<'t, str>),
    Markdown(Cow<'t, str>),
}

impl<'t> From<&'t str> for Said<'t> {
    /// Markdown.
    fn from(text: &'t str) -> Self {
        Self::Markdown(text.into())
    }
}

impl From<String> for Said<'_> {
    /// Markdown.
    fn from(text: String) -> Self {
        Self::Markdown(text.into())
    }
}

impl Said<'_> {
    /// As it stands.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Plain(text) | Self::Markdown(text) => text,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.as_str().trim().is_empty()
    }

    /// Another text that is read in the same way.
    pub(super) fn like<'u>(&self, text: &'u str) -> Said<'u> {
        match self {
            Self::Plain(_) => Said::Plain(text.into()),
            Self::Markdown(_) => Said::Markdown(text.into()),
        }
    }

    /// The words of it in one line, without marks.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Plain(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
            Self::Markdown(text) => mrkdwn::plain(text),
        }
    }

    /// The same line by line.
    pub(super) fn lines(&self) -> String {
        let lines = self.as_str().trim().lines();
        let lines = lines.map(|line| self.like(line).line());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The labels and addresses of its links.
    pub(super) fn links(&self) -> Vec<(String, String)> {
        match self {
            Self::Plain(_) => Vec::new(),
            Self::Markdown(text) => mrkdwn::links(text),
        }
    }
}
