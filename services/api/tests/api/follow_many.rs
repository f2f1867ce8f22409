//! Many at once. A thousand, at a fleet, are told of in the black-box tests.

use crate::support::{Api, Socket, Sse, SseEvent};
use buildwright_api::ApiSettings;
use domain::build::Work;
use futures::future::join_all;
use plan::TaskNumber;
use reqwest::Method;
use serde_json::Value;
use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};
use tokio::sync::Barrier;

const FOLLOWERS: usize = 200;
const TASKS: u32 = 50;
const LIMIT: Duration = Duration::from_secs(120);

/// Either kind of stream.
enum Stream {
    Events(Sse),
    Socket(Box<Socket>),
}

impl Stream {
    async fn open(api: &Api, path: &str, after: u64, number: usize) -> Self {
        let path = format!("{path}?after={after}");
        if number.is_multiple_of(2) {
            Self::Events(Sse::open(api.request(Method::GET, &path).timeout(LIMIT)).await)
        } else {
            Self::Socket(Box::new(Socket::open(api, &path).await))
        }
    }

    async fn next(&mut self) -> Option<SseEvent> {
        match self {
            Self::Events(stream) => stream.next().await,
            Self::Socket(stream) => stream.next().await,
        }
    }
}

/// Follows until the build is over, and returns the positions that were told. Some lose the connection on the way,
/// and go on elsewhere.
async fn follow(
    api: Arc<Api>,
    other: Arc<Api>,
    path: String,
    number: usize,
    ready: Arc<Barrier>,
) -> Vec<u64> {
    let lost_after = if number.is_multiple_of(5) { 7 + number % 83 } else { usize::MAX };
    let mut stream = Stream::open(&api, &path, 0, number).await;
    ready.wait().await;
    let mut seen = Vec::new();
    while let Some(event) = stream.next().await {
        let Some(position) = event.id else { break };
        seen.push(position);
        if event.event == "build_completed" && path == "/v1/events" {
            break;
        }
        if seen.len() == lost_after {
            stream = Stream::open(&other, &path, position, number + 1).await;
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_followers_at_two_processes_each_see_every_event_once_and_in_order() {
    // Given two processes over one store, and two hundred who follow a build or the whole log by either transport
    let api = Arc::new(Api::among_several(ApiSettings::default()).await);
    let other = Arc::new(api.replica().await);
    let id = api.submit_chain(TASKS).await;
    let ready = Arc::new(Barrier::new(FOLLOWERS + 1));
    let followers: Vec<_> = (0..FOLLOWERS)
        .map(|number| {
            let of_build = format!("/v1/builds/{id}/events");
            let path = if number % 10 < 7 { of_build } else { "/v1/events".to_owned() };
            tokio::spawn(follow(api.clone(), other.clone(), path, number, ready.clone()))
        })
        .collect();
    tokio::time::timeout(LIMIT, ready.wait()).await.expect("all are let in");

    // When the build goes on to its end, one task after another
    api.complete(id, TASKS).await;

    // Then each of them was told everything.
    let seen = tokio::time::timeout(LIMIT, join_all(followers)).await.expect("all hear of the end");
    let all: Vec<u64> = (1..=api.stored_events()).collect();
    for (number, seen) in seen.into_iter().enumerate() {
        assert_eq!(seen.unwrap(), all, "follower {number}");
    }
}

#[tokio::test]
async fn a_new_event_is_read_once_however_many_follow() {
    let api = Arc::new(Api::among_several(ApiSettings::default()).await);
    let id = api.submit_chain(1).await;
    let path = format!("/v1/builds/{id}/events");
    let mut streams = Vec::new();
    for number in 0..50 {
        let mut stream = Stream::open(&api, &path, 0, number).await;
        for _ in 0..3 {
            stream.next().await.unwrap();
        }
        streams.push(stream);
    }
    // What others store can be read before this process hears of it.
    api.store.tells_late.store(true, SeqCst);
    // Nobody has to look any more, because all have come to the end of what there is.
    api.store.reads_settled().await;
    let before = api.store.reads();

    let beside = api.submit_chain(TASKS).await;
    api.complete(beside, TASKS).await;
    api.complete(id, 1).await;
    for stream in &mut streams {
        while stream.next().await.unwrap().event != "end" {}
    }

    let reads = api.store.reads() - before;
    let events = api.stored_events();
    assert!(reads < 3 * events, "{reads} reads of {events} events, for 50 followers");
}

#[tokio::test]
async fn those_who_wait_for_a_build_read_nothing_while_others_go_on() {
    const WAITING: u64 = 50;
    // Given many who wait for a build
    let api = Arc::new(Api::among_several(ApiSettings::default()).await);
    let id = api.submit_chain(1).await;
    let path = format!("/v1/builds/{id}?wait=60");
    let before = api.store.reads();
    let wait = || tokio::spawn(api.request(Method::GET, &path).timeout(LIMIT).send());
    let waiting: Vec<_> = (0..WAITING).map(|_| wait()).collect();
    // Each looks at first.
    while api.store.reads() < before + WAITING {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    api.store.reads_settled().await;
    let before = api.store.reads();

    // When another build goes on to its end, and then theirs
    let beside = api.submit_chain(TASKS).await;
    api.complete(beside, TASKS).await;
    api.complete(id, 1).await;

    // Then all are answered, and the events of the other were read for all of them together.
    for answer in join_all(waiting).await {
        let build: Value = answer.unwrap().unwrap().json().await.unwrap();
        assert_eq!(build["status"], "completed");
    }
    let reads = api.store.reads() - before;
    let events = api.stored_events();
    assert!(reads < 3 * events, "{reads} reads of {events} events, while {WAITING} waited");
}

#[tokio::test]
async fn lines_of_output_are_read_once_however_many_follow() {
    let api = Api::start().await;
    let id = api.submit_chain(1).await;
    let work = Work::Task(TaskNumber(0));
    let path = format!("/v1/tasks/{}/output", id.task(TaskNumber(0)));
    api.start_work(id, work).await;
    let mut streams = Vec::new();
    for number in 0..50 {
        streams.push(Stream::open(&api, &path, 0, number).await);
    }
    let before = api.output.reads();
    for number in 0..20 {
        api.write_output(id, work, &format!("line {number}")).await;
        for stream in &mut streams {
            assert_eq!(stream.next().await.unwrap().id, Some(number + 1));
        }
    }
    let reads = api.output.reads() - before;
    // Each has looked once more after what was there when it came.
    assert!(reads < 50 + 3 * 20, "{reads} reads of 20 lines, for 50 followers");

    api.complete_task(id, 0).await;
    for stream in &mut streams {
        assert_eq!(stream.next().await.unwrap().event, "end");
    }
}
