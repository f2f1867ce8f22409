//! The command line and the environment of a run.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use supervisor::{CommandSpec, Stdin};

use crate::private_dir::PrivateDir;
use crate::request::{RunRequest, Session};
use crate::run::LONGEST;

/// The supervised command of a run whose private directory is ready.
pub(crate) fn command(binary: &Path, request: &RunRequest, private: &PrivateDir) -> CommandSpec {
    CommandSpec {
        program: PathBuf::from(binary),
        args: arguments(request),
        cwd: request.cwd.clone(),
        env: environment(request, private),
        // Not an argument: those are limited to 128 KiB and shown by ps.
        stdin: Stdin::File(private.prompt.clone()),
        grace: request.grace,
    }
}

/// Values that come from elsewhere are joined to their flag by `=`, so none can pass for a flag.
fn arguments(request: &RunRequest) -> Vec<OsString> {
    let mut args: Vec<OsString> =
        ["-p", "--output-format", "stream-json", "--verbose"].map(Into::into).into();
    // Without these a repository's own hooks, settings and MCP servers run with no question asked.
    args.extend(["--setting-sources", "", "--strict-mcp-config"].map(Into::into));
    let mut set = |flag: &str, value: &dyn std::fmt::Display| args.push(format!("{flag}={value}").into());
    set("--model", &request.model);
    match &request.session {
        Session::New(id) => set("--session-id", id),
        Session::Resume(id) => set("--resume", id),
    }
    set("--permission-mode", &request.tools.mode.name());
    if let Some(tools) = &request.tools.available {
        set("--tools", &tools.join(","));
    }
    for rule in &request.tools.allowed {
        set("--allowedTools", rule);
    }
    for rule in &request.tools.disallowed {
        set("--disallowedTools", rule);
    }
    if let Some(schema) = &request.output_schema {
        set("--json-schema", schema);
    }
    if let Some(more) = &request.append_system_prompt {
        set("--append-system-prompt", more);
    }
    if let Some(turns) = request.max_turns {
        set("--max-turns", &turns);
    }
    if let Some(budget) = request.max_budget_nano_usd {
        set("--max-budget-usd", &usd(budget));
    }
    args
}

fn usd(nano: u64) -> String {
    format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000)
}

fn environment(request: &RunRequest, private: &PrivateDir) -> Vec<(OsString, OsString)> {
    let mut env: BTreeMap<OsString, OsString> = request.env.iter().cloned().collect();
    let mut set = |name: &str, value: &OsStr| env.insert(name.into(), value.into());
    set("CLAUDE_CONFIG_DIR", private.config.as_os_str());
    set("HOME", private.home.as_os_str());
    set("TMPDIR", private.tmp.as_os_str());
    set("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", OsStr::new("1"));
    // "@/any/file" in a prompt would be replaced by that file, whatever the tool rules say.
    set("CLAUDE_CODE_DISABLE_ATTACHMENTS", OsStr::new("1"));
    set("CLAUDE_CODE_MAX_RETRIES", OsStr::new(&request.max_retries.to_string()));
    // A shell command past its limit is moved to the background and dies with the final answer:
    // long builds would be cut. So no background, and no limit but that of the run.
    let limit = request.timeout.min(LONGEST).as_millis().to_string();
    set("CLAUDE_CODE_DISABLE_BACKGROUND_TASKS", OsStr::new("1"));
    set("BASH_DEFAULT_TIMEOUT_MS", OsStr::new(&limit));
    set("BASH_MAX_TIMEOUT_MS", OsStr::new(&limit));
    for (name, value) in request.credential.variables() {
        set(name, &value);
    }
    env.into_iter().collect()
}

/// What a run may inherit of its owner's environment: where programs are, language and time zone.
pub fn passed_through(
    owner: impl IntoIterator<Item = (OsString, OsString)>,
) -> impl Iterator<Item = (OsString, OsString)> {
    owner.into_iter().filter(|(name, _)| {
        name.to_str().is_some_and(|n| matches!(n, "PATH" | "LANG" | "TZ") || n.starts_with("LC_"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::Credential;
    use crate::request::SessionId;

    fn request() -> RunRequest {
        let session = Session::New(SessionId::from_random(7));
        let credential = Credential::ApiKey { key: "hunter2".into(), base_url: Some("http://here".into()) };
        RunRequest::new("/w".into(), "/p".into(), "the prompt".into(), "m".into(), session, credential)
    }

    fn line(request: &RunRequest) -> String {
        let args = arguments(request);
        args.iter().map(|arg| format!("[{}]", arg.display())).collect()
    }

    #[test]
    fn every_run_is_isolated_and_names_its_model() {
        assert_eq!(
            line(&request()),
            "[-p][--output-format][stream-json][--verbose][--setting-sources][][--strict-mcp-config][--model=m]\
             [--session-id=00000000-0000-4000-8000-000000000007][--permission-mode=dontAsk]"
        );
    }

    #[test]
    fn every_wish_becomes_a_flag() {
        let mut request = request();
        request.session = Session::Resume(SessionId::from_random(8));
        request.model = "--dangerously-skip-permissions".into();
        request.tools.available = Some(vec!["Bash".into(), "Write".into()]);
        request.tools.allowed = vec!["Bash(git *)".into(), "Write".into()];
        request.tools.disallowed = vec!["Bash(rm *)".into()];
        request.output_schema = Some(serde_json::json!({"type": "object"}));
        request.append_system_prompt = Some("-x".into());
        request.max_turns = Some(3);
        request.max_budget_nano_usd = Some(1_020_000_000);
        assert_eq!(
            line(&request).split_once("[--model").map(|(_, rest)| rest),
            Some(
                "=--dangerously-skip-permissions][--resume=00000000-0000-4000-8000-000000000008]\
                 [--permission-mode=dontAsk][--tools=Bash,Write][--allowedTools=Bash(git *)][--allowedTools=Write]\
                 [--disallowedTools=Bash(rm *)][--json-schema={\"type\":\"object\"}][--append-system-prompt=-x]\
                 [--max-turns=3][--max-budget-usd=1.020000000]"
            )
        );
    }

    #[test]
    fn the_environment_is_what_was_given_and_what_we_set() {
        let mut request = request();
        request.env = vec![("PATH".into(), "/bin".into()), ("HOME".into(), "/root".into())];
        let env = environment(&request, &PrivateDir::of(Path::new("/p")));
        let env: Vec<String> = env.iter().map(|(n, v)| format!("{}={}", n.display(), v.display())).collect();
        assert_eq!(
            env,
            [
                "ANTHROPIC_API_KEY=hunter2",
                "ANTHROPIC_BASE_URL=http://here",
                "BASH_DEFAULT_TIMEOUT_MS=600000",
                "BASH_MAX_TIMEOUT_MS=600000",
                "CLAUDE_CODE_DISABLE_ATTACHMENTS=1",
                "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS=1",
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1",
                "CLAUDE_CODE_MAX_RETRIES=2",
                "CLAUDE_CONFIG_DIR=/p/config",
                "HOME=/p/home",
                "PATH=/bin",
                "TMPDIR=/p/tmp",
            ]
        );
    }

    #[test]
    fn little_of_the_owner_passes_through() {
        let owner = ["PATH", "LANG", "LC_ALL", "TZ", "HOME", "AWS_SECRET_ACCESS_KEY", "CLAUDECODE"];
        let kept: Vec<OsString> =
            passed_through(owner.map(|name| (name.into(), "v".into()))).map(|(name, _)| name).collect();
        assert_eq!(kept, ["PATH", "LANG", "LC_ALL", "TZ"]);
    }
}
