//! What scripts build on: exit codes, and where what is said goes.

#![expect(clippy::unwrap_used, reason = "what cannot be unwrapped here fails the test")]

use std::process::{Command, Output};

/// Runs the binary in an environment and on a data directory of its own.
fn buildwright(args: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_buildwright"))
        .args(args)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", home.path())
        .env("BUILDWRIGHT_DATA_DIR", home.path().join("data"))
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn help_is_an_answer_and_a_wrong_command_line_is_an_error() {
    let help = buildwright(&["--help"]);
    assert_eq!(code(&help), 0);
    assert!(out(&help).contains("Exit codes:"));
    for wrong in [&[][..], &["built"], &["build"], &["build", "x", "--max-parallel", "many"]] {
        let refused = buildwright(wrong);
        assert_eq!(code(&refused), 2, "{wrong:?}");
        assert_eq!(out(&refused), "", "{wrong:?}");
    }
}

#[test]
fn a_server_that_does_not_answer_has_a_code_of_its_own() {
    let refused = buildwright(&["builds", "--server", "http://127.0.0.1:1"]);
    assert_eq!(code(&refused), 3, "{}", err(&refused));
    assert!(err(&refused).contains("http://127.0.0.1:1 does not answer"));
}

#[test]
fn without_the_cli_a_build_says_what_to_do() {
    let refused = buildwright(&["build", "hello", "--claude", "/does/not/exist"]);
    assert_eq!(code(&refused), 1);
    let said = err(&refused);
    assert!(
        said.contains("npm install -g @anthropic-ai/claude-code") && said.contains("--executor scripted"),
        "{said}"
    );
}

#[test]
fn other_machines_are_not_listened_to() {
    let refused = buildwright(&["up", "--executor", "scripted", "--listen", "0.0.0.0:0"]);
    assert_eq!(code(&refused), 2, "{}", err(&refused));
}

#[test]
fn a_completed_build_is_one_document_for_machines_and_its_files_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("made");
    let target_name = target.to_str().unwrap();
    let made = buildwright(&["build", "hello", "--executor", "scripted", "-o", "json", "--dir", target_name]);
    assert_eq!(code(&made), 0, "{}", err(&made));
    let document: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(document["status"], "completed");
    assert_eq!(err(&made), "", "nothing but the document");
    assert!(target.join("todo.sh").is_file());

    let refused = buildwright(&["build", "hello", "--executor", "scripted", "--dir", target_name]);
    assert_eq!(code(&refused), 2);
    assert!(err(&refused).contains("is not empty"));
}

#[test]
fn a_failed_build_says_why_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan.json");
    let task = r#"{"tasks": [{"id": "a", "type": "command", "command": "echo no such luck >&2; exit 3"}]}"#;
    std::fs::write(&plan, task).unwrap();
    let failed = buildwright(&["build", "--executor", "scripted", "--plan", plan.to_str().unwrap()]);
    assert_eq!(code(&failed), 1);
    let said = out(&failed);
    assert!(said.contains("no such luck") && said.contains("buildwright logs tsk_"), "{said}");
    assert!(
        !said.contains('\u{1b}') && !err(&failed).contains('\u{1b}'),
        "no escapes where there is no terminal"
    );
}

#[test]
fn what_the_server_refuses_is_told_field_by_field() {
    let refused = buildwright(&[
        "build",
        " ",
        "--executor",
        "scripted",
        "--repo",
        "ext::sh",
        "--branch",
        "--upload-pack=x",
    ]);
    assert_eq!(code(&refused), 2);
    let said = err(&refused);
    for pointer in ["/prompt: ", "/repository/url: ", "/repository/branch: "] {
        assert!(said.contains(pointer), "{pointer} is missing in {said}");
    }
}

#[test]
fn the_doctor_finds_what_is_missing() {
    let found = buildwright(&["doctor", "--output", "json", "--listen", "127.0.0.1:0"]);
    assert_eq!(code(&found), 1, "there is no credential");
    let findings: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(findings["ok"], false);
    let checks = findings["checks"].as_array().unwrap();
    let missing = checks.iter().find(|check| check["name"] == "credential").unwrap();
    assert_eq!(missing["status"], "missing");
    assert!(missing["fix"].as_str().unwrap().contains("ANTHROPIC_API_KEY"));
}
