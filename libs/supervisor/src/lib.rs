//! Runs a command so that nothing of it outlives its owner.
//!
//! Killing a process group is not enough for a coding agent: its tool shells call `setsid`, its
//! daemons fork twice, and an owner that dies by SIGKILL cannot clean up at all. So a small
//! supervising process stands between the owner and the command:
//!
//! ```text
//! owner ── control socket ── supervising process ── command ── its shells, servers, daemons
//!                            (child subreaper, own session)
//! ```
//!
//! It is a child subreaper: a descendant whose parent dies becomes its child and cannot slip away.
//! One end of a socket pair is its standard input. When the owner's end closes, for whatever
//! reason, it kills every descendant and exits. The other way, the socket carries whether the
//! command started and how it ended, so neither is guessed from an exit code.
//!
//! The owner uses [`Supervisor`] and [`Supervised`]; [`main`] is the body of the hidden subcommand
//! that the owner's binary runs itself with.
//!
//! Not covered: a descendant of another user (it cannot be signalled), and SIGKILL aimed at the
//! supervising process itself, after which [`Supervised::wait`] still kills what hangs below the
//! command but not daemons that left it. Use a PID namespace against code that attacks us.
//!
//! Elsewhere than on Linux there are no subreapers: only the command's process group is killed.

mod command;
mod control;
mod owner;
mod supervise;
mod tree;

pub use command::{BadArguments, CommandSpec, DEFAULT_GRACE, Stdin};
pub use control::Exit;
pub use owner::{Output, SuperviseError, Supervised, Supervisor};
pub use supervise::main;
