//! Candidates for one role, of whom one leads.

use crate::proxy::Proxy;
use buildwright_store_postgres::{LeadershipOptions, PostgresLeadership, PostgresOptions};
use ports::{Leadership, Term};
use std::{sync::Arc, time::Duration};
use testkit::postgres::{Disk, Server};
use tokio::{
    task::{JoinHandle, block_in_place},
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(30);

fn candidate(url: &str, role: &str) -> Arc<PostgresLeadership> {
    let options = LeadershipOptions {
        retry: Duration::from_millis(50),
        heartbeat: Duration::from_millis(100),
        silence: Duration::from_secs(1),
        ..LeadershipOptions::default()
    };
    let candidate = PostgresLeadership::new(url, &PostgresOptions::default(), options, role);
    Arc::new(candidate.expect("a candidate"))
}

async fn leads(candidate: &Arc<PostgresLeadership>) -> Term {
    soon(candidate.lead()).await.expect("it may lead")
}

/// Stands for election in the background.
fn stand(candidate: &Arc<PostgresLeadership>) -> JoinHandle<Term> {
    let candidate = Arc::clone(candidate);
    tokio::spawn(async move { candidate.lead().await.expect("it may lead") })
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it did not come to pass")
}

/// Whether somebody does not lead for a while.
async fn waits(standing: &mut JoinHandle<Term>) -> bool {
    timeout(Duration::from_millis(500), standing).await.is_err()
}

const HOLDERS: &str = "FROM pg_locks WHERE locktype = 'advisory' AND granted";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_leads_and_the_other_when_it_gives_up() {
    let url = Server::shared().database();
    let (one, two) = (candidate(&url, "driver"), candidate(&url, "driver"));
    let first = leads(&one).await;
    let mut standing = stand(&two);
    assert!(waits(&mut standing).await);
    assert!(!first.over().is_cancelled());
    drop(first);
    let second = soon(standing).await.expect("a term");

    let mut standing = stand(&one);
    assert!(waits(&mut standing).await);
    drop(second);
    soon(standing).await.expect("a term");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_and_databases_have_leaders_of_their_own() {
    let (url, other) = (Server::shared().database(), Server::shared().database());
    let driver = leads(&candidate(&url, "driver")).await;
    let projector = leads(&candidate(&url, "projector")).await;
    let elsewhere = leads(&candidate(&other, "driver")).await;
    assert!([driver, projector, elsewhere].iter().all(|term| !term.over().is_cancelled()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_session_is_ended_leads_no_more_and_another_does() {
    let server = Server::new(Disk::Lazy);
    let url = server.database();
    let (one, two) = (candidate(&url, "driver"), candidate(&url, "driver"));
    let first = leads(&one).await;
    let mut standing = stand(&two);
    assert!(waits(&mut standing).await);
    assert_eq!(server.sql(&url, &format!("SELECT pg_terminate_backend(pid) {HOLDERS}")), "t");
    soon(first.over().cancelled()).await;
    let second = soon(standing).await.expect("a term");
    assert!(!second.over().is_cancelled());
    assert_eq!(server.sql(&url, &format!("SELECT count(*) {HOLDERS}")), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_restart_of_the_server_one_leads_again() {
    let server = Server::new(Disk::Lazy);
    let url = server.database();
    let (one, two) = (candidate(&url, "driver"), candidate(&url, "driver"));
    for end in [Server::stop as fn(&Server), Server::kill9] {
        let first = leads(&one).await;
        let standing = stand(&two);
        block_in_place(|| end(&server));
        soon(first.over().cancelled()).await;
        let again = stand(&one);
        block_in_place(|| server.start());
        let (leader, mut other) = match soon(futures::future::select(standing, again)).await {
            futures::future::Either::Left((leader, other))
            | futures::future::Either::Right((leader, other)) => (leader.expect("a term"), other),
        };
        assert!(waits(&mut other).await, "both lead");
        assert!(!leader.over().is_cancelled());
        drop(leader);
        drop(soon(other).await.expect("a term"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_leader_that_hears_nothing_leads_no_more() {
    let url = Server::shared().database();
    let proxy = Proxy::to(&url).await;
    let term = leads(&candidate(&proxy.url, "driver")).await;
    proxy.swallow_answers();
    soon(term.over().cancelled()).await;
}

#[tokio::test]
async fn a_candidate_without_a_server_waits_and_an_unusable_url_is_refused_without_its_password() {
    let mut standing = stand(&candidate("postgres://joe:s3cret@127.0.0.1:1/none", "driver"));
    assert!(waits(&mut standing).await);
    standing.abort();
    let refused = PostgresLeadership::new(
        "postgres://joe:s3cret@[",
        &PostgresOptions::default(),
        LeadershipOptions::default(),
        "driver",
    );
    let error = refused.expect_err("no URL");
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
}
