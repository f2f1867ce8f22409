//! What travels on the control socket: single bytes to the supervising process, lines back.

use std::fmt;

/// Asks the supervising process to interrupt the command. End of file asks it to kill the tree.
pub(crate) const INTERRUPT: u8 = b'i';

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it (0: one the kernel did not name).
    Signal(i32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// A line from the supervising process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Report {
    /// The command runs, under this process id.
    Started(i32),
    /// The command could not be started: OS error number (0: none) and what was tried.
    NotStarted { errno: i32, doing: String },
    /// The command ended and nothing of it is left.
    Ended(Exit),
}

impl Report {
    pub(crate) fn to_line(&self) -> String {
        match self {
            Self::Started(pid) => format!("started {pid}\n"),
            Self::NotStarted { errno, doing } => {
                format!("not-started {errno} {}\n", doing.replace('\n', " "))
            }
            Self::Ended(Exit::Code(code)) => format!("code {code}\n"),
            Self::Ended(Exit::Signal(signal)) => format!("signal {signal}\n"),
        }
    }

    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (kind, rest) = line.trim_end().split_once(' ')?;
        Some(match kind {
            "started" => Self::Started(rest.parse().ok()?),
            "not-started" => {
                let (errno, doing) = rest.split_once(' ')?;
                Self::NotStarted { errno: errno.parse().ok()?, doing: doing.to_owned() }
            }
            "code" => Self::Ended(Exit::Code(rest.parse().ok()?)),
            "signal" => Self::Ended(Exit::Signal(rest.parse().ok()?)),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_report_reads_back_as_written() {
        for report in [
            Report::Started(71),
            Report::NotStarted { errno: 2, doing: "running a b".into() },
            Report::Ended(Exit::Code(3)),
            Report::Ended(Exit::Signal(9)),
        ] {
            assert_eq!(Report::parse(&report.to_line()), Some(report));
        }
        assert_eq!(Report::parse("noise\n"), None);
    }
}
