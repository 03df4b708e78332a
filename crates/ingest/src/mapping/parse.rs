//! Reads the document of a mapping, and collects all of its faults.

use alert_connectors_model::{AlertType, Fault, FaultKind, FieldReader, Json, Loc, Severity};

use super::{
    ActionTemplate, Change, Condition, Effect, Lookup, Mapping, Rule, Template, lookup::Path,
};

/// A mapping may have this many rules.
const RULES_MAX: usize = 100;
/// A rule may have this many conditions, and a condition this many values.
const CONDITIONS_MAX: usize = 10;
const VALUES_MAX: usize = 50;
/// The longest name, value or template, in characters.
const TEXT_CHARS_MAX: usize = 300;

pub(super) fn mapping(document: Json<'_>) -> Result<Mapping, Vec<Fault>> {
    let mut reader = FieldReader::of_body(document)?;
    let rules = list(&mut reader, "rules", RULES_MAX);
    reader.require("rules");
    reader.refuse_unknown(&[]);
    let mut read = Vec::new();
    for (at, json) in rules.into_iter().flatten().enumerate() {
        match rule(json, reader.loc("rules").item(at)) {
            Ok(rule) => read.push(rule),
            Err(faults) => faults.into_iter().for_each(|fault| reader.push(fault)),
        }
    }
    reader.finish(Some(Mapping { rules: read }))
}

fn rule(json: Json<'_>, loc: Loc) -> Result<Rule, Vec<Fault>> {
    let mut reader = FieldReader::new(json, loc, "A rule is")?;
    let conditions = conditions(&mut reader);
    let drops = flag(&mut reader, "drop");
    let change = change(&mut reader);
    reader.refuse_unknown(&[]);
    let effect = match (drops, change) {
        (true, None) => Some(Effect::Drop),
        (false, Some(change)) => Some(Effect::Change(Box::new(change))),
        (true, Some(_)) => {
            let msg = "A rule that drops alerts changes nothing else.";
            reader.fault("drop", FaultKind::NotOneOf, msg);
            None
        }
        (false, None) => {
            if reader.fault_count() == 0 {
                let msg = "A rule sets alert_type, severity, title or url, adds an action (add_action), or drops (drop).";
                reader.fault("drop", FaultKind::Missing, msg);
            }
            None
        }
    };
    reader.finish(effect.map(|effect| Rule { conditions, effect }))
}

/// `where`: one condition, or a list of which all must hold. Without it, the rule is for every alert.
fn conditions(rule: &mut FieldReader<'_>) -> Vec<Condition> {
    let given = match rule.take("where") {
        None => return Vec::new(),
        Some(Json::List(items)) if items.len() > CONDITIONS_MAX => {
            let msg = format!("A rule has at most {CONDITIONS_MAX} conditions.");
            rule.fault("where", FaultKind::TooMany, msg);
            return Vec::new();
        }
        Some(Json::List(items)) => items
            .into_iter()
            .enumerate()
            .map(|(at, item)| (rule.loc("where").item(at), item))
            .collect(),
        Some(one) => vec![(rule.loc("where"), one)],
    };
    let mut read = Vec::new();
    for (loc, json) in given {
        match condition(json, loc) {
            Ok(condition) => read.push(condition),
            Err(faults) => faults.into_iter().for_each(|fault| rule.push(fault)),
        }
    }
    read
}

fn condition(json: Json<'_>, loc: Loc) -> Result<Condition, Vec<Fault>> {
    let mut reader = FieldReader::new(json, loc, "A condition is")?;
    let lookups: Vec<Option<Lookup>> = [
        text(&mut reader, "label").map(|name| Some(Lookup::Label(name))),
        text(&mut reader, "field").map(|name| Some(Lookup::Field(name))),
        text(&mut reader, "path").map(|path| path_of(&mut reader, "path", &path).map(Lookup::Path)),
        text(&mut reader, "body").map(|path| path_of(&mut reader, "body", &path).map(Lookup::Body)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let values = values(&mut reader);
    reader.refuse_unknown(&[]);
    let lookup = match <[_; 1]>::try_from(lookups) {
        Ok([lookup]) => lookup,
        Err(_) => {
            if reader.fault_count() == 0 {
                let msg = "A condition names one of label, field, path and body.";
                reader.fault("label", FaultKind::NotOneOf, msg);
            }
            None
        }
    };
    reader.finish(lookup.map(|lookup| Condition { lookup, values }))
}

fn path_of(reader: &mut FieldReader<'_>, name: &'static str, text: &str) -> Option<Path> {
    let path = Path::parse(text);
    if path.is_none() {
        let msg = "A path is names with dots between them and places in lists, such as results[0].status.";
        reader.fault(name, FaultKind::NotOneOf, msg);
    }
    path
}

/// `is`: a value, or a list of values. Numbers and booleans are compared by how they are written.
fn values(condition: &mut FieldReader<'_>) -> Vec<String> {
    let given = match condition.take("is") {
        None => return Vec::new(),
        Some(Json::List(items)) => items,
        Some(one) => vec![one],
    };
    if given.is_empty() || given.len() > VALUES_MAX {
        let msg = format!("A condition lists 1 to {VALUES_MAX} values.");
        condition.fault("is", FaultKind::TooMany, msg);
    }
    let mut read = Vec::new();
    for value in given.into_iter().take(VALUES_MAX) {
        match value {
            Json::Text(text) if text.chars().count() <= TEXT_CHARS_MAX => {
                read.push(text.into_owned());
            }
            Json::Number(number) => read.push(number.to_string()),
            Json::Bool(value) => read.push(value.to_string()),
            _ => {
                let msg = format!(
                    "A value is a string of at most {TEXT_CHARS_MAX} characters, a number or a boolean."
                );
                condition.fault("is", FaultKind::WrongType, msg);
                break;
            }
        }
    }
    read
}

/// What a rule sets or adds; nothing where it does neither.
fn change(rule: &mut FieldReader<'_>) -> Option<Change> {
    let before = rule.fault_count();
    let change = Change {
        alert_type: text(rule, "alert_type").and_then(|text| alert_type(rule, &text)),
        severity: text(rule, "severity").and_then(|word| severity(rule, &word)),
        title: text(rule, "title").and_then(|text| template(rule, "title", &text)),
        url: text(rule, "url").and_then(|text| url_template(rule, &text)),
        action: action(rule),
    };
    (rule.fault_count() == before && change != Change::default()).then_some(change)
}

fn alert_type(rule: &mut FieldReader<'_>, text: &str) -> Option<AlertType> {
    let parsed = AlertType::parse(text);
    if parsed.is_none() {
        let msg = "A type has 1 to 64 of a-z 0-9 _ . -";
        rule.fault("alert_type", FaultKind::NotOneOf, msg);
    }
    parsed
}

fn severity(rule: &mut FieldReader<'_>, word: &str) -> Option<Severity> {
    let parsed = Severity::parse(word);
    if parsed.is_none() {
        let msg = "A severity is low, medium, high or critical.";
        rule.fault("severity", FaultKind::NotOneOf, msg);
    }
    parsed
}

fn action(rule: &mut FieldReader<'_>) -> Option<ActionTemplate> {
    let json = rule.take("add_action")?;
    let read = || {
        let mut reader = FieldReader::new(json, rule.loc("add_action"), "An action is")?;
        let label = text(&mut reader, "label");
        let url = text(&mut reader, "url");
        reader.require("label");
        reader.require("url");
        reader.refuse_unknown(&[]);
        let label = label.and_then(|text| template(&mut reader, "label", &text));
        let url = url.and_then(|text| url_template(&mut reader, &text));
        let action = label.zip(url);
        reader.finish(action.map(|(label, url)| ActionTemplate { label, url }))
    };
    match read() {
        Ok(action) => Some(action),
        Err(faults) => {
            for fault in faults {
                rule.push(fault);
            }
            None
        }
    }
}

fn url_template(reader: &mut FieldReader<'_>, text: &str) -> Option<Template> {
    if !text.starts_with("https://") && !text.starts_with("http://") {
        let msg = "The URL starts with https:// or http://; placeholders come after that.";
        reader.fault("url", FaultKind::BadUrl, msg);
        return None;
    }
    template(reader, "url", text)
}

fn template(reader: &mut FieldReader<'_>, name: &'static str, text: &str) -> Option<Template> {
    match Template::parse(text) {
        Ok(template) => Some(template),
        Err(msg) => {
            reader.fault(name, FaultKind::NotOneOf, msg);
            None
        }
    }
}

/// A text of a fitting length.
fn text(reader: &mut FieldReader<'_>, name: &'static str) -> Option<String> {
    let text = reader.text(name)?;
    let chars = text.chars().count();
    if text.trim().is_empty() {
        reader.fault(
            name,
            FaultKind::TooShort,
            format!("{name} must not be empty."),
        );
        return None;
    }
    if chars > TEXT_CHARS_MAX {
        let msg = format!("{name} has at most {TEXT_CHARS_MAX} characters; this has {chars}.");
        reader.fault(name, FaultKind::TooLong, msg);
        return None;
    }
    Some(text.into_owned())
}

fn flag(reader: &mut FieldReader<'_>, name: &'static str) -> bool {
    match reader.take(name) {
        None | Some(Json::Bool(false)) => false,
        Some(Json::Bool(true)) => true,
        Some(other) => {
            reader.wrong_type(name, "a boolean", &other);
            false
        }
    }
}

fn list<'j>(
    reader: &mut FieldReader<'j>,
    name: &'static str,
    most: usize,
) -> Option<Vec<Json<'j>>> {
    match reader.take(name)? {
        Json::List(items) if items.len() <= most => Some(items),
        Json::List(items) => {
            let msg = format!(
                "{name} has at most {most} entries; this has {}.",
                items.len()
            );
            reader.fault(name, FaultKind::TooMany, msg);
            None
        }
        other => {
            reader.wrong_type(name, "a list", &other);
            None
        }
    }
}
