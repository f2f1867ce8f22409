//! Builds that must fail, and say why.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it measured"
)]

use buildwright_blackbox::{
    Build, CLEARED_WITHIN, Hands, Launch, Plan, ScriptedModel, Server, Task, bash, git, say, scripted, write,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);
/// However busy the machine: what goes wrong here goes on for minutes.
const SOON: Duration = Duration::from_secs(15);

/// A server whose workers are the real CLI, and one try for everything.
struct Site {
    model: ScriptedModel,
    server: Server,
}

impl Site {
    async fn new() -> Self {
        let model = ScriptedModel::start().await;
        let server = Server::start(
            Launch::with(Hands::Claude(&model)).env("BUILDWRIGHT_ALLOW_LOCAL_REPOSITORIES", "true"),
        )
        .await;
        Self { model, server }
    }

    async fn plan(&self, tasks: impl IntoIterator<Item = Task>, limits: Value) -> Build {
        let mut limits = limits;
        limits["maxAttempts"] = json!(1);
        let order = json!({ "prompt": "p", "plan": Plan::of(tasks).json(), "limits": limits });
        self.server.submit(&order).await
    }

    async fn prompt(&self, steps: &[Value]) -> Build {
        let order = json!({ "prompt": scripted(steps), "limits": { "maxAttempts": 1 } });
        self.server.submit(&order).await
    }

    /// How it failed; nothing of it may go on or be left.
    async fn failed(&self, build: &Build) -> (String, String) {
        let failure = build.failed(&self.server, LIMIT).await;
        self.server.wait_until_nothing_works(CLEARED_WITHIN).await;
        let events = build.events(&self.server).await;
        // What an attempt that was stopped had cost may be told after the end.
        let last = events.kinds().into_iter().rfind(|kind| *kind != "usage_recorded");
        assert_eq!(last, Some("build_failed"));
        failure
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_claims_success_without_the_change_it_owed_fails() {
    let site = Site::new().await;
    let idle = Task::file("idle", "report.md", &[say("report.md is written.", 0)]);
    let aside = Task::file("aside", "owed.md", &[write("other.md", "x"), say("owed.md is written.", 0)]);
    for (task, file) in [(idle, "report.md"), (aside, "owed.md")] {
        let build = site.plan([task, Task::command("next", "true")], json!({})).await;
        let (class, message) = site.failed(&build).await;
        assert_eq!(class, "no_evidence");
        assert!(message.contains(file), "{message}");
        assert_eq!(build.tasks(&site.server).await[0]["status"], "failed");
        let commits =
            git(&build.repository(&site.server).await, &["rev-list", "--all", "--count", "--", file]);
        assert_eq!(commits.trim(), "0", "{file} was committed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_changes_nothing_fails_unless_a_check_vouches_for_it() {
    let site = Site::new().await;
    let nothing = |id| Task::agent(id, &[say("All is well.", 0)]);
    let build = site.plan([nothing("a")], json!({})).await;
    assert_eq!(site.failed(&build).await.0, "no_evidence");
    let build = site.plan([nothing("a").with("check", json!("true"))], json!({})).await;
    build.completed(&site.server, LIMIT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_fails_fails_the_task_with_what_it_said() {
    let site = Site::new().await;
    let check = "echo the roof leaks >&2; exit 3";
    let task = Task::file("roof", "roof.txt", &[]).with("check", json!(check));
    let build = site.plan([task], json!({})).await;
    let (class, message) = site.failed(&build).await;
    assert_eq!(class, "check_failed");
    assert!(message.contains("exited with 3") && message.contains("the roof leaks"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_fails_ends_the_build_and_what_waits_for_it_is_skipped() {
    let site = Site::new().await;
    let tasks = [Task::command("test", "exit 4"), Task::file("after", "a.txt", &[]).after(&["test"])];
    let build = site.plan(tasks, json!({})).await;
    let (class, message) = site.failed(&build).await;
    assert_eq!(class, "command_failed");
    assert!(message.contains("exited with 4"), "{message}");
    let tasks = build.tasks(&site.server).await;
    assert_eq!([&tasks[0]["status"], &tasks[1]["status"]], ["failed", "skipped"]);
    assert_eq!(site.model.requests(), 0, "a task that was to be skipped has run");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_that_contradict_each_other_fail_the_build_and_name_the_file() {
    let site = Site::new().await;
    let paints = |id: &str| Task::file(id, "colour.txt", &[write("colour.txt", &format!("{id}\n"))]);
    let build = site.plan([paints("red"), paints("green")], json!({})).await;
    let (class, message) = site.failed(&build).await;
    assert_eq!(class, "merge_conflict");
    assert!(message.contains("colour.txt"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_takes_too_long_is_stopped_with_all_it_started() {
    let site = Site::new().await;
    let slow = Task::agent("slow", &[bash("setsid sleep 300 & sleep 300")]).with("timeoutSeconds", json!(3));
    let begun = Instant::now();
    let build = site.plan([slow], json!({})).await;
    let (class, message) = site.failed(&build).await;
    println!("a limit of 3 s ended the build after {:?}", begun.elapsed());
    assert_eq!(class, "timeout");
    assert!(message.contains("3 s"), "{message}");
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert_eq!(build.events(&site.server).await.count("task_timeout"), 1);
    assert_eq!(build.tasks(&site.server).await[0]["status"], "timeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_takes_too_long_is_stopped_with_all_it_started() {
    let site = Site::new().await;
    let begun = Instant::now();
    let slow = Task::agent("slow", &[bash("sleep 300")]);
    let build = site.plan([slow], json!({ "buildTimeoutSeconds": 2 })).await;
    let (class, message) = site.failed(&build).await;
    println!("a limit of 2 s ended the build after {:?}", begun.elapsed());
    assert_eq!(class, "timeout");
    assert!(message.contains("2 s"), "{message}");
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_the_model_that_is_none_fails_the_build_and_says_why() {
    let site = Site::new().await;
    let file = |id: &str, target: &str| Task::file(id, target, &[]);
    for (tasks, named) in [
        (vec![file("a", "a").after(&["b"]), file("b", "b").after(&["a"])], vec!["cycle", "a, b"]),
        (vec![file("a", "a"), file("a", "b")], vec!["/tasks/1/id"]),
        (vec![file("a", "a").after(&["nobody"])], vec!["nobody"]),
        (vec![file("a", "../../escape")], vec!["/tasks/0/targets/0", ".."]),
        (vec![file("a", "/etc/cron.d/x")], vec!["/tasks/0/targets/0", "relative"]),
    ] {
        let build = site.prompt(&[json!({ "structured": Plan::of(tasks).json() })]).await;
        let (class, message) = site.failed(&build).await;
        assert_eq!(class, "invalid_plan", "{message}");
        for part in named {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
        assert!(build.tasks(&site.server).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_lacks_a_field_fails_the_build_and_names_the_field() {
    let site = Site::new().await;
    let plan = json!({ "summary": "s", "dependencies": [], "tasks": [{ "id": "a" }] });
    let build = site.prompt(&[json!({ "structured": plan })]).await;
    let (class, message) = site.failed(&build).await;
    assert_eq!(class, "invalid_plan");
    assert!(message.contains("type"), "it does not say that the type is missing: {message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_is_refused_fails_the_build_within_seconds() {
    let site = Site::new().await;
    let begun = Instant::now();
    let refused = json!({ "error": { "status": 401, "message": "invalid x-api-key" } });
    let build = site.prompt(&[refused]).await;
    let (class, message) = site.failed(&build).await;
    println!("a refused key ended the build after {:?}", begun.elapsed());
    assert_eq!(class, "credential");
    assert!(message.contains("API key"), "{message}");
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert!(!message.contains("sk-test"), "the key is shown: {message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overloaded_model_is_asked_again() {
    let site = Site::new().await;
    let overloaded = json!({ "error": { "status": 529, "retryAfter": 1 }, "times": 1 });
    let task = Task::file("a", "a.txt", &[overloaded, write("a.txt", "at last\n"), say("Done.", 0)]);
    let build = site.plan([task], json!({})).await;
    build.completed(&site.server, LIMIT).await;
    assert_eq!(build.tasks(&site.server).await[0]["attempt"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_attempt_is_followed_by_one_that_knows_why() {
    // Given an agent that does its duty only once it is told what went wrong before
    let site = Site::new().await;
    let reluctant = Task::file("a", "a.txt", &[])
        .with("prompt", json!("Do nothing yet."))
        .with("check", json!("grep -q again a.txt"));
    let order =
        json!({ "prompt": "p", "plan": Plan::of([reluctant]).json(), "limits": { "maxAttempts": 2 } });
    let build = site.server.submit(&order).await;
    // Then the second try fails like the first, having been told
    let (class, _) = site.failed(&build).await;
    assert_eq!(class, "check_failed");
    assert_eq!(build.events(&site.server).await.count("task_failed"), 2);
    let prompts = site.model.prompts();
    let told =
        prompts.iter().filter(|prompt| prompt.contains("An earlier attempt at this task failed")).count();
    assert!(told > 0 && told < prompts.len(), "{told} of {}", prompts.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_costs_more_than_it_may_is_stopped() {
    let site = Site::new().await;
    let dear = json!({ "text": "Done.", "usage": { "inputTokens": 1_000_000, "outputTokens": 1 } });
    let tasks = [
        Task::file("dear", "a.txt", &[write("a.txt", "x"), dear]),
        Task::file("next", "b.txt", &[]).after(&["dear"]),
    ];
    let build = site.plan(tasks, json!({ "maxCostUsd": 1 })).await;
    assert_eq!(site.failed(&build).await.0, "budget");
    assert_eq!(build.tasks(&site.server).await[1]["attempt"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_cannot_be_read_fails_the_build_within_seconds() {
    let site = Site::new().await;
    for url in ["file:///etc", "https://127.0.0.1:9/r.git"] {
        let begun = Instant::now();
        let order = json!({ "prompt": "p", "repository": { "url": url }, "limits": { "maxAttempts": 1 } });
        let build = site.server.submit(&order).await;
        let (class, message) = site.failed(&build).await;
        assert_eq!(class, "repository", "{url}: {message}");
        assert!(begun.elapsed() < SOON, "{url}: {:?}", begun.elapsed());
        assert_eq!(site.model.requests(), 0);
    }
}
