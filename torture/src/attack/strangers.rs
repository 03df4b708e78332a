//! What anyone can do who reaches the port: no token is needed for any of it.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::Attackers;
use crate::server::Server;

/// Connections that say nothing, that stop in the middle of a body, and that never read what they asked for.
const SILENT: usize = 600;
const UNFINISHED: usize = 300;
const UNREAD: usize = 60;
/// Clients that sign in as invented people, and that send nonsense.
const GUESSING: usize = 8;
const NONSENSE: usize = 2;
/// Between two attempts of one attacker.
const PAUSE: Duration = Duration::from_millis(50);

/// Starts all of them.
pub(super) fn attack(server: &Server, attackers: &Attackers) {
    let address: Arc<str> = server.address().into();
    let hold = |count, bytes: &'static [u8]| {
        for _ in 0..count {
            attackers.spawn(hold_open(Arc::clone(&address), bytes));
        }
    };
    hold(SILENT, b"");
    hold(UNFINISHED, UNFINISHED_BODY.as_bytes());
    hold(UNREAD, UNREAD_ANSWERS.repeat(50).leak().as_bytes());
    for guesser in 0..GUESSING {
        attackers.spawn(guess(Arc::clone(&address), guesser));
    }
    for _ in 0..NONSENSE {
        attackers.spawn(talk_nonsense(Arc::clone(&address)));
    }
}

const UNFINISHED_BODY: &str = "POST /auth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 16000\r\n\r\n{\"email\": \"";
const UNREAD_ANSWERS: &str = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n";

/// Opens a connection, says something, and holds it for as long as it is let; then again.
async fn hold_open(address: Arc<str>, bytes: &'static [u8]) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(&*address).await {
            drop(stream.write_all(bytes).await);
            // One that reads would not hold anything up. The peer's end is noticed all the same.
            while stream.write_all(b"").await.is_ok() && !is_closed(&stream).await {
                tokio::time::sleep(PAUSE * 4).await;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn is_closed(stream: &TcpStream) -> bool {
    let mut one = [0];
    let looked = tokio::time::timeout(Duration::from_millis(1), stream.peek(&mut one)).await;
    matches!(looked, Ok(Ok(0) | Err(_)))
}

/// Sends a request and reads what comes.
async fn ask(address: &str, request: &[u8]) {
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await
    };
    // What comes of it is the server's affair.
    drop(tokio::time::timeout(Duration::from_secs(20), asking).await);
}

async fn guess(address: Arc<str>, guesser: usize) {
    for attempt in 0_u64.. {
        let long = "x".repeat(if attempt % 10 == 0 { 1_000_000 } else { 8 });
        let body = format!(
            r#"{{"email": "{long}{guesser}-{attempt}@example.com", "password": "{attempt}"}}"#
        );
        let length = body.len();
        let request = format!(
            "POST /auth/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        ask(&address, request.as_bytes()).await;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn talk_nonsense(address: Arc<str>) {
    let head = "x".repeat(60_000);
    let requests = [
        format!("GET /health/live HTTP/1.1\r\nHost: x\r\na: {head}\r\n\r\n"),
        "no request at all\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n".to_owned(),
        "POST /auth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
    ];
    for request in requests.iter().cycle() {
        ask(&address, request.as_bytes()).await;
        tokio::time::sleep(PAUSE).await;
    }
}
