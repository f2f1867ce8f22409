//! From the arguments of `build` to what the API is sent.

use super::Usage;
use crate::cli::BuildArgs;
use serde_json::{Map, Value, json};
use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

/// Reads the files that are named, and puts together the request. The server checks what it means.
pub(crate) fn order(args: &BuildArgs) -> Result<Value, Usage> {
    let plan = args.plan.as_deref().map(read_plan).transpose()?;
    let mut order = Map::new();
    order.insert("prompt".to_owned(), prompt(args, plan.as_ref())?.into());
    let mut add =
        |name: &str, value: Option<Value>| value.and_then(|value| order.insert(name.to_owned(), value));
    add("plan", plan);
    add("project", args.project.clone().map(Value::from));
    add("framework", args.framework.clone().map(Value::from));
    add("model", args.model.clone().map(Value::from));
    add("repository", args.repo.as_deref().map(|repo| repository(repo, args.branch.as_deref())));
    add("limits", limits(args));
    let labels: Map<String, Value> =
        args.label.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
    add("labels", (!labels.is_empty()).then_some(labels.into()));
    Ok(order.into())
}

fn prompt(args: &BuildArgs, plan: Option<&Value>) -> Result<String, Usage> {
    match (&args.prompt, &args.file) {
        (Some(prompt), _) => Ok(prompt.clone()),
        (None, Some(file)) => read(file),
        (None, None) => {
            let summary = plan.and_then(|plan| plan.get("summary")).and_then(Value::as_str);
            Ok(summary.filter(|text| !text.trim().is_empty()).unwrap_or("Carry out the plan.").to_owned())
        }
    }
}

fn read(path: &Path) -> Result<String, Usage> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    let bytes = bytes.map_err(|error| Usage(format!("cannot read {}: {error}", path.display())))?;
    String::from_utf8(bytes).map_err(|_| Usage(format!("{} is not UTF-8 text", path.display())))
}

/// A plan as `build --plan` and `show --plan` have it: who made an earlier one is not part of it.
fn read_plan(path: &Path) -> Result<Value, Usage> {
    let mut plan: Value = serde_json::from_str(&read(path)?)
        .map_err(|error| Usage(format!("{} is not JSON: {error}", path.display())))?;
    if let Some(fields) = plan.as_object_mut() {
        fields.remove("source");
    }
    Ok(plan)
}

/// A folder on this machine is named in full, since the server may stand elsewhere in the file system.
fn repository(repo: &str, branch: Option<&str>) -> Value {
    let folder = (!repo.contains("://")).then(|| Path::new(repo).canonicalize().ok()).flatten();
    let url = folder.map_or_else(|| repo.to_owned(), |folder| folder.to_string_lossy().into_owned());
    match branch {
        Some(branch) => json!({ "url": url, "branch": branch }),
        None => json!({ "url": url }),
    }
}

fn limits(args: &BuildArgs) -> Option<Value> {
    let limits: Map<String, Value> = [
        ("maxParallel", args.max_parallel.map(Value::from)),
        ("taskTimeoutSeconds", args.task_timeout.map(Value::from)),
        ("buildTimeoutSeconds", args.build_timeout.map(Value::from)),
        ("maxCostUsd", args.max_cost.map(Value::from)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect();
    (!limits.is_empty()).then_some(limits.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    fn ordered(args: &[&str]) -> Result<Value, Usage> {
        let cli = Cli::try_parse_from(["buildwright", "build"].iter().chain(args)).unwrap();
        let Command::Build(args) = cli.command else { panic!() };
        order(&args)
    }

    #[test]
    fn only_what_was_said_is_sent() {
        assert_eq!(ordered(&["hello"]).unwrap(), json!({ "prompt": "hello" }));
        let all =
            ["hello", "--max-parallel", "3", "--max-cost", "0.5", "-l", "a=b", "-p", "x", "--model", "opus"];
        let expected = json!({ "prompt": "hello", "project": "x", "model": "opus", "labels": { "a": "b" },
            "limits": { "maxParallel": 3, "maxCostUsd": 0.5 } });
        assert_eq!(ordered(&all).unwrap(), expected);
    }

    #[test]
    fn a_plan_stands_in_for_a_prompt() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plan.json");
        fs::write(&file, r#"{"summary": "A list", "tasks": [], "source": "model"}"#).unwrap();
        let expected = json!({ "prompt": "A list", "plan": { "summary": "A list", "tasks": [] } });
        assert_eq!(ordered(&["--plan", file.to_str().unwrap()]).unwrap(), expected);
    }

    #[test]
    fn a_folder_is_named_in_full_and_anything_else_is_left_to_the_server() {
        let folder = tempfile::tempdir().unwrap().keep().canonicalize().unwrap();
        let path = folder.to_str().unwrap();
        let url = |repo: &str| ordered(&["x", "--repo", repo]).unwrap()["repository"]["url"].clone();
        assert_eq!(url(&format!("{path}/../{}", folder.file_name().unwrap().to_str().unwrap())), path);
        fs::remove_dir(&folder).unwrap();
        for repo in ["https://git.example/a/b.git", "-oProxyCommand=x", "ext::sh -c x", "git@example.org:a/b"]
        {
            assert_eq!(url(repo), repo);
        }
    }

    #[test]
    fn a_file_that_is_no_text_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p.md");
        fs::write(&file, b"a\xff").unwrap();
        let error = ordered(&["--file", file.to_str().unwrap()]).unwrap_err();
        assert!(error.to_string().ends_with("p.md is not UTF-8 text"), "{error}");
        assert!(ordered(&["--file", "/does/not/exist"]).is_err());
    }
}
