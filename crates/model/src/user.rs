//! Users: who calls the API and who made a connector.

use std::fmt;

use serde::Serialize;

use crate::{UserId, alert_parse::is_visible, wire_enum::wire_enum};

/// Someone who signs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct User {
    /// Names the user.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = "uuid"))]
    pub id: UserId,
    /// The e-mail address, in lower case.
    #[cfg_attr(feature = "schema", schema(value_type = String, max_length = 254))]
    pub email: Email,
    /// The name for people.
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 120))]
    pub full_name: String,
}

/// The longest name for people, in characters.
const NAME_CHARS_MAX: usize = 120;

/// A name for people: 1–120 characters after trimming, none of them a control character.
pub fn display_name(text: &str) -> Result<String, &'static str> {
    let name = text.trim();
    if !name.chars().any(is_visible) {
        Err("A name shows at least one character.")
    } else if name.chars().count() > NAME_CHARS_MAX {
        Err("A name has at most 120 characters.")
    } else if name.chars().any(char::is_control) {
        Err("A name holds no control characters or line breaks.")
    } else {
        Ok(name.to_owned())
    }
}

/// An e-mail address in lower case. Only its outline is checked: something, an `@`, something.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// Reads an address, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim().to_lowercase();
        let odd = |c: char| !is_visible(c);
        match text.rsplit_once('@') {
            _ if text.len() > 254 => Err("An e-mail address has at most 254 characters."),
            Some((local, domain))
                if !local.is_empty() && !domain.is_empty() && !text.contains(odd) =>
            {
                Ok(Self(text))
            }
            _ => Err("An e-mail address looks like name@example.com."),
        }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Email {
    /// Addresses do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

wire_enum! {
    /// What a key may do: all that its user may, or only post alerts.
    KeyScope {
        /// All that its user may do, except manage keys.
        All = 0, "all";
        /// Only post alerts.
        Send = 1, "send";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_compare_in_lower_case() {
        assert_eq!(
            Email::parse(" Alice@Example.COM ").unwrap().as_str(),
            "alice@example.com"
        );
        for bad in ["", "alice", "@example.com", "alice@", "a b@example.com"] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
    }
}
