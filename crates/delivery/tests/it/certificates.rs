//! The verifier names the fault of each rejected certificate, and trusts a self-signed one that was named for its own name.

use std::sync::Arc;

use alert_connectors_delivery::Trust;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::world::{Fixed, Receiver, Setting, World};

const NAME: &str = "webhook.example";

/// A certificate with what it needs to sign others, and a server.
struct Made {
    certificate: Certificate,
    key: KeyPair,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn self_signed(params: &CertificateParams) -> Made {
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Made { certificate, key }
}

fn signed(params: &CertificateParams, by: &CertificateParams, issuer: &Made) -> Made {
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::from_params(by, &issuer.key);
    let certificate = params.signed_by(&key, &issuer).unwrap();
    Made { certificate, key }
}

/// What a test call says of a server that sends this chain, where these are trusted; empty if it worked.
async fn says(chain: &[&Made], trusted: &[&Made], host: &str) -> String {
    let receiver = Receiver::start().await;
    let der = |made: &&Made| made.certificate.der().clone();
    let chain_der: Vec<CertificateDer<'static>> = chain.iter().map(der).collect();
    let key = PrivateKeyDer::try_from(chain[0].key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain_der, key)
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    says_of(&receiver, config, trusted.iter().map(der).collect(), host).await
}

async fn says_of(
    receiver: &Receiver,
    config: ServerConfig,
    extra_roots: Vec<CertificateDer<'static>>,
    host: &str,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = World::start(Setting {
        resolver: Arc::new(Fixed(vec![listener.local_addr().unwrap()])),
        trust: Trust { extra_roots },
        ..Setting::to(receiver)
    });
    let (tasks, stopping) = (TaskTracker::new(), world.stopping.clone());
    tasks.spawn(alert_connectors_inbox::serve(
        listener,
        Arc::new(config),
        receiver.inbox.router(),
        tasks.clone(),
        stopping,
    ));
    let url = format!("https://{host}/");
    let report = world.test(&world.connector(&url)).await;
    report.unwrap().error.unwrap_or_default()
}

#[tokio::test]
async fn each_fault_of_a_certificate_has_its_words() {
    let root_params = authority("root");
    let root = self_signed(&root_params);
    let middle_params = authority("middle");
    let middle = signed(&middle_params, &root_params, &root);
    let leaf = signed(&params(NAME), &middle_params, &middle);
    let dated = |from: i32, to: i32| {
        let mut params = params(NAME);
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        signed(&params, &root_params, &root)
    };
    let (expired, early) = (dated(2001, 2002), dated(2090, 2091));
    let own = self_signed(&params(NAME));
    let other_root = self_signed(&authority("elsewhere"));
    assert_eq!(says(&[&leaf, &middle], &[&root], NAME).await, "");
    for (chain, trusted, host, words) in [
        (vec![&expired], vec![&root], NAME, "it has expired"),
        (vec![&early], vec![&root], NAME, "it is not valid yet"),
        (
            vec![&leaf, &middle],
            vec![&root],
            "other.example",
            "it was issued for another host",
        ),
        (vec![&own], vec![&root], NAME, "it is self-signed"),
        (vec![&leaf], vec![&root], NAME, "(incomplete chain)"),
        (
            vec![&leaf, &middle],
            vec![&other_root],
            NAME,
            "its authority is unknown",
        ),
    ] {
        let said = says(&chain, &trusted, host).await;
        assert!(
            said.starts_with("TLS certificate not trusted: ") && said.contains(words),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_self_signed_certificate_that_is_named_is_trusted_for_its_own_name() {
    let as_authority = self_signed(&authority(NAME));
    let as_server = self_signed(&params(NAME));
    for own in [&as_authority, &as_server] {
        assert_eq!(says(&[own], &[own], NAME).await, "");
        let elsewhere = says(&[own], &[own], "other.example").await;
        assert!(elsewhere.contains("another host"), "{elsewhere}");
    }
    let mut expired = authority(NAME);
    expired.not_before = date_time_ymd(2001, 1, 1);
    expired.not_after = date_time_ymd(2002, 1, 1);
    let expired = self_signed(&expired);
    let said = says(&[&expired], &[&expired], NAME).await;
    assert!(said.contains("has expired"), "{said}");
}

#[tokio::test]
async fn a_server_that_speaks_only_http2_is_named_as_such() {
    let receiver = Receiver::start().await;
    let mut config = ServerConfig::clone(&receiver.authority.server_config());
    config.alpn_protocols = vec![b"h2".to_vec()];
    let roots = vec![receiver.authority.ca()];
    let said = says_of(&receiver, config, roots, NAME).await;
    assert!(said.contains("only HTTP/2"), "{said}");
}
