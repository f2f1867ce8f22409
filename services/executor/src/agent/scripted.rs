//! The built-in agent: follows the scripted model's script with hands of its own, without the CLI.

use super::{Agent, Answer, Job, Report, Tools};
use crate::{output::Output, workshop::Shell};
use async_trait::async_trait;
use domain::{Failure, FailureClass, ModelUsage, Usage};
use ports::OutputStream;
use scripted_model::{
    Engine,
    agent::{self, AgentError, AgentEvent, CommandOutput, CommandRunner, ShellCommand},
};
use serde_json::json;
use std::{io, path::Path, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// An agent that a script plays.
pub struct ScriptedAgent {
    /// The script.
    pub engine: Arc<Engine>,
    /// What runs its commands.
    pub shell: Shell,
}

struct Runner<'a> {
    shell: &'a Shell,
    private: &'a Path,
    output: &'a Output,
}

#[async_trait]
impl CommandRunner for Runner<'_> {
    async fn run(&self, command: ShellCommand, stop: &CancellationToken) -> io::Result<CommandOutput> {
        let timeout = command.timeout.unwrap_or(Duration::from_mins(2));
        let ended = self
            .shell
            .run(&command.text, &command.cwd, self.private, timeout, self.output, stop)
            .await
            .map_err(io::Error::other)?;
        let output: Vec<String> = ended.last.into_iter().collect();
        Ok(CommandOutput { output: output.join("\n"), success: ended.code == Some(0) })
    }
}

#[async_trait]
impl Agent for ScriptedAgent {
    async fn run(&self, job: Job<'_>, output: &Output, stop: &CancellationToken) -> Report {
        let scripted = agent::Job {
            model: job.model.to_owned(),
            prompt: job.prompt.clone(),
            cwd: job.tree.to_owned(),
            tools: tools(job.tools).iter().map(|&tool| tool.to_owned()).collect(),
            structured: job.schema.is_some(),
            max_retries: 2,
        };
        let runner = Runner { shell: &self.shell, private: job.private, output };
        let own_stop = stop.child_token();
        let mut on_event = |event: AgentEvent<'_>| tell(output, &event);
        let run = agent::run(&self.engine, &scripted, &runner, &mut on_event, &own_stop);
        let mut run = std::pin::pin!(run);
        let mut timed_out = false;
        let ended = tokio::select! {
            ended = &mut run => ended,
            () = tokio::time::sleep(job.timeout) => {
                timed_out = true;
                own_stop.cancel();
                run.await
            }
        };
        report(ended, job.model, timed_out)
    }
}

fn tools(allowed: Tools) -> &'static [&'static str] {
    match allowed {
        Tools::None => &[],
        Tools::Read => &["Read"],
        Tools::Files => &["Read", "Write", "Edit"],
        Tools::Commands => &["Read", "Write", "Edit", "Bash"],
    }
}

/// Says what happens in lines of the form that the CLI writes, so that whoever shows one shows the other.
fn tell(output: &Output, event: &AgentEvent<'_>) {
    let content = match *event {
        AgentEvent::Text(text) => json!({ "type": "text", "text": text }),
        AgentEvent::Thinking(text) => json!({ "type": "thinking", "thinking": text }),
        AgentEvent::ToolStarted { name, input, .. } => {
            json!({ "type": "tool_use", "name": name, "input": input })
        }
        AgentEvent::ToolFinished { output: text, is_error, .. } => {
            let result = json!({ "type": "tool_result", "content": text, "is_error": is_error });
            let line = json!({ "type": "user", "message": { "role": "user", "content": [result] } });
            return output.line(OutputStream::Claude, line.to_string());
        }
        AgentEvent::Usage(_) => return,
        AgentEvent::Retry { attempt, error } => {
            let line = format!("the scripted model failed ({}), retry {attempt}", error.message);
            return output.line(OutputStream::System, line);
        }
    };
    let line = json!({ "type": "assistant", "message": { "role": "assistant", "content": [content] } });
    output.line(OutputStream::Claude, line.to_string());
}

fn report(ended: Result<agent::Outcome, AgentError>, model: &str, timed_out: bool) -> Report {
    let of = |usage: scripted_model::Usage| {
        let usage = ModelUsage {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cache_read_tokens: usage.cache_read_input_tokens,
            cache_creation_tokens: usage.cache_creation_input_tokens,
            // A script costs nothing.
            cost_nano_usd: 0,
        };
        Usage { by_model: [(model.to_owned(), usage)].into() }
    };
    let (result, usage) = match ended {
        Ok(outcome) => (
            Ok(Answer { text: outcome.text, data: outcome.structured_output, refused: None }),
            of(outcome.usage),
        ),
        Err(AgentError::Cancelled { usage }) if timed_out => {
            (Err(Failure::new(FailureClass::Timeout, "it took longer than its limit")), of(usage))
        }
        Err(AgentError::Cancelled { usage }) => {
            (Err(Failure::new(FailureClass::Lost, "it was stopped")), of(usage))
        }
        Err(AgentError::Api { error, usage }) => {
            let class = super::api_failure(Some(error.status.as_u16()));
            (Err(Failure::new(class, error.message)), of(usage))
        }
    };
    Report { result, usage, session_id: None }
}
