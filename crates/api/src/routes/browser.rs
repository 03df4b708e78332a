//! Browsers are led to the console from the addresses that people know: the root, and the links of earlier messages.

use axum::extract::Request;
use http::{HeaderMap, Method, header};

/// Where a browser is led that asks for this.
pub(super) fn place_for(request: &Request) -> Option<String> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    place_of(request.uri().path(), request.headers())
}

/// Where a browser is led from a path.
fn place_of(path: &str, headers: &HeaderMap) -> Option<String> {
    let is_alert = |path: &str| {
        let parts: Vec<&str> = path.split('/').collect();
        matches!(parts[..], ["", "spaces", slug, "alerts", id] if !slug.is_empty() && !id.is_empty())
    };
    let place = match path {
        "/" => "/console/".to_owned(),
        path if is_alert(path) => format!("/console{path}"),
        _ => return None,
    };
    let accepted = headers.get(header::ACCEPT)?.to_str().ok()?;
    accepted.contains("text/html").then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_led_to_the_console_and_a_program_is_not() {
        let headers = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("accept", accept.parse().unwrap());
            headers
        };
        let browser = headers("text/html,application/xhtml+xml,*/*;q=0.8");
        let alert = "/spaces/data/alerts/0197c2a0-0000-7000-8000-000000000001";
        let led = |path| place_of(path, &browser);
        assert_eq!(led("/").as_deref(), Some("/console/"));
        assert_eq!(led(alert), Some(format!("/console{alert}")));
        for path in [
            "/spaces/data/alerts",
            "/spaces/data/alerts/",
            "/docs",
            "/spaces",
        ] {
            assert_eq!(led(path), None, "{path}");
        }
        for program in [
            headers("application/json"),
            headers("*/*"),
            HeaderMap::new(),
        ] {
            assert_eq!(place_of(alert, &program), None);
        }
    }
}
