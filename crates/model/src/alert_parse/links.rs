//! What an alert points at: its link, its actions, its product and its check.

use super::{AlertReader, LABEL_CHARS_MAX, NAME_CHARS_MAX, scalar_text};
use crate::{ACTIONS_MAX, Action, Json, Link, Loc, ObjectReader, Part, is_visible};

impl AlertReader<'_, '_> {
    pub(super) fn url(&mut self) -> Option<Link> {
        let json = self.fields.take("url")?;
        self.link(self.loc.field("url"), json)
    }

    pub(super) fn actions(&mut self) -> Vec<Action> {
        let loc = self.loc.field("actions");
        let json = self.fields.take("actions");
        let items = self
            .list("actions", json, ACTIONS_MAX)
            .into_iter()
            .enumerate();
        items
            .filter_map(|(at, item)| self.action(&loc.item(at), item))
            .collect()
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
        let label = match object.take("label").and_then(scalar_text) {
            Some(label) if label.chars().any(is_visible) => {
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

    /// A product or a check: an object, or its name alone.
    pub(super) fn part(&mut self, name: &'static str) -> Option<Part> {
        let json = self.fields.take(name);
        let json = json.filter(|json| *json != Json::Null)?;
        let loc = self.loc.field(name);
        let mut object = match json {
            Json::List(_) => {
                self.warn(loc, "It is neither an object nor a name; dropped.");
                return None;
            }
            other => match ObjectReader::new(other) {
                Ok(object) => object,
                Err(name) => return self.named_part(loc, name),
            },
        };
        let id = match object.take("id") {
            None | Some(Json::Null) => None,
            Some(json) => match scalar_text(json) {
                Some(text) => Some(self.text(loc.field("id"), text, NAME_CHARS_MAX)),
                None => {
                    self.warn(
                        loc.field("id"),
                        "The id is neither a string nor a number; dropped.",
                    );
                    None
                }
            },
        };
        let url = object.take("url");
        let url = url.and_then(|json| self.link(loc.field("url"), json));
        let loc_of_name = loc.field("name");
        let name = match object.take("name").and_then(scalar_text) {
            Some(text) if text.chars().any(is_visible) => {
                self.text(loc_of_name, text, NAME_CHARS_MAX)
            }
            _ => {
                match &id {
                    Some(_) => self.warn(loc_of_name, "It has no name; its id is shown instead."),
                    None => self.warn(loc.clone(), "It has no name; dropped."),
                }
                id.clone()?
            }
        };
        self.drop_unknown(&loc, &object, &["id", "name", "url"]);
        Some(Part { id, name, url })
    }

    fn named_part(&mut self, loc: Loc, json: Json<'_>) -> Option<Part> {
        let name = scalar_text(json)?;
        if !name.chars().any(is_visible) {
            self.warn(loc, "It has no name; dropped.");
            return None;
        }
        Some(Part {
            id: None,
            name: self.text(loc, name, NAME_CHARS_MAX),
            url: None,
        })
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
}
