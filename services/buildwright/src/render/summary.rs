//! A build in a few lines.

use super::{
    amounts,
    text::{clean, clean_lines, cut},
    tree::tree,
};
use crate::client::wire::{Build, BuildStatus, FileEntry};
use std::path::Path;

/// Where the result of a build can be had.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Whereabouts<'a> {
    /// The files were put here.
    Folder(&'a Path),
    /// They are in a repository below the data directory.
    DataDir(&'a Path),
    /// They are on another machine.
    Server(&'a str),
}

/// What came out of a build, or why nothing did.
pub(crate) fn summary(build: &Build, files: &[FileEntry], whereabouts: Whereabouts<'_>) -> String {
    let mut lines = vec![heading(build)];
    lines.extend(tree(files).into_iter().map(|line| format!("  {line}")));
    if let Some(result) = &build.result {
        let changed = amounts::of(result.files_changed.into(), "file");
        lines.push(field(
            "commit",
            &format!("{} on {} ({changed} changed)", clean(&result.commit), clean(&result.branch)),
        ));
        lines.push(field("files", &location(build, whereabouts)));
    }
    if let Some(failure) = &build.failure {
        lines.push(field("reason", &format!("{} [{}]", indented(&failure.message), clean(&failure.class))));
        match &failure.task_id {
            Some(task) => lines.push(field("log", &format!("buildwright logs {}", clean(task)))),
            None => lines.push(field("log", &format!("buildwright logs {}", clean(&build.id)))),
        }
    }
    let mut tasks = format!("{} of {} done", build.tasks.completed, build.tasks.total);
    if build.tasks.failed > 0 {
        tasks += &format!(", {} failed", build.tasks.failed);
    }
    lines.push(field("tasks", &tasks));
    lines.push(field("used", &amounts::usage(&build.usage)));
    lines.join("\n")
}

/// The same for `show`: what was asked for comes first.
pub(crate) fn details(build: &Build, files: &[FileEntry], whereabouts: Whereabouts<'_>) -> String {
    let mut lines = vec![summary(build, files, whereabouts)];
    lines.push(field("project", &clean(&build.project)));
    lines.push(field("model", &clean(&build.model)));
    lines.push(field("submitted", &build.submitted_at.format("%Y-%m-%d %H:%M:%S UTC").to_string()));
    if !build.labels.is_empty() {
        let labels: Vec<String> = build.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        lines.push(field("labels", &clean(&labels.join(" "))));
    }
    lines.push(field("prompt", &indented(&cut(&build.prompt, 2_000))));
    lines.join("\n")
}

fn heading(build: &Build) -> String {
    let mark = match build.status {
        BuildStatus::Completed => "✓ ",
        BuildStatus::Failed | BuildStatus::Cancelled => "✗ ",
        _ => "",
    };
    let took =
        build.duration_ms.map(|millis| format!(" in {}", amounts::duration(millis))).unwrap_or_default();
    format!("{mark}{} {}{took}", clean(&build.id), build.status)
}

fn location(build: &Build, whereabouts: Whereabouts<'_>) -> String {
    let branch = build.result.as_ref().map(|result| clean(&result.branch)).unwrap_or_default();
    match whereabouts {
        Whereabouts::Folder(folder) => folder.display().to_string(),
        Whereabouts::DataDir(folder) => {
            let repository = folder.join("repositories").join(format!("{}.git", clean(&build.project)));
            format!("git clone --branch {branch} {}", repository.display())
        }
        Whereabouts::Server(base) => {
            let url = format!("{base}/v1/builds/{}/archive.tar.gz", clean(&build.id));
            format!("curl -sS {url} | tar xz")
        }
    }
}

fn field(name: &str, value: &str) -> String {
    format!("  {name:<10}{value}")
}

/// Text of several lines, below one another.
fn indented(text: &str) -> String {
    clean_lines(text.trim()).replace('\n', &format!("\n{:12}", ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn build(more: &Value) -> Build {
        let mut build = json!({
            "id": "bld_1", "prompt": "a list", "project": "todo", "model": "sonnet", "version": 9,
            "tasks": { "total": 6, "completed": 6 }, "submittedAt": "2026-01-02T03:04:05Z", "durationMs": 3_400,
            "usage": { "inputTokens": 12_000, "outputTokens": 950, "costUsd": 0.0421, "somethingNew": 1 },
        });
        for (name, value) in more.as_object().unwrap() {
            build[name] = value.clone();
        }
        serde_json::from_value(build).unwrap()
    }

    #[test]
    fn a_completed_build_says_what_was_made_and_where_it_is() {
        let result = json!({ "base": "b", "commit": "c0ffee", "branch": "builds/1", "filesChanged": 2 });
        let build = build(&json!({ "status": "completed", "result": result }));
        let files = [FileEntry { path: "todo.sh".into(), size: 10 }];
        let text = summary(&build, &files, Whereabouts::DataDir(Path::new("/data")));
        assert_eq!(
            text,
            "✓ bld_1 completed in 3.4s\n  \
             └── todo.sh  10 B\n  \
             commit    c0ffee on builds/1 (2 files changed)\n  \
             files     git clone --branch builds/1 /data/repositories/todo.git\n  \
             tasks     6 of 6 done\n  \
             used      12.0k tokens in, 950 out; $0.0421"
        );
        let text = summary(&build, &files, Whereabouts::Server("http://b:1"));
        assert!(text.contains("curl -sS http://b:1/v1/builds/bld_1/archive.tar.gz | tar xz"), "{text}");
    }

    #[test]
    fn a_failed_build_says_why_and_where_to_look() {
        let failure = json!({ "class": "check_failed", "message": "exit 1:\n\u{1b}[31mno such file", "taskId": "tsk_1_0" });
        let build = build(
            &json!({ "status": "failed", "failure": failure, "tasks": { "total": 6, "completed": 2, "failed": 1 } }),
        );
        let text = summary(&build, &[], Whereabouts::DataDir(Path::new("/data")));
        assert!(text.starts_with("✗ bld_1 failed in 3.4s\n"), "{text}");
        assert!(text.contains("reason    exit 1:\n            no such file [check_failed]"), "{text}");
        assert!(text.contains("buildwright logs tsk_1_0"), "{text}");
        assert!(text.contains("2 of 6 done, 1 failed"), "{text}");
    }

    #[test]
    fn a_status_of_a_newer_server_is_no_error() {
        assert_eq!(build(&json!({ "status": "awaiting_approval" })).status, BuildStatus::Unknown);
    }
}
