//! Stores that know nothing of each other share a database.

use crate::scene::*;
use buildwright_store_postgres::{PostgresOptions, PostgresStore};
use futures::future::join_all;
use ports::{ApiKeys as _, AppendError, BuildFilter, EventStore, KeyFilter, Position, ReadModels, Version};
use sqlx::postgres::PgListener;
use std::time::{Duration, Instant};
use testkit::postgres::{Disk, Server};
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until a store has heard of a position.
async fn hears_of(store: &PostgresStore, position: u64) -> Duration {
    let began = Instant::now();
    let mut head = store.head();
    let heard = timeout(PATIENCE, head.wait_for(|head| head.0 >= position)).await;
    drop(heard.unwrap_or_else(|_| panic!("never heard of {position}")).expect("the store lives"));
    began.elapsed()
}

/// Hears what it is told, and asks only when it has reason to doubt.
fn never_asks() -> PostgresOptions {
    let never = Duration::from_secs(3600);
    PostgresOptions { poll_idle: never, poll_busy: never, ..PostgresOptions::default() }
}

async fn another(scene: &Scene, options: PostgresOptions) -> PostgresStore {
    PostgresStore::open(&scene.url, options).await.expect("a store")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_hears_of_anothers_events_without_asking() {
    let scene = Scene::empty().await;
    let other = another(&scene, never_asks()).await;
    for version in 0..50 {
        scene.store.append(append(stream(1), version, 1)).await.expect("appended");
        hears_of(&other, version + 1).await;
        assert_eq!(other.read_all(Position(version), 9).await.expect("read").len(), 1);
    }
    scene.store.project(vec![summary(1)], Position(50)).await.expect("projected");
    let mut projected = other.projected();
    timeout(PATIENCE, projected.wait_for(|at| at.0 == 50)).await.expect("heard").expect("alive");
    scene.store.reset().await.expect("reset");
    timeout(PATIENCE, projected.wait_for(|at| at.0 == 0)).await.expect("heard").expect("alive");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_cannot_listen_asks_and_asks_sooner_while_there_is_news() {
    let scene = Scene::empty().await;
    let deaf = PostgresOptions { listen: false, ..PostgresOptions::default() };
    let other = another(&scene, deaf).await;
    scene.store.append(append(stream(1), 0, 1)).await.expect("appended");
    hears_of(&other, 1).await;
    let mut slowest = Duration::ZERO;
    for version in 1..30 {
        scene.store.append(append(stream(1), version, 1)).await.expect("appended");
        slowest = slowest.max(hears_of(&other, version + 1).await);
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}: it went on asking every two seconds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_was_dropped_comes_back_and_asks_what_it_missed() {
    let server = Server::new(Disk::Lazy);
    let url = server.database();
    let other = PostgresStore::open(&url, never_asks()).await.expect("a store");
    let store = open(&url).await;
    store.append(append(stream(1), 0, 1)).await.expect("appended");
    hears_of(&other, 1).await;
    for version in 1..6 {
        let ended = server.sql(
            &url,
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'",
        );
        assert_ne!(ended, "0", "nobody was listening");
        // Right away, so that the notification meets nobody.
        store.append(append(stream(1), version, 1)).await.expect("appended");
        hears_of(&other, version + 1).await;
        let listening = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'";
        let began = Instant::now();
        while server.sql(&url, listening) != "2" {
            assert!(began.elapsed() < PATIENCE, "they do not come back");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_of_conflicts_ends_and_leaves_bystanders_alone() {
    let scene = Scene::empty().await;
    let mut stores = vec![scene.store.clone()];
    for _ in 0..3 {
        stores.push(another(&scene, PostgresOptions::default()).await);
    }
    // Sixty-four writers in four processes want the same stream,
    let storm: Vec<_> = (0..64)
        .zip(stores.iter().cycle())
        .map(|(_, store)| {
            let store = store.clone();
            tokio::spawn(async move {
                let (mut stored, mut conflicts, mut version) = (0, 0_u64, 0);
                while stored < 5 {
                    match store.append(append(stream(1), version, 1)).await {
                        Ok(appended) => (stored, version) = (stored + 1, appended.version.0),
                        Err(AppendError::Conflict { actual, .. }) => {
                            conflicts += 1;
                            version = actual.0;
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
                conflicts
            })
        })
        .collect();
    // and one in each process minds its own business.
    let calm = (20..).zip(&stores).map(|(n, store)| {
        let store = store.clone();
        tokio::spawn(async move {
            for version in 0..50 {
                store.append(append(stream(n), version, 1)).await.expect("nobody else writes there");
            }
        })
    });
    for bystander in join_all(calm).await {
        bystander.expect("a bystander");
    }
    let mut conflicts = 0;
    for writer in join_all(storm).await {
        conflicts += writer.expect("a writer");
    }
    assert!(conflicts > 0, "there was no storm");
    let log = whole_log(&scene.store).await;
    assert_whole(&log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_start_at_once_make_the_tables_once() {
    let url = Server::shared().database();
    let stores = join_all((0..8).map(|_| PostgresStore::open(&url, PostgresOptions::default()))).await;
    for (n, store) in (0..).zip(stores) {
        store.expect("a store").append(append(stream(n), 0, 1)).await.expect("appended");
    }
    assert_eq!(Server::shared().sql(&url, "SELECT count(*) FROM _sqlx_migrations"), "7");
    assert_whole(&whole_log(&open(&url).await).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_store_asks_less_than_once_a_second_and_appends_share_statements_and_notifications() {
    let server = Server::new(Disk::Lazy);
    let url = server.database();
    let (_, database) = url.rsplit_once('/').expect("a name");
    server.sql(&url, &format!("ALTER DATABASE {database} SET log_statement = 'all'"));
    let store = open(&url).await;

    let mut listener = PgListener::connect(&url).await.expect("a listener");
    listener.listen("buildwright").await.expect("listening");
    join_all((0..64).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            for version in 0..50 {
                store.append(append(stream(n), version, 1)).await.expect("appended");
            }
        })
    }))
    .await;
    let statements = server.log().matches("FROM append_events_of_tenants(").count();
    assert!(statements < 3_200 / 4, "{statements} for 3200 events");
    let mut notifications = 0;
    while listener.recv().await.expect("a notification").payload() != "3200 0 0" {
        notifications += 1;
    }
    assert!(notifications < statements, "{notifications} and one more for {statements} statements");

    // After the last notification, and the polls that it may lead to,
    sleep(Duration::from_secs(5)).await;
    let before = server.log().lines().count();
    sleep(Duration::from_secs(5)).await;
    let asked = server.log().lines().skip(before).filter(|line| line.contains("LOG:  execute")).count();
    assert!((1..5).contains(&asked), "{asked} statements in 5 s:\n{}", server.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_scans_a_table() {
    let server = Server::new(Disk::Lazy);
    let url = server.database();
    let store = open(&url).await;
    let scans = || {
        server.sql(&url, "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname IN ('events', 'builds', 'build_labels', 'api_keys') ORDER BY 1")
    };
    store.close().await;
    let before = scans();
    let store = open(&url).await;
    join_all((0..500).map(|n| store.append(append(stream(n), 0, 3)))).await;
    store.append(append(stream(1), 0, 3)).await.expect_err("a conflict");
    for n in 0..20 {
        store.read_stream(stream(n), Version(1), 9).await.expect("read");
        store.read_all(Position(n), 9).await.expect("read");
        let rows = (0..100).map(|m| {
            let mut row = summary(n * 100 + m);
            row.labels = labels(&[("team", if m % 2 == 0 { "a" } else { "b" }), ("n", &n.to_string())]);
            row
        });
        store.project(rows.collect(), Position(n + 1)).await.expect("projected");
        for status in [vec![], vec![domain::build::BuildStatus::Queued]] {
            for project in [None, Some("shop".parse().expect("a name"))] {
                for labels in [labels(&[]), labels(&[("team", "a"), ("n", "1")])] {
                    let filter = BuildFilter {
                        tenant: Default::default(),
                        status: status.clone(),
                        project: project.clone(),
                        labels,
                        before: Some(build(900)),
                        limit: 5,
                    };
                    store.builds(&filter).await.expect("a page");
                }
            }
        }
        store.summaries(&[build(1), build(2)]).await.expect("rows");
        store.open_builds(Some(build(5)), 5).await.expect("a page");
        store.count_open("tester", 5).await.expect("a number");
        store.read_tenant(&Default::default(), Position(n), 9).await.expect("read");
        store.find_key(&"ab12cd34".parse().expect("a prefix")).await.expect("read");
        for tenant in [None, Some(Default::default())] {
            store.keys(&KeyFilter { tenant, before: None, limit: 5 }).await.expect("a page");
        }
    }
    // A session tells what it did when it ends.
    store.close().await;
    let began = Instant::now();
    while server.sql(&url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'buildwright'")
        != "0"
    {
        assert!(began.elapsed() < PATIENCE, "sessions are left");
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(scans(), before);
}

#[tokio::test]
async fn closing_finishes_what_waits_and_ends_every_session() {
    let server = Server::new(Disk::Lazy);
    let url = server.database();
    let store = open(&url).await;
    let (appended, ()) = tokio::join!(store.append(append(stream(1), 0, 1)), store.close());
    appended.expect("it waited before the store was closed");

    let closed = store.append(append(stream(1), 1, 1)).await;
    assert!(matches!(closed, Err(AppendError::Store(ports::StoreError::Closed))), "{closed:?}");
    let closed = store.read_stream(stream(1), Version(0), 1).await;
    assert!(matches!(closed, Err(ports::StoreError::Closed)), "{closed:?}");
    store.close().await;

    let dropped = open(&url).await;
    drop(dropped);
    let began = Instant::now();
    while server.sql(&url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'buildwright'")
        != "0"
    {
        assert!(began.elapsed() < PATIENCE, "sessions are left");
        sleep(Duration::from_millis(20)).await;
    }
}
