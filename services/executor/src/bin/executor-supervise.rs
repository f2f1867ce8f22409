//! The supervising process for this crate's tests: cargo hands them only binaries of their own crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    supervisor::main()
}
