//! From JSON to an alert: what can be corrected is corrected and listed, and only the rest is refused.

mod fields;
mod links;
mod occurred_at;

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    Alert, AlertStatus, AlertType, DescriptionFormat, Fault, FaultKind, FieldReader, Json, Loc,
    ObjectReader, Raise, Severity, closest_match, dedup_key, left_out,
};

/// The longest title, in characters.
pub const TITLE_CHARS_MAX: usize = 1_000;
const DESCRIPTION_CHARS_MAX: usize = 16_000;
const NAME_CHARS_MAX: usize = 200;
/// The largest number of fields.
pub const FIELDS_MAX: usize = 40;
/// The longest name of a field, in characters.
pub const FIELD_NAME_CHARS_MAX: usize = 100;
/// The longest value of a field, in characters.
pub const FIELD_VALUE_CHARS_MAX: usize = 4_000;
const LABEL_CHARS_MAX: usize = 60;
/// At most this many warnings are listed; a last one counts the others.
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

/// An alert that can be stored and sent, with the corrections that this took.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedAlert {
    /// The alert.
    pub alert: Alert,
    /// Whether it has a valid `occurred_at` of its own.
    pub has_own_time: bool,
    /// What was cut or dropped.
    pub warnings: Vec<Warning>,
}

/// What was mended in an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Warning {
    /// Where it was: `body`, then the names of fields and the places in lists, counted from 0.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<serde_json::Value>))]
    pub loc: Loc,
    /// What was done, in a sentence.
    pub msg: String,
}

impl Warning {
    /// The first 100 of them, and one at `loc` that counts the others.
    pub fn at_most(mut warnings: Vec<Self>, loc: &Loc) -> Vec<Self> {
        if warnings.len() > WARNINGS_MAX {
            let more = warnings.len() - WARNINGS_MAX;
            warnings.truncate(WARNINGS_MAX);
            warnings.push(Self {
                loc: loc.clone(),
                msg: format!("{more} more warnings are not listed."),
            });
        }
        warnings
    }
}

/// Reads one alert that stands at `loc`; `now` stands in for an absent or invalid `occurred_at`.
pub fn parse_alert(json: Json<'_>, loc: &Loc, now: Timestamp) -> Result<ParsedAlert, Vec<Fault>> {
    parse_corrected_alert(json, loc, now, Vec::new())
}

/// The same for an alert that was corrected before it is read, as these warnings say.
pub fn parse_corrected_alert(
    json: Json<'_>,
    loc: &Loc,
    now: Timestamp,
    warnings: Vec<Warning>,
) -> Result<ParsedAlert, Vec<Fault>> {
    let fields = FieldReader::new(json, loc.clone(), "An alert is")?;
    let mut reader = AlertReader {
        loc,
        fields,
        warnings,
    };
    let alert_type = reader.alert_type();
    let title = reader.title();
    let severity = reader.severity();
    let status = reader.status();
    let description = reader.description();
    let description_format = reader.description_format();
    let product = reader.part("product");
    let check = reader.part("check");
    let fields = reader.fields();
    let url = reader.url();
    let actions = reader.actions();
    let dedup_key = reader.dedup_key();
    let own_time = reader.occurred_at();
    reader.unknown();
    reader
        .finish(|| {
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
                dedup_key,
                occurred_at: own_time.unwrap_or(now),
                resolved_at: None,
                raises: Vec::new(),
            })
        })
        .map(|parsed| ParsedAlert {
            has_own_time: own_time.is_some(),
            ..parsed
        })
}

/// Reads an alert as it was stored.
pub fn parse_stored_alert(mut json: Json<'_>, loc: &Loc) -> Result<Alert, Vec<Fault>> {
    let resolved_at = take(&mut json, "resolved_at").and_then(|json| time_of(&json));
    let raises = match take(&mut json, "raises") {
        Some(Json::List(raises)) => raises.into_iter().filter_map(raise_of).collect(),
        _ => Vec::new(),
    };
    let parsed = parse_alert(json, loc, Timestamp::UNIX_EPOCH)?;
    Ok(Alert {
        resolved_at,
        raises,
        ..parsed.alert
    })
}

/// A field of an object, which no longer has it then.
fn take<'j>(json: &mut Json<'j>, name: &str) -> Option<Json<'j>> {
    let Json::Object(fields) = json else {
        return None;
    };
    let place = fields.iter().position(|(named, _)| named == name)?;
    Some(fields.remove(place).1)
}

fn time_of(json: &Json<'_>) -> Option<Timestamp> {
    occurred_at::read(json).map(|read| read.time)
}

fn raise_of(mut json: Json<'_>) -> Option<Raise> {
    let severity = |json: Option<Json<'_>>| match json {
        Some(Json::Text(name)) => Severity::parse(&name),
        _ => None,
    };
    Some(Raise {
        at: take(&mut json, "at").and_then(|json| time_of(&json))?,
        from: severity(take(&mut json, "from"))?,
        to: severity(take(&mut json, "to"))?,
    })
}

struct AlertReader<'l, 'j> {
    loc: &'l Loc,
    fields: FieldReader<'j>,
    warnings: Vec<Warning>,
}

impl<'j> AlertReader<'_, 'j> {
    fn finish(self, alert: impl FnOnce() -> Option<Alert>) -> Result<ParsedAlert, Vec<Fault>> {
        Ok(ParsedAlert {
            alert: self.fields.finish(alert())?,
            has_own_time: false,
            warnings: Warning::at_most(self.warnings, self.loc),
        })
    }

    fn warn(&mut self, loc: Loc, msg: impl Into<String>) {
        self.warnings.push(Warning {
            loc,
            msg: msg.into(),
        });
    }

    /// A required text.
    fn required(&mut self, name: &'static str, json: Option<Json<'j>>) -> Option<Cow<'j, str>> {
        match json {
            None => self
                .fields
                .fault(name, FaultKind::Missing, format!("{name} is required.")),
            Some(json @ (Json::Null | Json::List(_) | Json::Object(_))) => {
                self.fields.wrong_type(name, "a string", &json);
            }
            Some(json) => return scalar_text(json),
        }
        None
    }

    fn alert_type(&mut self) -> Option<AlertType> {
        let json = self.fields.take("alert_type");
        let text = self.required("alert_type", json)?;
        if let Some(usual) = AlertType::parse(&text) {
            return Some(usual);
        }
        let words: Vec<_> = text.split_whitespace().map(str::to_lowercase).collect();
        let name = words.join("_");
        let parsed = AlertType::parse(&name);
        if parsed.is_none() {
            let (kind, msg) = alert_type_fault(&text);
            self.fields.fault("alert_type", kind, msg);
        } else if name != text {
            self.warn(self.loc.field("alert_type"), format!("Read as {name}."));
        }
        parsed
    }

    fn title(&mut self) -> Option<String> {
        let json = self.fields.take("title");
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

    fn severity(&mut self) -> Option<Severity> {
        let json = self.fields.take("severity");
        let text = self.required("severity", json)?;
        let severity = Severity::parse(&text);
        let severity = severity.or_else(|| Severity::parse(&text.trim().to_lowercase()));
        if severity.is_none() {
            let msg = not_one_of("severity", &text, Severity::ALL.map(Severity::as_str));
            self.fields.fault("severity", FaultKind::NotOneOf, msg);
        }
        severity
    }

    fn status(&mut self) -> Option<AlertStatus> {
        let json = self.fields.take("status");
        if matches!(json, None | Some(Json::Null)) {
            return Some(AlertStatus::Active);
        }
        let text = self.required("status", json)?;
        let status = AlertStatus::parse(&text);
        let status = status.or_else(|| AlertStatus::parse(&text.trim().to_lowercase()));
        if status.is_none() {
            let msg = not_one_of("status", &text, AlertStatus::ALL.map(AlertStatus::as_str));
            self.fields.fault("status", FaultKind::NotOneOf, msg);
        }
        status
    }

    /// Logs and tracebacks have their cause in the last lines, so what is too long loses its middle.
    fn description(&mut self) -> Option<String> {
        let text = match self.fields.take("description")? {
            Json::Null => return None,
            nested @ (Json::List(_) | Json::Object(_)) => Cow::Owned(nested.to_string()),
            json => scalar_text(json)?,
        };
        let loc = self.loc.field("description");
        let text = self.without_nul(&loc, text);
        let Some(cut) = left_out::without_middle(&text, DESCRIPTION_CHARS_MAX) else {
            return Some(text.into_owned());
        };
        let chars = text.chars().count();
        let msg = format!(
            "It has {chars} characters and was cut to {DESCRIPTION_CHARS_MAX} in its middle."
        );
        self.warn(loc, msg);
        Some(cut)
    }

    fn description_format(&mut self) -> DescriptionFormat {
        let text = match self.fields.take("description_format") {
            None | Some(Json::Null) => return DescriptionFormat::Plain,
            Some(json) => scalar_text(json).unwrap_or_default(),
        };
        let format = DescriptionFormat::parse(&text.trim().to_lowercase());
        if format.is_none() {
            self.warn(
                self.loc.field("description_format"),
                "description_format is plain or markdown; taken as plain.",
            );
        }
        format.unwrap_or(DescriptionFormat::Plain)
    }

    fn dedup_key(&mut self) -> Option<String> {
        let json = self.fields.take("dedup_key");
        let json = json.filter(|json| *json != Json::Null)?;
        let loc = self.loc.field("dedup_key");
        let Some(text) = scalar_text(json) else {
            self.warn(loc, "It is neither a string nor a number; dropped.");
            return None;
        };
        if text.is_empty() {
            self.warn(loc, "An empty dedup_key names no problem; dropped.");
            return None;
        }
        let key = dedup_key::dedup_key(&text);
        if key != text {
            let msg = if key.chars().count() == text.chars().count() {
                "NUL in it is kept as U+FFFD."
            } else {
                "It has over 255 characters; kept as its beginning and a hash of the whole."
            };
            self.warn(loc, msg);
        }
        Some(key)
    }

    fn occurred_at(&mut self) -> Option<Timestamp> {
        let json = self.fields.take("occurred_at");
        let json = json.filter(|json| *json != Json::Null)?;
        let loc = self.loc.field("occurred_at");
        match occurred_at::read(&json) {
            Some(read) => {
                if read.zone_was_missing {
                    self.warn(loc, "It has no zone; read as UTC.");
                }
                Some(read.time)
            }
            None => {
                self.warn(
                    loc,
                    "occurred_at is no time between 1970 and 9999; the time of receipt is used.",
                );
                None
            }
        }
    }

    /// The items of a list, those past `max` dropped.
    fn list(&mut self, name: &'static str, json: Option<Json<'j>>, max: usize) -> Vec<Json<'j>> {
        match json {
            None | Some(Json::Null) => Vec::new(),
            Some(Json::List(items)) => self.at_most(name, items, max),
            Some(other) => {
                let msg = format!("It is {}, not a list; dropped.", other.type_name());
                self.warn(self.loc.field(name), msg);
                Vec::new()
            }
        }
    }

    fn at_most<T>(&mut self, name: &'static str, mut items: Vec<T>, max: usize) -> Vec<T> {
        if items.len() > max {
            let count = items.len();
            let msg = format!("There are {count} {name}; the first {max} are kept.");
            self.warn(self.loc.field(name), msg);
            items.truncate(max);
        }
        items
    }

    /// Text as it may be stored: NUL made visible, cut at `max` characters with an ellipsis.
    fn text(&mut self, loc: Loc, text: Cow<'_, str>, max: usize) -> String {
        let mut text = self.without_nul(&loc, text).into_owned();
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

    fn without_nul<'t>(&mut self, loc: &Loc, text: Cow<'t, str>) -> Cow<'t, str> {
        if !text.contains('\0') {
            return text;
        }
        self.warn(loc.clone(), "NUL is replaced by U+FFFD.");
        Cow::Owned(text.replace('\0', "\u{FFFD}"))
    }

    fn drop_unknown(&mut self, loc: &Loc, object: &ObjectReader<'_>, known: &[&'static str]) {
        let warnings = unknown_fields(loc, object, known);
        self.warnings.extend(warnings);
    }

    fn unknown(&mut self) {
        let warnings = unknown_fields(self.loc, self.fields.object(), &KNOWN);
        self.warnings.extend(warnings);
    }
}

/// A warning for each field of an object that is not known.
fn unknown_fields(loc: &Loc, object: &ObjectReader<'_>, known: &[&'static str]) -> Vec<Warning> {
    let warning = |name: &str| {
        let shown: String = name.chars().take(NAME_CHARS_MAX).collect();
        let hint = closest_match(name, known.iter().copied());
        let hint = hint
            .map(|known| format!(" Did you mean {known}?"))
            .unwrap_or_default();
        Warning {
            loc: loc.field(shown),
            msg: format!("There is no such field; dropped.{hint}"),
        }
    };
    object.left_over().map(warning).collect()
}

/// A string as it is, a number or boolean as it is written; nothing for anything else.
fn scalar_text(json: Json<'_>) -> Option<Cow<'_, str>> {
    match json {
        Json::Text(text) => Some(text),
        Json::Number(number) => Some(Cow::Owned(number.to_string())),
        Json::Bool(value) => Some(Cow::Borrowed(if value { "true" } else { "false" })),
        Json::Null | Json::List(_) | Json::Object(_) => None,
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
    let hint = closest_match(given, words)
        .map(|word| format!(" Did you mean {word}?"))
        .unwrap_or_default();
    format!("{name} must be one of {}.{hint}", words.join(", "))
}

/// Whether a reader would see the character.
pub fn is_visible(c: char) -> bool {
    let invisible = matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}');
    !(c.is_whitespace() || c.is_control() || invisible)
}

#[cfg(test)]
mod tests;
