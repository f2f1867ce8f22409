//! The real Claude CLI, talking to the scripted model.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use buildwright_scripted_model::{Handle, ModelUsage, Script, ScriptedModel};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};
use tempfile::TempDir;

const VERSION: &str = "2.1.197";
const TIME_LIMIT: Duration = Duration::from_secs(90);

struct Desk {
    model: Handle,
    folder: TempDir,
}

struct Run {
    result: Value,
    denials: usize,
}

impl Desk {
    async fn new(script: Script) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["ws", "home", "config"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { model: ScriptedModel::start(script, "127.0.0.1:0").await.unwrap(), folder }
    }

    fn workspace(&self) -> PathBuf {
        self.folder.path().join("ws").canonicalize().unwrap()
    }

    /// One run of the CLI with these tools allowed and no others offered.
    async fn claude(&self, tools: &str, more: &[&str], prompt: &str) -> Run {
        let home = self.folder.path();
        let mut command = tokio::process::Command::new(claude());
        command
            .args(["-p", "--output-format", "stream-json", "--verbose", "--setting-sources", ""])
            .args(["--strict-mcp-config", "--model", "haiku", "--permission-mode", "dontAsk"])
            .args(["--tools", tools, "--allowedTools", tools])
            .args(more)
            .args(["--", prompt])
            .env("ANTHROPIC_BASE_URL", self.model.base_url())
            .env("ANTHROPIC_API_KEY", "scripted")
            .env("CLAUDE_CONFIG_DIR", home.join("config"))
            .env("HOME", home.join("home"))
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("CLAUDE_CODE_MAX_RETRIES", "1")
            .env_remove("ANTHROPIC_AUTH_TOKEN")
            .current_dir(self.workspace())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output =
            tokio::time::timeout(TIME_LIMIT, command.output()).await.expect("the CLI did not end").unwrap();
        Run::new(&output)
    }

    /// What the CLI accounted must be what the model reported.
    fn assert_accounts_agree(&self, run: &Run) {
        let accounted: BTreeMap<String, [u64; 4]> = run.result["modelUsage"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(model, usage)| {
                let fields =
                    ["inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens"];
                (model.clone(), fields.map(|field| usage[field].as_u64().unwrap()))
            })
            .collect();
        let reported = self.model.usage().models.into_iter().map(|(model, usage)| (model, totals(usage)));
        assert_eq!(accounted, reported.collect());
    }
}

fn totals(usage: ModelUsage) -> [u64; 4] {
    [
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_input_tokens,
        usage.cache_creation_input_tokens,
    ]
}

impl Run {
    fn new(output: &Output) -> Self {
        let lines = String::from_utf8_lossy(&output.stdout);
        let results: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| line["type"] == "result")
            .collect();
        let [result] = &results[..] else {
            panic!("{} results; stderr: {}", results.len(), String::from_utf8_lossy(&output.stderr));
        };
        let denials = result["permission_denials"].as_array().map_or(0, Vec::len);
        Self { result: result.clone(), denials }
    }

    fn assert_success(&self) {
        assert_eq!((&self.result["subtype"], &self.result["is_error"]), (&json!("success"), &json!(false)));
        assert_eq!(self.denials, 0, "{}", self.result);
    }
}

#[expect(clippy::disallowed_methods, reason = "a test is told by the environment where the CLI is")]
fn claude() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = target.join(format!("tools/claude-{VERSION}"));
    let usual = || folder.join("node_modules/.bin/claude");
    let place = std::env::var_os("BUILDWRIGHT_TEST_CLAUDE").map_or_else(usual, PathBuf::from);
    assert!(
        place.is_file(),
        "the Claude CLI is not at {}. Install it with\n    npm install --prefix {} @anthropic-ai/claude-code@{VERSION}\n\
         or name another one in BUILDWRIGHT_TEST_CLAUDE.",
        place.display(),
        folder.display(),
    );
    place
}

fn scripted(steps: &Value) -> String {
    format!("Do as the script says.\nSCRIPTED: {steps}")
}

#[tokio::test]
async fn the_cli_runs_the_tools_and_accounts_what_was_reported() {
    let desk = Desk::new(Script::default()).await;
    let path = desk.workspace().join("hello.txt");
    let steps = json!([
        {"thinking": "a file first", "text": "Writing.",
         "tool": {"name": "Write", "input": {"file_path": path, "content": "héllo\n".repeat(100)}},
         "usage": {"inputTokens": 1001, "outputTokens": 77, "cacheReadInputTokens": 13, "cacheCreationInputTokens": 5}},
        {"tools": [
            {"name": "Bash", "input": {"command": "wc -l < hello.txt > lines"}},
            {"name": "Read", "input": {"file_path": path}}],
         "usage": {"inputTokens": 3, "outputTokens": 2}, "chunkDelayMs": 2},
        {"text": "Two files.", "usage": {"inputTokens": 9, "outputTokens": 8, "cacheReadInputTokens": 7}},
    ]);
    let run = desk.claude("Write,Bash,Read", &[], &scripted(&steps)).await;
    run.assert_success();
    assert_eq!(run.result["result"], "Two files.");
    assert_eq!(fs::read_to_string(path).unwrap(), "héllo\n".repeat(100));
    assert_eq!(fs::read_to_string(desk.workspace().join("lines")).unwrap().trim(), "100");
    desk.assert_accounts_agree(&run);
    let usage = desk.model.usage();
    assert_eq!(usage.models.values().map(|model| totals(*model)).collect::<Vec<_>>(), [[1013, 87, 20, 5]]);
}

#[tokio::test]
async fn a_plan_comes_back_as_structured_output() {
    let desk = Desk::new(Script::default()).await;
    let schema = json!({
        "type": "object", "required": ["summary", "tasks", "dependencies"], "additionalProperties": false,
        "properties": {
            "summary": {"type": "string"},
            "tasks": {"type": "array", "minItems": 1, "items": {
                "type": "object", "required": ["id", "type", "title", "prompt", "targets"],
                "additionalProperties": false,
                "properties": {
                    "id": {"type": "string"}, "type": {"enum": ["create_file", "modify_file", "create_component",
                        "setup_config", "install_deps", "agent", "command"]},
                    "title": {"type": "string"}, "prompt": {"type": "string"}, "command": {"type": "string"},
                    "targets": {"type": "array", "items": {"type": "string"}}, "check": {"type": "string"},
                }}},
            "dependencies": {"type": "array", "items": {"type": "object", "required": ["task", "dependsOn"],
                "additionalProperties": false,
                "properties": {"task": {"type": "string"}, "dependsOn": {"type": "array", "items": {"type": "string"}}}}},
        },
    });
    let run =
        desk.claude("", &["--json-schema", &schema.to_string()], "Plan a to-do list for the shell.").await;
    run.assert_success();
    let plan = &run.result["structured_output"];
    assert!(plan["tasks"].as_array().is_some_and(|tasks| tasks.len() == 6), "{}", run.result);
    desk.assert_accounts_agree(&run);
}

#[tokio::test]
async fn the_tasks_of_the_demo_are_done_by_the_cli() {
    let desk = Desk::new(Script::default()).await;
    let workspace = desk.workspace();
    let tasks: [(&str, &[&str]); 5] = [
        ("store", &["lib/store.sh"]),
        ("format", &["lib/format.sh"]),
        ("readme", &["README.md"]),
        ("cli", &["todo.sh", "check.sh"]),
        ("document", &["README.md"]),
    ];
    for (id, targets) in tasks {
        let run = desk.claude("Write,Edit,Read", &[], &task_prompt(id, targets, &workspace)).await;
        run.assert_success();
        assert!(targets.iter().all(|target| workspace.join(target).is_file()), "{id}: {}", run.result);
    }
    assert!(fs::read_to_string(workspace.join("README.md")).unwrap().contains("## Usage"));
    let check =
        tokio::process::Command::new("sh").arg("check.sh").current_dir(&workspace).output().await.unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
}

#[tokio::test]
async fn any_task_gets_its_targets_written_and_then_modified() {
    let desk = Desk::new(Script::default()).await;
    let workspace = desk.workspace();
    let targets = ["docs/a b.md", "src/x.json", "Makefile"];
    let written = || targets.map(|target| fs::read_to_string(workspace.join(target)).unwrap());
    desk.claude("Write,Read", &[], &task_prompt("one", &targets, &workspace)).await.assert_success();
    let before = written();
    let prompt = format!("Modify these files.\n{}", task_prompt("two", &targets, &workspace));
    desk.claude("Write,Read", &[], &prompt).await.assert_success();
    assert_eq!(before.map(|text| text.replace("one", "two")), written());
}

fn task_prompt(id: &str, targets: &[&str], workspace: &Path) -> String {
    let targets: String = targets.iter().map(|target| format!("Target: {target}\n")).collect();
    format!("Please do this.\n\nTask: {id}\n{targets}Workspace: {}\n", workspace.display())
}

#[tokio::test]
async fn the_cli_recovers_from_an_error_that_passes_and_from_a_cut() {
    let desk = Desk::new(Script::default()).await;
    let steps = json!([
        {"error": {"status": 429, "message": "slow down", "retryAfter": 1}, "times": 1},
        {"tool": {"name": "Bash", "input": {"command": "echo x >> runs"}}},
        {"cut": true, "text": "this breaks off", "times": 1},
        {"text": "made it"},
    ]);
    let run = desk.claude("Bash", &[], &scripted(&steps)).await;
    run.assert_success();
    assert_eq!(run.result["result"], "made it");
    assert_eq!(fs::read_to_string(desk.workspace().join("runs")).unwrap(), "x\n");
    assert_eq!(desk.model.requests().iter().map(|request| request.replies).collect::<Vec<_>>(), [0, 0, 1, 1]);
    desk.assert_accounts_agree(&run);
}

#[tokio::test]
async fn an_error_that_stays_is_the_result() {
    let desk = Desk::new(Script::default()).await;
    let steps = json!([{"error": {"status": 400, "message": "no such luck"}}]);
    let run = desk.claude("Bash", &[], &scripted(&steps)).await;
    assert_eq!((&run.result["is_error"], &run.result["api_error_status"]), (&json!(true), &json!(400)));
    assert!(
        run.result["result"].as_str().is_some_and(|text| text.contains("no such luck")),
        "{}",
        run.result
    );
    assert!(desk.model.usage().models.is_empty());
}

#[tokio::test]
async fn a_wrong_key_is_told_to_the_cli() {
    let mut desk = Desk::new(Script::default()).await;
    let model = ScriptedModel::new(Script::default()).require_key("another".into());
    desk.model = model.listen("127.0.0.1:0").await.unwrap();
    let run = desk.claude("Bash", &[], "hello").await;
    assert_eq!((&run.result["is_error"], &run.result["api_error_status"]), (&json!(true), &json!(401)));
}

#[tokio::test]
async fn a_resumed_session_goes_on_with_its_new_prompt() {
    let rules = json!({"rules": [
        {"name": "second", "when": {"in": "lastPrompt", "contains": "the second"}, "reply": [{"text": "second answer"}]},
        {"name": "first", "reply": [{"text": "first answer"}]},
    ]});
    let none = |_: &str| unreachable!("no files in this script");
    let desk = Desk::new(Script::parse(&rules.to_string(), none).unwrap()).await;
    let run = desk.claude("Bash", &[], "the first").await;
    assert_eq!(run.result["result"], "first answer");
    let session = run.result["session_id"].as_str().unwrap();
    let run = desk.claude("Bash", &["--resume", session], "the second").await;
    assert_eq!(run.result["result"], "second answer");
}

/// The CLI's own requests show what the engine is told; the script must never see a reminder as a prompt.
#[tokio::test]
async fn the_cli_is_heard_as_it_was_asked() {
    let desk = Desk::new(Script::default()).await;
    desk.claude("default", &[], "what is this?").await.assert_success();
    let requests = desk.model.requests();
    let [request] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!((request.prompt.as_str(), request.stream), ("what is this?", true));
    assert!(request.tools.iter().any(|tool| tool == "Bash") && request.model.starts_with("claude-haiku"));
    assert_eq!(request.rule, "anything else");
}
