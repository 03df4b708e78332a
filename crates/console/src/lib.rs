#![doc = include_str!("../README.md")]

use std::io::Read as _;

use axum::{
    Router,
    body::Body,
    extract::Path,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use flate2::read::GzDecoder;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rust_embed::{EmbeddedFile, RustEmbed};

/// What `npm run build` makes. Of scripts and styles only the form in gzip is kept, which every browser takes.
#[derive(RustEmbed)]
#[folder = "../../console/dist"]
#[allow_missing = true]
#[exclude = "*.js"]
#[exclude = "*.css"]
struct Files;

/// The page that is served while the console is not built.
const NOT_BUILT: &str = include_str!("not_built.html");

/// Nothing inline and nothing from elsewhere, and no page may frame the console.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
);

/// The routes of the console: `/console/` and everything below it.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/console", get(async || Redirect::to("/console/")))
        .route("/console/", get(page))
        .route("/console/{*path}", get(file))
}

/// The page of the stand-in for Slack and Teams at `/_inbox`, with the renderers of the console; nothing while the console is not built.
pub fn inbox_page() -> Option<Router> {
    Files::get("inbox/inbox.html")?;
    let page = async |headers: HeaderMap| inbox_file("inbox.html", &headers);
    let asset = async |Path(name): Path<String>, headers: HeaderMap| {
        inbox_file(&format!("assets/{name}"), &headers)
    };
    let router = Router::new()
        .route("/_inbox", get(page))
        .route("/_inbox/assets/{*name}", get(asset));
    Some(router)
}

fn inbox_file(path: &str, headers: &HeaderMap) -> Response {
    file_of(&format!("inbox/{path}"), headers)
}

/// A file, or the page where the path is an address of the console.
async fn file(Path(path): Path<String>, headers: HeaderMap) -> Response {
    let is_file = path.starts_with("assets/") || path.rsplit('/').next().is_some_and(has_dot);
    if is_file {
        file_of(&path, &headers)
    } else {
        page(headers).await
    }
}

fn file_of(path: &str, headers: &HeaderMap) -> Response {
    answer(path, headers)
        .unwrap_or_else(|| (StatusCode::NOT_FOUND, "There is no such file.").into_response())
}

fn has_dot(name: &str) -> bool {
    name.contains('.')
}

/// The one page: the console itself shows what belongs to the address.
async fn page(headers: HeaderMap) -> Response {
    let not_built = || with_headers(Body::from(NOT_BUILT), "text/html; charset=utf-8", false);
    answer("index.html", &headers).unwrap_or_else(not_built)
}

/// A file, in gzip where that is accepted; nothing if there is none.
fn answer(path: &str, headers: &HeaderMap) -> Option<Response> {
    let kind = content_type(path);
    // The names of these files change with their content.
    let is_hashed = path.trim_start_matches("inbox/").starts_with("assets/");
    let (plain, packed) = (Files::get(path), Files::get(&format!("{path}.gz")));
    let packed = match (plain, packed) {
        (_, Some(packed)) if accepts_gzip(headers) => packed,
        (Some(plain), _) => return Some(with_headers(body_of(plain), kind, is_hashed)),
        (None, packed) => {
            let body = Body::from(unpacked(&packed?)?);
            return Some(with_headers(body, kind, is_hashed));
        }
    };
    let mut response = with_headers(body_of(packed), kind, is_hashed);
    let gzip = HeaderValue::from_static("gzip");
    response
        .headers_mut()
        .insert(header::CONTENT_ENCODING, gzip);
    Some(response)
}

/// For the rare client that takes no gzip.
fn unpacked(file: &EmbeddedFile) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let mut decoder = GzDecoder::new(&*file.data);
    decoder.read_to_end(&mut plain).ok()?;
    Some(plain)
}

fn body_of(file: EmbeddedFile) -> Body {
    match file.data {
        std::borrow::Cow::Borrowed(bytes) => Body::from(bytes),
        std::borrow::Cow::Owned(bytes) => Body::from(bytes),
    }
}

fn with_headers(body: Body, kind: &'static str, is_hashed: bool) -> Response {
    let mut response = Response::new(body);
    let cache = if is_hashed {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    for (name, value) in [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
    ] {
        response.headers_mut().insert(name, value);
    }
    response
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    let mut codings = accepted.unwrap_or_default().split(',').map(str::trim);
    codings
        .any(|coding| coding == "gzip" || coding.starts_with("gzip;") && !coding.ends_with("q=0"))
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http_body_util::BodyExt;
    use tower_service::Service;

    use super::*;

    async fn get(path: &str, encoding: &str) -> (Response<()>, Vec<u8>) {
        let request = Request::get(path).header("accept-encoding", encoding);
        let request = request.body(Body::empty()).unwrap();
        let response = router::<()>().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (Response::from_parts(parts, ()), bytes.to_vec())
    }

    #[tokio::test]
    async fn every_address_of_the_console_is_its_page() {
        for path in [
            "/console/",
            "/console/sign-in",
            "/console/spaces/data/connectors/new",
        ] {
            let (response, body) = get(path, "identity").await;
            assert_eq!(response.headers()["x-content-type-options"], "nosniff");
            assert_eq!(response.headers()["referrer-policy"], "no-referrer");
            assert_eq!(response.status(), 200, "{path}");
            let headers = response.headers();
            assert_eq!(headers["content-type"], "text/html; charset=utf-8");
            assert_eq!(headers["cache-control"], "no-cache");
            assert_eq!(headers["content-security-policy"], POLICY);
            assert!(String::from_utf8(body).unwrap().contains("<html"), "{path}");
        }
        assert_eq!(
            get("/console", "").await.0.headers()["location"],
            "/console/"
        );
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_no_page() {
        for path in [
            "/console/assets/none.js",
            "/console/none.svg",
            "/console/../secret.key",
        ] {
            assert_eq!(get(path, "gzip").await.0.status(), 404, "{path}");
        }
    }

    #[tokio::test]
    async fn who_takes_no_gzip_gets_the_same_unpacked() {
        let packed = Files::iter().filter(|name| name.starts_with("assets/"));
        for name in packed.filter_map(|name| name.strip_suffix(".gz").map(ToOwned::to_owned)) {
            let path = format!("/console/{name}");
            let (zipped, plain) = (get(&path, "gzip").await, get(&path, "identity").await);
            assert_eq!(zipped.0.headers()["content-encoding"], "gzip", "{path}");
            assert!(
                !plain.0.headers().contains_key("content-encoding"),
                "{path}"
            );
            let mut unpacked = Vec::new();
            GzDecoder::new(&*zipped.1)
                .read_to_end(&mut unpacked)
                .unwrap();
            assert!(
                unpacked == plain.1 && unpacked.len() > zipped.1.len(),
                "{path}"
            );
        }
    }

    #[test]
    fn gzip_is_sent_to_those_who_accept_it() {
        for (accepted, expected) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, gzip;q=0.8", true),
            ("gzip;q=0", false),
            ("br", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("accept-encoding", accepted.parse().unwrap());
            assert_eq!(accepts_gzip(&headers), expected, "{accepted}");
        }
    }
}
