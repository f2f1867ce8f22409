//! The script with hands: an agent that asks the [`Engine`] and performs the tool calls itself.
//!
//! It stands in for the Claude CLI where there is none, and where a test wants thousands of runs.

mod tools;

use crate::{Action, ApiError, Block, Conversation, Ending, Engine, Reply, STRUCTURED_OUTPUT, Usage};
use async_trait::async_trait;
use serde_json::Value;
use std::{io, path::PathBuf, time::Duration};
use tokio_util::sync::CancellationToken;

const FIRST_RETRY_AFTER: Duration = Duration::from_millis(100);

/// What an agent is asked to do.
#[derive(Debug, Clone)]
pub struct Job {
    /// The model named to the script.
    pub model: String,
    /// The task.
    pub prompt: String,
    /// The folder it works in and cannot leave.
    pub cwd: PathBuf,
    /// The tools it may use, of `Write`, `Edit`, `Read` and `Bash`.
    pub tools: Vec<String>,
    /// Whether it is to end with structured output.
    pub structured: bool,
    /// How often in a row it asks again after an error that passes.
    pub max_retries: u32,
}

/// What an agent did.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Its last words.
    pub text: String,
    /// The structured output, if it gave one.
    pub structured_output: Option<Value>,
    /// What all its replies reported.
    pub usage: Usage,
    /// How many replies that were.
    pub turns: u32,
}

/// What happens while an agent works.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentEvent<'a> {
    /// It thought.
    Thinking(&'a str),
    /// It spoke.
    Text(&'a str),
    /// It calls a tool.
    ToolStarted {
        /// Of the call, from 1.
        number: u32,
        /// The tool.
        name: &'a str,
        /// Its input.
        input: &'a Value,
    },
    /// The tool came back.
    ToolFinished {
        /// Of the call.
        number: u32,
        /// What the model would read.
        output: &'a str,
        /// Whether it failed or was refused.
        is_error: bool,
    },
    /// A reply is complete and reported this.
    Usage(Usage),
    /// A request failed and will be made again.
    Retry {
        /// From 1.
        attempt: u32,
        /// What it failed with.
        error: &'a ApiError,
    },
}

/// Why an agent ended without an outcome. What it had used until then still counts.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// It was told to stop.
    #[error("cancelled")]
    Cancelled {
        /// Used until then.
        usage: Usage,
    },
    /// The script answered with an error, more often than it may be retried.
    #[error("the scripted model answered {}: {}", .error.status.as_u16(), .error.message)]
    Api {
        /// The error.
        error: ApiError,
        /// Used until then.
        usage: Usage,
    },
}

/// A shell command that a script wants run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellCommand {
    /// For `sh -c`.
    pub text: String,
    /// Where.
    pub cwd: PathBuf,
    /// The limit the script sets, if it sets one.
    pub timeout: Option<Duration>,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandOutput {
    /// Standard output and error.
    pub output: String,
    /// Whether it exited with 0.
    pub success: bool,
}

/// Runs commands for an agent. The caller supervises processes, so the caller starts them.
#[async_trait]
pub trait CommandRunner: Send + Sync {
    /// Runs one and waits for its end; on cancellation it leaves no process behind.
    ///
    /// # Errors
    /// When the command could not be run.
    async fn run(&self, command: ShellCommand, cancel: &CancellationToken) -> io::Result<CommandOutput>;
}

/// Does the job: asks, performs, asks again, until the model calls no more tools.
///
/// # Errors
/// When cancelled, or when the script answers with an error.
pub async fn run(
    engine: &Engine,
    job: &Job,
    runner: &dyn CommandRunner,
    on_event: &mut (dyn FnMut(AgentEvent<'_>) + Send + Sync),
    cancel: &CancellationToken,
) -> Result<Outcome, AgentError> {
    let mut agent = Agent { job, runner, on_event, cancel, usage: Usage::ZERO, calls: 0 };
    let mut tools = job.tools.clone();
    tools.extend(job.structured.then(|| STRUCTURED_OUTPUT.to_owned()));
    let mut conversation = Conversation {
        model: job.model.clone(),
        prompts: vec![job.prompt.clone()],
        tools,
        ..Conversation::default()
    };
    for turns in 1.. {
        let reply = agent.ask(engine, &conversation).await?;
        agent.usage += reply.usage;
        (agent.on_event)(AgentEvent::Usage(reply.usage));
        let said = agent.perform(reply).await?;
        if said.structured.is_some() || !said.called_tools {
            let (text, structured_output) = (said.text, said.structured);
            return Ok(Outcome { text, structured_output, usage: agent.usage, turns });
        }
        conversation.replies += 1;
    }
    Err(agent.cancelled())
}

struct Agent<'a> {
    job: &'a Job,
    runner: &'a dyn CommandRunner,
    on_event: &'a mut (dyn FnMut(AgentEvent<'_>) + Send + Sync),
    cancel: &'a CancellationToken,
    usage: Usage,
    calls: u32,
}

#[derive(Default)]
struct Said {
    text: String,
    structured: Option<Value>,
    called_tools: bool,
}

impl Agent<'_> {
    async fn ask(&mut self, engine: &Engine, conversation: &Conversation) -> Result<Reply, AgentError> {
        let mut attempt = 0;
        loop {
            let error = match engine.answer(conversation).action {
                Action::Reply(reply) => {
                    self.pause(reply.delay).await?;
                    match reply.ending {
                        Ending::Whole => return Ok(reply),
                        Ending::Cut => ApiError::new(
                            axum::http::StatusCode::INTERNAL_SERVER_ERROR,
                            "the connection broke",
                        ),
                        Ending::Hang => return self.hang().await,
                    }
                }
                Action::Error(error, delay) => {
                    self.pause(delay).await?;
                    error
                }
                Action::Hang => return self.hang().await,
            };
            if attempt == self.job.max_retries || !error.status.is_retried() {
                return Err(AgentError::Api { error, usage: self.usage });
            }
            attempt += 1;
            (self.on_event)(AgentEvent::Retry { attempt, error: &error });
            let usual = FIRST_RETRY_AFTER * 2_u32.pow(attempt.min(6) - 1);
            self.pause(error.retry_after.map_or(usual, |seconds| Duration::from_secs(seconds.into())))
                .await?;
        }
    }

    async fn perform(&mut self, reply: Reply) -> Result<Said, AgentError> {
        let mut said = Said::default();
        for block in reply.blocks {
            match block {
                Block::Thinking(text) => (self.on_event)(AgentEvent::Thinking(&text)),
                Block::Text(text) => {
                    (self.on_event)(AgentEvent::Text(&text));
                    said.text = text;
                }
                Block::ToolUse { name, input } => {
                    self.call(&name, &input).await?;
                    said.called_tools = true;
                    if name == STRUCTURED_OUTPUT && self.job.structured {
                        said.text = input.to_string();
                        said.structured = Some(input);
                    }
                }
            }
        }
        Ok(said)
    }

    async fn call(&mut self, name: &str, input: &Value) -> Result<(), AgentError> {
        self.calls += 1;
        let number = self.calls;
        (self.on_event)(AgentEvent::ToolStarted { number, name, input });
        let allowed = self.job.tools.iter().any(|tool| tool == name);
        let result = if name == STRUCTURED_OUTPUT && self.job.structured {
            Ok("Structured output provided successfully".to_owned())
        } else if allowed {
            tools::call(name, input, &self.job.cwd, self.runner, self.cancel).await
        } else {
            Err(tools::Failure(format!("{name} is not allowed here")))
        };
        if self.cancel.is_cancelled() {
            return Err(self.cancelled());
        }
        let is_error = result.is_err();
        let output = result.unwrap_or_else(|failure| failure.0);
        (self.on_event)(AgentEvent::ToolFinished { number, output: &output, is_error });
        Ok(())
    }

    async fn pause(&self, time: Duration) -> Result<(), AgentError> {
        let sleep = async {
            if !time.is_zero() {
                tokio::time::sleep(time).await;
            }
        };
        self.cancel.run_until_cancelled(sleep).await.ok_or_else(|| self.cancelled())
    }

    async fn hang(&self) -> Result<Reply, AgentError> {
        self.cancel.cancelled().await;
        Err(self.cancelled())
    }

    fn cancelled(&self) -> AgentError {
        AgentError::Cancelled { usage: self.usage }
    }
}
