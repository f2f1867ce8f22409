//! The scripted model.

use scripted_model::{Handle, Script, UsageReport};

/// A Messages API of our own, for the real CLI.
#[derive(Debug)]
pub struct ScriptedModel(Handle);

impl ScriptedModel {
    /// One that follows the built-in script, and so the steps in prompts.
    pub async fn start() -> Self {
        Self::following(Script::default()).await
    }

    /// One that follows this script.
    pub async fn following(script: Script) -> Self {
        Self(scripted_model::ScriptedModel::start(script, "127.0.0.1:0").await.expect("a free port"))
    }

    /// The `ANTHROPIC_BASE_URL` for it.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.0.base_url()
    }

    /// What it reported.
    #[must_use]
    pub fn usage(&self) -> UsageReport {
        self.0.usage()
    }

    /// The prompts that it was sent, one for each request.
    #[must_use]
    pub fn prompts(&self) -> Vec<String> {
        self.0.requests().into_iter().map(|request| request.prompt).collect()
    }

    /// How many requests it was sent.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.0.requests().len()
    }
}
