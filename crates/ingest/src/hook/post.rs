//! What a post shows, gathered from top to bottom.

use alert_connectors_model::Json;

use super::{colour::Colour, mrkdwn::plain};
use crate::values::field;

/// A post takes no more paragraphs, fields and links than this. An alert shows fewer.
const PARTS_MAX: usize = 200;

/// What a post shows.
#[derive(Default)]
pub(super) struct Post<'j> {
    title: Option<String>,
    /// Markdown.
    pub(super) paragraphs: Vec<String>,
    pub(super) fields: Vec<Json<'j>>,
    /// Labels and addresses.
    pub(super) links: Vec<(String, String)>,
    /// Where the title leads.
    pub(super) url: Option<String>,
    /// The worst colour.
    pub(super) colour: Option<Colour>,
}

impl Post<'_> {
    /// Adds Markdown. Its first line is the title if there is none yet.
    pub(super) fn text(&mut self, markdown: &str) {
        let mut rest = markdown.trim();
        while self.title.is_none() && !rest.is_empty() && !rest.starts_with("```") {
            let (first, below) = rest.split_once('\n').unwrap_or((rest, ""));
            // A line of nothing but marks is no title.
            self.title = Some(plain(first)).filter(|title| !title.is_empty());
            rest = below.trim_start();
        }
        // What only repeats the title is one line, as the title is.
        let repeats = || !rest.contains('\n') && self.title.as_ref() == Some(&plain(rest));
        if !rest.is_empty() && !repeats() {
            self.paragraph(rest.to_owned());
        }
    }

    /// Adds a heading: the title if there is none yet. The same heading once more adds nothing.
    pub(super) fn heading(&mut self, markdown: &str) {
        let heading = plain(markdown.trim());
        if heading.is_empty() || self.title.as_ref() == Some(&heading) {
            return;
        }
        match &self.title {
            None => self.title = Some(heading),
            Some(_) => self.paragraph(format!("**{heading}**")),
        }
    }

    fn paragraph(&mut self, markdown: String) {
        if self.paragraphs.len() < PARTS_MAX && self.paragraphs.last() != Some(&markdown) {
            self.paragraphs.push(markdown);
        }
    }

    pub(super) fn field(&mut self, name: &str, value: &str) {
        let (name, value) = (plain(name), plain(value));
        let name = name.trim().trim_end_matches(':').trim();
        if name.is_empty() {
            return self.text(&value);
        }
        if self.fields.len() < PARTS_MAX {
            let value = Json::Text(value.trim().to_owned().into());
            self.fields.push(field(name.to_owned(), value));
        }
    }

    pub(super) fn link(&mut self, label: &str, url: &str) {
        let label = plain(label.trim());
        if !url.trim().is_empty() && self.links.len() < PARTS_MAX {
            let label = if label.is_empty() {
                "Open".to_owned()
            } else {
                label
            };
            self.links.push((label, url.trim().to_owned()));
        }
    }

    /// Says where the title leads. A second address is a link.
    pub(super) fn leads_to(&mut self, label: &str, url: &str) {
        if self.url.is_none() && !url.trim().is_empty() {
            self.url = Some(url.trim().to_owned());
        } else {
            self.link(label, url);
        }
    }

    pub(super) const fn has_title(&self) -> bool {
        self.title.is_some()
    }

    pub(super) fn colour(&mut self, text: &str) {
        self.colour = self.colour.max(Colour::parse(text));
    }

    /// The title; where only code is shown, the first line of it.
    pub(super) fn take_title(&mut self) -> Option<String> {
        let first_line = || {
            let shown = self.paragraphs.first()?;
            shown
                .lines()
                .find(|line| !line.trim_matches(['`', ' ']).is_empty())
        };
        let title = self.title.take().or_else(|| first_line().map(plain));
        title.filter(|title| !title.trim().is_empty())
    }
}
