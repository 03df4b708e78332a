//! What a condition or a placeholder refers to: a label, a field, a path in the entry or in the body, or a part of the alert.

use std::borrow::Cow;

use alert_connectors_model::Json;

use crate::draft::Draft;

/// What the producer sent, in which labels and paths are looked up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent<'s, 'j> {
    /// The part of the body that the alert was made of.
    pub(crate) entry: &'s Json<'j>,
    /// The whole body, with what its entries share.
    pub(crate) body: &'s Json<'j>,
}

/// What is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lookup {
    /// An entry of the producer's `labels`.
    Label(String),
    /// A field of the alert, by its name, or a part of the alert, such as `alert_type`.
    Field(String),
    /// A value of what the producer sent for this alert.
    Path(Path),
    /// A value of the whole body.
    Body(Path),
    /// A part of the alert itself, such as `title`.
    Part(&'static str),
}

/// The parts of an alert that a placeholder can name.
pub(super) const PARTS: [&str; 6] = [
    "title",
    "severity",
    "alert_type",
    "status",
    "url",
    "dedup_key",
];

/// A way through objects and lists, such as `annotations.summary` or `results[0].status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path(Vec<PathPart>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum PathPart {
    Name(String),
    Index(usize),
}

impl Lookup {
    /// The value as text; nothing where there is none, or a list or an object.
    pub(super) fn text<'d>(
        &self,
        sent: Sent<'d, '_>,
        draft: &'d Draft<'_>,
    ) -> Option<Cow<'d, str>> {
        match self {
            Self::Label(name) => scalar(member(member(sent.entry, "labels")?, name)?),
            Self::Field(name) => scalar(draft.field(name).or_else(|| part(draft, name))?),
            Self::Path(path) => scalar(path.find(sent.entry)?),
            Self::Body(path) => scalar(path.find(sent.body)?),
            Self::Part(name) => scalar(draft.get(name)?),
        }
    }
}

impl Path {
    /// Reads a path; nothing if it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        for word in text.split('.') {
            let (name, mut rest) = match word.find('[') {
                Some(at) => word.split_at(at),
                None => (word, ""),
            };
            match (name, steps.is_empty(), rest) {
                ("", true, rest) if !rest.is_empty() => {}
                ("", _, _) => return None,
                (name, _, _) => steps.push(PathPart::Name(name.to_owned())),
            }
            while !rest.is_empty() {
                let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
                steps.push(PathPart::Index(index.parse().ok()?));
                rest = after;
            }
        }
        Some(Self(steps))
    }

    fn find<'e, 'j>(&self, entry: &'e Json<'j>) -> Option<&'e Json<'j>> {
        self.0.iter().try_fold(entry, |at, step| match (step, at) {
            (PathPart::Name(name), _) => member(at, name),
            (PathPart::Index(index), Json::List(items)) => items.get(*index),
            (PathPart::Index(_), _) => None,
        })
    }
}

fn part<'d, 'j>(draft: &'d Draft<'j>, name: &str) -> Option<&'d Json<'j>> {
    PARTS.contains(&name).then(|| draft.get(name)).flatten()
}

fn member<'e, 'j>(object: &'e Json<'j>, wanted: &str) -> Option<&'e Json<'j>> {
    let Json::Object(members) = object else {
        return None;
    };
    members
        .iter()
        .find_map(|(name, value)| (name == wanted).then_some(value))
}

fn scalar<'e>(value: &'e Json<'_>) -> Option<Cow<'e, str>> {
    match value {
        Json::Text(text) => Some(Cow::Borrowed(text)),
        Json::Number(number) => Some(Cow::Owned(number.to_string())),
        Json::Bool(true) => Some(Cow::Borrowed("true")),
        Json::Bool(false) => Some(Cow::Borrowed("false")),
        Json::Null | Json::List(_) | Json::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_goes_through_objects_and_lists() {
        let entry = Json::parse(br#"{"a":{"b":[{"c":"x"},[1,true]]},"n":null}"#).unwrap();
        for (path, found) in [
            ("a.b[0].c", Some("x")),
            ("a.b[1][0]", Some("1")),
            ("a.b[1][1]", Some("true")),
            ("a.b", None),
            ("a.b[2]", None),
            ("a[0]", None),
            ("n", None),
            ("x.y", None),
        ] {
            let path = Path::parse(path).unwrap();
            let text = path.find(&entry).and_then(scalar);
            assert_eq!(text.as_deref(), found, "{path:?}");
        }
        for wrong in ["", ".", "a.", ".a", "a..b", "a[", "a[x]", "a[0]b"] {
            assert_eq!(Path::parse(wrong), None, "{wrong:?}");
        }
    }
}
