//! The script that is compiled in: what `demo` runs on, and what a test needs that brings its own steps along.

use crate::{Script, ScriptError};
use std::io;

const SCRIPT: &str = include_str!("../demo/script.json");

fn file(path: &str) -> Option<&'static str> {
    Some(match path {
        "files/README.md" => include_str!("../demo/files/README.md"),
        "files/check.sh" => include_str!("../demo/files/check.sh"),
        "files/lib/format.sh" => include_str!("../demo/files/lib/format.sh"),
        "files/lib/store.sh" => include_str!("../demo/files/lib/store.sh"),
        "files/todo.sh" => include_str!("../demo/files/todo.sh"),
        "files/usage.md" => include_str!("../demo/files/usage.md"),
        _ => return None,
    })
}

impl Default for Script {
    /// A prompt with a line `SCRIPTED: [turn, …]` gets those turns. A request for a plan gets the plan of a small
    /// to-do program, and the tasks of that plan get their files. Any other prompt with `Target:`, `Task:` and
    /// `Workspace:` lines gets its targets written, the rest a sentence.
    #[expect(clippy::expect_used, reason = "compiled in, and a test loads it")]
    fn default() -> Self {
        let missing = |path: &str| ScriptError::Read {
            path: path.to_owned(),
            source: io::Error::from(io::ErrorKind::NotFound),
        };
        Self::parse(SCRIPT, |path| file(path).map(str::to_owned).ok_or_else(|| missing(path)))
            .expect("the built-in script is right")
    }
}
