//! The agent that follows a script without the CLI.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use async_trait::async_trait;
use buildwright_scripted_model::{
    Engine, Script, Usage,
    agent::{self, AgentError, AgentEvent, CommandOutput, CommandRunner, Job, Outcome, ShellCommand},
};
use serde_json::{Value, json};
use std::{
    fs, io,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

struct Shell;

#[async_trait]
impl CommandRunner for Shell {
    async fn run(&self, command: ShellCommand, cancel: &CancellationToken) -> io::Result<CommandOutput> {
        let child = tokio::process::Command::new("sh")
            .args(["-c", &command.text])
            .current_dir(&command.cwd)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let Some(done) = cancel.run_until_cancelled(child).await else {
            return Err(io::ErrorKind::Interrupted.into());
        };
        let done = done?;
        let output = String::from_utf8_lossy(&done.stdout).into_owned();
        Ok(CommandOutput { output, success: done.status.success() })
    }
}

fn job(cwd: &Path, prompt: &str) -> Job {
    Job {
        model: "haiku".to_owned(),
        prompt: prompt.to_owned(),
        cwd: cwd.to_owned(),
        tools: ["Write", "Edit", "Read", "Bash"].map(str::to_owned).to_vec(),
        structured: false,
        max_retries: 1,
    }
}

async fn run(job: &Job) -> (Result<Outcome, AgentError>, Vec<(String, bool)>) {
    let engine = Engine::new(Script::default());
    let mut results = Vec::new();
    let mut note = |event: AgentEvent<'_>| {
        if let AgentEvent::ToolFinished { output, is_error, .. } = event {
            results.push((output.to_owned(), is_error));
        }
    };
    let done = agent::run(&engine, job, &Shell, &mut note, &CancellationToken::new()).await;
    (done, results)
}

fn scripted(steps: &Value) -> String {
    format!("SCRIPTED: {steps}")
}

fn tool(name: &str, input: &Value) -> Value {
    json!({"tool": {"name": name, "input": input}})
}

#[tokio::test]
async fn the_demo_plan_is_built_and_its_check_passes() {
    let folder = tempfile::tempdir().unwrap();
    let planning = Job { structured: true, tools: vec![], ..job(folder.path(), "a to-do list") };
    let plan = run(&planning).await.0.unwrap().structured_output.unwrap();
    for task in plan["tasks"].as_array().unwrap() {
        if let Some(command) = task["command"].as_str() {
            assert!(sh(folder.path(), command), "{command}");
            continue;
        }
        let targets: String = task["targets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|target| format!("Target: {}\n", target.as_str().unwrap()))
            .collect();
        let id = task["id"].as_str().unwrap();
        let prompt =
            format!("{}\n\nTask: {id}\n{targets}Workspace: {}\n", task["prompt"], folder.path().display());
        let (done, results) = run(&job(folder.path(), &prompt)).await;
        assert!(done.unwrap().turns >= 2);
        assert!(results.iter().all(|(_, is_error)| !is_error), "{results:?}");
        if let Some(check) = task["check"].as_str() {
            assert!(sh(folder.path(), check), "{check}");
        }
    }
    assert!(fs::read_to_string(folder.path().join("README.md")).unwrap().contains("## Usage"));
}

fn sh(cwd: &Path, command: &str) -> bool {
    let output = std::process::Command::new("sh").args(["-c", command]).current_dir(cwd).output().unwrap();
    output.status.success()
}

#[tokio::test]
async fn what_the_turns_report_adds_up() {
    let folder = tempfile::tempdir().unwrap();
    let steps = json!([
        {"tool": {"name": "Bash", "input": {"command": "echo hi; exit 3"}},
         "usage": {"inputTokens": 10, "outputTokens": 2, "cacheReadInputTokens": 5, "cacheCreationInputTokens": 1}},
        {"error": {"status": 529}, "times": 1},
        {"text": "all right", "usage": {"inputTokens": 20, "outputTokens": 3}},
    ]);
    let (done, results) = run(&job(folder.path(), &scripted(&steps))).await;
    let expected = Usage {
        input_tokens: 30,
        output_tokens: 5,
        cache_read_input_tokens: 5,
        cache_creation_input_tokens: 1,
    };
    let done = done.unwrap();
    assert_eq!((done.text.as_str(), done.usage, done.turns), ("all right", expected, 2));
    assert_eq!(results, [("hi\n".to_owned(), true)]);
}

#[tokio::test]
async fn nothing_outside_of_the_workspace_is_read_or_written() {
    let around = tempfile::tempdir().unwrap();
    let cwd = around.path().join("ws");
    fs::create_dir(&cwd).unwrap();
    fs::write(around.path().join("secret"), "s").unwrap();
    std::os::unix::fs::symlink("..", cwd.join("up")).unwrap();
    std::os::unix::fs::symlink("../made-by-link", cwd.join("dangling")).unwrap();
    let outside = around.path().join("x");
    let places = ["../x", "a/../../x", outside.to_str().unwrap(), "up/x", "up/new/x", "dangling"];
    let mut steps: Vec<Value> =
        places.iter().map(|place| tool("Write", &json!({"file_path": place, "content": "c"}))).collect();
    steps.push(tool("Read", &json!({"file_path": "up/secret"})));
    steps.push(tool("Write", &json!({"file_path": "new/deep/in", "content": "c"})));
    let (done, results) = run(&job(&cwd, &scripted(&Value::Array(steps)))).await;
    done.unwrap();
    let (inside, refused) = results.split_last().unwrap();
    assert!(refused.iter().all(|(text, is_error)| *is_error && text.contains("outside")), "{refused:?}");
    assert_eq!(refused.len(), 7);
    assert!(!inside.1 && cwd.join("new/deep/in").is_file());
    let mut left: Vec<_> =
        fs::read_dir(around.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["secret", "ws"]);
}

#[tokio::test]
async fn failures_of_tools_are_told_and_end_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("f"), "a a b").unwrap();
    let edit = |old: &str, all: bool| {
        tool("Edit", &json!({"file_path": "f", "old_string": old, "new_string": "c", "replace_all": all}))
    };
    let steps = json!([
        edit("a", false),
        edit("z", false),
        edit("a", true),
        tool("Read", &json!({"file_path": "none"})),
        tool("Write", &json!({"file_path": "f"})),
        tool("Grep", &json!({})),
        tool("Read", &json!({"file_path": "f"})),
    ]);
    let (done, results) = run(&job(folder.path(), &scripted(&steps))).await;
    done.unwrap();
    let failed: Vec<bool> = results.iter().map(|(_, is_error)| *is_error).collect();
    assert_eq!(failed, [true, true, false, true, true, true, false]);
    assert_eq!(results[6].0, "c c b");
    assert!(results[0].0.contains("2 times") && results[5].0.contains("not allowed"), "{results:?}");
}

#[tokio::test]
async fn an_error_is_met_again_as_often_as_allowed_if_the_cli_would() {
    let folder = tempfile::tempdir().unwrap();
    for (status, times, ends_with) in [(529, 1, None), (529, 2, Some(529)), (400, 1, Some(400))] {
        let steps = scripted(&json!([{"error": {"status": status}, "times": times}, {"text": "at last"}]));
        let (done, _) = run(&job(folder.path(), &steps)).await;
        let error = match done {
            Err(AgentError::Api { error, .. }) => Some(error.status.as_u16()),
            other => {
                assert_eq!(other.unwrap().text, "at last");
                None
            }
        };
        assert_eq!(error, ends_with);
    }
}

#[tokio::test]
async fn a_cancelled_agent_stops_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::new(Script::default());
    let sleeping = json!([tool("Bash", &json!({"command": "sleep 30"}))]);
    for steps in [sleeping, json!([{"hang": true}]), json!([{"text": "late", "delayMs": 30_000}])] {
        let cancel = CancellationToken::new();
        let job = job(folder.path(), &scripted(&steps));
        let begun = Instant::now();
        let stop = cancel.clone();
        let mut ignore = |_: AgentEvent<'_>| {};
        let stopping = async move {
            tokio::task::yield_now().await;
            stop.cancel();
        };
        let running = agent::run(&engine, &job, &Shell, &mut ignore, &cancel);
        let (done, ()) = tokio::join!(running, stopping);
        assert!(matches!(done, Err(AgentError::Cancelled { .. })), "{done:?}");
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn five_hundred_agents_share_one_engine() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::new(Script::default());
    let jobs: Vec<Job> = (0..500)
        .map(|n| {
            let lines = format!("Task: t{n}\nTarget: out/{n}.md\nWorkspace: {}", folder.path().display());
            job(folder.path(), &lines)
        })
        .collect();
    let cancel = CancellationToken::new();
    let runs = jobs.iter().map(async |job| {
        agent::run(&engine, job, &Shell, &mut |_| {}, &cancel).await.map(|outcome| outcome.turns)
    });
    let turns = futures::future::try_join_all(runs).await.unwrap();
    assert!(turns.iter().all(|turns| *turns == 2));
    assert_eq!(fs::read_dir(folder.path().join("out")).unwrap().count(), 500);
}
