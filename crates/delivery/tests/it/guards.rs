//! Where the sender goes, and what it says there.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use alert_connectors_delivery::{Proxy, Resolve};
use alert_connectors_model::HostPattern;
use async_trait::async_trait;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_util::task::TaskTracker;

use crate::world::{Fixed, Receiver, Setting, World};

/// A socket that nobody may reach.
struct Trap {
    address: SocketAddr,
    reached: Arc<AtomicUsize>,
}

impl Trap {
    async fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let reached = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&reached);
        TaskTracker::new().spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { address, reached }
    }
}

async fn error_of(world: &World, url: &str) -> String {
    world
        .test(&world.connector(url))
        .await
        .unwrap()
        .error
        .unwrap_or_default()
}

#[tokio::test]
async fn an_address_that_is_not_public_is_never_connected_to() {
    let receiver = Receiver::start().await;
    let trap = Trap::set().await;
    let port = trap.address.port();
    let setting = Setting {
        allowed: Vec::new(),
        resolver: Arc::new(Fixed(vec![trap.address])),
        ..Setting::to(&receiver)
    };
    let world = World::start(setting);
    for host in [
        "webhook.example",
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
    ] {
        assert_eq!(
            error_of(&world, &format!("https://{host}:{port}/")).await,
            "Address not allowed",
            "{host}"
        );
    }
    assert_eq!(trap.reached.load(Ordering::SeqCst), 0);
}

/// Public at the first look, this machine at the second.
struct Rebinding {
    looks: AtomicUsize,
    trap: SocketAddr,
}

#[async_trait]
impl Resolve for Rebinding {
    async fn resolve(&self, _host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let first = self.looks.fetch_add(1, Ordering::SeqCst) == 0;
        // TEST-NET-3 is allowed in this test and leads nowhere.
        Ok(vec![if first {
            SocketAddr::from(([203, 0, 113, 1], port))
        } else {
            self.trap
        }])
    }
}

#[tokio::test]
async fn a_name_cannot_lead_elsewhere_between_the_check_and_the_connection() {
    let receiver = Receiver::start().await;
    let trap = Trap::set().await;
    let resolver = Arc::new(Rebinding {
        looks: AtomicUsize::new(0),
        trap: trap.address,
    });
    let limits = alert_connectors_delivery::TimeLimits {
        connect: std::time::Duration::from_millis(300),
        request: std::time::Duration::from_millis(600),
        test: std::time::Duration::from_millis(600),
    };
    let shared = Arc::<Rebinding>::clone(&resolver);
    let setting = Setting {
        allowed: vec!["203.0.113.0/24"],
        resolver: shared,
        limits,
        ..Setting::to(&receiver)
    };
    let world = World::start(setting);
    error_of(&world, "https://webhook.example/").await;
    assert_eq!(
        resolver.looks.load(Ordering::SeqCst),
        1,
        "one connection takes one look"
    );
    assert_eq!(
        error_of(&world, "https://webhook.example/").await,
        "Address not allowed"
    );
    assert_eq!(trap.reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn of_many_addresses_only_the_allowed_are_tried() {
    let receiver = Receiver::start().await;
    let resolver = Fixed(vec!["10.9.9.9:1".parse().unwrap(), receiver.address]);
    let world = World::start(Setting {
        resolver: Arc::new(resolver),
        ..Setting::to(&receiver)
    });
    assert_eq!(error_of(&world, "https://webhook.example/").await, "");
}

#[tokio::test]
async fn the_request_is_the_url_byte_for_byte_and_carries_no_credentials() {
    let receiver = Receiver::start().await;
    let world = World::start(Setting::to(&receiver));
    error_of(
        &world,
        "https://webhook.example/a%2Fb/../c?sp=%2Ftriggers%2f'&sig=a{b}|c~&x=%zz",
    )
    .await;
    let message = &receiver.inbox.messages()[0];
    assert_eq!(
        message.target,
        "/a%2Fb/../c?sp=%2Ftriggers%2f'&sig=a{b}|c~&x=%zz"
    );
    assert_eq!(message.headers["host"], "webhook.example");
    assert_eq!(
        message.headers["content-type"],
        "application/json; charset=utf-8"
    );
    assert!(
        !message.headers.contains_key("authorization") && !message.headers.contains_key("cookie")
    );
}

#[tokio::test]
async fn a_certificate_of_another_authority_or_for_another_name_is_not_trusted() {
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    let world = World::start(Setting {
        trust: Setting::to(&other).trust,
        ..Setting::to(&receiver)
    });
    assert_eq!(
        error_of(&world, "https://webhook.example/").await,
        "TLS certificate not trusted: its authority is unknown; name it with --ca-file if it is meant to be trusted"
    );
    let world = World::start(Setting::to(&receiver));
    assert_eq!(
        error_of(&world, "https://other.example/").await,
        "TLS certificate not trusted: it was issued for another host"
    );
    assert_eq!(receiver.inbox.count(), 0);
}

#[tokio::test]
async fn a_proxy_tunnels_names_but_literals_are_still_judged_here() {
    let receiver = Receiver::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::parse(&format!(
        "http://user:secret@{}",
        listener.local_addr().unwrap()
    ))
    .unwrap();
    let target = receiver.address;
    let asked = Arc::new(std::sync::Mutex::new(String::new()));
    let heard = Arc::clone(&asked);
    TaskTracker::new().spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(client.read_u8().await.unwrap());
        }
        *heard.lock().unwrap() = String::from_utf8(request).unwrap();
        client
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .await
            .unwrap();
        let mut server = TcpStream::connect(target).await.unwrap();
        copy_bidirectional(&mut client, &mut server).await.ok();
    });
    let setting = Setting {
        allowed: Vec::new(),
        proxy: Some(proxy),
        ..Setting::to(&receiver)
    };
    let world = World::start(setting);
    assert_eq!(
        error_of(&world, "https://127.0.0.1/").await,
        "Address not allowed"
    );
    assert_eq!(error_of(&world, "https://webhook.example/x").await, "");
    let asked = asked.lock().unwrap().to_lowercase();
    assert!(
        asked.starts_with("connect webhook.example:443 http/1.1\r\n"),
        "{asked}"
    );
    assert!(
        asked.contains("proxy-authorization: basic dxnlcjpzzwnyzxq="),
        "{asked}"
    );
    assert!(
        !receiver.inbox.messages()[0]
            .headers
            .contains_key("proxy-authorization")
    );
}

#[tokio::test]
async fn what_a_proxy_refuses_is_told_apart_and_some_hosts_go_without_it() {
    let receiver = Receiver::start().await;
    for (answer, expected) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "Proxy wants credentials (HTTP 407)",
        ),
        (
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            "Proxy refused the connection (HTTP 403)",
        ),
        ("SSH-2.0\r\n", "Proxy broke the connection off"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        TaskTracker::new().spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(client.read_u8().await.unwrap());
                }
                client.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let world = World::start(Setting {
            proxy: Some(proxy),
            no_proxy: vec![HostPattern::parse("*.slack.com").unwrap()],
            ..Setting::to(&receiver)
        });
        let said = error_of(&world, "https://webhook.example/x").await;
        assert!(said.starts_with(expected), "{said}");
        assert_eq!(
            error_of(&world, "https://hooks.slack.com/services/T/B/x").await,
            ""
        );
    }
    let nobody = Proxy::parse("http://127.0.0.1:1").unwrap();
    let world = World::start(Setting {
        proxy: Some(nobody),
        ..Setting::to(&receiver)
    });
    assert_eq!(
        error_of(&world, "https://webhook.example/x").await,
        "Proxy not reachable"
    );
}
