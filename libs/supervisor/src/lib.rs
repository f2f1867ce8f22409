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
//! The owner uses [`Supervisor`] and [`Supervised`]; [`main()`] is the body of the hidden subcommand
//! that the owner's binary runs itself with.
//!
//! If the supervising process itself is killed, by a clean-up that went too far, or stands still when
//! something is asked of it, the owner finds the run's processes by a variable in their environment
//! ([`RUN`]) and kills them.
//!
//! Not covered: a descendant of another user (it cannot be signalled), and one that kills its
//! supervising process after it took the variable from its environment and left its parents. Use a
//! PID namespace against code that attacks us.
//!
//! Elsewhere than on Linux there are no subreapers: only the command's process group is killed.

mod command;
mod control;
mod guard;
mod owner;
mod supervise;
mod tree;

pub use command::{CommandSpec, DEFAULT_GRACE, RUN, Stdin};
pub use control::Exit;
pub use owner::{Output, SuperviseError, Supervised, Supervisor};
pub use supervise::main;
