//! A reader never skips an event, whatever happens to those who write.

use crate::{crowd::*, scene::*};
use buildwright_store_postgres::{PostgresOptions, PostgresStore};
use futures::future::join_all;
use ports::Position;
use sqlx::{Connection, PgConnection};
use std::time::Duration;
use testkit::postgres::{Disk, Server};
use tokio::time::sleep;

const WRITERS: u64 = 64;
/// Names how many events are written altogether, if not 40,000. 200,000 take about a minute.
const EVENTS: &str = "BUILDWRIGHT_TEST_EVENTS";

#[expect(clippy::disallowed_methods, reason = "how thorough a test is, is the tester's choice")]
fn events_per_writer() -> u64 {
    let events = std::env::var(EVENTS).ok().map_or(40_000, |number| number.parse().expect("a number"));
    events / WRITERS
}

/// Somebody who takes the head row, writes past it, thinks for a while and gives up.
async fn give_up_again_and_again(url: String) {
    let mut connection = PgConnection::connect(&url).await.expect("connected");
    loop {
        let mut transaction = connection.begin().await.expect("begun");
        sqlx::raw_sql(
            "UPDATE head SET position = position + 1; \
             INSERT INTO events SELECT position, 'intruder', 1, 'never', 1, '{}', '{}', 0, 0 FROM head",
        )
        .execute(&mut *transaction)
        .await
        .expect("written");
        sleep(Duration::from_millis(chance(15))).await;
        transaction.rollback().await.expect("rolled back");
        sleep(Duration::from_millis(chance(60))).await;
    }
}

/// Ends sessions of stores in the middle of whatever they do.
async fn end_sessions_again_and_again(url: String) {
    let mut connection = PgConnection::connect(&url).await.expect("connected");
    loop {
        sleep(Duration::from_millis(20 + chance(120))).await;
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE application_name = 'buildwright' ORDER BY state = 'active' DESC, random() LIMIT 2",
        )
        .execute(&mut connection)
        .await
        .expect("ended");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_writers_in_four_processes_with_aborts_and_three_readers_lose_nothing() {
    let events = events_per_writer();
    let server = Server::new(Disk::Lazy);
    let url = server.database();
    let upto = Position(WRITERS * events);

    // Given four processes with sixteen writers each, of whom two share a stream,
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(open(&url).await);
    }
    let writers: Vec<_> = (0..WRITERS)
        .zip(stores.iter().cycle())
        .map(|(n, store)| tokio::spawn(write(store.clone(), n, stream(n / 2), events)))
        .collect();
    // three readers, of whom one hears no notifications and one remembers nothing,
    let deaf = PostgresOptions { listen: false, ..PostgresOptions::default() };
    let forgetful = PostgresOptions { tail_events: 0, ..PostgresOptions::default() };
    let mut readers = Vec::new();
    for options in [PostgresOptions::default(), deaf, forgetful] {
        let store = PostgresStore::open(&url, options).await.expect("a store");
        readers.push(tokio::spawn(follow(store, upto)));
    }
    // and transactions that are aborted, by themselves and by force,
    let chaos = [
        tokio::spawn(give_up_again_and_again(url.clone())),
        tokio::spawn(end_sessions_again_and_again(url.clone())),
    ];

    let tallies: Vec<Tally> =
        join_all(writers).await.into_iter().map(|tally| tally.expect("a writer")).collect();
    let logs: Vec<_> = join_all(readers).await.into_iter().map(|log| log.expect("a reader")).collect();
    for disturber in chaos {
        assert!(!disturber.is_finished(), "it was calm");
        disturber.abort();
    }

    // every reader saw every event once, in the same order.
    for log in &logs {
        assert_each_once(log, WRITERS, events);
    }
    assert_same(&logs);
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    println!(
        "{upto} events: {} appends stored, {} found stored, {} conflicts, {} unavailable",
        sum(|tally| tally.told_stored),
        sum(|tally| tally.found_stored),
        sum(|tally| tally.conflicts),
        sum(|tally| tally.unavailable)
    );
    assert!(sum(|tally| tally.conflicts) > 0, "nobody raced");
    // To be in each other's way is no failure, and a session that ended is made again.
    assert!(sum(|tally| tally.unavailable) * 100 < sum(|tally| tally.told_stored), "{tallies:?}");
}
