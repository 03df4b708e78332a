//! From JSON to an alert: what can be mended is mended and told of, only what can't be is refused.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    ACTIONS_MAX, Action, Alert, AlertStatus, AlertType, DescriptionFormat, Fault, FaultKind, Field,
    FieldValue, Json, Link, Loc, ObjectReader, Part, Severity, nearest,
};

const TITLE_CHARS_MAX: usize = 1_000;
const DESCRIPTION_CHARS_MAX: usize = 16_000;
const NAME_CHARS_MAX: usize = 200;
const FIELDS_MAX: usize = 40;
const FIELD_NAME_CHARS_MAX: usize = 100;
const FIELD_VALUE_CHARS_MAX: usize = 4_000;
const LABEL_CHARS_MAX: usize = 60;
const DEDUP_KEY_CHARS_MAX: usize = 255;
/// More warnings than this help nobody; the rest is counted in the last one.
const WARNINGS_MAX: usize = 100;

const KNOWN: [&str; 13] = [
    "alert_type",
    "title",
    "severity",
    "status",
    "description",
    "description_format",
    "product",
    "check",
    "fields",
    "url",
    "actions",
    "dedup_key",
    "occurred_at",
];

/// An alert that can be stored and sent, and what had to be mended for that.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedAlert {
    /// The alert.
    pub alert: Alert,
    /// What was cut or dropped.
    pub warnings: Vec<Warning>,
}

/// Something that was mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Where it stood.
    pub loc: Loc,
    /// What was done with it.
    pub msg: String,
}

/// Reads one alert that stands at `loc`; `now` stands in for an absent `occurred_at`.
pub fn parse_alert(json: Json<'_>, loc: &Loc, now: Timestamp) -> Result<ParsedAlert, Vec<Fault>> {
    let mut reader = AlertReader {
        loc,
        warnings: Vec::new(),
        faults: Vec::new(),
    };
    let mut object = match ObjectReader::new(json) {
        Ok(object) => object,
        Err(other) => {
            let msg = format!("An alert is an object; this is {}.", other.type_name());
            return Err(vec![Fault::new(loc.clone(), FaultKind::WrongType, msg)]);
        }
    };
    let alert_type = reader.alert_type(object.take("alert_type"));
    let title = reader.title(object.take("title"));
    let severity = reader.severity(object.take("severity"));
    let status = reader.status(object.take("status"));
    let description = reader.optional_text(&mut object, "description", DESCRIPTION_CHARS_MAX);
    let description_format = reader.description_format(object.take("description_format"));
    let product = reader.part(&mut object, "product");
    let check = reader.part(&mut object, "check");
    let fields = reader.fields(object.take("fields"));
    let url = reader.url(object.take("url"));
    let actions = reader.actions(object.take("actions"));
    let dedup_key = reader.optional_text(&mut object, "dedup_key", DEDUP_KEY_CHARS_MAX);
    let occurred_at = reader.occurred_at(object.take("occurred_at"), now);
    if dedup_key.as_deref() == Some("") {
        reader.warn(
            loc.field("dedup_key"),
            "An empty dedup_key names no problem; dropped.",
        );
    }
    reader.unknown(&object);
    reader.finish(|| {
        Some(Alert {
            alert_type: alert_type?,
            title: title?,
            severity: severity?,
            status: status?,
            description: description.filter(|text| !text.trim().is_empty()),
            description_format,
            product,
            check,
            fields,
            url,
            actions,
            dedup_key: dedup_key.filter(|key| !key.is_empty()),
            occurred_at,
        })
    })
}

struct AlertReader<'l> {
    loc: &'l Loc,
    warnings: Vec<Warning>,
    faults: Vec<Fault>,
}

impl AlertReader<'_> {
    fn finish(mut self, alert: impl FnOnce() -> Option<Alert>) -> Result<ParsedAlert, Vec<Fault>> {
        if self.warnings.len() > WARNINGS_MAX {
            let more = self.warnings.len() - WARNINGS_MAX;
            self.warnings.truncate(WARNINGS_MAX);
            self.warn(
                self.loc.clone(),
                format!("{more} more warnings are not listed."),
            );
        }
        match alert() {
            Some(alert) if self.faults.is_empty() => Ok(ParsedAlert {
                alert,
                warnings: self.warnings,
            }),
            _ => Err(self.faults),
        }
    }

    fn warn(&mut self, loc: Loc, msg: impl Into<String>) {
        self.warnings.push(Warning {
            loc,
            msg: msg.into(),
        });
    }

    fn fault(&mut self, name: &'static str, kind: FaultKind, msg: impl Into<String>) {
        self.faults
            .push(Fault::new(self.loc.field(name), kind, msg));
    }

    fn wrong_type(&mut self, name: &'static str, wanted: &str, found: &Json<'_>) {
        let kind = if *found == Json::Null {
            FaultKind::Null
        } else {
            FaultKind::WrongType
        };
        self.fault(
            name,
            kind,
            format!("{name} must be {wanted}; this is {}.", found.type_name()),
        );
    }

    /// A required string.
    fn required<'j>(&mut self, name: &'static str, json: Option<Json<'j>>) -> Option<Cow<'j, str>> {
        match json {
            Some(Json::Text(text)) => return Some(text),
            Some(other) => self.wrong_type(name, "a string", &other),
            None => self.fault(name, FaultKind::Missing, format!("{name} is required.")),
        }
        None
    }

    fn alert_type(&mut self, json: Option<Json<'_>>) -> Option<AlertType> {
        let text = self.required("alert_type", json)?;
        let parsed = AlertType::parse(&text);
        if parsed.is_none() {
            let (kind, msg) = alert_type_fault(&text);
            self.fault("alert_type", kind, msg);
        }
        parsed
    }

    fn title(&mut self, json: Option<Json<'_>>) -> Option<String> {
        let text = self.required("title", json)?;
        let title = self.text(self.loc.field("title"), text, TITLE_CHARS_MAX);
        if !title.chars().any(is_visible) {
            self.warn(
                self.loc.field("title"),
                "The title shows nothing; (untitled) is shown instead.",
            );
        }
        Some(title)
    }

    fn severity(&mut self, json: Option<Json<'_>>) -> Option<Severity> {
        let text = self.required("severity", json)?;
        let severity = Severity::parse(&text);
        if severity.is_none() {
            let msg = not_one_of("severity", &text, Severity::ALL.map(Severity::as_str));
            self.fault("severity", FaultKind::NotOneOf, msg);
        }
        severity
    }

    fn status(&mut self, json: Option<Json<'_>>) -> Option<AlertStatus> {
        let text = match json {
            None | Some(Json::Null) => return Some(AlertStatus::Active),
            Some(Json::Text(text)) => text,
            Some(other) => {
                self.wrong_type("status", "a string", &other);
                return None;
            }
        };
        let status = AlertStatus::parse(&text);
        if status.is_none() {
            let msg = not_one_of("status", &text, AlertStatus::ALL.map(AlertStatus::as_str));
            self.fault("status", FaultKind::NotOneOf, msg);
        }
        status
    }

    fn description_format(&mut self, json: Option<Json<'_>>) -> DescriptionFormat {
        match json {
            None | Some(Json::Null) => {}
            Some(Json::Text(text)) => match DescriptionFormat::parse(&text) {
                Some(format) => return format,
                None => self.warn(
                    self.loc.field("description_format"),
                    "description_format is plain or markdown; taken as plain.",
                ),
            },
            Some(other) => self.wrong_type("description_format", "a string", &other),
        }
        DescriptionFormat::Plain
    }

    fn optional_text(
        &mut self,
        object: &mut ObjectReader<'_>,
        name: &'static str,
        max: usize,
    ) -> Option<String> {
        match object.take(name)? {
            Json::Null => None,
            Json::Text(text) => Some(self.text(self.loc.field(name), text, max)),
            other => {
                self.wrong_type(name, "a string", &other);
                None
            }
        }
    }

    fn part(&mut self, object: &mut ObjectReader<'_>, name: &'static str) -> Option<Part> {
        let loc = self.loc.field(name);
        let mut part = match object.take(name)? {
            Json::Null => return None,
            other => match ObjectReader::new(other) {
                Ok(part) => part,
                Err(other) => {
                    self.wrong_type(name, "an object", &other);
                    return None;
                }
            },
        };
        let id = match part.take("id") {
            Some(Json::Text(text)) => Some(self.text(loc.field("id"), text, NAME_CHARS_MAX)),
            Some(Json::Number(number)) => Some(number.to_string()),
            Some(Json::Null) | None => None,
            Some(_) => {
                self.warn(
                    loc.field("id"),
                    "The id is neither a string nor a number; dropped.",
                );
                None
            }
        };
        let url = part
            .take("url")
            .and_then(|json| self.link(loc.field("url"), json));
        let loc_of_name = loc.field("name");
        let name = match part.take("name") {
            Some(Json::Text(text)) if text.chars().any(is_visible) => {
                self.text(loc.field("name"), text, NAME_CHARS_MAX)
            }
            _ => {
                match &id {
                    Some(_) => self.warn(loc_of_name, "It has no name; its id is shown instead."),
                    None => self.warn(loc.clone(), "It has no name; dropped."),
                }
                id.clone()?
            }
        };
        self.drop_unknown(&loc, &part, &["id", "name", "url"]);
        Some(Part { id, name, url })
    }

    fn fields(&mut self, json: Option<Json<'_>>) -> Vec<Field> {
        let loc = self.loc.field("fields");
        let items = self.list("fields", json, FIELDS_MAX);
        let read = |(index, item)| self.field(&loc.item(index), item);
        items.into_iter().enumerate().filter_map(read).collect()
    }

    fn field(&mut self, loc: &Loc, json: Json<'_>) -> Option<Field> {
        let Ok(mut object) = ObjectReader::new(json) else {
            self.warn(
                loc.clone(),
                "It is not an object of name and value; dropped.",
            );
            return None;
        };
        let name = match object.take("name") {
            Some(Json::Text(name)) if name.chars().any(is_visible) => {
                self.text(loc.field("name"), name, FIELD_NAME_CHARS_MAX)
            }
            _ => {
                self.warn(loc.field("name"), "It has no name; dropped.");
                return None;
            }
        };
        let value = match object.take("value") {
            Some(Json::Text(text)) => {
                FieldValue::Text(self.text(loc.field("value"), text, FIELD_VALUE_CHARS_MAX))
            }
            Some(Json::Number(number)) => FieldValue::Number(number),
            Some(Json::Bool(value)) => FieldValue::Bool(value),
            Some(Json::Null) | None => FieldValue::Empty,
            Some(Json::List(_) | Json::Object(_)) => {
                self.warn(
                    loc.field("value"),
                    "It is neither a string, a number nor a boolean; shown as –.",
                );
                FieldValue::Empty
            }
        };
        self.drop_unknown(loc, &object, &["name", "value"]);
        Some(Field { name, value })
    }

    fn actions(&mut self, json: Option<Json<'_>>) -> Vec<Action> {
        let loc = self.loc.field("actions");
        let items = self.list("actions", json, ACTIONS_MAX);
        let read = |(index, item)| self.action(&loc.item(index), item);
        items.into_iter().enumerate().filter_map(read).collect()
    }

    fn action(&mut self, loc: &Loc, json: Json<'_>) -> Option<Action> {
        let Ok(mut object) = ObjectReader::new(json) else {
            self.warn(
                loc.clone(),
                "It is not an object of label and url; dropped.",
            );
            return None;
        };
        let Some(url) = object.take("url") else {
            self.warn(loc.field("url"), "It has no url; the action is dropped.");
            return None;
        };
        let url = self.link(loc.field("url"), url)?;
        let label = match object.take("label") {
            Some(Json::Text(label)) if label.chars().any(is_visible) => {
                self.text(loc.field("label"), label, LABEL_CHARS_MAX)
            }
            _ => {
                self.warn(loc.field("label"), "It has no label; shown as Link.");
                "Link".to_owned()
            }
        };
        self.drop_unknown(loc, &object, &["label", "url"]);
        Some(Action { label, url })
    }

    fn url(&mut self, json: Option<Json<'_>>) -> Option<Link> {
        match json? {
            json @ (Json::Text(_) | Json::Null) => self.link(self.loc.field("url"), json),
            other => {
                self.wrong_type("url", "a string", &other);
                None
            }
        }
    }

    fn occurred_at(&mut self, json: Option<Json<'_>>, now: Timestamp) -> Timestamp {
        match json {
            None | Some(Json::Null) => {}
            Some(Json::Text(text)) => match text.parse::<Timestamp>() {
                // Years beyond four digits can't be shown by either platform.
                Ok(time) if (0..253_402_300_800).contains(&time.as_second()) => return time,
                _ => self.warn(
                    self.loc.field("occurred_at"),
                    "occurred_at is no RFC 3339 time between 1970 and 9999; the time of receipt is used.",
                ),
            },
            Some(other) => self.wrong_type("occurred_at", "a string", &other),
        }
        now
    }

    /// The items of a list, those past `max` dropped.
    fn list<'j>(
        &mut self,
        name: &'static str,
        json: Option<Json<'j>>,
        max: usize,
    ) -> Vec<Json<'j>> {
        match json {
            None | Some(Json::Null) => Vec::new(),
            Some(Json::List(mut items)) => {
                if items.len() > max {
                    let count = items.len();
                    let msg = format!("There are {count} {name}; the first {max} are kept.");
                    self.warn(self.loc.field(name), msg);
                    items.truncate(max);
                }
                items
            }
            Some(other) => {
                self.wrong_type(name, "a list", &other);
                Vec::new()
            }
        }
    }

    fn link(&mut self, loc: Loc, json: Json<'_>) -> Option<Link> {
        let reason = match json {
            Json::Null => return None,
            Json::Text(text) => match Link::parse(&text) {
                Ok(link) => return Some(link),
                Err(reason) => reason,
            },
            _ => "is not a string",
        };
        self.warn(loc, format!("The link {reason}; dropped."));
        None
    }

    /// Text as it may be stored: NUL made visible, cut at `max` characters with an ellipsis.
    fn text(&mut self, loc: Loc, text: Cow<'_, str>, max: usize) -> String {
        let mut text = if text.contains('\0') {
            self.warn(loc.clone(), "NUL is replaced by U+FFFD.");
            text.replace('\0', "\u{FFFD}")
        } else {
            text.into_owned()
        };
        // A string of at most `max` bytes has at most `max` characters.
        if text.len() > max {
            let count = text.chars().count();
            if count > max {
                let end = text
                    .char_indices()
                    .nth(max - 1)
                    .map_or(text.len(), |(at, _)| at);
                text.truncate(end);
                text.push('…');
                self.warn(
                    loc,
                    format!("It has {count} characters and was cut to {max}."),
                );
            }
        }
        text
    }

    fn drop_unknown(&mut self, loc: &Loc, object: &ObjectReader<'_>, known: &[&'static str]) {
        for name in object.left_over() {
            let shown: String = name.chars().take(NAME_CHARS_MAX).collect();
            let hint = nearest(name, known.iter().copied());
            let hint = hint
                .map(|known| format!(" Did you mean {known}?"))
                .unwrap_or_default();
            let msg = format!("There is no such field; dropped.{hint}");
            self.warnings.push(Warning {
                loc: loc.field(shown),
                msg,
            });
        }
    }

    fn unknown(&mut self, object: &ObjectReader<'_>) {
        self.drop_unknown(&self.loc.clone(), object, &KNOWN);
    }
}

/// What is wrong with a text that is no alert type.
pub(crate) fn alert_type_fault(text: &str) -> (FaultKind, String) {
    let rule = "An alert type has 1 to 64 characters of a-z, 0-9, _, . and -.";
    let kind = match text.chars().count() {
        0 => FaultKind::TooShort,
        count if count > AlertType::CHARS_MAX => FaultKind::TooLong,
        _ => FaultKind::NotOneOf,
    };
    (kind, rule.to_owned())
}

/// `severity must be one of low, medium, high, critical.` and the nearest of them.
pub(crate) fn not_one_of<const N: usize>(
    name: &str,
    given: &str,
    words: [&'static str; N],
) -> String {
    let hint = nearest(given, words)
        .map(|word| format!(" Did you mean {word}?"))
        .unwrap_or_default();
    format!("{name} must be one of {}.{hint}", words.join(", "))
}

/// Whether a reader would see anything of it.
pub fn is_visible(c: char) -> bool {
    let invisible = matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}');
    !(c.is_whitespace() || c.is_control() || invisible)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ParsedAlert, Vec<Fault>> {
        parse_alert(
            Json::parse(text.as_bytes()).unwrap(),
            &Loc::body(),
            Timestamp::UNIX_EPOCH,
        )
    }

    #[test]
    fn the_least_alert_is_taken_with_its_defaults() {
        let parsed =
            parse(r#"{"alert_type":"dq_alert","title":"Late","severity":"high"}"#).unwrap();
        assert_eq!(parsed.warnings, []);
        assert_eq!(parsed.alert.status, AlertStatus::Active);
        assert_eq!(parsed.alert.occurred_at, Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn all_faults_are_said_at_once() {
        let faults = parse(r#"{"alert_type":"DQ","severity":"hihg","status":null,"fields":"x"}"#)
            .unwrap_err();
        let seen: Vec<_> = faults.iter().map(|f| (f.loc.to_string(), f.kind)).collect();
        assert_eq!(
            seen,
            [
                ("body.alert_type".to_owned(), FaultKind::NotOneOf),
                ("body.title".to_owned(), FaultKind::Missing),
                ("body.severity".to_owned(), FaultKind::NotOneOf),
                ("body.fields".to_owned(), FaultKind::WrongType),
            ]
        );
        assert!(faults[2].msg.ends_with("Did you mean high?"));
    }

    #[test]
    fn what_can_be_mended_is_mended_and_told() {
        let long = "ä".repeat(1_001);
        let text = format!(
            r#"{{"alert_type":"a","title":"{long}","severity":"low","url":"ftp://x","colour":1,
            "product":{{"id":7}},"check":{{}},"fields":[1,{{"name":"n","value":[]}},{{"name":"m"}}],
            "actions":[{{"label":"no url"}},{{"url":"https://a.example/"}}],
            "description":"a\u0000b","description_format":"html","occurred_at":"yesterday"}}"#
        );
        let parsed = parse(&text).unwrap();
        let alert = parsed.alert;
        assert_eq!(alert.title.chars().count(), 1_000);
        assert!(alert.title.ends_with('…'));
        assert_eq!(alert.product.unwrap().name, "7");
        assert_eq!((alert.check, alert.url), (None, None));
        assert_eq!(alert.fields.len(), 2);
        assert_eq!(alert.fields[1].value.to_string(), "–");
        assert_eq!(alert.actions[0].label, "Link");
        assert_eq!(alert.description.as_deref(), Some("a\u{FFFD}b"));
        let places: Vec<_> = parsed.warnings.iter().map(|w| w.loc.to_string()).collect();
        assert_eq!(
            places,
            [
                "body.title",
                "body.description",
                "body.description_format",
                "body.product.name",
                "body.check",
                "body.fields.0",
                "body.fields.1.value",
                "body.url",
                "body.actions.0.url",
                "body.actions.1.label",
                "body.occurred_at",
                "body.colour",
            ]
        );
    }

    #[test]
    fn a_title_with_nothing_visible_is_told_of() {
        let parsed =
            parse(r#"{"alert_type":"a","title":" \u200b\u2060","severity":"low"}"#).unwrap();
        assert_eq!(parsed.warnings.len(), 1);
    }
}
