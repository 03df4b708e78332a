//! `/docs`: the API for people, made from its OpenAPI document, with nothing to load from elsewhere.

use std::sync::OnceLock;

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, header};
use serde_json::Value;

use crate::openapi_json;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1f2328;background:#fff}\
    h2{margin-top:2rem}summary{cursor:pointer;padding:.3rem 0}code{font-size:.95em}b{display:inline-block;min-width:4.5rem}\
    pre{background:#f6f8fa;padding:.8rem;overflow:auto}\
    table{border-collapse:collapse}th,td{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0;border-top:1px solid #8884}th{font-weight:600}\
    @media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}pre{background:#161b22}}";

/// Nothing is loaded and nothing runs; the page's own style is known by its hash.
const POLICY: &str = "default-src 'none'; style-src 'sha256-g3m32rIG27cm46h4OJdUNW383bp15jpU1TiEj0A7qEo='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// This page.
#[utoipa::path(
    get, path = "/docs", operation_id = "getDocs", tag = "operations", security(()),
    responses((status = 200, description = "The API for people", content_type = "text/html"))
)]
pub(super) async fn show() -> Response {
    static PAGE: OnceLock<String> = OnceLock::new();
    let html = PAGE.get_or_init(|| {
        let document: Value = serde_json::from_str(openapi_json()).expect("our own JSON");
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
    html.push_str("<h2>shapes</h2>");
    for (name, shape) in document["components"]["schemas"]
        .as_object()
        .into_iter()
        .flatten()
    {
        html.push_str(&shape_html(name, shape));
    }
    html.push_str("</html>");
    html
}

/// One call: what it is for, what it takes, and what it answers.
fn operation_html(method: &str, path: &str, operation: &Value) -> String {
    let mut html = format!(
        "<details><summary><b>{}</b> <code>{}</code> – {}</summary><p id={}>{}</p>",
        escaped(&method.to_uppercase()),
        escaped(path),
        text(&operation["summary"]),
        text(&operation["operationId"]),
        text(&operation["description"]),
    );
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let rows = parameters.map(|parameter| {
        let place = text(&parameter["in"]);
        let kind = format!("{}, in the {place}", kind_of(&parameter["schema"]));
        let is_required = parameter["required"] == true;
        row(
            &text(&parameter["name"]),
            &kind,
            is_required,
            &text(&parameter["description"]),
        )
    });
    html.push_str(&table(rows));
    if let Some(body) = operation.pointer("/requestBody/content/application~1json/schema") {
        html.push_str(&format!("<p>Takes {}.</p>", kind_of(body)));
    }
    for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
        let answered = match status.as_str() {
            "default" => "Any other status: a problem, ".to_owned() + &link("Problem"),
            status => {
                let shape = answer
                    .pointer("/content/application~1json/schema")
                    .map(kind_of);
                let shape = shape
                    .filter(|shape| !shape.is_empty())
                    .map(|shape| format!(": {shape}"));
                format!(
                    "{status} {}{}",
                    text(&answer["description"]),
                    shape.unwrap_or_default()
                )
            }
        };
        html.push_str(&format!("<p>{answered}.</p>"));
    }
    html + "</details>"
}

/// A shape with its fields, or its words.
fn shape_html(name: &str, shape: &Value) -> String {
    let required: Vec<&str> = strings(&shape["required"]).collect();
    let fields = shape["properties"].as_object().into_iter().flatten();
    let rows = fields.map(|(field, schema)| {
        let meaning = meaning_of(schema);
        row(
            &escaped(field),
            &kind_of(schema),
            required.contains(&field.as_str()),
            &meaning,
        )
    });
    let words = match shape.get("enum") {
        Some(_) => format!("<p>One of {}.</p>", words(shape)),
        None => String::new(),
    };
    let example = shape
        .get("example")
        .and_then(|example| serde_json::to_string_pretty(example).ok());
    let example = example.map(|example| format!("<pre>{}</pre>", escaped(&example)));
    format!(
        "<details><summary><b>{name}</b></summary><p id={name}>{}</p>{words}{}{}</details>",
        text(&shape["description"]),
        table(rows),
        example.unwrap_or_default()
    )
}

fn row(name: &str, kind: &str, is_required: bool, meaning: &str) -> String {
    let required = if is_required { "" } else { ", may be left out" };
    format!("<tr><th>{name}<td>{kind}{required}<td>{meaning}")
}

fn table(rows: impl Iterator<Item = String>) -> String {
    let rows: String = rows.collect();
    if rows.is_empty() {
        return rows;
    }
    format!("<table>{rows}</table>")
}

/// What a value is, with its limits. What may be null is said to be one of two things.
fn kind_of(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return link(reference.rsplit('/').next().unwrap_or_default());
    }
    if let Some(either) = schema["oneOf"].as_array() {
        return either.iter().map(kind_of).collect::<Vec<_>>().join(" or ");
    }
    let kinds = match &schema["type"] {
        Value::String(kind) => vec![kind.as_str()],
        kinds => strings(kinds).collect(),
    };
    let kinds = kinds.into_iter().map(|kind| match kind {
        "array" => format!("list of {}", kind_of(&schema["items"])),
        kind => escaped(kind),
    });
    let mut kind = kinds.collect::<Vec<_>>().join(" or ");
    for (name, says) in [
        ("format", ""),
        ("minLength", "characters at least "),
        ("maxLength", "characters at most "),
        ("minItems", "entries at least "),
        ("maxItems", "entries at most "),
        ("minimum", "at least "),
        ("maximum", "at most "),
        ("pattern", "matches "),
        ("default", "default "),
    ] {
        match &schema[name] {
            Value::Null => {}
            Value::String(limit) => kind.push_str(&format!(", {says}{}", escaped(limit))),
            limit => kind.push_str(&format!(", {says}{limit}")),
        }
    }
    kind
}

fn meaning_of(schema: &Value) -> String {
    let either = schema["oneOf"].as_array().into_iter().flatten();
    let mut all = std::iter::once(schema).chain(either);
    let found = all.find_map(|schema| schema["description"].as_str());
    escaped(found.unwrap_or_default())
}

fn words(shape: &Value) -> String {
    let words = strings(&shape["enum"]).map(|word| format!("<code>{}</code>", escaped(word)));
    words.collect::<Vec<_>>().join(", ")
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// Opens the shape's part of the page.
fn link(shape: &str) -> String {
    format!("<a href=#{shape}>{shape}</a>")
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
