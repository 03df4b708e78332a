//! A database that goes away, and how often it is asked.

use std::sync::Arc;

use alert_connectors_cluster::{Cluster, Proxy, Setup, Traffic};
use alert_connectors_store::{
    Acceptance, Fence, Report, Store as _, StoreError, Use,
    conformance::{World, idempotency, stored},
};
use alert_connectors_store_postgres::{OpenError, OpenOptions, PostgresStore};

use crate::database::{Database, execute};

/// A world whose database is behind a proxy.
async fn behind_a_proxy() -> (Database, Proxy, World) {
    let database = Database::make();
    let proxy = Proxy::start(&database.url()).unwrap();
    let mut opening = database.opening_at(&proxy.url(database.name()), 7);
    // So that nothing is asked but by the test.
    opening.used_by = Use::Founding;
    let store = PostgresStore::open(opening).await.unwrap();
    let world = World::furnished(Arc::new(store)).await;
    (database, proxy, world)
}

#[tokio::test]
async fn a_database_that_is_cut_off_or_silent_is_unavailable_and_comes_back() {
    let (_database, proxy, world) = behind_a_proxy().await;
    world.connect("").await;
    for traffic in [Traffic::Cut, Traffic::Stalls] {
        let submission = world.submission(&[world.alert("")]).await;
        proxy.set(traffic);
        let refused = world.store.accept(submission.clone()).await;
        assert!(
            matches!(refused, Err(StoreError::Unavailable(_))),
            "{refused:?}"
        );
        let unready = world.store.check().await;
        assert!(matches!(unready, Err(StoreError::Unavailable(_))));
        proxy.set(Traffic::Flows);
        // The connections that were cut are found to be closed and made anew.
        while world.store.check().await.is_err() {}
        assert_eq!(world.post("").await.deliveries.len(), 1);
    }
}

/// PostgreSQL reports a broken page or index with an error code of its own.
#[tokio::test]
async fn what_the_database_calls_broken_ends_the_service() {
    for code in ["XX001", "XX002"] {
        let database = Database::make();
        let world = World::furnished(Arc::new(database.open().await)).await;
        let break_spaces = format!(
            "CREATE FUNCTION break_spaces() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION 'invalid page in block 7' USING ERRCODE = '{code}'; END $$;
            CREATE TRIGGER break_spaces BEFORE UPDATE ON spaces FOR EACH ROW EXECUTE FUNCTION break_spaces()"
        );
        execute(&database, &break_spaces).await;
        let slug = alert_connectors_model::Slug::parse("data").unwrap();
        let renamed = world.store.rename_space(&slug, "Other".to_owned()).await;
        assert!(matches!(renamed, Err(StoreError::Fatal(_))), "{renamed:?}");
        let reason = world.store.failed().await;
        assert!(
            reason.contains("invalid page in block 7") && reason.contains("check"),
            "{reason}"
        );
        assert!(world.store.check().await.is_err());
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_repeated_by_its_key() {
    let (database, proxy, world) = behind_a_proxy().await;
    world.connect("").await;
    world.post("").await;
    let mut submission = world.submission(&[world.alert("")]).await;
    submission.idempotency = Some(idempotency("k", 1));
    // The server commits, and whoever asked never hears of it: it stands still at the commit.
    execute(
        &database,
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER slowly AFTER INSERT ON alerts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()",
    )
    .await;
    let turns = proxy.turns();
    let cut = async {
        // The second round trip holds the commit; its answer is not let through.
        while proxy.turns() < turns + 1 {
            tokio::task::yield_now().await;
        }
        proxy.set(Traffic::Stalls);
    };
    let (lost, ()) = tokio::join!(world.store.accept(submission.clone()), cut);
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    execute(&database, "DROP TRIGGER slowly ON alerts").await;
    proxy.set(Traffic::Flows);
    while world.store.check().await.is_err() {}
    let known = world.store.accept(submission).await.unwrap();
    let names = match known {
        Acceptance::AlreadyStored(accepted) | Acceptance::Stored(accepted) => accepted,
        other => unreachable!("{other:?}"),
    };
    assert_eq!(names.len(), 1);
    execute(
        &database,
        "DO $$ BEGIN ASSERT (SELECT count(*) FROM alerts) = 2; END $$",
    )
    .await;
}

/// What the hot path costs in round trips: two for all alerts that are accepted together, one for all outcomes that are
/// recorded together, one to read what is owed.
#[tokio::test]
async fn the_hot_path_is_two_round_trips_to_accept_and_one_to_record() {
    let (_database, proxy, world) = behind_a_proxy().await;
    let connector = world.connect("").await;
    let one = world.submission(&[world.alert("")]).await;
    let many: Vec<_> = (0..50).map(|_| world.alert("")).collect();
    let many = world.submission(&many).await;
    // What a connection meets for the first time is prepared.
    stored(world.store.accept(one).await.unwrap());
    let report = async |count: usize| {
        let due = world.due(&connector).await;
        let outcomes = due.iter().take(count);
        let report = Report {
            destination: connector.destination,
            fence: Fence::Unshared,
            health: None,
            outcomes: outcomes
                .map(|due| world.outcome(due, world.arrived()))
                .collect(),
            revived: Vec::new(),
        };
        let before = proxy.turns();
        world.store.record(Arc::from([report])).await.unwrap();
        proxy.turns() - before
    };
    report(1).await;
    let before = proxy.turns();
    stored(world.store.accept(many).await.unwrap());
    assert_eq!(proxy.turns() - before, 2);
    assert_eq!((report(1).await, report(49).await), (1, 1));
}

#[tokio::test]
async fn what_stands_in_the_way_of_opening_is_said() {
    let database = Database::make();
    drop(database.open().await);
    let refused = async |change: &dyn Fn(&mut alert_connectors_store_postgres::OpenOptions)| {
        let mut opening = database.opening();
        change(&mut opening);
        PostgresStore::open(opening).await.err().unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let lost = refused(&|opening| opening.key_file = folder.path().join("none.key")).await;
    assert!(matches!(lost, OpenError::Sealing(_)), "{lost}");
    let empty = Database::make();
    let mut opening = empty.opening();
    opening.key_file = folder.path().join("none.key");
    let unnamed = PostgresStore::open(opening).await.err().unwrap();
    assert!(matches!(unnamed, OpenError::NoKeyFile(_)), "{unnamed}");
    let url = alert_connectors_store_postgres::PostgresUrl::parse;
    let nowhere = url("postgres://me:hidden@%2Fnowhere/db").unwrap();
    let unreachable = refused(&|opening| opening.url = nowhere.clone()).await;
    assert!(
        matches!(unreachable, OpenError::Unreachable { .. }),
        "{unreachable}"
    );
    assert!(!unreachable.to_string().contains("hidden"), "{unreachable}");
    let latin = format!("latin_{}", database.name());
    let sql = format!(
        "CREATE DATABASE {latin} ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    );
    execute(&database, &sql).await;
    let elsewhere = url(&database.url().replace(database.name(), &latin)).unwrap();
    let narrow = refused(&|opening| opening.url = elsewhere.clone()).await;
    execute(&database, &format!("DROP DATABASE {latin} WITH (FORCE)")).await;
    assert!(matches!(narrow, OpenError::Encoding { .. }), "{narrow}");
    execute(&database, "INSERT INTO migrations (no) VALUES (99)").await;
    let newer = refused(&|_opening| {}).await;
    assert!(matches!(newer, OpenError::Newer { .. }), "{newer}");
}

/// Undoes the last migration.
const LAST_UNDONE: &str = "ALTER TABLE deliveries DROP COLUMN trace;
    DELETE FROM migrations WHERE no = (SELECT max(no) FROM migrations)";

#[tokio::test]
async fn only_a_server_and_a_migration_change_the_schema_and_few_make_one() {
    let database = Database::make();
    let opened = async |used_by| {
        let opening = OpenOptions {
            used_by,
            ..database.opening()
        };
        PostgresStore::open(opening).await
    };
    for used_by in [Use::Command, Use::Migration] {
        let refused = opened(used_by).await.err().unwrap();
        assert!(
            matches!(refused, OpenError::Older { found: 0, .. }),
            "{refused}"
        );
    }
    assert!(opened(Use::Founding).await.is_ok());
    execute(&database, LAST_UNDONE).await;
    for used_by in [Use::Command, Use::Founding, Use::Command] {
        let refused = opened(used_by).await.err().unwrap();
        assert!(matches!(refused, OpenError::Older { .. }), "{refused}");
        assert!(refused.to_string().contains("migrate-schema"), "{refused}");
    }
    assert!(opened(Use::Migration).await.is_ok());
    assert!(opened(Use::Command).await.is_ok());
    execute(&database, LAST_UNDONE).await;
    assert!(opened(Use::Server).await.is_ok());
}

#[tokio::test]
async fn without_a_standby_that_is_required_the_store_is_not_ready() {
    let database = Database::make();
    let mut opening = database.opening();
    opening.url.require_standby();
    let store = PostgresStore::open(opening).await.unwrap();
    let unready = store.check().await;
    assert!(
        matches!(unready, Err(StoreError::Unavailable(_))),
        "{unready:?}"
    );
    assert!(database.open_as(9).await.check().await.is_ok());
}

/// As an administrator does who finds that everything waits for the standby.
async fn cancel_waits(database: &Database) {
    let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    loop {
        execute(database, cancel).await;
    }
}

async fn set_standby(database: &Database, name: &str) {
    let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'");
    execute(database, &set).await;
    execute(database, "SELECT pg_reload_conf()").await;
}

#[tokio::test]
async fn whether_a_commit_happened_that_did_not_wait_for_the_standby_is_not_known() {
    // A server of its own, all of whose commits wait.
    let cluster = Cluster::start(&Setup::default()).unwrap();
    let database = Database::on(&cluster.url("postgres"));
    let world = World::furnished(Arc::new(database.open().await)).await;
    set_standby(&database, "nobody").await;
    let (mut submission, mut key) = (world.submission(&[world.alert("")]).await, 0);
    // The setting takes effect a moment later.
    let unknown = loop {
        key += 1;
        submission.idempotency = Some(idempotency(&key.to_string(), 1));
        let accepted = tokio::select! {
            accepted = world.store.accept(submission.clone()) => accepted,
            () = cancel_waits(&database) => unreachable!(),
        };
        match accepted {
            Ok(_) => submission = world.submission(&[world.alert("")]).await,
            Err(error) => break error,
        }
    };
    assert!(matches!(unknown, StoreError::Unavailable(_)), "{unknown:?}");
    set_standby(&database, "").await;
    let repeated = loop {
        let accepted = tokio::select! {
            accepted = world.store.accept(submission.clone()) => accepted,
            () = cancel_waits(&database) => unreachable!(),
        };
        if let Ok(repeated) = accepted {
            break repeated;
        }
    };
    assert!(
        matches!(repeated, Acceptance::AlreadyStored(_)),
        "{repeated:?}"
    );
}

/// Requests that wait at the same moment share a transaction, but not each other's faults.
#[tokio::test]
async fn what_the_database_refuses_of_one_request_is_not_refused_of_its_neighbours() {
    let database = Database::make();
    let world = World::furnished(Arc::new(database.open().await)).await;
    world.connect("").await;
    let mut calls = Vec::new();
    for number in 0..20 {
        let mut submission = world.submission(&[world.alert(""), world.alert("")]).await;
        if number % 4 == 0 {
            submission.alerts[1].id = submission.alerts[0].id;
        }
        calls.push(world.store.accept(submission));
    }
    let answered = futures_util::future::join_all(calls).await;
    let stored = answered.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(stored, 15);
    assert_eq!(world.store.census().await.unwrap().pending, 30);
}

#[tokio::test]
async fn with_too_few_connections_it_is_reading_that_waits() {
    let database = Database::make();
    drop(database.open().await);
    let role = format!("few_{}", database.name());
    // One for each writer, one to listen, one to read, and the one of opening, which the server may still be ending.
    let sql = format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 5");
    execute(&database, &sql).await;
    let grant = format!(
        "GRANT ALL ON DATABASE {} TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}; GRANT ALL ON SCHEMA public TO {role}; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}",
        database.name()
    );
    execute(&database, &grant).await;
    let url = database.url().replace("alerts@", &format!("{role}@"));
    let mut opening = database.opening_at(&url, 5);
    opening.used_by = Use::Server;
    let store = PostgresStore::open(opening).await.unwrap();
    let world = World::furnished(Arc::new(store)).await;
    let roster = world.roster().await;
    let submission = world.submission(&[world.alert("")]).await;
    // More read at once than there are connections.
    let reads = (0..8).map(|_| world.store.roster(&roster.space.slug));
    let (accepted, _read) = tokio::join!(
        world.store.accept(submission),
        futures_util::future::join_all(reads)
    );
    stored(accepted.unwrap());
    drop(world);
    execute(
        &database,
        &format!("DROP OWNED BY {role}; DROP ROLE {role}"),
    )
    .await;
}

/// A deadlock undoes a whole group, which is repeated without anyone noticing.
#[tokio::test]
async fn a_group_that_meets_a_deadlock_is_repeated() {
    let database = Database::make();
    let world = World::furnished(Arc::new(database.open().await)).await;
    let connector = world.connect("").await;
    for (table, event) in [("alerts", "INSERT"), ("deliveries", "UPDATE")] {
        let sql = format!(
            "CREATE SEQUENCE met_{table};
             CREATE FUNCTION meets_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF nextval('met_{table}') = 1 THEN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END IF;
                 RETURN NEW;
             END $$;
             CREATE TRIGGER meets BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION meets_{table}()"
        );
        execute(&database, &sql).await;
    }
    assert_eq!(world.post("").await.deliveries.len(), 1);
    let due = world.due(&connector).await;
    let report = Report {
        destination: connector.destination,
        fence: Fence::Unshared,
        health: None,
        outcomes: vec![world.outcome(&due[0], world.arrived())],
        revived: Vec::new(),
    };
    world.store.record(Arc::from([report])).await.unwrap();
    assert!(world.due(&connector).await.is_empty());
    let met =
        "DO $$ BEGIN ASSERT nextval('met_alerts') = 3 AND nextval('met_deliveries') = 3; END $$";
    execute(&database, met).await;
}
