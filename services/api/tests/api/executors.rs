//! Who does the work.

use crate::support::{Api, pointers, problem};
use domain::build::{Attempt, Work};
use plan::TaskNumber;
use ports::{BreakerState, ExecutorName, ExecutorState, ExecutorStatus, Roster as _, RunningWork};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

fn executor(api: &Api, name: &str, pool: &str) -> ExecutorStatus {
    let at = api.app.clock.now();
    ExecutorStatus {
        name: ExecutorName(name.into()),
        version: "1.2.3".to_owned(),
        pool: pool.parse().unwrap(),
        labels: Vec::new(),
        slots: 4,
        running: Vec::new(),
        state: ExecutorState::Working,
        breaker: BreakerState::Closed,
        started_at: at,
        seen_at: at,
    }
}

fn names(list: &Value) -> Vec<&str> {
    list["executors"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_executor_is_shown_as_it_described_itself() {
    let api = Api::start().await;
    let id = api.submit_chain(2).await;
    let since = api.app.clock.now();
    let until = api.app.clock.now();
    let at = |work| RunningWork { build: id, work, attempt: Attempt(2), since };
    let status = ExecutorStatus {
        labels: vec!["arm64".parse().unwrap(), "gpu".parse().unwrap()],
        running: vec![at(Work::Plan), at(Work::Task(TaskNumber(1))), at(Work::Merge)],
        state: ExecutorState::Draining,
        breaker: BreakerState::Open { until, reason: "rate_limited".to_owned() },
        ..executor(&api, "executor-1", "default")
    };

    api.roster.announce(&status).await;

    let list = api.json("/v1/executors").await;
    assert_eq!(
        list["executors"],
        json!([{
            "name": "executor-1", "version": "1.2.3", "pool": "default", "labels": ["arm64", "gpu"],
            "slots": 4, "state": "draining",
            "breaker": {"state": "open", "until": until, "reason": "rate_limited"},
            "running": [
                {"buildId": id, "work": "plan", "attempt": 2, "since": since},
                {"buildId": id, "work": "task", "taskId": id.task(TaskNumber(1)), "attempt": 2, "since": since},
                {"buildId": id, "work": "merge", "attempt": 2, "since": since},
            ],
            "startedAt": status.started_at, "seenAt": status.seen_at,
        }])
    );
}

#[tokio::test]
async fn the_list_is_empty_without_executors_and_narrowed_by_pool() {
    let api = Api::start().await;
    assert_eq!(api.json("/v1/executors").await, json!({"executors": []}));

    for (name, pool) in [("b", "default"), ("a", "large"), ("c", "large")] {
        api.roster.announce(&executor(&api, name, pool)).await;
    }

    assert_eq!(names(&api.json("/v1/executors").await), ["a", "b", "c"]);
    assert_eq!(names(&api.json("/v1/executors?pool=large").await), ["a", "c"]);
    assert!(names(&api.json("/v1/executors?pool=none").await).is_empty());
}

#[tokio::test]
async fn a_pool_that_cannot_be_is_named() {
    let api = Api::start().await;
    for (query, pointer) in [("pool=A", "/pool"), ("pool=", "/pool"), ("state=working", "/state")] {
        let response = api.get(&format!("/v1/executors?{query}")).await;
        let problem = problem(response, 400, "invalid_parameters").await;
        assert_eq!(pointers(&problem), [pointer], "{query}");
    }
}

#[tokio::test]
async fn a_breaker_that_tries_again_says_no_more_than_that() {
    let api = Api::start().await;
    let status = ExecutorStatus { breaker: BreakerState::HalfOpen, ..executor(&api, "a", "default") };
    api.roster.announce(&status).await;
    let list = api.json("/v1/executors").await;
    assert_eq!(list["executors"][0]["breaker"], json!({"state": "half_open"}));
}

#[tokio::test]
async fn nobody_is_listed_as_gone_while_the_bus_is() {
    let api = Api::start().await;
    api.roster.down.store(true, Ordering::SeqCst);

    let response = api.get("/v1/executors").await;

    assert_eq!(response.headers()["retry-after"], "2");
    let problem = problem(response, 503, "unavailable").await;
    assert!(!problem.to_string().contains("secret.example"), "{problem}");
}
