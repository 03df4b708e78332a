//! Tokens of another issuer as session tokens.

use alert_connectors::model::{Clock as _, SystemClock};
use axum::{Json, Router, routing::get};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::Method;
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::world::{Answer, World, run};

fn encoded(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Seconds since 1970.
fn now() -> i64 {
    SystemClock.now().as_second()
}

/// An issuer with a key of each of two kinds, which are published where it says.
struct Issuer {
    url: String,
    edwards: Ed25519KeyPair,
    point: EcdsaKeyPair,
}

impl Issuer {
    async fn start() -> Self {
        let random = SystemRandom::new();
        let edwards = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let edwards = Ed25519KeyPair::from_pkcs8(edwards.as_ref()).unwrap();
        let curve = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let point = EcdsaKeyPair::generate_pkcs8(curve, &random).unwrap();
        let point = EcdsaKeyPair::from_pkcs8(curve, point.as_ref(), &random).unwrap();
        let (x, y) = point.public_key().as_ref()[1..].split_at(32);
        let keys = json!({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "kid": "edwards", "x": encoded(edwards.public_key().as_ref())},
            {"kty": "EC", "crv": "P-256", "kid": "point", "use": "sig", "x": encoded(x), "y": encoded(y)},
            {"kty": "oct", "kid": "shared", "k": encoded(b"secret")},
        ]});
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let described = json!({"issuer": url, "jwks_uri": format!("{url}/keys")});
        let pages = Router::new()
            .route("/keys", get(async || Json(keys)))
            .route(
                "/.well-known/openid-configuration",
                get(async || Json(described)),
            );
        TaskTracker::new().spawn(async { axum::serve(listener, pages).await });
        Self {
            url,
            edwards,
            point,
        }
    }

    /// The claims of a good token of Alice's, with some of them changed; `null` leaves one out.
    fn claims(&self, changes: &Value) -> Value {
        let mut claims = json!({"iss": self.url, "aud": ["x", "alerts"], "exp": now() + 300, "iat": now(),
            "email": "Alice@example.com", "email_verified": true});
        let all = claims.as_object_mut().unwrap();
        for (name, value) in changes.as_object().unwrap() {
            all.insert(name.clone(), value.clone());
        }
        all.retain(|_, value| !value.is_null());
        claims
    }

    fn token(&self, changes: &Value) -> String {
        let header = json!({"alg": "EdDSA", "kid": "edwards"});
        self.signed(&header, changes, |text| {
            self.edwards.sign(text).as_ref().to_vec()
        })
    }

    fn signed(&self, header: &Value, changes: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
        let claims = self.claims(changes).to_string();
        let text = format!(
            "{}.{}",
            encoded(header.to_string().as_bytes()),
            encoded(claims.as_bytes())
        );
        let signature = encoded(&sign(text.as_bytes()));
        format!("{text}.{signature}")
    }

    async fn world(&self, more: &[(&str, &str)]) -> World {
        let settings = [
            ("ALERT_CONNECTORS_ISSUER", self.url.as_str()),
            ("ALERT_CONNECTORS_AUDIENCE", "alerts,other"),
            ("ALERT_CONNECTORS_ISSUER_NETWORK", "127.0.0.0/8"),
        ];
        World::start_with(&[&settings[..], more].concat()).await
    }
}

async fn me(world: &World, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    world.ask_as(&bearer, Method::GET, "/auth/me", None).await
}

#[tokio::test]
async fn a_token_of_the_issuer_is_a_session_token() {
    let issuer = Issuer::start().await;
    let world = issuer.world(&[]).await;
    let ecdsa = |text: &[u8]| {
        let signature = issuer.point.sign(&SystemRandom::new(), text);
        signature.unwrap().as_ref().to_vec()
    };
    let of_point = issuer.signed(&json!({"alg": "ES256", "kid": "point"}), &json!({}), ecdsa);
    for token in [issuer.token(&json!({})), of_point] {
        let me = me(&world, &token).await;
        assert_eq!(me.body["user"]["email"], "alice@example.com", "{}", me.text);
        assert_eq!(me.body["spaces"][0]["role"], "admin");
        // It changes things, and what it stores is checked against the version of identity like any other caller's.
        let bearer = format!("Bearer {token}");
        let alert = json!({"alert_type": "dq_alert", "severity": "high", "title": "Late"});
        let posted = world
            .ask_as(&bearer, Method::POST, "/spaces/data/alerts", Some(&alert))
            .await;
        assert_eq!(posted.status, 202, "{}", posted.text);
        let key = world
            .ask_as(
                &bearer,
                Method::POST,
                "/api-keys",
                Some(&json!({"name": "k"})),
            )
            .await;
        assert_eq!(key.status, 201, "{}", key.text);
        // It did not begin here, so it does not end here.
        let out = world
            .ask_as(&bearer, Method::POST, "/auth/logout", None)
            .await;
        assert_eq!(out.status, 403, "{}", out.text);
    }
    // Tokens of our own are good beside them.
    assert_eq!(world.get("/auth/me").await.status, 200);
    world.server.assert_log_clean();
}

/// Tokens that the issuer did not sign as they are, with what is wrong with each.
fn forged(issuer: &Issuer) -> Vec<(&'static str, String)> {
    let edwards = |text: &[u8]| issuer.edwards.sign(text).as_ref().to_vec();
    let public_key = issuer.edwards.public_key().as_ref().to_vec();
    let by_public_key = |text: &[u8]| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &public_key);
        hmac::sign(&key, text).as_ref().to_vec()
    };
    let by_secret = |text: &[u8]| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        hmac::sign(&key, text).as_ref().to_vec()
    };
    let header =
        |header: Value, sign: &dyn Fn(&[u8]) -> Vec<u8>| issuer.signed(&header, &json!({}), sign);
    let good = issuer.token(&json!({}));
    let (start, signature) = good.rsplit_once('.').unwrap();
    vec![
        (
            "no algorithm",
            header(json!({"alg": "none", "kid": "edwards"}), &|_| Vec::new()),
        ),
        (
            "HMAC by the public key",
            header(json!({"alg": "HS256", "kid": "edwards"}), &by_public_key),
        ),
        (
            "HMAC by a published secret",
            header(json!({"alg": "HS256", "kid": "shared"}), &by_secret),
        ),
        (
            "another key's algorithm",
            header(json!({"alg": "ES256", "kid": "edwards"}), &edwards),
        ),
        (
            "another key",
            header(json!({"alg": "EdDSA", "kid": "point"}), &edwards),
        ),
        (
            "an unknown key",
            header(json!({"alg": "EdDSA", "kid": "forged"}), &edwards),
        ),
        (
            "an extension",
            header(
                json!({"alg": "EdDSA", "kid": "edwards", "crit": ["b64"]}),
                &edwards,
            ),
        ),
        ("no signature", format!("{start}.")),
        (
            "another claim",
            format!(
                "{}.{}.{signature}",
                start.split('.').next().unwrap(),
                encoded(
                    issuer
                        .claims(&json!({"email": "root@example.com"}))
                        .to_string()
                        .as_bytes()
                )
            ),
        ),
        ("no parts", "a.b".to_owned()),
        ("nonsense", "...".to_owned()),
    ]
}

#[tokio::test]
async fn what_is_wrong_with_a_token_refuses_it() {
    let issuer = Issuer::start().await;
    let world = issuer.world(&[]).await;
    world.command(&["user", "add", "bob@example.com", "--name", "Bob"]);
    world.command(&["user", "disable", "bob@example.com"]);
    let mut wrong = forged(&issuer);
    for changes in [
        json!({"iss": format!("{}/", issuer.url)}),
        json!({"aud": "someone else"}),
        json!({"aud": null}),
        json!({"exp": now() - 120}),
        json!({"exp": null}),
        json!({"exp": "never"}),
        json!({"nbf": now() + 120}),
        json!({"iat": now() + 120}),
        json!({"email_verified": false}),
        json!({"email": null}),
        json!({"email": "nobody@example.com"}),
        json!({"email": "bob@example.com"}),
    ] {
        wrong.push(("claims", issuer.token(&changes)));
    }
    for (what, token) in &wrong {
        let answer = me(&world, token).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text);
    }
    // Clocks differ a little, and numbers may have a fraction.
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact")]
    for changes in [
        json!({"exp": now() - 30}),
        json!({"nbf": now() + 30}),
        json!({"exp": now() as f64 + 60.5}),
    ] {
        let answer = me(&world, &issuer.token(&changes)).await;
        assert_eq!(answer.status, 200, "{changes}: {}", answer.text);
    }
    let log = world.server.log();
    assert!(log.contains("a token of the issuer was refused"), "{log}");
    // All tokens begin with a header in Base64, which begins like this.
    assert!(!log.contains("eyJ"), "{log}");
}

#[tokio::test]
async fn groups_decide_who_is_a_member_of_the_spaces_that_rules_name() {
    let issuer = Issuer::start().await;
    let world = issuer
        .world(&[
            ("ALERT_CONNECTORS_NEW_USERS", "create"),
            (
                "ALERT_CONNECTORS_GROUP_ROLE",
                "readers=data:viewer,writers=data:editor,x=none:admin",
            ),
        ])
        .await;
    world.command(&["space", "add", "other", "--name", "Other"]);
    let eve = |groups: Value| {
        issuer.token(&json!({"email": "eve@example.com", "name": "Eve", "groups": groups}))
    };
    let roles = async |token: &str| {
        let me = me(&world, token).await;
        assert_eq!(me.body["user"]["full_name"], "Eve", "{}", me.text);
        me.body["spaces"]
            .as_array()
            .unwrap()
            .iter()
            .map(|space| space["role"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        roles(&eve(json!(["readers", "writers", "x"]))).await,
        ["editor"]
    );
    // A space that no rule names is managed here.
    world.command(&[
        "member",
        "set",
        "other",
        "eve@example.com",
        "--role",
        "viewer",
    ]);
    assert_eq!(roles(&eve(json!("readers"))).await, ["viewer", "viewer"]);
    assert_eq!(roles(&eve(json!([]))).await, ["viewer"]);
    world.server.assert_log_clean();
    // The last admin stays, whatever the groups say.
    let alice = me(&world, &issuer.token(&json!({"groups": []}))).await;
    assert_eq!(alice.body["spaces"][0]["role"], "admin", "{}", alice.text);
    let members = world.command(&["member", "list", "data"]);
    assert!(
        members.contains("alice@example.com") && !members.contains("eve@example.com"),
        "{members}"
    );
}

#[test]
fn all_faults_of_the_settings_are_said_at_once() {
    let refused = |arguments: &[&str]| {
        let output = run(&[&["serve"], arguments].concat());
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let faults = refused(&["--audience", "a", "--new-users", "create"]);
    assert_eq!(faults.matches("name the issuer").count(), 2, "{faults}");
    let faults = refused(&[
        "--issuer",
        "not a url",
        "--jwks-file",
        "/f",
        "--jwks-url",
        "nor this",
        "--group-role",
        "a=b",
        "--new-users",
        "maybe",
        "--issuer-network",
        "here",
    ]);
    for part in [
        "--audience",
        "is no URL",
        "GROUP=SPACE:ROLE",
        "create or refuse",
        "is no network",
    ] {
        assert!(faults.contains(part), "{part}: {faults}");
    }
    let faults = refused(&["--issuer", "accounts", "--audience", "a"]);
    assert!(faults.contains("--jwks-url or --jwks-file"), "{faults}");
}
