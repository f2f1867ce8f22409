//! Following events and output.

use crate::support::{Api, Sse, SseEvent, pointers, problem};
use buildwright_api::{ApiSettings, StreamSettings};
use domain::build::{Attempt, Command, Outcome, Work};
use plan::TaskNumber;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

fn names(events: &[SseEvent]) -> Vec<&str> {
    events.iter().map(|event| event.event.as_str()).collect()
}

fn positions(events: &[SseEvent]) -> Vec<u64> {
    events.iter().filter_map(|event| event.id).collect()
}

async fn open(api: &Api, path: &str) -> Sse {
    Sse::open(api.request(Method::GET, path)).await
}

#[tokio::test]
async fn a_build_is_followed_from_its_first_event_to_its_last() {
    let api = Api::start().await;
    let id = api.submit_chain(1).await;
    let mut stream = open(&api, &format!("/v1/builds/{id}/events")).await;
    let first = stream.take(3).await;
    assert_eq!(names(&first), ["build_submitted", "plan_generated", "task_scheduled"]);

    api.complete(id, 1).await;

    let rest = stream.rest().await;
    assert_eq!(
        names(&rest),
        [
            "build_started",
            "task_started",
            "task_completed",
            "merge_scheduled",
            "merge_completed",
            "build_completed",
            "end",
        ]
    );
    let end = rest.last().unwrap();
    assert_eq!((end.id, &end.data), (None, &json!({"reason": "ended"})));
    let event = &first[0].data;
    assert_eq!(event["id"], format!("evt_{}_1", &id.to_string()[4..]));
    assert_eq!(event["type"], "build_submitted");
    assert_eq!(event["buildId"], id.to_string());
    assert_eq!(event["sequence"], 1);
    assert_eq!(event["version"], 1);
    assert_eq!(event["actor"], "local");
    assert_eq!(event["data"]["prompt"], "a chain");
    assert!(event["timestamp"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn json_and_stream_tell_the_same() {
    let api = Api::start().await;
    let id = api.submit_chain(1).await;
    api.complete(id, 1).await;

    let streamed = open(&api, &format!("/v1/builds/{id}/events")).await.rest().await;
    let listed = api.json(&format!("/v1/builds/{id}/events?limit=1000")).await;

    let streamed: Vec<Value> = streamed.into_iter().filter(|e| e.id.is_some()).map(|e| e.data).collect();
    assert_eq!(listed["events"], Value::Array(streamed));
}

#[tokio::test]
async fn a_stream_that_breaks_anywhere_goes_on_without_gap_or_repeat() {
    let api = Api::start().await;
    // Events of two builds lie between each other, so that positions of one have gaps.
    let (id, other) = (api.submit_chain(3).await, api.submit_chain(3).await);
    for number in 0..3 {
        api.complete_task(id, number).await;
        api.complete_task(other, number).await;
    }
    api.merge(id).await;
    let path = format!("/v1/builds/{id}/events");
    let whole = open(&api, &path).await.rest().await;
    let all = positions(&whole);
    assert!(all.len() > 10 && all.windows(2).all(|pair| pair[0] < pair[1]));

    for seen in 0..=all.len() {
        let last = seen.checked_sub(1).map(|index| all[index]);
        // The header is what a browser sends by itself; the URL still says where it began.
        let request = api.request(Method::GET, &format!("{path}?after=0"));
        let request = match last {
            Some(last) => request.header("last-event-id", last),
            None => request,
        };
        let rest = Sse::open(request).await.rest().await;
        assert_eq!(positions(&rest), all[seen..], "after {last:?}");
        assert_eq!(rest.last().unwrap().event, "end");
    }
    // A position that is another build's counts as well.
    for after in 0..=*all.last().unwrap() {
        let rest = open(&api, &format!("{path}?after={after}")).await.rest().await;
        let wanted: Vec<u64> = all.iter().copied().filter(|position| *position > after).collect();
        assert_eq!(positions(&rest), wanted, "after {after}");
    }
}

#[tokio::test]
async fn many_followers_of_the_log_see_every_event_while_it_grows() {
    see_every_event(StreamSettings::default()).await;
}

#[tokio::test]
async fn followers_for_whom_nothing_is_kept_miss_nothing_either() {
    see_every_event(StreamSettings { recent_bytes: 0, max_readers: 1, ..StreamSettings::default() }).await;
}

async fn see_every_event(streams: StreamSettings) {
    let api = Api::with(ApiSettings { streams, ..ApiSettings::default() }).await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(open(&api, "/v1/events").await);
    }

    for _ in 0..100 {
        let id = api.submit_chain(1).await;
        api.complete(id, 1).await;
    }

    let count = api.stored_events();
    for mut stream in streams {
        let events = stream.take(usize::try_from(count).unwrap()).await;
        assert_eq!(positions(&events), (1..=count).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn the_log_is_read_page_by_page() {
    let api = Api::start().await;
    for _ in 0..3 {
        api.submit_chain(2).await;
    }
    let mut after = 0;
    let mut seen = Vec::new();
    loop {
        let page = api.json(&format!("/v1/events?limit=2&after={after}")).await;
        let events = page["events"].as_array().unwrap();
        seen.extend(events.iter().map(|event| event["sequence"].as_u64().unwrap()));
        after = page["next"].as_u64().unwrap();
        if events.is_empty() {
            break;
        }
    }
    assert_eq!(seen, (1..=api.stored_events()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stream_that_does_not_follow_ends_at_the_head() {
    let api = Api::start().await;
    let id = api.submit_chain(1).await;
    for path in ["/v1/events?follow=false".to_owned(), format!("/v1/builds/{id}/events?follow=false")] {
        let events = open(&api, &path).await.rest().await;
        assert_eq!(names(&events), ["build_submitted", "plan_generated", "task_scheduled", "end"]);
        assert_eq!(events.last().unwrap().data, json!({"reason": "head"}));
    }
}

#[tokio::test]
async fn a_streams_end_is_its_builds_end_even_if_costs_are_told_later() {
    let api = Api::start().await;
    let id = api.submit_chain(1).await;
    let work = Work::Task(TaskNumber(0));
    api.start_work(id, work).await;
    let at = api.app.clock.now();
    api.command(id, Command::Cancel { reason: None, at }).await;
    let usage = serde_json::from_value(json!({"haiku": {"inputTokens": 3}})).unwrap();
    let failure = domain::Failure::new(domain::FailureClass::Crashed, "stopped");
    let outcome = Outcome { result: Err(failure), usage, session_id: None, duration_ms: 1 };
    let told = Command::Finish { work, attempt: Attempt::FIRST, outcome, at };
    // The answer to an attempt that is not current any more is a refusal; its cost is kept if it can be.
    let _ = api.app.builds.execute(id, "driver".into(), told).await;

    let path = format!("/v1/builds/{id}/events");
    let events = open(&api, &path).await.rest().await;

    assert_eq!(names(&events)[events.len() - 2..], ["build_cancelled", "end"]);
    let last = positions(&events).pop().unwrap();
    let later = open(&api, &format!("{path}?after={last}")).await.rest().await;
    assert_eq!(names(&later), ["usage_recorded", "end"]);
}

#[tokio::test]
async fn an_idle_stream_is_kept_open_by_comments_and_ends_when_the_process_stops() {
    let settings = ApiSettings { heartbeat: Duration::from_millis(20), ..ApiSettings::default() };
    let api = Api::with(settings).await;
    let mut stream = open(&api, "/v1/events").await;

    for _ in 0..2 {
        stream.comment().await;
    }
    api.stop.cancel();

    assert_eq!(stream.next().await, None, "the end comes without an event: clients come back");
}

#[tokio::test]
async fn output_is_followed_until_the_task_has_ended() {
    let api = Api::start().await;
    let id = api.submit_chain(1).await;
    let (task, work) = (id.task(TaskNumber(0)), Work::Task(TaskNumber(0)));
    let path = format!("/v1/tasks/{task}/output");
    let mut stream = open(&api, &path).await;
    api.start_work(id, work).await;
    api.write_output(id, work, "one").await;
    assert_eq!(stream.next().await.unwrap().data["text"], "one");
    for text in ["two", "three"] {
        api.write_output(id, work, text).await;
    }
    api.complete_task(id, 0).await;

    let rest = stream.rest().await;

    assert_eq!(names(&rest), ["line", "line", "end"]);
    assert_eq!(positions(&rest), [2, 3]);
    assert_eq!(rest[1].data["stream"], "stdout");
    assert_eq!(rest[1].data["attempt"], 1);
    let resumed = Sse::open(api.request(Method::GET, &path).header("last-event-id", "2")).await.rest().await;
    assert_eq!(positions(&resumed), [3]);
    let page = api.json(&format!("{path}?after=1&limit=1")).await;
    assert_eq!(page["next"], 2);
    assert_eq!(page["lines"][0]["text"], "two");
    let page = api.json(&format!("{path}?after=3")).await;
    assert_eq!(page, json!({"lines": [], "next": 3}));
}

#[tokio::test]
async fn output_of_planning_is_followed_until_the_build_has_a_plan_or_has_ended() {
    let api = Api::start().await;
    let id = api.submit(&json!({"prompt": "plan it"})).await;
    let mut stream = open(&api, &format!("/v1/builds/{id}/plan/output")).await;
    api.start_work(id, Work::Plan).await;
    api.write_output(id, Work::Plan, "thinking").await;
    assert_eq!(stream.next().await.unwrap().data["text"], "thinking");

    api.command(id, Command::Cancel { reason: None, at: api.app.clock.now() }).await;

    assert_eq!(names(&stream.rest().await), ["end"]);
    let head = open(&api, &format!("/v1/builds/{id}/plan/output?after=1&follow=false")).await.rest().await;
    assert_eq!(names(&head), ["end"]);
}

#[tokio::test]
async fn places_that_are_none_are_named() {
    let api = Api::start().await;
    for (query, pointer) in [
        ("after=x", "/after"),
        ("after=-1", "/after"),
        ("limit=0", "/limit"),
        ("limit=1001", "/limit"),
        ("follow=maybe", "/follow"),
        ("since=1", "/since"),
    ] {
        let problem = problem(api.get(&format!("/v1/events?{query}")).await, 400, "invalid_parameters").await;
        assert_eq!(pointers(&problem), [pointer], "{query}");
    }
    let request = api.request(Method::GET, "/v1/events").header("accept", "text/event-stream");
    let response = request.header("last-event-id", "abc").send().await.unwrap();
    let problem = problem(response, 400, "invalid_parameters").await;
    assert_eq!(problem["errors"][0]["in"], "header");
    assert_eq!(pointers(&problem), ["/last-event-id"]);
}

#[tokio::test]
async fn a_store_that_fails_ends_a_stream_without_saying_it_is_over() {
    let api = Api::start().await;
    let mut stream = open(&api, "/v1/events").await;
    api.submit_chain(1).await;
    stream.take(3).await;

    api.store.down.store(true, std::sync::atomic::Ordering::SeqCst);
    api.store.wake();

    assert_eq!(stream.next().await, None);
}
