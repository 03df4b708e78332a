//! The cookie of a browser's session. It holds a session token and is good only for requests of the service's own origin.

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header, uri::Authority};
use jiff::SignedDuration;

use super::{IdentityError, store::bearer};

/// What a cookie is called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CookieName {
    /// Over HTTPS and on this machine. A browser keeps a cookie of this prefix only if the host itself set it for all of its
    /// paths, and never sends it in the clear.
    secure: &'static str,
    /// Over plain HTTP, where browsers refuse the other.
    plain: &'static str,
}

const SESSION_COOKIE: CookieName = CookieName {
    secure: "__Host-session",
    plain: "session",
};
/// What a browser keeps while somebody signs in elsewhere.
pub(crate) const JOURNEY_COOKIE: CookieName = CookieName {
    secure: "__Host-journey",
    plain: "journey",
};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The token of a caller: of the header `Authorization`, or else of the session cookie.
pub fn caller_token(headers: &HeaderMap) -> Result<&str, IdentityError> {
    if headers.contains_key(header::AUTHORIZATION) {
        return bearer(headers).ok_or(IdentityError::Unauthenticated);
    }
    let token = cookie(headers, SESSION_COOKIE).ok_or(IdentityError::Unauthenticated)?;
    if is_same_origin(headers) {
        Ok(token)
    } else {
        Err(IdentityError::ForeignOrigin)
    }
}

/// The `Set-Cookie` header that makes a browser keep a token for this long.
pub(crate) fn set_cookie(headers: &HeaderMap, token: &str, lasts: SignedDuration) -> HeaderValue {
    set(headers, SESSION_COOKIE, token, "Strict", lasts)
}

/// The same for what a browser keeps while somebody signs in elsewhere. It comes back when that other service leads the browser here.
pub(crate) fn set_journey_cookie(
    headers: &HeaderMap,
    kept: &str,
    lasts: SignedDuration,
) -> HeaderValue {
    set(headers, JOURNEY_COOKIE, kept, "Lax", lasts)
}

fn set(
    headers: &HeaderMap,
    name: CookieName,
    value: &str,
    same_site: &str,
    lasts: SignedDuration,
) -> HeaderValue {
    let (name, secure) = if is_secure(headers) {
        (name.secure, "; Secure")
    } else {
        (name.plain, "")
    };
    let seconds = lasts.as_secs();
    let cookie = format!(
        "{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}"
    );
    HeaderValue::try_from(cookie)
        .expect("a value is of letters, digits, dots, dashes and underscores")
}

/// The `Set-Cookie` header that makes a browser forget its token.
pub(crate) fn forget_cookie(headers: &HeaderMap) -> HeaderValue {
    set_cookie(headers, "", SignedDuration::ZERO)
}

/// Whether a request to sign in may come from another site, which could sign the browser in as somebody else.
pub(crate) fn is_foreign(headers: &HeaderMap) -> bool {
    let tells = headers.contains_key(SEC_FETCH_SITE) || headers.contains_key(header::ORIGIN);
    tells && !is_same_origin(headers)
}

/// The value of a cookie.
pub(crate) fn cookie(headers: &HeaderMap, name: CookieName) -> Option<&str> {
    let named = |name: &str| {
        let values = headers.get_all(header::COOKIE).iter();
        let pairs = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'));
        let mut found = pairs.filter_map(|pair| pair.trim().split_once('='));
        let (_, token) = found.find(|(found, token)| *found == name && !token.is_empty())?;
        Some(token)
    };
    // The plain name could be set by a neighbour of the host, so it counts only where the other can't be kept.
    named(name.secure).or_else(|| named(name.plain).filter(|_| !is_secure(headers)))
}

/// Whether the browser says that a page of this origin makes the request.
fn is_same_origin(headers: &HeaderMap) -> bool {
    match headers.get(SEC_FETCH_SITE) {
        Some(site) => site == "same-origin",
        None => match (origin(headers), host(headers)) {
            (Some((scheme, origin)), Some(host)) => {
                let port = |authority: &Authority| authority.port_u16().or(scheme);
                origin.host().eq_ignore_ascii_case(host.host()) && port(&origin) == port(&host)
            }
            _ => false,
        },
    }
}

/// The port that the scheme of the header `Origin` stands for, and the authority in it.
fn origin(headers: &HeaderMap) -> Option<(Option<u16>, Authority)> {
    let origin: Uri = headers.get(header::ORIGIN)?.to_str().ok()?.parse().ok()?;
    let port = match origin.scheme_str()? {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    };
    Some((port, origin.authority()?.clone()))
}

fn host(headers: &HeaderMap) -> Option<Authority> {
    headers.get(header::HOST)?.to_str().ok()?.parse().ok()
}

/// Whether the page came over HTTPS or from this machine: a browser says `Sec-Fetch-Site` only then, or names the page's origin, and
/// a proxy says how it was asked.
fn is_secure(headers: &HeaderMap) -> bool {
    let is_local = |host: Authority| {
        matches!(host.host(), "localhost" | "127.0.0.1" | "[::1]")
            || host.host().ends_with(".localhost")
    };
    let origin = headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
    headers.contains_key(SEC_FETCH_SITE)
        || origin.is_some_and(|origin| origin.starts_with(b"https://"))
        || headers
            .get(X_FORWARDED_PROTO)
            .is_some_and(|scheme| scheme == "https")
        || host(headers).is_some_and(is_local)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        lines.iter().map(pair).collect()
    }

    const COOKIE: (&str, &str) = ("cookie", "theme=dark; __Host-session=acs_1");
    const HOST: (&str, &str) = ("host", "alerts.example.com");

    #[test]
    fn a_cookie_counts_only_for_the_own_origin() {
        for (lines, is_good) in [
            (vec![("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "same-site")], false),
            (vec![("sec-fetch-site", "cross-site")], false),
            (vec![("sec-fetch-site", "none")], false),
            // The browser's own word counts, whatever the origin says.
            (
                vec![
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "https://alerts.example.com"),
                ],
                false,
            ),
            (vec![("origin", "https://alerts.example.com")], true),
            (vec![("origin", "https://alerts.example.com:443")], true),
            (vec![("origin", "https://ALERTS.example.com")], true),
            (vec![("origin", "https://alerts.example.com:8443")], false),
            (vec![("origin", "https://evil.example.com")], false),
            (
                vec![("origin", "https://alerts.example.com.evil.example")],
                false,
            ),
            (vec![("origin", "null")], false),
            (vec![], false),
        ] {
            let all = [&[COOKIE, HOST][..], &lines].concat();
            let all = headers(&all);
            let found = caller_token(&all);
            assert_eq!(found.is_ok(), is_good, "{lines:?}");
            if !is_good {
                assert!(matches!(found, Err(IdentityError::ForeignOrigin)));
            }
        }
    }

    #[test]
    fn the_header_wins_over_the_cookie() {
        let both = headers(&[COOKIE, HOST, ("authorization", "Bearer acs_2")]);
        assert_eq!(caller_token(&both).unwrap(), "acs_2");
        let malformed = headers(&[
            COOKIE,
            HOST,
            ("sec-fetch-site", "same-origin"),
            ("authorization", "Basic x"),
        ]);
        let found = caller_token(&malformed);
        assert!(matches!(found, Err(IdentityError::Unauthenticated)));
    }

    #[test]
    fn the_plain_name_counts_only_where_the_other_can_not_be_kept() {
        let plain = ("cookie", "session=acs_1");
        let over_http = headers(&[plain, HOST, ("origin", "http://alerts.example.com")]);
        assert_eq!(caller_token(&over_http).unwrap(), "acs_1");
        let over_https = headers(&[plain, HOST, ("sec-fetch-site", "same-origin")]);
        assert!(caller_token(&over_https).is_err());
    }

    #[test]
    fn the_cookie_is_as_strict_as_its_way_allows() {
        let lasts = SignedDuration::from_hours(12);
        let set = |lines: &[_]| {
            let set = set_cookie(&headers(lines), "acs_1", lasts);
            set.to_str().unwrap().to_owned()
        };
        let strict =
            "__Host-session=acs_1; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure";
        assert_eq!(set(&[HOST, ("sec-fetch-site", "same-origin")]), strict);
        assert_eq!(set(&[HOST, ("x-forwarded-proto", "https")]), strict);
        let origin = ("origin", "https://alerts.example.com");
        assert_eq!(set(&[HOST, origin]), strict);
        assert_eq!(set(&[("host", "localhost:8080")]), strict);
        assert_eq!(set(&[("host", "127.0.0.1:8080")]), strict);
        let plain = "session=acs_1; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict";
        assert_eq!(set(&[HOST]), plain);
    }

    #[test]
    fn another_site_signs_no_browser_in() {
        assert!(!is_foreign(&headers(&[HOST])));
        assert!(!is_foreign(&headers(&[
            HOST,
            ("sec-fetch-site", "same-origin")
        ])));
        assert!(is_foreign(&headers(&[
            HOST,
            ("sec-fetch-site", "cross-site")
        ])));
        assert!(is_foreign(&headers(&[
            HOST,
            ("origin", "https://evil.example.com")
        ])));
    }
}
