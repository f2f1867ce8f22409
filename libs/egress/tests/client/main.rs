//! What a client does with servers that want it no good.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bodies;
mod connections;
mod inside;
mod server;
mod tls;

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use buildwright_egress::{
    AddressPolicy, Answer, Client, Failure, FailureClass, Outcome, Policy, Request, Settings, TargetUrl,
};
use http::{HeaderMap, Method};

/// Long enough for a machine that is busy with other tests.
const PLENTY: Duration = Duration::from_secs(30);
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Public addresses, and the one that the servers of the tests have.
fn lenient() -> Policy {
    let networks = vec!["127.0.0.1/32".parse().expect("a network")];
    Policy { addresses: AddressPolicy::public_and(networks), ..Policy::default() }
}

fn settings() -> Settings {
    Settings { policy: lenient(), ..Settings::default() }
}

fn client() -> Client {
    Client::new(settings()).expect("a client")
}

fn target(url: &str) -> TargetUrl {
    TargetUrl::parse(url, &lenient()).expect("a URL")
}

async fn post(client: &Client, url: &str, deadline: Duration) -> Outcome {
    let target = target(url);
    let (method, headers, body) = (Method::POST, HeaderMap::new(), "{}".into());
    client.send(Request { target: &target, method, headers, body, deadline }).await
}

async fn answer(client: &Client, url: &str) -> Answer {
    match post(client, url, PLENTY).await {
        Outcome::Answered(answer) => answer,
        Outcome::Failed(failure) => panic!("no answer: {failure:?}"),
    }
}

async fn failure(client: &Client, url: &str, deadline: Duration) -> Failure {
    match post(client, url, deadline).await {
        Outcome::Answered(answer) => panic!("an answer: {answer:?}"),
        Outcome::Failed(failure) => failure,
    }
}

async fn fails_as(class: FailureClass, client: &Client, url: &str) -> Failure {
    let failure = failure(client, url, PLENTY).await;
    assert_eq!(failure.class, class, "{failure:?}");
    failure
}

/// Waits until something holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PLENTY, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
