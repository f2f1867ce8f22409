//! What to run, and how it crosses the argument list of the supervising process.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How long an interrupted command may take to end before its tree is killed.
pub const DEFAULT_GRACE: Duration = Duration::from_millis(1500);

/// A command to run under supervision.
///
/// Program, arguments and paths are visible to every user of the machine; secrets belong in `env`
/// or in the file behind `stdin`.
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

/// The supervising process was started with arguments it does not know.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected [--grace-ms N] [--cwd DIR] [--stdin FILE] -- PROGRAM [ARGS]")]
pub struct BadArguments;

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
    /// Everything but the environment, which the supervising process inherits and hands on.
    pub(crate) fn to_args(&self) -> Vec<OsString> {
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

    pub(crate) fn from_args(mut args: impl Iterator<Item = OsString>) -> Result<Self, BadArguments> {
        let mut spec = Self {
            program: PathBuf::new(),
            args: Vec::new(),
            cwd: PathBuf::from("."),
            env: Vec::new(),
            stdin: Stdin::Null,
            grace: DEFAULT_GRACE,
        };
        loop {
            let flag = args.next().ok_or(BadArguments)?;
            if flag == "--" {
                break;
            }
            let value = args.next().ok_or(BadArguments)?;
            match flag.to_str() {
                Some("--grace-ms") => spec.grace = milliseconds(&value)?,
                Some("--cwd") => spec.cwd = value.into(),
                Some("--stdin") => spec.stdin = Stdin::File(value.into()),
                _ => return Err(BadArguments),
            }
        }
        spec.program = args.next().ok_or(BadArguments)?.into();
        spec.args = args.collect();
        Ok(spec)
    }
}

fn milliseconds(value: &OsString) -> Result<Duration, BadArguments> {
    value.to_str().and_then(|text| text.parse().ok()).map(Duration::from_millis).ok_or(BadArguments)
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
            prop::collection::vec(1_u8..=255, 0..12).prop_map(OsString::from_vec),
        ]
    }

    proptest! {
        #[test]
        fn any_command_survives_the_argument_list(
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
            let arrived = CommandSpec::from_args(spec.to_args().into_iter()).unwrap();
            prop_assert_eq!(format!("{:?}", arrived), format!("{:?}", spec));
        }
    }

    #[test]
    fn unknown_or_incomplete_arguments_are_refused() {
        for line in ["", "--", "--cwd", "--cwd / true", "--wat 1 -- true", "--grace-ms soon -- true"] {
            let args = line.split_whitespace().map(OsString::from);
            assert_eq!(CommandSpec::from_args(args).err(), Some(BadArguments), "{line}");
        }
    }

    #[test]
    fn debug_output_names_variables_without_their_values() {
        let mut spec = CommandSpec::from_args(["--", "true"].map(OsString::from).into_iter()).unwrap();
        spec.env = vec![("API_KEY".into(), "hunter2".into())];
        let shown = format!("{spec:?}");
        assert!(shown.contains("API_KEY") && !shown.contains("hunter2"), "{shown}");
    }
}
