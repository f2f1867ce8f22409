//! The Claude CLI as an agent.

use super::{Agent, Answer, Job, Report, Tools, api_failure};
use crate::output::Output;
use async_trait::async_trait;
use claude_cli::{
    ClaudeCli, Credential, Ending, Event, PermissionMode, RunReport, RunRequest, Session, SessionId,
    ToolPolicy,
};
use domain::{Failure, FailureClass, ModelUsage, Usage};
use ports::OutputStream;
use std::{ffi::OsString, path::PathBuf, time::Duration};
use supervisor::Supervisor;
use tokio_util::sync::CancellationToken;

/// Most times the CLI sends a failed request again. Its own default takes three minutes to fail.
const RETRIES: u8 = 2;
/// Most model turns of one run: far more than a task of a plan needs, and an end to a loop.
const TURNS: u32 = 200;

/// Which CLI, and how it is run.
#[derive(Clone)]
pub struct ClaudeSettings {
    /// The program.
    pub binary: PathBuf,
    /// What it authenticates with.
    pub credential: Credential,
    /// What holds its processes.
    pub supervisor: Supervisor,
    /// What its tools see of the environment.
    pub environment: Vec<(OsString, OsString)>,
    /// From interrupt to kill.
    pub grace: Duration,
}

/// The Claude CLI.
pub struct ClaudeAgent {
    cli: ClaudeCli,
    settings: ClaudeSettings,
}

impl ClaudeAgent {
    /// An agent of these settings.
    #[must_use]
    pub fn new(settings: ClaudeSettings) -> Self {
        Self { cli: ClaudeCli::new(settings.binary.clone(), settings.supervisor.clone()), settings }
    }

    fn request(&self, job: &Job<'_>) -> RunRequest {
        let mut request = RunRequest::new(
            job.tree.to_owned(),
            job.private.to_owned(),
            job.prompt.clone(),
            job.model.to_owned(),
            Session::New(SessionId::from_random(job.session)),
            self.settings.credential.clone(),
        );
        request.tools = policy(job.tools);
        request.output_schema = job.schema.cloned();
        request.max_turns = Some(TURNS);
        request.max_retries = RETRIES;
        request.timeout = job.timeout;
        request.grace = self.settings.grace;
        request.env = self.settings.environment.clone();
        request
    }
}

#[async_trait]
impl Agent for ClaudeAgent {
    async fn run(&self, job: Job<'_>, output: &Output, stop: &CancellationToken) -> Report {
        let request = self.request(&job);
        let mut refused = None;
        let run = self.cli.run(&request, stop, |line| {
            output.line(OutputStream::Claude, line.raw.clone());
            refused = refusal(&line.event).or(refused.take());
        });
        let report = Box::pin(run).await;
        if !report.stderr_tail.trim().is_empty() {
            output.line(OutputStream::Stderr, report.stderr_tail.trim_end());
        }
        for denied in &report.permission_denials {
            output.line(OutputStream::System, format!("not permitted: {}", denied.tool_name));
        }
        let usage = usage(&report);
        let session_id = Some(report.session_id.clone());
        let result = match failure(&report.ending, refused.as_deref()) {
            Some(failure) => Err(failure),
            None => Ok(Answer {
                text: report.result_text.unwrap_or_default(),
                data: report.structured_output,
                refused,
            }),
        };
        Report { result, usage, session_id }
    }
}

/// In `dontAsk` mode what no rule allows is refused, without a question that nobody would answer. Commands
/// that only read need no rule.
fn policy(tools: Tools) -> ToolPolicy {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let (available, allowed) = match tools {
        Tools::None => (names(&[]), names(&[])),
        Tools::Read => (names(&["Read", "Bash"]), names(&["Read"])),
        Tools::Files => (names(&["Read", "Write", "Edit", "Bash"]), names(&["Read", "Write", "Edit"])),
        Tools::Commands => {
            (names(&["Read", "Write", "Edit", "Bash"]), names(&["Read", "Write", "Edit", "Bash"]))
        }
    };
    ToolPolicy { available: Some(available), allowed, disallowed: Vec::new(), mode: PermissionMode::DontAsk }
}

/// What the CLI told the model about an answer that does not fit the schema.
fn refusal(event: &Event) -> Option<String> {
    let Event::User(user) = event else { return None };
    let about = |text: &str| text.strip_prefix("Output does not match required schema: ").map(str::to_owned);
    user.results.iter().filter(|result| result.is_error).find_map(|result| about(&result.text))
}

/// The failure that an ending stands for, unless the run completed.
fn failure(ending: &Ending, refused: Option<&str>) -> Option<Failure> {
    let fail = |class, message: String| Some(Failure::new(class, message));
    match ending {
        Ending::Completed => None,
        Ending::ApiError { status, message, .. } => fail(api_failure(*status), message.clone()),
        Ending::NotLoggedIn => fail(
            FailureClass::Credential,
            "the Claude CLI is not logged in: set ANTHROPIC_API_KEY, or run `claude` and log in".to_owned(),
        ),
        Ending::RateLimited { message, .. } => fail(FailureClass::RateLimited, message.clone()),
        Ending::MaxTurns => fail(FailureClass::TurnLimit, format!("not done after {TURNS} turns")),
        Ending::MaxBudget => fail(FailureClass::Budget, "the cost limit of the run was reached".to_owned()),
        Ending::StructuredOutputRetries => fail(
            FailureClass::InvalidPlan,
            format!(
                "the model's answers did not fit the schema: {}",
                refused.unwrap_or("no reason was given")
            ),
        ),
        Ending::ExecutionError { message } => fail(FailureClass::Crashed, message.clone()),
        Ending::TimedOut => fail(FailureClass::Timeout, "it took longer than its limit".to_owned()),
        Ending::Cancelled => fail(FailureClass::Lost, "it was stopped".to_owned()),
        Ending::Crashed { signal } => {
            fail(FailureClass::Crashed, format!("the Claude CLI was ended by signal {signal}"))
        }
        Ending::NoResult { exit, stderr } => {
            let code = exit.map_or_else(String::new, |code| format!(" (exit code {code})"));
            let said = stderr.lines().next_back().map_or_else(String::new, |said| format!(": {said}"));
            fail(FailureClass::Crashed, format!("the Claude CLI ended without a result{code}{said}"))
        }
        Ending::CouldNotStart { message } => {
            tracing::error!(%message, "the Claude CLI could not be started");
            fail(
                FailureClass::Resource,
                "the Claude CLI could not be started: see `buildwright doctor`".to_owned(),
            )
        }
    }
}

fn usage(report: &RunReport) -> Usage {
    let of = |usage: &claude_cli::ModelUsage| ModelUsage {
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        cache_read_tokens: usage.cache_read_tokens,
        cache_creation_tokens: usage.cache_creation_tokens,
        cost_nano_usd: usage.cost_nano_usd,
    };
    Usage {
        by_model: report.usage.by_model.iter().map(|(model, usage)| (model.clone(), of(usage))).collect(),
    }
}
