//! What a post shows, gathered from top to bottom.

use alert_connectors_model::{
    ACTIONS_MAX, FIELD_NAME_CHARS_MAX, FIELD_VALUE_CHARS_MAX, FIELDS_MAX, TITLE_CHARS_MAX,
};

use super::{colour::Colour, said::Said};

/// What a post shows.
#[derive(Default)]
pub(super) struct Post {
    title: Option<String>,
    /// Markdown.
    pub(super) paragraphs: Vec<String>,
    /// Names and values.
    pub(super) fields: Vec<(String, String)>,
    /// Labels and addresses.
    pub(super) links: Vec<(String, String)>,
    /// Where the title leads.
    pub(super) url: Option<String>,
    /// The worst colour.
    pub(super) colour: Option<Colour>,
}

impl Post {
    /// Adds a text. Its first line is the title if there is none yet.
    pub(super) fn text<'t>(&mut self, said: impl Into<Said<'t>>) {
        let said = said.into();
        let mut rest = said.as_str().trim();
        while self.title.is_none() && !rest.is_empty() && !rest.starts_with("```") {
            let (first, below) = rest.split_once('\n').unwrap_or((rest, ""));
            let first = said.like(first);
            // A line of nothing but marks is no title.
            self.title = Some(first.line()).filter(|title| !title.is_empty());
            self.lead_to_links(&first);
            rest = below.trim_start();
        }
        // What only repeats the title is one line, as the title is.
        let repeats = || !rest.contains('\n') && self.title == Some(said.like(rest).line());
        if !rest.is_empty() && !repeats() {
            self.paragraph(rest.to_owned());
        }
    }

    /// Adds a heading: the title if there is none yet. The same heading once more adds nothing.
    pub(super) fn heading<'t>(&mut self, said: impl Into<Said<'t>>) {
        let said = said.into();
        let heading = said.line();
        if heading.is_empty() || self.title.as_ref() == Some(&heading) {
            return;
        }
        self.lead_to_links(&said);
        match &self.title {
            None => self.title = Some(heading),
            Some(_) => self.paragraph(format!("**{heading}**")),
        }
    }

    pub(super) fn paragraph(&mut self, markdown: String) {
        if self.paragraphs.last() != Some(&markdown) {
            self.paragraphs.push(markdown);
        }
    }

    /// Adds a name and its value. A value without a name is text.
    pub(super) fn field<'t>(&mut self, name: impl Into<Said<'t>>, value: impl Into<Said<'t>>) {
        let (name, value) = (name.into(), value.into());
        let line = name.line();
        let line = line.trim().trim_end_matches(':').trim();
        if line.is_empty() {
            return self.text(value);
        }
        for (label, url) in name.links().into_iter().chain(value.links()) {
            self.link(&*label, &url);
        }
        self.fields.push((line.to_owned(), value.lines()));
    }

    pub(super) fn link<'t>(&mut self, label: impl Into<Said<'t>>, url: &str) {
        let (label, url) = (label.into().line(), url.trim());
        if !url.is_empty() {
            let label = if label.is_empty() { "Open" } else { &label };
            self.links.push((label.to_owned(), url.to_owned()));
        }
    }

    /// Says where the title leads. A second address is a link.
    pub(super) fn leads_to<'t>(&mut self, label: impl Into<Said<'t>>, url: &str) {
        if self.url.is_none() && !url.trim().is_empty() {
            self.url = Some(url.trim().to_owned());
        } else {
            self.link(label, url);
        }
    }

    /// A title shows no links: the first leads where the title leads, the others stand below.
    fn lead_to_links(&mut self, said: &Said<'_>) {
        for (label, url) in said.links() {
            self.leads_to(&*label, &url);
        }
    }

    pub(super) const fn has_title(&self) -> bool {
        self.title.is_some()
    }

    /// Whether it shows nothing but a title.
    pub(super) fn is_title_alone(&self) -> bool {
        self.paragraphs.is_empty() && self.fields.is_empty() && self.links.is_empty()
    }

    /// Moves into the description what an alert has no place for: the rest of a long title, and long, further or unnamed fields and
    /// links.
    pub(super) fn spell_out_what_has_no_place(&mut self, title: &str) {
        if title.chars().count() > TITLE_CHARS_MAX {
            self.paragraphs.insert(0, title.to_owned());
        }
        let mut kept = 0;
        let (fields, others) =
            std::mem::take(&mut self.fields)
                .into_iter()
                .partition(|(name, value)| {
                    let fits = name.chars().count() <= FIELD_NAME_CHARS_MAX
                        && value.chars().count() <= FIELD_VALUE_CHARS_MAX;
                    kept += usize::from(fits);
                    fits && kept <= FIELDS_MAX
                });
        self.fields = fields;
        let others: Vec<(String, String)> = others;
        let others = others.into_iter();
        self.paragraphs
            .extend(others.map(|(name, value)| format!("**{name}**\n{value}")));
        let further = self.links.split_off(ACTIONS_MAX.min(self.links.len()));
        let further: Vec<String> = further
            .into_iter()
            .map(|(label, url)| format!("- [{label}]({url})"))
            .collect();
        if !further.is_empty() {
            self.paragraphs.push(further.join("\n"));
        }
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
        let title = self
            .title
            .take()
            .or_else(|| first_line().map(|line| Said::from(line).line()));
        title.filter(|title| !title.trim().is_empty())
    }
}
