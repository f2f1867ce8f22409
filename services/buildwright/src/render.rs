//! What people see. All but the displays themselves are pure functions from what is known to text.

pub(crate) mod activity;
pub(crate) mod amounts;
pub(crate) mod display;
mod live;
pub(crate) mod logging;
mod plain;
pub(crate) mod progress;
pub(crate) mod sentence;
pub(crate) mod summary;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod timeline;
pub(crate) mod transcript;
pub(crate) mod tree;

use std::io::{self, Write as _};

/// Prints to standard output, with the end of the line.
///
/// # Errors
/// If nobody reads it any more.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
