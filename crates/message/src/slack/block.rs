//! The few Block Kit elements that messages are made of.

use serde::Serialize;

use crate::fit::Meter;

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block {
    Section {
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<Text>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        fields: Vec<Text>,
    },
    Context {
        elements: [Text; 1],
    },
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Text {
    /// Markup is read; `verbatim` keeps Slack from finding channels and people in it on its own.
    Mrkdwn { text: String, verbatim: bool },
    /// Nothing is read.
    PlainText { text: String, emoji: bool },
}

impl Block {
    pub(super) fn section(text: Text) -> Self {
        Self::Section {
            text: Some(text),
            fields: Vec::new(),
        }
    }

    pub(super) fn fields(fields: Vec<Text>) -> Self {
        Self::Section { text: None, fields }
    }

    pub(super) fn context(text: Text) -> Self {
        Self::Context { elements: [text] }
    }

    /// The size of all its text.
    pub(super) fn text_chars(&self) -> usize {
        match self {
            Self::Section { text, fields } => text.iter().chain(fields).map(Text::chars).sum(),
            Self::Context { elements } => elements.iter().map(Text::chars).sum(),
        }
    }
}

impl Text {
    pub(super) fn mrkdwn(text: String) -> Self {
        Self::Mrkdwn {
            text,
            verbatim: true,
        }
    }

    pub(super) fn plain(text: String) -> Self {
        Self::PlainText { text, emoji: false }
    }

    fn chars(&self) -> usize {
        let (Self::Mrkdwn { text, .. } | Self::PlainText { text, .. }) = self;
        Meter::of(text).size(text)
    }
}
