use super::*;
use serde_json::{Value, json};

/// So many milliseconds after the submission.
pub(crate) fn at(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_760_000_000_000 + millis).unwrap()
}

/// An event as the server stores it.
pub(crate) fn event(kind: &str, millis: i64, mut data: Value) -> BuildEvent {
    data["at"] = json!(at(millis));
    BuildEvent::decode(kind, 1, &data.to_string()).unwrap()
}

fn usage() -> Value {
    json!({ "sonnet": { "inputTokens": 100, "outputTokens": 10, "cacheReadTokens": 0, "cacheCreationTokens": 0,
        "costNanoUsd": 450_000 } })
}

/// A build of two tasks side by side, one of which needs two attempts.
pub(crate) fn story() -> Vec<(BuildEvent, DateTime<Utc>)> {
    let plan = json!({ "tasks": [
        { "id": "store", "type": "create_file", "title": "Keep it", "prompt": "p", "targets": ["a"] },
        { "id": "view", "type": "create_file", "title": "Show it", "prompt": "p", "targets": ["b"] },
    ]});
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let failure = json!({ "class": "no_evidence", "message": "not created: b" });
    let started = |task: u32, attempt: u32| json!({ "task": task, "attempt": attempt, "executor": "local" });
    let done = |task: u32, attempt: u32| {
        json!({ "task": task, "attempt": attempt, "commit": commit, "filesChanged": 1, "usage": usage(),
            "durationMs": 900 })
    };
    let limits =
        json!({ "taskTimeoutSeconds": 60, "buildTimeoutSeconds": 900, "maxParallel": 5, "maxAttempts": 2 });
    let order =
        json!({ "prompt": "A list.\nA short one.", "project": "list", "model": "sonnet", "limits": limits });
    let steps = [
        ("build_submitted", 0, order),
        ("planning_scheduled", 0, json!({ "attempt": 1 })),
        ("planning_started", 10, json!({ "attempt": 1, "executor": "local" })),
        (
            "plan_generated",
            500,
            json!({ "plan": plan, "source": "model", "usage": usage(), "durationMs": 490 }),
        ),
        ("task_scheduled", 500, json!({ "task": 0, "attempt": 1 })),
        ("task_started", 510, started(0, 1)),
        ("task_started", 520, started(1, 1)),
        (
            "task_failed",
            900,
            json!({ "task": 1, "attempt": 1, "failure": failure, "willRetry": true,
            "usage": usage(), "durationMs": 380 }),
        ),
        ("task_started", 910, started(1, 2)),
        ("task_completed", 1_400, done(0, 1)),
        ("task_completed", 1_900, done(1, 2)),
        ("merge_scheduled", 1_900, json!({ "attempt": 1 })),
        (
            "merge_completed",
            2_000,
            json!({ "attempt": 1, "base": commit, "commit": commit,
            "branch": "builds/1", "filesChanged": 2 }),
        ),
        ("build_completed", 2_000, json!({})),
    ];
    steps.into_iter().map(|(kind, millis, data)| (event(kind, millis, data), at(millis))).collect()
}

/// What is known after some of it.
pub(crate) fn progress(events: &[(BuildEvent, DateTime<Utc>)]) -> Progress {
    let mut progress = Progress::default();
    for (event, recorded_at) in events {
        progress.apply(event, *recorded_at);
    }
    progress
}

#[test]
fn in_the_middle_what_runs_is_known() {
    let now = progress(&story()[..9]);
    assert_eq!(now.stage, Stage::Tasks);
    assert_eq!((now.completed, now.tasks.len()), (0, 2));
    let running: Vec<_> =
        now.running.iter().map(|(work, running)| (now.name(*work), running.attempt)).collect();
    assert_eq!(running, [("store", 1), ("view", 2)]);
}

#[test]
fn at_the_end_every_attempt_and_every_token_is_counted() {
    let end = progress(&story());
    assert_eq!(end.stage, Stage::Completed);
    assert_eq!(end.completed, 2);
    assert!(end.running.is_empty());
    assert_eq!((end.usage.input_tokens, end.usage.cost_nano_usd), (400, 1_800_000));
    let attempts: Vec<_> = end.attempts.iter().map(|a| (end.name(a.work), a.attempt, a.went)).collect();
    assert_eq!(
        attempts,
        [
            ("plan", 1, Went::Well),
            ("view", 1, Went::Badly),
            ("store", 1, Went::Well),
            ("view", 2, Went::Well),
            ("merge", 1, Went::Well),
        ]
    );
}

#[test]
fn what_ran_when_the_build_was_cancelled_went_nowhere() {
    let mut events = story();
    events.truncate(9);
    events.push((event("build_cancelled", 1_000, json!({})), at(1_000)));
    let end = progress(&events);
    assert_eq!(end.stage, Stage::Cancelled);
    assert!(end.running.is_empty());
    let stopped = end.attempts.iter().filter(|a| a.went == Went::Nowhere && a.to == at(1_000));
    assert_eq!(stopped.count(), 2);
}
