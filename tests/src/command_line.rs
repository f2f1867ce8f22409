//! `buildwright` as a person, or a script of theirs, calls it.

use crate::{Hands, buildwright, claude, launch::without_account, mentioning, patience::within};
use serde_json::Value;
use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::Duration,
};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(120);

/// Somebody's shell: a home with a data directory, and who does their work.
#[derive(Debug)]
pub struct CommandLine {
    home: TempDir,
    environment: Vec<(&'static str, String)>,
}

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// What it wrote to standard output.
    pub out: String,
    /// What it wrote to standard error.
    pub err: String,
}

impl CommandLine {
    /// A new home.
    #[must_use]
    pub fn new(hands: Hands<'_>) -> Self {
        let home = tempfile::Builder::new().prefix("buildwright-blackbox-").tempdir().expect("a directory");
        let mut environment = vec![("HOME", home.path().display().to_string())];
        match hands {
            Hands::Scripted => environment.push(("BUILDWRIGHT_EXECUTOR", "scripted".to_owned())),
            Hands::Claude(model) => environment.extend([
                ("ANTHROPIC_API_KEY", "sk-test-0000".to_owned()),
                ("ANTHROPIC_BASE_URL", model.base_url().to_owned()),
                ("BUILDWRIGHT_CLAUDE", claude().display().to_string()),
            ]),
        }
        environment.push(("BUILDWRIGHT_DATA_DIR", home.path().join("data").display().to_string()));
        Self { home, environment }
    }

    /// A place in the home.
    #[must_use]
    pub fn home(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A command, not started yet.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(buildwright());
        without_account(&mut command);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env_remove("XDG_DATA_HOME").current_dir(self.home.path());
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end. What it wrote must be text that drives no terminal.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn run(&self, args: &[&str]) -> Ran {
        let mut command = self.command(args);
        let running = tokio::task::spawn_blocking(move || command.output().expect("it starts"));
        let ran = within(LIMIT, &format!("the end of {args:?}"), running).await.expect("it was waited for");
        Ran::of(&ran)
    }

    /// Everything that still runs in this home.
    #[must_use]
    pub fn processes(&self) -> Vec<String> {
        let here = self.home.path().display().to_string();
        mentioning(&here).into_iter().map(|process| process.command).collect()
    }
}

impl Ran {
    /// What a command came to that was run otherwise.
    ///
    /// # Panics
    /// When a signal ended it, or it wrote what drives a terminal.
    #[must_use]
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let code = output.status.code().unwrap_or_else(|| panic!("{output:?}"));
        let ran = Self { code, out: text(&output.stdout), err: text(&output.stderr) };
        for written in [&ran.out, &ran.err] {
            let drives = |c: char| c.is_control() && c != '\n' && c != '\t';
            assert!(!written.contains(drives), "control characters, and no terminal: {written:?}");
            assert!(!written.contains("panicked at"), "{written}");
        }
        ran
    }

    /// That it went well.
    ///
    /// # Panics
    /// When it did not.
    #[must_use]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}", self.out, self.err);
        self
    }

    /// Standard output as one JSON document.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }
}
