//! Single sign-on: whose tokens are accepted beside those of this service, and what they say of people.

use alert_connectors_delivery::Trust;
use alert_connectors_model::Secret;
use alert_connectors_sso::{
    ClaimRules, GroupRole, IssuerOptions, KeyLocation, NewUsers, OidcOptions,
};
use url::Url;

use super::{
    Faults, Layers,
    reading::{many, maybe, network},
};

/// The settings that mean nothing without an issuer.
const OF_AN_ISSUER: [&str; 12] = [
    "audience",
    "jwks-url",
    "jwks-file",
    "email-claim",
    "name-claim",
    "groups-claim",
    "group-role",
    "new-users",
    "issuer-network",
    "oidc-client-id",
    "oidc-client-secret-file",
    "oidc-scopes",
];

/// An issuer, and what becomes of people who are new.
pub(crate) struct SsoConfig {
    pub(crate) issuer: IssuerOptions,
    pub(crate) new_users: NewUsers,
    /// Set where people sign in at the issuer's page.
    pub(crate) oidc: Option<OidcOptions>,
}

/// What the issuer's page is asked for, by default.
pub(super) const SCOPES_DEFAULT: &str = "openid email profile";

impl SsoConfig {
    /// Reads the settings; nothing where no issuer is named.
    pub(crate) fn parse(
        layers: &Layers,
        faults: &mut Faults,
        trust: &Trust,
        public_url: Option<&str>,
    ) -> Option<Self> {
        let Some((issuer, origin)) = layers.one("issuer") else {
            for name in OF_AN_ISSUER {
                if let Some((_, origin)) = layers.one(name) {
                    faults.add(origin, name, "name the issuer of the tokens with --issuer");
                }
            }
            return None;
        };
        let oidc = oidc(layers, faults, public_url);
        if layers.all("audience").0.is_empty() && oidc.is_none() {
            let what = "name for whom its tokens are with --audience: a token for another service must not open this one";
            faults.add(origin, "issuer", what);
        }
        Some(Self {
            issuer: IssuerOptions {
                issuer: issuer.to_owned(),
                audiences: layers.all("audience").0.to_vec(),
                keys: keys(layers, faults, issuer, origin),
                networks: many(layers, "issuer-network", faults, network),
                extra_roots: trust.extra_roots.clone(),
                rules: rules(layers, faults),
            },
            oidc,
            new_users: maybe(layers, "new-users", faults, new_users).unwrap_or(NewUsers::Refuse),
        })
    }
}

/// Where the keys are: where it is said, or else where the issuer says.
fn keys(layers: &Layers, faults: &mut Faults, issuer: &str, origin: &str) -> KeyLocation {
    let url = maybe(layers, "jwks-url", faults, |text| {
        Url::parse(text).map_err(|error| format!("{text:?} is no URL: {error}"))
    });
    let file = layers.one("jwks-file");
    if let (Some(_), Some((_, origin))) = (&url, file) {
        let what = "the keys are at --jwks-url or in --jwks-file, not both";
        faults.add(origin, "jwks-file", what);
    }
    match (url, file) {
        (Some(url), _) => KeyLocation::Url(url),
        (None, Some((path, _))) => KeyLocation::File(path.into()),
        (None, None) => {
            let is_asked = |url: Url| matches!(url.scheme(), "https" | "http");
            if layers.one("jwks-url").is_none() && !Url::parse(issuer).is_ok_and(is_asked) {
                let what = "it is no https:// URL to ask for its keys: say where they are with --jwks-url or --jwks-file";
                faults.add(origin, "issuer", what);
            }
            KeyLocation::Discovered(issuer.to_owned())
        }
    }
}

/// How this service is known to the issuer, if people sign in at its page.
fn oidc(layers: &Layers, faults: &mut Faults, public_url: Option<&str>) -> Option<OidcOptions> {
    let Some((client_id, origin)) = layers.one("oidc-client-id") else {
        for name in ["oidc-client-secret-file", "oidc-scopes"] {
            if let Some((_, origin)) = layers.one(name) {
                faults.add(origin, name, "name the client with --oidc-client-id");
            }
        }
        return None;
    };
    if public_url.is_none() {
        let what = "browsers have to find the way back: say with --public-url where people reach this service";
        faults.add(origin, "oidc-client-id", what);
    }
    let scopes = layers
        .one("oidc-scopes")
        .map_or(SCOPES_DEFAULT, |(scopes, _)| scopes);
    Some(OidcOptions {
        client_id: client_id.to_owned(),
        client_secret: maybe(layers, "oidc-client-secret-file", faults, |path| {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|error| format!("{path} can't be read: {error}"))?;
            match text.trim() {
                "" => Err(format!("{path} is empty")),
                secret => Ok(Secret::new(secret)),
            }
        }),
        redirect_url: format!("{}/auth/oidc/callback", public_url.unwrap_or_default()),
        scopes: scopes.to_owned(),
    })
}

fn rules(layers: &Layers, faults: &mut Faults) -> ClaimRules {
    let default = ClaimRules::default();
    let claim = |name, default| {
        layers
            .one(name)
            .map_or(default, |(text, _)| text.to_owned())
    };
    ClaimRules {
        email: claim("email-claim", default.email),
        name: claim("name-claim", default.name),
        groups: claim("groups-claim", default.groups),
        roles: many(layers, "group-role", faults, |text| {
            let wanted = || {
                format!(
                    "{text:?} is no rule; write it as GROUP=SPACE:ROLE, such as data-team=data:editor"
                )
            };
            GroupRole::parse(text).ok_or_else(wanted)
        }),
    }
}

fn new_users(text: &str) -> Result<NewUsers, String> {
    match text {
        "create" => Ok(NewUsers::Create),
        "refuse" => Ok(NewUsers::Refuse),
        _ => Err("it must be create or refuse".to_owned()),
    }
}
