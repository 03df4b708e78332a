//! Who a person is, and which spaces are theirs, by what a token claims.

use alert_connectors_model::{Email, Role, Slug};
use jiff::Timestamp;
use serde_json::Value;

use crate::token::{Claims, TokenError, ends_at};

/// A name that is longer is cut.
const NAME_CHARS_MAX: usize = 120;

/// Where a token says who somebody is, and what follows for spaces.
#[derive(Debug, Clone)]
pub struct ClaimRules {
    /// The claim with the e-mail address.
    pub email: String,
    /// The claim with the name for people.
    pub name: String,
    /// The claim with the groups: a list of texts, or one text.
    pub groups: String,
    /// What being in a group means. These rules alone decide who is a member of the spaces that they name.
    pub roles: Vec<GroupRole>,
}

/// The people of a group have a role in a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRole {
    /// The group, as tokens name it.
    pub group: String,
    /// The space.
    pub space: Slug,
    /// The role.
    pub role: Role,
}

impl Default for ClaimRules {
    fn default() -> Self {
        Self {
            email: "email".to_owned(),
            name: "name".to_owned(),
            groups: "groups".to_owned(),
            roles: Vec::new(),
        }
    }
}

impl GroupRole {
    /// Reads `GROUP=SLUG:ROLE`. The group may have `=` in it, as names in LDAP do.
    pub fn parse(text: &str) -> Option<Self> {
        let (group, role) = text.rsplit_once('=')?;
        let (space, role) = role.split_once(':')?;
        let group = (!group.is_empty()).then(|| group.to_owned())?;
        Some(Self {
            group,
            space: Slug::parse(space)?,
            role: Role::parse(role)?,
        })
    }
}

/// A person whom the issuer vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The address by which the person is known here.
    pub email: Email,
    /// The name for people.
    pub name: String,
    /// The spaces that the rules name, each with the person's role in it, if any.
    pub roles: Vec<(Slug, Option<Role>)>,
    /// When the token ends.
    pub ends_at: Timestamp,
}

impl ClaimRules {
    /// The person of a token.
    pub(crate) fn person(&self, claims: &Claims) -> Result<Person, TokenError> {
        // At some issuers people may enter any address, and then it says nothing of who they are.
        if claims.get("email_verified").is_some_and(|is| !is_true(is)) {
            return Err(TokenError::NoEmail);
        }
        let email = find(claims, &self.email).and_then(Value::as_str);
        let email = email.and_then(|text| Email::parse(text).ok());
        let email = email.ok_or(TokenError::NoEmail)?;
        let name = find(claims, &self.name).and_then(Value::as_str);
        let name = name.map(visible).filter(|name| !name.is_empty());
        Ok(Person {
            name: name.unwrap_or_else(|| email.to_string()),
            email,
            roles: self.roles(claims),
            ends_at: ends_at(claims).ok_or(TokenError::Expired)?,
        })
    }

    fn roles(&self, claims: &Claims) -> Vec<(Slug, Option<Role>)> {
        let groups = match find(claims, &self.groups) {
            Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(group)) => vec![group.as_str()],
            _ => Vec::new(),
        };
        let mut roles: Vec<(Slug, Option<Role>)> = Vec::new();
        for rule in &self.roles {
            let role = groups.contains(&rule.group.as_str()).then_some(rule.role);
            match roles.iter_mut().find(|(space, _)| *space == rule.space) {
                Some((_, known)) => *known = (*known).max(role),
                None => roles.push((rule.space.clone(), role)),
            }
        }
        roles
    }
}

/// A claim by its name, or by its way through objects, such as `realm_access.roles`.
fn find<'c>(claims: &'c Claims, name: &str) -> Option<&'c Value> {
    let through = || {
        let (first, rest) = name.split_once('.')?;
        rest.split('.')
            .try_fold(claims.get(first)?, |at, name| at.get(name))
    };
    claims.get(name).or_else(through)
}

/// Some issuers write it as a text.
fn is_true(value: &Value) -> bool {
    value.as_bool() == Some(true) || value.as_str() == Some("true")
}

fn visible(text: &str) -> String {
    let kept = text.trim().chars().filter(|letter| !letter.is_control());
    kept.take(NAME_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn person(rules: &ClaimRules, claims: Value) -> Result<Person, TokenError> {
        let Value::Object(mut claims) = claims else {
            panic!("{claims}")
        };
        claims.insert("exp".to_owned(), json!(2_000_000_000));
        rules.person(&claims)
    }

    #[test]
    fn a_group_gives_the_highest_role_that_a_rule_names() {
        let parsed = |text: &str| GroupRole::parse(text).unwrap();
        let rules = ClaimRules {
            groups: "realm_access.roles".to_owned(),
            roles: vec![
                parsed("everyone=data:viewer"),
                parsed("cn=data,ou=teams=data:admin"),
                parsed("ops=platform:editor"),
            ],
            ..ClaimRules::default()
        };
        let claims = json!({"email": "Ada@Example.com", "name": "Ada\u{7} L.", "realm_access": {"roles": ["everyone", "cn=data,ou=teams", 7]}});
        let found = person(&rules, claims).unwrap();
        assert_eq!(found.email.as_str(), "ada@example.com");
        assert_eq!(found.name, "Ada L.");
        let given: Vec<_> = found
            .roles
            .iter()
            .map(|(slug, role)| (slug.to_string(), *role))
            .collect();
        let expected = [("data", Some(Role::Admin)), ("platform", None)];
        assert_eq!(given, expected.map(|(slug, role)| (slug.to_owned(), role)));
    }

    #[test]
    fn only_a_verified_address_names_a_person() {
        let rules = ClaimRules {
            email: "https://example.com/email".to_owned(),
            ..ClaimRules::default()
        };
        for (claims, is_good) in [
            (json!({"https://example.com/email": "a@x.example"}), true),
            (
                json!({"https://example.com/email": "a@x.example", "email_verified": "true"}),
                true,
            ),
            (
                json!({"https://example.com/email": "a@x.example", "email_verified": false}),
                false,
            ),
            (
                json!({"https://example.com/email": "a@x.example", "email_verified": null}),
                false,
            ),
            (json!({"https://example.com/email": "nobody"}), false),
            (json!({"email": "a@x.example"}), false),
        ] {
            let found = person(&rules, claims.clone());
            assert_eq!(found.is_ok(), is_good, "{claims}");
        }
    }

    #[test]
    fn a_rule_names_a_group_a_space_and_a_role() {
        for wrong in ["", "a", "a=b", "=b:viewer", "a=B C:viewer", "a=b:owner"] {
            assert_eq!(GroupRole::parse(wrong), None, "{wrong:?}");
        }
    }
}
