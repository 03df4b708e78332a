//! Callers who want the service's memory, threads and connections for themselves.

use std::process::Command;

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    place::Place,
    world::{self, PROGRAM, Server, World},
};

/// A server with a limit on its file descriptors.
fn server_with_descriptors(descriptors: usize, arguments: &[&str]) -> Server {
    let mut limited = Command::new("/usr/bin/prlimit");
    limited.args([&format!("--nofile={descriptors}:{descriptors}"), PROGRAM]);
    Server::start_by(limited, arguments, &[])
}

/// The memory that a server has resident, in MiB.
fn resident_mib(server: &Server) -> usize {
    let status = format!("/proc/{}/status", server.child.id());
    let status = std::fs::read_to_string(status).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<usize>().unwrap() / 1_024
}

/// A connection to a server, below HTTP.
async fn dial(server: &Server) -> TcpStream {
    let address = server.base.strip_prefix("http://").unwrap();
    TcpStream::connect(address).await.unwrap()
}

#[tokio::test]
async fn invented_addresses_leave_no_memory_behind() {
    let world = World::start().await;
    let sign_in = async |chars: usize| {
        let email = format!("{}@example.com", "a".repeat(chars));
        let body = json!({"email": email, "password": "guess"});
        let answer = world.ask_as("", Method::POST, "/auth/token", Some(&body));
        answer.await.status
    };
    assert_eq!(sign_in(1_000_000).await, StatusCode::PAYLOAD_TOO_LARGE);
    let before = resident_mib(&world.server);
    for _ in 0..2_000 {
        assert_eq!(sign_in(15_000).await, StatusCode::UNAUTHORIZED);
    }
    let grown = resident_mib(&world.server).saturating_sub(before);
    assert!(grown < 8, "{grown} MiB");
}

#[tokio::test]
async fn heads_that_never_end_take_little_memory() {
    let world = World::start().await;
    let before = resident_mib(&world.server);
    let head = format!(
        "GET /health/live HTTP/1.1\r\nHost: x\r\nA: {}",
        "a".repeat(60_000)
    );
    let mut streams = Vec::new();
    for _ in 0..400 {
        let mut stream = dial(&world.server).await;
        // The server refuses what is too long before it has read all of it.
        let _refused = stream.write_all(head.as_bytes()).await;
        streams.push(stream);
    }
    // The server accepts connections in order, so it has accepted all of these once it answers one more.
    assert_eq!(world.get("/health/live").await.status, StatusCode::OK);
    let grown = resident_mib(&world.server).saturating_sub(before);
    assert!(grown < 24, "{grown} MiB");
}

#[tokio::test]
async fn sign_ins_that_would_wait_for_long_are_refused_at_once() {
    let world = World::start().await;
    let mut tries = JoinSet::new();
    for number in 0..100 {
        let body = json!({"email": format!("{number}@example.com"), "password": "guess"});
        let url = format!("{}/auth/token", world.server.base);
        tries.spawn(world.client.post(url).json(&body).send());
    }
    let (mut checked, mut refused) = (0, 0);
    for answer in tries.join_all().await {
        let answer = answer.unwrap();
        match answer.status() {
            StatusCode::UNAUTHORIZED => checked += 1,
            StatusCode::SERVICE_UNAVAILABLE => {
                assert!(answer.headers().contains_key("retry-after"));
                refused += 1;
            }
            other => unreachable!("{other}"),
        }
    }
    assert!(
        checked >= 12 && refused > 0,
        "{checked} checked, {refused} refused"
    );
    // A sign-in that was not checked is no failure.
    let body = json!({"email": "99@example.com", "password": "guess"});
    let again = world.ask_as("", Method::POST, "/auth/token", Some(&body));
    assert_eq!(again.await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn bodies_under_way_share_a_budget() {
    const MIB: usize = 1_024 * 1_024;
    let world = World::start().await;
    let before = resident_mib(&world.server);
    let head = format!(
        "POST /spaces/data/alerts/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        world.token,
        16 * MIB
    );
    // Together they have more than there is room for, so that one of them is refused, whichever it is.
    let mut answers = JoinSet::new();
    for _ in 0..10 {
        let (mut stream, head) = (dial(&world.server).await, head.clone());
        answers.spawn(async move {
            let some = vec![b' '; MIB];
            let sending = async {
                stream.write_all(head.as_bytes()).await?;
                for _ in 0..15 {
                    stream.write_all(&some).await?;
                }
                Ok::<_, std::io::Error>(())
            };
            // Nobody reads on once it is refused.
            sending.await.ok();
            let mut begin = [0; 12];
            // It hears why, although it was still sending.
            stream.read_exact(&mut begin).await.unwrap();
            String::from_utf8_lossy(&begin).into_owned()
        });
    }
    let answer = answers.join_next().await.unwrap().unwrap();
    assert_eq!(answer, "HTTP/1.1 503");
    let grown = resident_mib(&world.server).saturating_sub(before);
    assert!(grown < 200, "{grown} MiB");
    answers.shutdown().await;
    let alert = json!({"alert_type": "t", "title": "t", "severity": "high"});
    let posted = async || world.post("/spaces/data/alerts", &alert).await.status;
    world::until(posted, |status| *status == StatusCode::ACCEPTED).await;
}

#[tokio::test]
async fn silent_and_greedy_clients_keep_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::make(folder.path());
    world::output(&place.with(&["space", "add", "data", "--name", "Data"]));
    let arguments: Vec<&str> = place.arguments.iter().map(String::as_str).collect();
    let server = server_with_descriptors(160, &arguments);
    let mut held = Vec::new();
    for _ in 0..200 {
        // It says nothing.
        held.push(dial(&server).await);
        // It asks and asks, and reads nothing.
        let mut greedy = dial(&server).await;
        let request = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(50);
        greedy.write_all(request.as_bytes()).await.ok();
        held.push(greedy);
    }
    for _ in 0..50 {
        let client = world::client();
        let answer = client.get(format!("{}/health/live", server.base)).send();
        assert_eq!(answer.await.unwrap().status(), StatusCode::OK);
    }
    let warnings = server.log().matches("\"level\":\"WARN\"").count();
    assert!(warnings <= 2, "{}", server.log());
}

#[tokio::test]
async fn a_connection_goes_on_after_a_request_whose_body_nobody_wanted() {
    let world = World::start().await;
    let body = "x".repeat(300_000);
    let mut stream = dial(&world.server).await;
    for (method, path, more, status) in [
        ("POST", "/nowhere", "", "404"),
        ("PUT", "/auth/token", "", "405"),
        ("POST", "/spaces/data/alerts", "", "401"),
        ("POST", "/auth/token", "", "413"),
        ("GET", "/health/live", "Connection: close\r\n", "200"),
    ] {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{more}Content-Length: {}\r\n\r\n",
            body.len()
        );
        // The server reads on while it is written to, and its answer fits the connection's buffer.
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).await.unwrap();
        assert_eq!(begin, format!("HTTP/1.1 {status}").as_bytes(), "{path}");
        let mut rest = Vec::new();
        while !is_answer_over(&rest) {
            assert!(stream.read_buf(&mut rest).await.unwrap() > 0, "{path}");
        }
    }
}

/// Whether an answer of which the first line began is there with its body.
fn is_answer_over(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

/// Requests, the statuses that answer them, and a word of the last answer.
fn ambiguous_heads() -> Vec<(String, &'static str, &'static str)> {
    let get = |headers: &str| format!("GET /health/live HTTP/1.1\r\n{headers}\r\n");
    let good = get("Host: a\r\n");
    vec![
        (get("Host: a\r\nConnection: close\r\n"), "200", ""),
        (
            "GET /health/live HTTP/1.0\r\nHost: a\r\n\r\n".to_owned(),
            "200",
            "",
        ),
        (
            "GET /health/live HTTP/1.0\r\n\r\n".to_owned(),
            "400",
            "Host",
        ),
        (
            "GET http://a/health/live HTTP/1.1\r\n\r\n".to_owned(),
            "400",
            "Host",
        ),
        (get(""), "400", "Host"),
        (get("Host: a\r\nHost: b\r\n"), "400", "Host"),
        (get("Host: a\r\nHost: a\r\n"), "400", "Host"),
        (
            get("Host: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
            "400",
            "Content-Length",
        ),
        (
            format!(
                "{good}{}0\r\n\r\n",
                get("Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n")
            ),
            "200 400",
            "Content-Length",
        ),
        (
            format!("{good}{good}no request\r\n\r\n"),
            "200 200 400",
            "version 1.1",
        ),
        (
            get("Host: a\r\nContent-Length: x\r\n"),
            "400",
            "version 1.1",
        ),
        (
            get("Host: a\r\nTransfer-Encoding: gzip\r\n"),
            "400",
            "version 1.1",
        ),
        (get(&"a: b\r\n".repeat(101)), "431", "100 headers"),
        (
            get(&format!("a: {}\r\n", "b".repeat(200_000))),
            "431",
            "16 KiB",
        ),
        (
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "b".repeat(200_000)),
            "431",
            "16 KiB",
        ),
        (
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            "400",
            "version 1.1",
        ),
    ]
}

#[tokio::test]
async fn a_head_that_can_mean_two_things_or_nothing_is_refused() {
    let world = World::start().await;
    for (request, statuses, detail) in ambiguous_heads() {
        let begin = request.get(..120).unwrap_or(&request);
        let mut stream = dial(&world.server).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).await.unwrap();
        let said = answers
            .split("HTTP/1.")
            .skip(1)
            .filter_map(|answer| answer.get(2..5));
        assert_eq!(
            said.collect::<Vec<_>>().join(" "),
            statuses,
            "{begin:?}: {answers}"
        );
        if !detail.is_empty() {
            let last = answers.rsplit("HTTP/1.").next().unwrap();
            for part in [
                "application/problem+json",
                "x-request-id",
                "connection: close",
                "no-store",
                "date: ",
                "about:blank",
                detail,
            ] {
                assert!(last.contains(part), "{begin:?}: {last}");
            }
            let lengths = last.matches("content-length: ").count();
            assert_eq!(lengths, 1, "{begin:?}: {last}");
        }
    }
}
