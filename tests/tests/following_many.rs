//! A thousand who follow, at two processes that serve the API.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it measured"
)]

use buildwright_blackbox::{
    Api, Hands, Instance, Launch, Plan, Role, Server, Socket, Sse, SseEvent, Task, within,
};
use futures::{StreamExt as _, future::join_all, stream};
use serde_json::json;
use std::time::{Duration, Instant};
use testkit::postgres;

const FOLLOWERS: usize = 1_000;
const LIMIT: Duration = Duration::from_secs(240);

/// Either kind of stream.
enum Stream {
    Events(Sse),
    Socket(Box<Socket>),
}

impl Stream {
    async fn open(api: &Api, path: &str, after: &str, number: usize) -> Self {
        if number.is_multiple_of(2) {
            Self::Events(api.follow(path, Some(after)).await)
        } else {
            Self::Socket(Box::new(api.follow_by_socket(&format!("{path}?after={after}")).await))
        }
    }

    async fn next(&mut self) -> Option<SseEvent> {
        match self {
            Self::Events(stream) => stream.next().await,
            Self::Socket(stream) => stream.next().await,
        }
    }
}

/// Follows to the end, and returns the positions that were told. Some lose the connection on the way, and go on at
/// another process by another transport.
async fn follow(mut stream: Stream, other: Api, path: String, number: usize) -> Vec<u64> {
    let lost_after = if number.is_multiple_of(5) { 7 + number % 83 } else { usize::MAX };
    let mut seen = Vec::new();
    loop {
        let Some(event) = stream.next().await else {
            // It broke off without an end.
            let after = seen.last().map_or(0, |last: &u64| *last).to_string();
            stream = Stream::open(&other, &path, &after, number).await;
            continue;
        };
        if event.kind == "end" {
            break;
        }
        seen.push(event.id.parse().unwrap());
        if event.kind == "build_completed" && path == "/v1/events" {
            break;
        }
        if seen.len() == lost_after {
            stream = Stream::open(&other, &path, &event.id, number + 1).await;
        }
    }
    seen
}

struct Figures {
    at: Instant,
    processor: Duration,
    memory_kib: u64,
    queries: u64,
}

impl Figures {
    fn of(server: &Server, api: &Instance) -> Self {
        let count = "SELECT pg_stat_force_next_flush(); SELECT pg_sleep(1.5); \
            SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
        let counted = postgres::Server::shared().sql(server.database_url(), count);
        let queries = counted.split_whitespace().next_back().and_then(|n| n.parse().ok()).unwrap_or_default();
        let (processor, memory_kib) = api.used();
        Self { at: Instant::now(), processor, memory_kib, queries }
    }

    fn tell(&self, what: &str, before: &Self) {
        println!(
            "{what}: {:.1} s, {:.2} s of processor, {} transactions in the database, {} KiB (was {})",
            self.at.duration_since(before.at).as_secs_f64(),
            (self.processor - before.processor).as_secs_f64(),
            self.queries - before.queries,
            self.memory_kib,
            before.memory_kib,
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_followers_see_every_event_once_and_in_order_while_a_build_of_a_hundred_tasks_runs() {
    // Given a build that waits for a word, and a thousand who follow it or the whole log
    let server = Server::start(Launch::fleet(Hands::Scripted).apis(2)).await;
    let (api, other) = (server.instance(Role::Api, 1), server.door(2));
    let word = server.beside("word");
    let task = format!("until [ -e {} ]; do sleep 0.1; done", word.display());
    let tasks = (0..100).map(|number| Task::command(&format!("t{number}"), &task));
    let order =
        json!({ "prompt": "p", "plan": Plan::of(tasks).json(), "limits": { "taskTimeoutSeconds": 600 } });
    let build = server.submit(&order).await;
    let path = |number: usize| match number % 10 {
        0..7 => format!("/v1/builds/{}/events", build.id),
        _ => "/v1/events".to_owned(),
    };
    let alone = Figures::of(&server, api);
    let open = (0..FOLLOWERS).map(|number| {
        let path = path(number);
        async move { Stream::open(api.api(), &path, "0", number).await }
    });
    let streams: Vec<Stream> = stream::iter(open).buffered(32).collect().await;
    let followed = Figures::of(&server, api);
    followed.tell("all are let in", &alone);
    let watched = Figures::of(&server, api);
    watched.tell("nothing happens", &followed);

    // When it is given
    std::fs::write(&word, "").unwrap();
    let followers = streams
        .into_iter()
        .enumerate()
        .map(|(number, stream)| tokio::spawn(follow(stream, other.clone(), path(number), number)));
    let seen = within(LIMIT, "all hear of the end", join_all(followers)).await;

    // Then each of them was told everything.
    Figures::of(&server, api).tell("the build goes to its end", &watched);
    build.completed(&server, LIMIT).await;
    let all = server.all_events().await;
    all.assert_dense(1);
    let all: Vec<u64> = all.0.iter().map(|event| event["sequence"].as_u64().unwrap()).collect();
    println!("{} events, {} messages", all.len(), all.len() * FOLLOWERS);
    for (number, seen) in seen.into_iter().enumerate() {
        assert_eq!(seen.unwrap(), all, "follower {number}");
    }
}
