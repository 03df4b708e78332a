//! Reads the fields of a JSON object one by one, and collects every fault with its place.

use std::borrow::Cow;

use crate::{Fault, FaultKind, Json, Loc, ObjectReader, closest_match};

/// The longest name of an unknown field that a fault repeats, in characters.
const SHOWN_CHARS_MAX: usize = 120;

/// An object whose fields are read one by one.
#[derive(Debug)]
pub struct FieldReader<'j> {
    object: ObjectReader<'j>,
    loc: Loc,
    /// The names that were asked for, for hints.
    known: Vec<&'static str>,
    /// The names that were asked for and were there.
    given: Vec<&'static str>,
    faults: Vec<Fault>,
}

impl<'j> FieldReader<'j> {
    /// The object at `loc`; a fault if it is none. `must_be` begins the fault, such as "The body must be".
    pub fn new(json: Json<'j>, loc: Loc, must_be: &str) -> Result<Self, Vec<Fault>> {
        match ObjectReader::new(json) {
            Ok(object) => Ok(Self {
                object,
                loc,
                known: Vec::new(),
                given: Vec::new(),
                faults: Vec::new(),
            }),
            Err(other) => {
                let msg = format!("{must_be} an object; this is {}.", other.type_name());
                Err(vec![Fault::new(loc, FaultKind::WrongType, msg)])
            }
        }
    }

    /// The object that is the body of a request.
    pub fn of_body(json: Json<'j>) -> Result<Self, Vec<Fault>> {
        Self::new(json, Loc::body(), "The body must be")
    }

    /// The place of a field.
    pub fn loc(&self, name: &'static str) -> Loc {
        self.loc.field(name)
    }

    /// The object, with the fields that were not taken.
    pub(crate) const fn object(&self) -> &ObjectReader<'j> {
        &self.object
    }

    /// Takes a field out, whatever it holds.
    pub fn take(&mut self, name: &'static str) -> Option<Json<'j>> {
        self.known.push(name);
        let json = self.object.take(name)?;
        self.given.push(name);
        Some(json)
    }

    /// Takes a string out. Anything else is a fault; a field that is absent is not.
    pub fn text(&mut self, name: &'static str) -> Option<Cow<'j, str>> {
        match self.take(name)? {
            Json::Text(text) => Some(text),
            other => {
                self.wrong_type(name, "a string", &other);
                None
            }
        }
    }

    /// Takes a string out that must be there.
    pub fn required_text(&mut self, name: &'static str) -> Option<Cow<'j, str>> {
        let text = self.text(name);
        self.require(name);
        text
    }

    /// Takes a string out that may be null.
    pub fn optional_text(&mut self, name: &'static str) -> Option<Cow<'j, str>> {
        match self.take(name)? {
            Json::Null => None,
            Json::Text(text) => Some(text),
            other => {
                self.wrong_type(name, "a string or null", &other);
                None
            }
        }
    }

    /// A field that was asked for and is absent is a fault.
    pub fn require(&mut self, name: &'static str) {
        if !self.given.contains(&name) {
            self.fault(name, FaultKind::Missing, format!("{name} is required."));
        }
    }

    /// Adds a fault of a field.
    pub fn fault(&mut self, name: &'static str, kind: FaultKind, msg: impl Into<String>) {
        self.faults
            .push(Fault::new(self.loc.field(name), kind, msg));
    }

    /// Adds a fault of an entry of a list.
    pub fn fault_of_item(
        &mut self,
        name: &'static str,
        index: usize,
        kind: FaultKind,
        msg: impl Into<String>,
    ) {
        let loc = self.loc.field(name).item(index);
        self.faults.push(Fault::new(loc, kind, msg));
    }

    /// Adds the fault of a field that holds another type of value than the wanted one.
    pub fn wrong_type(&mut self, name: &'static str, wanted: &str, found: &Json<'_>) {
        let loc = self.loc.field(name);
        self.faults
            .push(Fault::wrong_type(loc, name, wanted, found));
    }

    /// Adds a fault that is found elsewhere.
    pub fn push(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// How many faults there are so far.
    pub fn fault_count(&self) -> usize {
        self.faults.len()
    }

    /// Adds a fault for each field that was not asked for, with the nearest name as a hint. `ignored` may be there.
    pub fn refuse_unknown(&mut self, ignored: &[&str]) {
        let unknown = self.object.left_over();
        for name in unknown.filter(|name| !ignored.contains(name)) {
            let hint = closest_match(name, self.known.iter().copied())
                .map(|known| format!(" Did you mean {known}?"));
            let msg = format!("There is no such field.{}", hint.unwrap_or_default());
            let shown: String = name.chars().take(SHOWN_CHARS_MAX).collect();
            let loc = self.loc.field(shown);
            self.faults
                .push(Fault::new(loc, FaultKind::UnknownField, msg));
        }
    }

    /// The value that was read, unless there was a fault.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Vec<Fault>> {
        match value {
            Some(value) if self.faults.is_empty() => Ok(value),
            _ => Err(self.faults),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_collected_with_its_place() {
        let json = Json::parse(br#"{"a":1,"b":null,"c":[],"extra":1,"nmae":2}"#).unwrap();
        let mut reader = FieldReader::of_body(json).unwrap();
        assert!(reader.text("a").is_none());
        assert!(reader.optional_text("b").is_none());
        assert!(reader.required_text("name").is_none());
        assert!(matches!(reader.take("c"), Some(Json::List(_))));
        reader.fault_of_item("c", 3, FaultKind::NotOneOf, "no");
        reader.refuse_unknown(&["extra"]);
        let faults = reader.finish(Some(())).unwrap_err();
        let places: Vec<_> = faults.iter().map(|fault| fault.loc.to_string()).collect();
        assert_eq!(places, ["body.a", "body.name", "body.c.3", "body.nmae"]);
        assert!(faults[3].msg.ends_with("Did you mean name?"));
    }

    #[test]
    fn what_is_no_object_is_one_fault() {
        let faults = FieldReader::of_body(Json::parse(b"[1]").unwrap()).unwrap_err();
        assert_eq!(faults[0].msg, "The body must be an object; this is a list.");
    }
}
