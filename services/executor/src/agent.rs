//! Who writes the code.

mod claude;
mod scripted;

pub use claude::{ClaudeAgent, ClaudeSettings};
pub use scripted::ScriptedAgent;

use crate::output::Output;
use async_trait::async_trait;
use domain::{Failure, FailureClass, Usage};
use serde_json::Value;
use std::{path::Path, time::Duration};
use tokio_util::sync::CancellationToken;

/// What an agent may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tools {
    /// Nothing: it only answers.
    None,
    /// Reading files of its workspace.
    Read,
    /// Reading and writing files of its workspace, and commands that only read.
    Files,
    /// Files and any command.
    Commands,
}

/// One run of an agent.
pub struct Job<'a> {
    /// Its working directory: the tree of its workspace.
    pub tree: &'a Path,
    /// A folder for its own configuration and caches, outside the tree.
    pub private: &'a Path,
    /// What it is told.
    pub prompt: String,
    /// Which model.
    pub model: &'a str,
    /// What it may use.
    pub tools: Tools,
    /// The JSON Schema its answer must obey, if it must answer with data.
    pub schema: Option<&'a Value>,
    /// The bits of its session's id: the same for the same attempt.
    pub session: u128,
    /// How long it may take.
    pub timeout: Duration,
}

/// What an agent answered.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Its last words.
    pub text: String,
    /// Its answer as data, where a schema was given.
    pub data: Option<Value>,
    /// Why the data it offered last did not obey the schema, if it offered such.
    pub refused: Option<String>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Report {
    /// What came out.
    pub result: Result<Answer, Failure>,
    /// What it cost, either way.
    pub usage: Usage,
    /// Its session, once it had one.
    pub session_id: Option<String>,
}

/// An agent.
#[async_trait]
pub trait Agent: Send + Sync {
    /// Runs until it is done, its time is over, or `stop` is cancelled. Nothing it started is left then.
    async fn run(&self, job: Job<'_>, output: &Output, stop: &CancellationToken) -> Report;
}

/// The class of an error that the Messages API answered with; no status means that no answer came.
fn api_failure(status: Option<u16>) -> FailureClass {
    match status {
        Some(401..=403) => FailureClass::Credential,
        Some(429) => FailureClass::RateLimited,
        Some(408 | 409 | 500..=599) | None => FailureClass::ModelError,
        Some(_) => FailureClass::ModelRefused,
    }
}
