//! Knows the Claude CLI, knows nothing of builds.
//!
//! [`ClaudeCli::run`] carries one prompt through `claude -p --output-format stream-json`: it
//! isolates the process, feeds it, reads its stream line by line, stops it, and says how it ended.
//! What it relies on was observed with version [`PINNED_VERSION`]; lines, fields and endings of
//! other versions that it does not know are kept and never fatal.
//!
//! The rules, each of which a plain reading of exit codes would get wrong:
//!
//! - Only end of file ends a run. A process may print several `result` lines; the last one counts,
//!   and its `modelUsage` is the total of the process.
//! - An API failure is `subtype: success` with `is_error: true`; the exit code adds nothing.
//! - Refused tools still end in success: look at [`RunReport::permission_denials`].
//! - Structured output may be missing from a success: look at [`RunReport::structured_output`].
//! - Silence is not failure: a long tool call prints nothing. Only the timeout ends it.

mod conclude;
mod credential;
mod event;
mod install;
mod invocation;
mod lines;
mod private_dir;
mod request;
mod result;
mod run;
mod transcript;
mod usage;

pub use conclude::{ApiErrorKind, Ending, Stopped, conclude};
pub use credential::Credential;
pub use event::{Assistant, Block, Event, Init, Line, RateLimit, Retry, TaskEvent, ToolResult, User};
pub use install::{InstallError, PINNED_VERSION, find, install_pinned, version};
pub use invocation::passed_through;
pub use lines::{DEFAULT_LINE_CAP, LineReader, RawLine};
pub use request::{BadSessionId, PermissionMode, RunRequest, Session, SessionId, ToolPolicy};
pub use result::{PermissionDenial, ResultLine, Subtype};
pub use run::{ClaudeCli, RunReport};
pub use transcript::Transcript;
pub use usage::{ModelUsage, Usage};
