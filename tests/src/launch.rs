//! How `buildwright up` is started.

use crate::{ScriptedModel, buildwright, claude};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Variables through which a developer's own account, or their settings, could reach a test.
const PREFIXES: [&str; 3] = ["ANTHROPIC_", "CLAUDE", "BUILDWRIGHT_"];

/// How to start.
#[derive(Debug, Clone)]
pub struct Launch {
    executor: &'static str,
    slots: usize,
    environment: Vec<(String, String)>,
    listen: String,
    claude: Option<PathBuf>,
}

/// Who does the work.
#[derive(Debug, Clone, Copy)]
pub enum Hands<'m> {
    /// The real CLI, against this model.
    Claude(&'m ScriptedModel),
    /// The built-in agent.
    Scripted,
}

impl Launch {
    /// A server with five slots.
    #[must_use]
    pub fn with(hands: Hands<'_>) -> Self {
        let (executor, environment) = match hands {
            Hands::Scripted => ("scripted", Vec::new()),
            Hands::Claude(model) => {
                let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
                let key = set("ANTHROPIC_API_KEY", "sk-test-0000");
                ("claude", vec![key, set("ANTHROPIC_BASE_URL", model.base_url())])
            }
        };
        let listen = "127.0.0.1:0".to_owned();
        Self { executor, slots: 5, environment, listen, claude: None }
    }

    /// The same with so many attempts at once.
    #[must_use]
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = slots;
        self
    }

    /// The same with another environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with another program in the place of the Claude CLI.
    #[must_use]
    pub fn claude(mut self, program: PathBuf) -> Self {
        self.claude = Some(program);
        self
    }

    /// The same at this address.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        address.clone_into(&mut self.listen);
        self
    }

    /// Starts it; everything it says goes to the log.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(&self, data_dir: &Path, log: &Path) -> Child {
        let log = File::options().create(true).append(true).open(log).expect("a log");
        let mut command = Command::new(buildwright());
        without_account(&mut command);
        command.args(["up", "--listen", &self.listen, "--executor", self.executor]);
        command.args(["--slots", &self.slots.to_string(), "--data-dir"]).arg(data_dir);
        if self.executor == "claude" {
            command.arg("--claude").arg(self.claude.clone().unwrap_or_else(claude));
        }
        command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("buildwright starts")
    }
}

/// Takes from a command what could reach the account of whoever runs the tests.
pub(crate) fn without_account(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if PREFIXES.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
}
