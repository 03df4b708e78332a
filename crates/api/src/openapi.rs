//! The OpenAPI 3.1 document, made from the routes themselves.

use std::sync::OnceLock;

use utoipa::openapi::{
    InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder,
    security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
};

use crate::routes::{core, people};

/// The document as JSON, made once.
pub fn openapi_json() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    DOCUMENT.get_or_init(|| serde_json::to_string_pretty(&document()).unwrap_or_default() + "\n")
}

fn document() -> OpenApi {
    let description = "Takes a data platform's alerts and brings them into Slack and Microsoft Teams. \
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
    document.merge(core().merge(people()).split_for_parts().1);
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    document.security = Some(vec![SecurityRequirement::new(
        "bearer",
        Vec::<String>::new(),
    )]);
    document
}
