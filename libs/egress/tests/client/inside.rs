//! Nothing inside is reached.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use buildwright_egress::{Client, FailureClass, Policy, Resolver, Schemes, Settings, SystemResolver};

use super::server::Server;
use super::{HERE, answer, client, fails_as, failure, lenient, settings};

/// Says something else every time, and in the end the same.
pub(crate) struct Scripted(Mutex<VecDeque<Vec<IpAddr>>>);

impl Scripted {
    pub(crate) fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parsed = |list: &&[&str]| list.iter().map(|text| text.parse().expect("an address")).collect();
        Arc::new(Self(Mutex::new(answers.iter().map(parsed).collect())))
    }
}

#[async_trait]
impl Resolver for Scripted {
    async fn addresses(&self, _name: &str) -> io::Result<Vec<IpAddr>> {
        let mut answers = self.0.lock().expect("nobody panicked");
        let last = answers.len() == 1;
        let answer = if last { answers.front().cloned() } else { answers.pop_front() };
        Ok(answer.unwrap_or_default())
    }
}

const FINE: &str = "HTTP/1.1 204 No Content\r\n\r\n";

#[tokio::test]
async fn a_redirect_to_the_metadata_of_a_cloud_is_an_answer_and_not_followed() {
    let elsewhere = Server::answering(FINE).await;
    for location in ["http://169.254.169.254/latest/meta-data/", &elsewhere.url("/")] {
        for status in [301, 302, 303, 307, 308] {
            let head = format!("HTTP/1.1 {status} Away\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
            let server = Server::answering(head).await;
            let answer = answer(&client(), &server.url("/hook")).await;
            assert_eq!(answer.status.as_u16(), status);
            assert!(answer.headers.contains(&("location".to_owned(), location.to_owned())), "{answer:?}");
        }
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_literal_address_is_checked_again_when_a_request_is_sent() {
    let server = Server::answering(FINE).await;
    // The URL was checked when this was allowed. Now it isn't any more.
    let client = Client::new(Settings::default()).expect("a client");
    let failure = fails_as(FailureClass::Refused, &client, &server.url("/")).await;
    assert!(failure.message.contains("127.0.0.1 is a loopback address"), "{failure:?}");
    assert_eq!(server.connections(), 0);

    let policy = Policy { schemes: Schemes::HttpsOnly, ..lenient() };
    let client = Client::new(Settings { policy, ..settings() }).expect("a client");
    fails_as(FailureClass::Refused, &client, &server.url("/")).await;
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_when_connecting_without_saying_where_to() {
    let server = Server::answering(FINE).await;
    let url = format!("http://receiver.example:{}/", server.address.port());
    for inside in [&["127.0.0.1"][..], &["10.0.0.1", "::1"], &["::ffff:127.0.0.1"], &["64:ff9b::7f00:1"]] {
        let client = Client::with_resolver(Settings::default(), Scripted::new(&[inside])).expect("a client");
        let failure = fails_as(FailureClass::Refused, &client, &url).await;
        assert!(failure.message.contains("the name leads to a"), "{failure:?}");
        assert!(!failure.message.contains(inside[0]), "{failure:?}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_name_that_led_outside_before_is_refused_as_soon_as_it_leads_inside() {
    // Connections are not kept, so each request asks for the address anew.
    let server = Server::answering("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
    let url = format!("http://receiver.example:{}/", server.address.port());
    // 127.0.0.1 stands for an address outside, 127.0.0.2 for one inside.
    let rebinding = Scripted::new(&[&["127.0.0.1"], &["127.0.0.2"], &["127.0.0.2", "127.0.0.1"]]);
    let client = Client::with_resolver(settings(), rebinding).expect("a client");

    assert_eq!(answer(&client, &url).await.status, 204);
    fails_as(FailureClass::Refused, &client, &url).await;
    // Of several addresses those that are allowed are taken.
    assert_eq!(answer(&client, &url).await.status, 204);
}

#[tokio::test]
async fn a_name_without_an_address_is_told_from_one_that_is_refused() {
    let client = Client::with_resolver(settings(), Scripted::new(&[&[]])).expect("a client");
    fails_as(FailureClass::Dns, &client, "http://nobody.example/").await;
}

#[tokio::test]
async fn a_name_that_nobody_answers_for_is_given_up_at_the_deadline() {
    struct Silent;
    #[async_trait]
    impl Resolver for Silent {
        async fn addresses(&self, _name: &str) -> io::Result<Vec<IpAddr>> {
            std::future::pending().await
        }
    }
    let client = Client::with_resolver(settings(), Arc::new(Silent)).expect("a client");
    let deadline = Duration::from_millis(500);
    let failure = failure(&client, "http://receiver.example/", deadline).await;
    assert_eq!(failure.class, FailureClass::Timeout, "{failure:?}");
    assert!(failure.latency >= deadline, "{failure:?}");
}

#[tokio::test]
async fn the_operating_system_is_asked_for_addresses() {
    let found = SystemResolver.addresses("localhost").await.expect("every machine knows itself");
    assert!(found.iter().all(IpAddr::is_loopback), "{found:?}");

    let server = Server::answering(FINE).await;
    let url = format!("http://localhost:{}/", server.address.port());
    assert_eq!(answer(&client(), &url).await.status, 204);
}

#[tokio::test]
async fn a_proxy_in_the_environment_is_ignored() {
    const CHILD: &str = "EGRESS_TEST_WITH_PROXY";
    const NAME: &str = "inside::a_proxy_in_the_environment_is_ignored";
    if environment(CHILD) {
        let server = Server::answering(FINE).await;
        // Not by its address, to which proxies are often not applied.
        let url = format!("http://receiver.example:{}/", server.address.port());
        let resolver = Scripted::new(&[&["127.0.0.1"]]);
        let client = Client::with_resolver(settings(), resolver).expect("a client");
        assert_eq!(answer(&client, &url).await.status, 204);
        return;
    }
    let proxy = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(proxy.address.ip(), HERE);
    let test = std::env::current_exe().expect("this test");
    let address = proxy.url("");
    let run = tokio::task::spawn_blocking(move || {
        let mut child = Command::new(test);
        for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
            child.env(name, &address);
        }
        child.args(["--exact", NAME]).env(CHILD, "1").env_remove("NO_PROXY").env_remove("no_proxy").output()
    });
    let output = run.await.expect("it ran").expect("it started");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(proxy.connections(), 0);
}

#[expect(clippy::disallowed_methods, reason = "this test is about the environment")]
fn environment(name: &str) -> bool {
    std::env::var_os(name).is_some()
}
