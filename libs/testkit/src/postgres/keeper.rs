use super::Installation;
use std::{
    fs::File,
    io::Write,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

/// Runs a server until it reads the name of a signal for it, or nothing more: then whoever could have said so
/// is gone, and the data with it. Backends end by themselves when their server does.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
home=$1
shift
"$@" </dev/null &
server=$!
read -r signal || signal=
kill -s "${signal:-QUIT}" "$server"
wait "$server"
[ -n "$signal" ] || rm -rf "$home"
"#;

/// The shell that a server hangs on.
#[derive(Debug)]
pub(super) struct Keeper {
    shell: Child,
    pipe: Option<ChildStdin>,
}

impl Keeper {
    pub(super) fn start(
        installation: &Installation,
        server: &Path,
        args: &[String],
        home: &Path,
        log: File,
    ) -> Self {
        let mut shell = Command::new("/bin/sh");
        // A group of its own: a signal for the tests is none for the shell that cleans up after them. Output to
        // the log only: a test runner waits for the end of whoever holds the test's own.
        shell.args(["-c", SCRIPT, "sh"]).arg(home).arg(server).args(args).process_group(0);
        shell.stdin(Stdio::piped()).stdout(log.try_clone().expect("a handle")).stderr(log);
        shell.env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin").current_dir("/");
        installation.run_as_somebody(&mut shell);
        let mut shell = shell.spawn().expect("a shell");
        let pipe = shell.stdin.take();
        Self { shell, pipe }
    }

    /// Sends the server a signal and waits until it is gone; its data stays.
    pub(super) fn end(mut self, signal: &str) {
        if let Some(pipe) = &mut self.pipe {
            // If nobody reads any more there is nobody to end.
            let _ = writeln!(pipe, "{signal}");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.shell.wait();
    }
}
