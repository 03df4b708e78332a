//! The OpenAPI 3.1 document, made from the routes themselves.

use std::sync::OnceLock;

use utoipa::{
    ToResponse,
    openapi::{
        InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder,
        security::{
            ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
        },
    },
};

use crate::routes::{core, operations, schema, users};

/// The document as JSON, made once.
pub fn openapi_json() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        serde_json::to_string_pretty(&document()).expect("a document of our own serialises") + "\n"
    })
}

/// What the document says of the session cookie.
const COOKIE: &str = "What POST /auth/session sets. It is good only for requests of the service's own pages, by \
    Sec-Fetch-Site, or by Origin where that is missing. Over plain HTTP its name is session.";

fn document() -> OpenApi {
    let description = "Delivers a data platform's alerts to Slack and Microsoft Teams, and retries until they arrive. \
                       Errors are problem details (RFC 9457). Every answer carries X-Request-Id.";
    let info = InfoBuilder::new()
        .title("Alert Connectors API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(description))
        .license(Some(
            LicenseBuilder::new().name("MIT OR Apache-2.0").build(),
        ))
        .build();
    let mut document = OpenApiBuilder::new().info(info).build();
    document.merge(
        core()
            .merge(users())
            .merge(operations())
            .split_for_parts()
            .1,
    );
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let cookie = ApiKeyValue::with_description("__Host-session", COOKIE);
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(cookie));
    components.add_security_scheme("session", cookie);
    // Routes refer to it, but the routers collect only the schemas that they refer to, not the responses.
    let (name, problem) = schema::AnyProblem::response();
    components.responses.insert(name.to_owned(), problem);
    let either = ["bearer", "session"];
    let either = either.map(|scheme| SecurityRequirement::new(scheme, Vec::<String>::new()));
    document.security = Some(either.to_vec());
    document
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    use super::*;

    /// Every value of the document, with its place.
    fn walk<'d>(at: &str, value: &'d Value, found: &mut Vec<(String, &'d Value)>) {
        found.push((at.to_owned(), value));
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                let name = name.replace('~', "~0").replace('/', "~1");
                walk(&format!("{at}/{name}"), value, found);
            }),
            Value::Array(items) => items.iter().enumerate().for_each(|(index, value)| {
                walk(&format!("{at}/{index}"), value, found);
            }),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
        let document: Value = serde_json::from_str(openapi_json()).unwrap();
        let (mut found, mut operations) = (Vec::new(), HashSet::new());
        walk("", &document, &mut found);
        for (at, value) in &found {
            if at.ends_with("/$ref") {
                let target = value.as_str().unwrap().strip_prefix('#').unwrap();
                assert!(document.pointer(target).is_some(), "{at}: {target}");
            }
            if at.ends_with("/operationId") {
                assert!(
                    operations.insert(value.to_string()),
                    "{at}: {value} is not the only one"
                );
            }
        }
        assert!(operations.len() > 30);
    }

    #[test]
    fn every_answer_field_and_parameter_says_what_it_means() {
        let document: Value = serde_json::from_str(openapi_json()).unwrap();
        let mut found = Vec::new();
        walk("", &document, &mut found);
        let parent = |at: &str| {
            at.rsplit_once('/')
                .map(|(parent, _)| parent.to_owned())
                .unwrap_or_default()
        };
        let mut described = 0;
        for (at, value) in &found {
            let above = parent(at);
            let is_field =
                above.starts_with("/components/schemas/") && above.ends_with("/properties");
            let is_answer = above.ends_with("/responses") && value.get("$ref").is_none();
            let is_shape = above == "/components/schemas";
            let is_body = at.ends_with("/requestBody");
            if (is_field || is_answer || is_shape || is_body || above.ends_with("/parameters"))
                && !at.contains("/example/")
            {
                // What may be null is one of two, and the other one has the description.
                let text = value
                    .get("description")
                    .or_else(|| value.pointer("/oneOf/0/description"));
                let text = text.or_else(|| value.pointer("/oneOf/1/description"));
                assert!(
                    text.and_then(Value::as_str)
                        .is_some_and(|text| text.len() > 3),
                    "{at}: {value}"
                );
                described += 1;
            }
        }
        assert!(described > 250, "{described}");
    }
}
