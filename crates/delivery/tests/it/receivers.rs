//! Receivers that misbehave in every way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use alert_connectors_delivery::TimeLimits;
use alert_connectors_inbox::Behaviour;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::world::{Fixed, Receiver, Setting, World};

const SHORT: TimeLimits = TimeLimits {
    connect: Duration::from_millis(300),
    request: Duration::from_millis(500),
    test: Duration::from_millis(500),
};

const UNANSWERED: &str = "Connection timeout: the message was sent whole and may have arrived";

async fn report(world: &World, url: &str) -> (u16, String) {
    let report = world.test(&world.connector(url)).await.unwrap();
    (report.status_code, report.error.unwrap_or_default())
}

/// A server over TLS that reads the head of one request and then does as it likes.
async fn server<F: Future<Output = ()> + Send + 'static>(
    receiver: &Receiver,
    then: impl Fn(TlsStream<TcpStream>) -> F + Send + 'static,
) -> World {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(receiver.authority.server_config());
    let setting = Setting {
        resolver: Arc::new(Fixed(vec![address])),
        limits: SHORT,
        ..Setting::to(receiver)
    };
    let world = World::start(setting);
    world.tasks.dispensable(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut first_byte = [0];
            stream.read_exact(&mut first_byte).await.ok();
            then(stream).await;
        }
    });
    world
}

#[tokio::test]
async fn one_that_hangs_is_given_up() {
    let receiver = Receiver::start().await;
    let world = server(&receiver, async |_stream| std::future::pending().await).await;
    assert_eq!(
        report(&world, "https://webhook.example/").await,
        (500, UNANSWERED.to_owned())
    );
}

#[tokio::test]
async fn one_that_drips_is_given_up() {
    let receiver = Receiver::start().await;
    let world = server(&receiver, async |mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok();
        while stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let started = Instant::now();
    let (status, error) = report(&world, "https://webhook.example/").await;
    assert_eq!(status, 200);
    assert!(
        error.starts_with("HTTP 200, then the answer broke off"),
        "{error}"
    );
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn one_that_resets_is_told_apart_by_how_much_it_read() {
    let receiver = Receiver::start().await;
    let world = server(&receiver, async |stream| drop(stream)).await;
    let (status, error) = report(&world, "https://webhook.example/").await;
    assert_eq!(status, 500);
    assert!(
        error.ends_with("the message was sent whole and may have arrived"),
        "{error}"
    );
}

#[tokio::test]
async fn an_answer_without_a_proper_end_is_understood() {
    let receiver = Receiver::start().await;
    for answer in [
        // Neither a length nor a farewell of TLS.
        "HTTP/1.1 200 OK\r\n\r\nok",
        // A length that is not reached.
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nok",
    ] {
        let world = server(&receiver, async move |mut stream| {
            stream.write_all(answer.as_bytes()).await.ok();
            stream.flush().await.ok();
            // The stream is dropped as it is.
            drop(stream.into_inner().0);
        })
        .await;
        assert_eq!(
            report(&world, "https://webhook.example/").await,
            (200, String::new())
        );
    }
}

#[tokio::test]
async fn one_that_speaks_no_http_is_told_of() {
    let receiver = Receiver::start().await;
    let settings_of_http2 = b"\0\0\0\x04\0\0\0\0\0";
    for answer in [b"220 mail.example ESMTP\r\n".as_slice(), settings_of_http2] {
        let world = server(&receiver, async |mut stream| {
            stream.write_all(answer).await.ok();
        })
        .await;
        let (status, error) = report(&world, "https://webhook.example/").await;
        assert_eq!(status, 500);
        assert!(error.starts_with("The answer is not HTTP/1.1"), "{error}");
    }
}

#[tokio::test]
async fn interim_answers_without_end_are_cut_off() {
    let receiver = Receiver::start().await;
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1_000);
    let world = server(&receiver, move |mut stream| {
        let (interim, counted) = (interim.clone(), Arc::clone(&counted));
        async move {
            while stream.write_all(interim.as_bytes()).await.is_ok() {
                counted.fetch_add(interim.len(), Ordering::SeqCst);
            }
        }
    })
    .await;
    let (status, error) = report(&world, "https://webhook.example/").await;
    assert_eq!(status, 500);
    assert!(
        error.starts_with("Connection closed without an answer"),
        "{error}"
    );
    // What was not read may stand in the buffers of both ends.
    assert!(sent.load(Ordering::SeqCst) < 16 * 1_024 * 1_024);
}

#[tokio::test]
async fn of_an_endless_answer_only_the_beginning_is_read() {
    let receiver = Receiver::start().await;
    let world = server(&receiver, async |mut stream| {
        let head = "HTTP/1.1 404 Not Found\r\ncontent-length: 67108864\r\n\r\n";
        stream.write_all(head.as_bytes()).await.ok();
        let chunk = vec![b'x'; 65_536];
        for _ in 0..1_024 {
            if stream.write_all(&chunk).await.is_err() {
                return;
            }
        }
    })
    .await;
    let (status, error) = report(&world, "https://webhook.example/").await;
    assert_eq!(status, 404);
    assert!(error.starts_with("HTTP 404"), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let receiver = Receiver::start().await;
    let headers = [(
        "location".to_owned(),
        "https://webhook.example/elsewhere".to_owned(),
    )]
    .into();
    receiver.inbox.behave(
        "/here",
        Behaviour {
            status: Some(307),
            headers,
            ..Behaviour::default()
        },
    );
    let world = World::start(Setting::to(&receiver));
    let (status, error) = report(&world, "https://webhook.example/here").await;
    assert_eq!(status, 307);
    assert!(error.contains("redirects"), "{error}");
    assert_eq!(receiver.inbox.count(), 1);
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_and_a_name_that_nobody_knows_are_told_apart() {
    let receiver = Receiver::start().await;
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let world = World::start(Setting {
        resolver: Arc::new(Fixed(vec![free])),
        ..Setting::to(&receiver)
    });
    assert_eq!(
        report(&world, "https://webhook.example/").await,
        (500, "Connection refused".to_owned())
    );
    let world = World::start(Setting {
        resolver: Arc::new(Fixed(Vec::new())),
        ..Setting::to(&receiver)
    });
    assert_eq!(
        report(&world, "https://webhook.example/").await,
        (500, "DNS lookup failed".to_owned())
    );
}
