//! An append whose answer is lost is stored once, and nobody is told otherwise.

use crate::{proxy::Proxy, scene::*};
use buildwright_store_postgres::{PostgresOptions, PostgresStore};
use futures::future::join_all;
use ports::{AppendError, Appended, EventStore, Position, ReadModels, Version};
use std::time::{Duration, Instant};
use testkit::postgres::Server;

/// Nobody talks to the server but who is asked to: polls would meet the cut instead.
fn quiet() -> PostgresOptions {
    let never = Duration::from_secs(3600);
    PostgresOptions { listen: false, poll_idle: never, ..PostgresOptions::default() }
}

async fn scene(options: PostgresOptions) -> (Proxy, PostgresStore) {
    let proxy = Proxy::to(&Server::shared().database()).await;
    let store = PostgresStore::open(&proxy.url, options).await.expect("a store");
    store.append(append(stream(9), 0, 1)).await.expect("appended");
    (proxy, store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_was_committed_unheard_is_answered_as_stored() {
    let (proxy, store) = scene(quiet()).await;
    for version in 0..20 {
        proxy.cut_at_the_next_answer();
        let appended = store.append(append(stream(1), version, 1)).await.expect("stored, and found so");
        assert_eq!(appended, Appended { position: Position(version + 2), version: Version(version + 1) });
    }
    let log = whole_log(&store).await;
    assert_whole(&log);
    assert_eq!(log.len(), 21);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_append_of_a_batch_that_was_committed_unheard_gets_its_own_answer() {
    let (proxy, store) = scene(quiet()).await;
    store.append(append(stream(1), 0, 3)).await.expect("appended");
    proxy.cut_at_the_next_answer();
    let results = join_all([
        store.append(append(stream(1), 3, 2)),
        store.append(append(stream(2), 5, 1)),
        store.append(append(stream(3), 0, 4)),
        store.append(append(stream(9), 0, 1)),
    ])
    .await;
    let versions: Vec<_> =
        results.iter().map(|result| result.as_ref().ok().map(|done| done.version.0)).collect();
    assert_eq!(versions, [Some(5), None, Some(4), None]);
    for (refused, actual) in [(1, 0), (3, 1)] {
        match &results[refused] {
            Err(AppendError::Conflict { actual: told, .. }) => assert_eq!(told.0, actual),
            other => panic!("expected a conflict, not {other:?}"),
        }
    }
    let log = whole_log(&store).await;
    assert_whole(&log);
    assert_eq!(log.len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_nobody_can_ask_about_is_unavailable_and_found_on_reading() {
    let (proxy, store) = scene(quiet()).await;
    proxy.cut_at_the_next_answer();
    proxy.close();
    unavailable(store.append(append(stream(1), 0, 2)).await);

    // Whoever reads the stream, as a caller must now, sees what became of it.
    let direct = open(&behind(&proxy)).await;
    let stored = direct.read_stream(stream(1), Version(0), 9).await.expect("read");
    assert_eq!(stored.len(), 2);
    let again = direct.append(append(stream(1), 0, 2)).await;
    assert!(matches!(again, Err(AppendError::Conflict { actual: Version(2), .. })), "{again:?}");
}

/// The URL of the same database without the proxy.
fn behind(proxy: &Proxy) -> String {
    let (_, database) = proxy.url.rsplit_once('/').expect("a name");
    let other = Server::shared().database();
    let (server, _) = other.rsplit_once('/').expect("a name");
    format!("{server}/{database}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_silent_is_given_up_and_taken_up_again() {
    let options = PostgresOptions { statement_timeout: Duration::from_millis(200), ..quiet() };
    let (proxy, store) = scene(options).await;
    proxy.swallow_answers();
    let began = Instant::now();
    let (appended, read) =
        tokio::join!(store.append(append(stream(1), 0, 1)), store.read_stream(stream(9), Version(0), 1));
    unavailable(appended);
    read.expect_err("no answer");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());

    proxy.pass_answers();
    // It had arrived.
    let again = store.append(append(stream(1), 0, 1)).await;
    assert!(matches!(again, Err(AppendError::Conflict { actual: Version(1), .. })), "{again:?}");
    assert_eq!(store.read_stream(stream(1), Version(0), 9).await.expect("read").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_were_committed_unheard_are_not_folded_again() {
    let (proxy, store) = scene(quiet()).await;
    store.project(vec![summary(1)], Position(1)).await.expect("projected");
    // Whichever answer is lost, of the five that storing rows takes: the checkpoint tells the truth afterwards.
    for position in 2..10 {
        proxy.cut_at_the_next_answer();
        let before = *store.projected().borrow();
        if store.project(vec![summary(position)], Position(position)).await.is_err() {
            store.project(vec![], Position(99)).await.expect_err("the checkpoint is in doubt");
        }
        let projected = *store.projected().borrow();
        assert!(projected == before || projected == Position(position), "{projected}");
        let row = store.summaries(&[build(position)]).await.expect("rows");
        assert_eq!(row.is_empty(), projected == before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_cannot_be_stored_does_not_keep_others_from_it() {
    let (_proxy, store) = scene(quiet()).await;
    // A NUL that JSON would have escaped.
    let spoiled = append_of(stream(2), 0, vec!["{\"a\":\"\0\"}".to_owned()]);
    let (first, spoiled, last) = tokio::join!(
        store.append(append(stream(1), 0, 1)),
        store.append(spoiled),
        store.append(append(stream(3), 0, 1))
    );
    first.expect("stored");
    last.expect("stored");
    let Err(AppendError::Store(ports::StoreError::Corrupt(_))) = spoiled else { panic!("{spoiled:?}") };
    assert!(store.read_stream(stream(2), Version(0), 1).await.expect("read").is_empty());
}
