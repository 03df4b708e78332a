//! The server and the commands report damage to a database's files, and `check` finds it.

use std::{
    fs::{self, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::Path,
};

use serde_json::{Value, json};

use crate::{
    place::Place,
    world::{Server, World, output, run},
};

/// A database whose server was killed with some alerts in the log alone.
async fn killed(world: &mut World) -> Vec<String> {
    let alert = |at| json!({"alert_type": "a", "severity": "high", "title": format!("{at}")});
    for at in 0..20 {
        let posted = world.post("/spaces/data/alerts", &alert(at)).await;
        assert_eq!(posted.status, 202);
    }
    world.server.child.kill().unwrap();
    world.server.child.wait().unwrap();
    world.place.arguments.clone()
}

fn start(arguments: &[String]) -> Server {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Server::start(&arguments, &[])
}

/// What the log of a start says of the database's log.
fn said(server: &Server) -> Option<String> {
    let log = server.log();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut texts = lines.filter_map(|line| line["message"].as_str().map(ToOwned::to_owned));
    texts.find(|text| text.contains("-wal"))
}

type Harm = fn(&Path);

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_harmed_while_nobody_looked_is_told_of() {
    let harms: [(Harm, Option<&str>); 6] = [
        (|_| {}, None),
        (|log| fs::remove_file(log).unwrap(), Some("is not there")),
        (remove_with_its_index, Some("is not there")),
        (cut_last_page, Some("is sound for")),
        (change_a_byte_in_the_middle, Some("is sound for")),
        (|log| fs::write(log, "").unwrap(), Some("is not there")),
    ];
    for (at, (harm, told)) in harms.into_iter().enumerate() {
        let mut world = World::start().await;
        let place = killed(&mut world).await;
        harm(&world.path("test.db-wal"));
        let server = start(&place);
        let said = said(&server);
        match told {
            Some(told) => assert!(said.unwrap().contains(told), "{at}"),
            None => assert_eq!(said, None, "{at}"),
        }
        // The next start does not report it again.
        server.stop("-KILL");
        assert_eq!(self::said(&start(&place)), None, "{at}");
    }
}

fn index_of(log: &Path) -> std::path::PathBuf {
    log.with_file_name("test.db-shm")
}

fn remove_with_its_index(log: &Path) {
    fs::remove_file(index_of(log)).unwrap();
    fs::remove_file(log).unwrap();
}

fn cut_last_page(log: &Path) {
    let file = OpenOptions::new().write(true).open(log).unwrap();
    file.set_len(file.metadata().unwrap().len() - 2_000)
        .unwrap();
}

fn change_a_byte_in_the_middle(log: &Path) {
    // As after a power cut, nothing else remembers what there was.
    fs::remove_file(index_of(log)).unwrap();
    let mut file = OpenOptions::new().write(true).open(log).unwrap();
    file.seek(SeekFrom::Start(32 + 3 * 2_072 + 100)).unwrap();
    file.write_all(b"harm").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_comes_before_the_next_start_tells_of_it_and_leaves_the_log_alone() {
    for harmed in [false, true] {
        let mut world = World::start().await;
        let place = killed(&mut world).await;
        let log = world.path("test.db-wal");
        if harmed {
            cut_last_page(&log);
        }
        let arguments: Vec<&str> = place.iter().map(String::as_str).collect();
        let listed = run(&[&["user", "list"][..], &arguments].concat());
        let warned = String::from_utf8(listed.stderr).unwrap();
        assert_eq!(warned.contains("is sound for"), harmed, "{warned}");
        assert!(fs::metadata(&log).unwrap().len() > 0);
        let server = start(&place);
        assert_eq!(said(&server), None);
        assert_eq!(server.stop("-TERM"), Some(0));
        assert_eq!(fs::metadata(&log).map_or(0, |log| log.len()), 0);
        assert_eq!(said(&start(&place)), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_once_that_a_part_of_the_log_is_missing() {
    let mut world = World::start().await;
    let place = killed(&mut world).await;
    fs::remove_file(world.path("test.db-wal")).unwrap();
    let arguments: Vec<&str> = place.iter().map(String::as_str).collect();
    let checked = run(&[&["check"][..], &arguments].concat());
    assert_eq!(checked.status.code(), Some(1));
    let texts = [checked.stdout, checked.stderr].map(|text| String::from_utf8(text).unwrap());
    let said = texts.concat();
    assert_eq!(said.matches("is not there").count(), 1, "{said}");
    assert!(texts[0].contains("is not there"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_finds_broken_pages_and_urls_that_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::make(folder.path());
    output(&place.with(&["space", "add", "data", "--name", "Data"]));
    let good = output(&place.with(&["check"]));
    assert!(good.starts_with("good: "), "{good}");
    let path = folder.path().join("test.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    database
        .execute_batch(
            "INSERT INTO connectors (id, space_no, name, connector_type, url_key_id, url_sealed, destination, is_active,
            severity_filter, creator, created_at, updated_at) VALUES (randomblob(16), 1, 'c', 'slack', x'0102030405060708',
            x'00', randomblob(16), 1, '[]', '{}', 0, 0)",
        )
        .unwrap();
    let checked = run(&place.with(&["check"]));
    let found = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(checked.status.code(), Some(1));
    assert!(
        found.contains("of space data: a sealed value can't be opened"),
        "{found}"
    );
    assert!(found.contains("not in the secret key file"), "{found}");
    database.execute_batch("DELETE FROM connectors").unwrap();
    drop(database);
    break_an_index(&path);
    let checked = run(&place.with(&["check"]));
    let found = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(checked.status.code(), Some(1), "{found}");
    assert!(
        found.lines().count() >= 1 && !found.contains("good"),
        "{found}"
    );
}

/// Makes an index point elsewhere than its table.
fn break_an_index(path: &Path) {
    let database = rusqlite::Connection::open(path).unwrap();
    let page = "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_spaces_2'";
    let root: u64 = database.query_row(page, [], |row| row.get(0)).unwrap();
    drop(database);
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    // The end of the page holds the first entry.
    file.seek(SeekFrom::Start(root * 2_048 - 4)).unwrap();
    file.write_all(b"zzzz").unwrap();
}
