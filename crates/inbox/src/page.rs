//! A page that shows what arrived, newest first.

use crate::Message;

const STYLE: &str = "body{font:15px/1.5 system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem}\
    article{border-top:1px solid #8886;padding:.5rem 0}pre{white-space:pre-wrap;overflow-wrap:anywhere}\
    .bad{color:#b00020}";

/// Nothing is loaded and nothing runs; the page's own style is known by its hash.
pub(crate) const POLICY: &str = "default-src 'none'; style-src 'sha256-VFo2+9VqjFziAdQkEbWLsl1JMsLYWX/W/xcvvzowie8='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page. It refreshes itself, needs no script, and shows payloads as text.
pub(crate) fn html(messages: &[Message]) -> String {
    let items: Vec<String> = messages.iter().rev().map(item).collect();
    let count = messages.len();
    let items = items.concat();
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=refresh content=5>\
         <meta name=viewport content=\"width=device-width\"><title>Inbox</title>\
         <style>{STYLE}</style><h1>Inbox</h1><p>{count} messages are kept. \
         <a href=/_inbox/messages>As JSON</a></p>{items}</html>"
    )
}

fn item(message: &Message) -> String {
    let headline = escaped(&headline(message));
    let (at, kind) = (&message.at, message.kind);
    let target = escaped(&format!("{}{}", message.host, message.target));
    let status = message
        .status
        .map_or_else(|| "left hanging".to_owned(), |status| status.to_string());
    let problem = message
        .problem
        .map(|problem| format!(" <span class=bad>{}</span>", escaped(problem)));
    let payload = message
        .payload
        .as_ref()
        .map(|payload| escaped(&pretty(payload.get())))
        .unwrap_or_default();
    format!(
        "<article><h2>{headline}</h2><p>{at} · {kind} · {target} · answered {status}{}</p>\
         <details><summary>Payload</summary><pre>{payload}</pre></details></article>",
        problem.unwrap_or_default()
    )
}

impl Message {
    /// The words that a notification would show.
    pub fn notification(&self) -> String {
        headline(self)
    }
}

fn headline(message: &Message) -> String {
    let payload: Option<serde_json::Value> = message
        .payload
        .as_ref()
        .and_then(|payload| serde_json::from_str(payload.get()).ok());
    let words = payload.as_ref().and_then(|payload| {
        let places = ["/attachments/0/fallback", "/summary", "/text"];
        places
            .iter()
            .find_map(|place| payload.pointer(place))
            .and_then(serde_json::Value::as_str)
    });
    words
        .unwrap_or("(no text)")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

fn pretty(json: &str) -> String {
    let value: Result<serde_json::Value, _> = serde_json::from_str(json);
    value
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_malformed| json.to_owned())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
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
