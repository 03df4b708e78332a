//! `/docs`: the API for people, made from its OpenAPI document, with nothing to load from elsewhere.

use std::sync::OnceLock;

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, header};
use serde_json::Value;

use crate::openapi_json;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1f2328;background:#fff}\
    h2{margin-top:2rem}summary{cursor:pointer;padding:.3rem 0}code{font-size:.95em}b{display:inline-block;min-width:4.5rem}\
    pre{background:#f6f8fa;padding:.8rem;overflow:auto}@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}pre{background:#161b22}}";

/// Nothing is loaded and nothing runs; the page's own style is known by its hash.
const POLICY: &str = "default-src 'none'; style-src 'sha256-YbcIwqJ4FCZ9UCV9MyCpDwa2JE/b3n/kiFfJrOMhEXo='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// This page.
#[utoipa::path(
    get, path = "/docs", tag = "operations", security(()),
    responses((status = 200, description = "The API for people", content_type = "text/html"))
)]
pub(super) async fn show() -> Response {
    static PAGE: OnceLock<String> = OnceLock::new();
    let html = PAGE.get_or_init(|| {
        let document: Value = serde_json::from_str(openapi_json()).unwrap_or_default();
        page(&document)
    });
    let policy = (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    ([policy], Html(html.as_str())).into_response()
}

fn page(document: &Value) -> String {
    let title = text(&document["info"]["title"]);
    let mut html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>{title}</title><style>{STYLE}</style><h1>{title}</h1><p>{}</p>\
         <p>The same for programs: <a href=openapi.json>openapi.json</a></p>",
        text(&document["info"]["description"])
    );
    let mut tags: Vec<(String, String)> = Vec::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let tag = text(&operation["tags"][0]);
            let entry = operation_html(method, path, operation);
            match tags.iter_mut().find(|(known, _)| *known == tag) {
                Some((_, entries)) => entries.push_str(&entry),
                None => tags.push((tag, entry)),
            }
        }
    }
    for (tag, entries) in tags {
        html.push_str(&format!("<h2>{tag}</h2>{entries}"));
    }
    let schemas = serde_json::to_string_pretty(&document["components"]["schemas"]);
    html.push_str(&format!(
        "<h2>shapes</h2><pre>{}</pre></html>",
        escaped(&schemas.unwrap_or_default())
    ));
    html
}

fn operation_html(method: &str, path: &str, operation: &Value) -> String {
    let parts = ["parameters", "requestBody", "responses"];
    let details: serde_json::Map<String, Value> = parts
        .into_iter()
        .filter_map(|part| Some((part.to_owned(), operation.get(part)?.clone())))
        .collect();
    let details = serde_json::to_string_pretty(&details).unwrap_or_default();
    format!(
        "<details><summary><b>{}</b> <code>{}</code> – {}</summary><pre>{}</pre></details>",
        escaped(&method.to_uppercase()),
        escaped(path),
        text(&operation["summary"]),
        escaped(&details)
    )
}

fn text(value: &Value) -> String {
    escaped(value.as_str().unwrap_or_default())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use ring::digest;

    use super::*;

    #[test]
    fn the_policy_allows_the_page_its_style() {
        let hash = digest::digest(&digest::SHA256, STYLE.as_bytes());
        let source = format!("'sha256-{}'", BASE64_STANDARD.encode(hash));
        assert!(POLICY.contains(&source), "{source}");
    }
}
