//! The supervising process on its own: what tests run in place of `buildwright supervise`.

use std::process::ExitCode;

fn main() -> ExitCode {
    buildwright_supervisor::main()
}
