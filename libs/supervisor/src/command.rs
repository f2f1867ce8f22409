//! What to run, and how the supervising process is told.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

/// Names the run in the environment of all its processes, so that they are found if their supervising process dies.
pub const RUN: &str = "BUILDWRIGHT_RUN";

/// How long an interrupted command may take to end before its tree is killed.
pub const DEFAULT_GRACE: Duration = Duration::from_millis(1500);

/// A command to run under supervision.
///
/// Program, arguments and paths are visible to every user of the machine; secrets belong in `env`
/// or in the file behind `stdin`. To `env` comes one variable, [`RUN`].
#[derive(Clone)]
pub struct CommandSpec {
    /// The program; a bare name is looked up in the `PATH` of `env`.
    pub program: PathBuf,
    /// Its arguments, without the program name.
    pub args: Vec<OsString>,
    /// Its working directory.
    pub cwd: PathBuf,
    /// Its whole environment: nothing of the owner's is inherited.
    pub env: Vec<(OsString, OsString)>,
    /// Its standard input.
    pub stdin: Stdin,
    /// From interrupt to kill.
    pub grace: Duration,
}

/// Standard input of a supervised command. Never a pipe: nobody would be there to write to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stdin {
    /// `/dev/null`.
    Null,
    /// A file, read from its beginning. A relative path starts from the owner's directory.
    File(PathBuf),
}

/// What the supervising process was told is no command.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected [--grace-ms N] [--cwd DIR] [--stdin FILE] -- PROGRAM [ARGS]")]
pub(crate) struct BadCommand;

// By hand, because the environment carries credentials.
impl std::fmt::Debug for CommandSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.env.iter().map(|(name, _)| name).collect();
        f.debug_struct("CommandSpec")
            .field("program", &self.program)
            .field("args", &self.args)
            .field("cwd", &self.cwd)
            .field("env", &names)
            .field("stdin", &self.stdin)
            .field("grace", &self.grace)
            .finish()
    }
}

impl CommandSpec {
    /// Everything but the environment, which the supervising process inherits and hands on. Each word comes after its
    /// length: not as arguments, where `pkill -f` would take the supervising process for the command.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in self.to_words() {
            bytes.extend(u32::try_from(word.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend(word.as_bytes());
        }
        bytes
    }

    pub(crate) fn from_bytes(mut bytes: &[u8]) -> Result<Self, BadCommand> {
        let mut words = Vec::new();
        while !bytes.is_empty() {
            let (length, rest) = bytes.split_first_chunk().ok_or(BadCommand)?;
            let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| BadCommand)?;
            let (word, rest) = rest.split_at_checked(length).ok_or(BadCommand)?;
            words.push(OsStr::from_bytes(word).to_owned());
            bytes = rest;
        }
        Self::from_words(words.into_iter())
    }

    fn to_words(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> =
            vec!["--grace-ms".into(), self.grace.as_millis().to_string().into(), "--cwd".into()];
        args.push(self.cwd.clone().into());
        if let Stdin::File(path) = &self.stdin {
            args.extend(["--stdin".into(), path.clone().into()]);
        }
        args.extend(["--".into(), self.program.clone().into()]);
        args.extend(self.args.iter().cloned());
        args
    }

    fn from_words(mut args: impl Iterator<Item = OsString>) -> Result<Self, BadCommand> {
        let mut spec = Self {
            program: PathBuf::new(),
            args: Vec::new(),
            cwd: PathBuf::from("."),
            env: Vec::new(),
            stdin: Stdin::Null,
            grace: DEFAULT_GRACE,
        };
        loop {
            let flag = args.next().ok_or(BadCommand)?;
            if flag == "--" {
                break;
            }
            let value = args.next().ok_or(BadCommand)?;
            match flag.to_str() {
                Some("--grace-ms") => spec.grace = milliseconds(&value)?,
                Some("--cwd") => spec.cwd = value.into(),
                Some("--stdin") => spec.stdin = Stdin::File(value.into()),
                _ => return Err(BadCommand),
            }
        }
        spec.program = args.next().ok_or(BadCommand)?.into();
        spec.args = args.collect();
        Ok(spec)
    }
}

fn milliseconds(value: &OsString) -> Result<Duration, BadCommand> {
    value.to_str().and_then(|text| text.parse().ok()).map(Duration::from_millis).ok_or(BadCommand)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use proptest::prelude::*;

    use super::*;

    fn any_argument() -> impl Strategy<Value = OsString> {
        prop_oneof![
            Just(OsString::from("--")),
            Just(OsString::from("--cwd")),
            prop::collection::vec(any::<u8>(), 0..12).prop_map(OsString::from_vec),
        ]
    }

    proptest! {
        #[test]
        fn any_command_survives_the_way(
            words in prop::collection::vec(any_argument(), 3..8), from_file in any::<bool>(), grace in 0_u64..100_000,
        ) {
            let spec = CommandSpec {
                program: words[0].clone().into(),
                args: words[3..].to_vec(),
                cwd: words[1].clone().into(),
                env: Vec::new(),
                stdin: if from_file { Stdin::File(words[2].clone().into()) } else { Stdin::Null },
                grace: Duration::from_millis(grace),
            };
            let bytes = spec.to_bytes();
            let arrived = CommandSpec::from_bytes(&bytes).unwrap();
            prop_assert_eq!(format!("{:?}", arrived), format!("{:?}", spec));
            prop_assert!(CommandSpec::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        }
    }

    #[test]
    fn an_unknown_or_incomplete_command_is_refused() {
        for line in ["", "--", "--cwd", "--cwd / true", "--wat 1 -- true", "--grace-ms soon -- true"] {
            let args = line.split_whitespace().map(OsString::from);
            assert_eq!(CommandSpec::from_words(args).err(), Some(BadCommand), "{line}");
        }
    }

    #[test]
    fn debug_output_names_variables_without_their_values() {
        let mut spec = CommandSpec::from_words(["--", "true"].map(OsString::from).into_iter()).unwrap();
        spec.env = vec![("API_KEY".into(), "hunter2".into())];
        let shown = format!("{spec:?}");
        assert!(shown.contains("API_KEY") && !shown.contains("hunter2"), "{shown}");
    }
}
