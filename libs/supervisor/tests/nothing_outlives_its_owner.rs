//! Real processes that do their best to stay behind.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "it also looks into the helpers of tests")]

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use buildwright_supervisor::{CommandSpec, Exit, Output, Stdin, SuperviseError, Supervised, Supervisor};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

/// Longer than it is waited for a supervising process that stands still.
const SOON: Duration = Duration::from_secs(30);

/// Leaves a shell in its own session, a daemon forked twice, and a child deaf to signals.
const CLINGING: &str = r#"
    setsid bash -c 'touch session; exec sleep 300' &
    ( (setsid nohup bash -c 'touch daemon; exec sleep 300' >/dev/null 2>&1 &) & )
    bash -c 'trap "" INT TERM HUP; touch deaf; while :; do sleep 300; done' &
    until [ -e session -a -e daemon -a -e deaf ]; do sleep 0.01; done
    echo ready;
"#;

/// Tags the processes of one test through their environment, and knows which are alive.
struct Marked {
    mark: String,
    dir: tempfile::TempDir,
}

impl Marked {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mark = format!("SUPERVISED_BY_TEST={}", dir.path().display());
        Self { mark, dir }
    }

    fn shell(&self, script: &str) -> CommandSpec {
        let (name, value) = self.mark.split_once('=').unwrap();
        CommandSpec {
            program: "bash".into(),
            args: vec!["-c".into(), script.into()],
            cwd: self.dir.path().into(),
            env: vec![(name.into(), value.into()), ("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())],
            stdin: Stdin::Null,
            grace: Duration::from_millis(300),
        }
    }

    fn alive(&self) -> Vec<String> {
        let mark = self.mark.as_bytes();
        std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| {
                let process = entry.ok()?.path();
                let environ = std::fs::read(process.join("environ")).ok()?;
                environ.split(|byte| *byte == 0).find(|variable| *variable == mark)?;
                let line = std::fs::read(process.join("cmdline")).ok()?;
                Some(format!("{} {}", process.display(), String::from_utf8_lossy(&line).replace('\0', " ")))
            })
            .collect()
    }

    async fn all_gone(&self) {
        let since = Instant::now();
        while !self.alive().is_empty() {
            assert!(since.elapsed() < Duration::from_secs(2), "left behind: {:#?}", self.alive());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        eprintln!("all gone after {:?}", since.elapsed());
    }
}

fn supervisor() -> Supervisor {
    Supervisor::new(PathBuf::from(env!("CARGO_BIN_EXE_buildwright-supervise")), Vec::new())
}

/// The id of a command's supervising process.
fn supervising(process: &Supervised) -> String {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().to_owned()
}

fn signal(process: &str, signal: &str) {
    assert!(Command::new("kill").args([signal, process]).status().unwrap().success());
}

async fn start(spec: &CommandSpec) -> (Supervised, Output) {
    supervisor().start(spec).await.unwrap()
}

/// Starts `script` and waits until it says that it is ready.
async fn start_ready(marked: &Marked, script: &str) -> (Supervised, Output) {
    let (process, mut output) = start(&marked.shell(script)).await;
    let mut line = String::new();
    BufReader::new(&mut output.stdout).read_line(&mut line).await.unwrap();
    assert_eq!(line, "ready\n");
    (process, output)
}

async fn start_clinging(marked: &Marked) -> (Supervised, Output) {
    let started = start_ready(marked, &format!("{CLINGING} wait")).await;
    assert!(marked.alive().len() >= 6, "too few to prove anything: {:#?}", marked.alive());
    started
}

#[tokio::test]
async fn kill_takes_the_whole_tree() {
    let marked = Marked::new();
    let (mut process, _output) = start_clinging(&marked).await;
    process.kill();
    assert_eq!(process.wait().await.unwrap(), Exit::Signal(9));
    assert_eq!(marked.alive(), Vec::<String>::new());
}

#[tokio::test]
async fn dropping_the_handle_takes_the_whole_tree() {
    let marked = Marked::new();
    drop(start_clinging(&marked).await);
    marked.all_gone().await;
}

#[tokio::test]
async fn an_interrupt_lets_the_command_finish_but_not_its_descendants() {
    let marked = Marked::new();
    let script = format!("trap 'echo finishing; exit 7' INT; {CLINGING} wait");
    let (mut process, mut output) = start_ready(&marked, &script).await;
    process.interrupt();
    assert_eq!(process.wait().await.unwrap(), Exit::Code(7));
    assert_eq!(marked.alive(), Vec::<String>::new());
    let mut rest = String::new();
    output.stdout.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "finishing\n");
}

#[tokio::test]
async fn a_command_deaf_to_the_interrupt_is_killed_after_its_grace() {
    let marked = Marked::new();
    let script = format!("trap '' INT; {CLINGING} while :; do wait; done");
    let (mut process, _output) = start_ready(&marked, &script).await;
    let since = Instant::now();
    process.interrupt();
    assert_eq!(process.wait().await.unwrap(), Exit::Signal(9));
    assert!(since.elapsed() >= Duration::from_millis(300), "killed within its grace: {:?}", since.elapsed());
    assert_eq!(marked.alive(), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_command_leaves_behind_goes_when_it_exits() {
    let marked = Marked::new();
    let (mut process, mut output) = start(&marked.shell(&format!("{CLINGING} exit 5"))).await;
    let mut all = String::new();
    output.stdout.read_to_string(&mut all).await.unwrap();
    assert_eq!(all, "ready\n");
    assert_eq!(process.wait().await.unwrap(), Exit::Code(5));
    assert_eq!(marked.alive(), Vec::<String>::new());
}

#[tokio::test]
async fn a_chain_that_keeps_forking_is_caught() {
    let marked = Marked::new();
    let script = "perl -e 'while (1) { fork and exit }' & echo ready; sleep 300";
    let (mut process, _output) = start_ready(&marked, script).await;
    process.kill();
    process.wait().await.unwrap();
    assert_eq!(marked.alive(), Vec::<String>::new());
}

#[tokio::test]
async fn signals_for_the_supervising_process_do_not_reach_the_command() {
    let marked = Marked::new();
    let (mut process, _output) = start_ready(
        &marked,
        "kill -INT $PPID; kill -TERM $PPID; kill -HUP $PPID; echo ready; sleep 0.1; exit 4",
    )
    .await;
    assert_eq!(process.wait().await.unwrap(), Exit::Code(4));
}

#[tokio::test]
async fn killing_the_supervising_process_is_noticed_and_takes_the_command() {
    let marked = Marked::new();
    let (mut process, _output) = start_ready(&marked, "sleep 300 & echo ready; wait").await;
    signal(&supervising(&process), "-KILL");
    assert!(matches!(process.wait().await, Err(SuperviseError::Lost)));
    marked.all_gone().await;
}

#[tokio::test]
async fn killing_the_supervising_process_takes_daemons_too_and_their_output_ends_though_nobody_waits() {
    let marked = Marked::new();
    let (mut process, mut output) = start_clinging(&marked).await;
    signal(&supervising(&process), "-KILL");
    let mut rest = String::new();
    tokio::time::timeout(SOON, output.stdout.read_to_string(&mut rest)).await.unwrap().unwrap();
    assert!(matches!(process.wait().await, Err(SuperviseError::Lost)));
    assert_eq!(marked.alive(), Vec::<String>::new());
}

#[tokio::test]
async fn a_supervising_process_that_stands_still_does_not_keep_the_tree_alive() {
    let marked = Marked::new();
    let (mut process, _output) = start_clinging(&marked).await;
    signal(&supervising(&process), "-STOP");
    process.kill();
    let waited = tokio::time::timeout(SOON, process.wait()).await.unwrap();
    assert!(matches!(waited, Err(SuperviseError::Lost)), "{waited:?}");
    assert_eq!(marked.alive(), Vec::<String>::new());
}

#[tokio::test]
async fn dropping_the_handle_takes_the_tree_of_a_supervising_process_that_stands_still() {
    let marked = Marked::new();
    let (process, output) = start_clinging(&marked).await;
    signal(&supervising(&process), "-STOP");
    drop((process, output));
    let since = Instant::now();
    while !marked.alive().is_empty() {
        assert!(since.elapsed() < SOON, "left behind: {:#?}", marked.alive());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn killing_the_owner_takes_the_whole_tree() {
    let marked = Marked::new();
    let (name, value) = marked.mark.split_once('=').unwrap();
    // The owner is this test binary once more, running only `owns_a_tree_until_killed`.
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "owns_a_tree_until_killed", "--ignored", "--nocapture"])
        .env(name, value)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = std::io::BufRead::lines(std::io::BufReader::new(owner.stdout.take().unwrap()));
    assert!(said.any(|line| line.unwrap().contains("owner is ready")));
    assert!(marked.alive().len() >= 7, "{:#?}", marked.alive());
    owner.kill().unwrap();
    owner.wait().unwrap();
    marked.all_gone().await;
}

#[tokio::test]
#[ignore = "a process that another test kills"]
async fn owns_a_tree_until_killed() {
    #[expect(clippy::disallowed_methods, reason = "how one test process is told of another")]
    let Ok(value) = std::env::var("SUPERVISED_BY_TEST") else { return };
    let dir = tempfile::tempdir_in(&value).unwrap();
    let marked = Marked { mark: format!("SUPERVISED_BY_TEST={value}"), dir };
    let _tree = start_clinging(&marked).await;
    println!("owner is ready");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn exit_codes_and_signals_pass_through() {
    let marked = Marked::new();
    for (script, expected) in [
        ("true", Exit::Code(0)),
        ("exit 126", Exit::Code(126)),
        ("exit 127", Exit::Code(127)),
        ("exit 255", Exit::Code(255)),
        ("kill -TERM $$", Exit::Signal(15)),
        ("kill -SEGV $$", Exit::Signal(11)),
        ("kill -40 $$", Exit::Signal(0)),
    ] {
        let (mut process, _output) = start(&marked.shell(script)).await;
        assert_eq!(process.wait().await.unwrap(), expected, "{script}");
        assert_eq!(process.wait().await.unwrap(), expected, "{script}, asked again");
    }
}

#[tokio::test]
async fn a_command_that_cannot_start_is_an_error_and_not_an_exit() {
    let marked = Marked::new();
    let ok = marked.shell("true");
    let cases = [
        (CommandSpec { program: "no-such-program".into(), ..ok.clone() }, "running no-such-program"),
        (CommandSpec { program: "/etc/passwd".into(), ..ok.clone() }, "running /etc/passwd"),
        (CommandSpec { cwd: "/no/such/place".into(), ..ok.clone() }, "entering /no/such/place"),
        (CommandSpec { stdin: Stdin::File("/no/such/file".into()), ..ok }, "opening /no/such/file"),
    ];
    for (spec, expected) in cases {
        match supervisor().start(&spec).await {
            Err(SuperviseError::NotStarted { doing, error }) => {
                assert_eq!(doing, expected);
                assert!(error.raw_os_error().is_some_and(|errno| errno > 0), "{error}");
            }
            other => panic!("{expected}: {other:?}"),
        }
    }
    let absent = Supervisor::new("/no/such/supervisor".into(), Vec::new());
    let started = absent.start(&marked.shell("true")).await;
    assert!(matches!(started, Err(SuperviseError::Supervisor { .. })), "{started:?}");
}

#[tokio::test]
async fn the_command_sees_its_environment_its_input_its_directory_and_no_more() {
    let marked = Marked::new();
    let dir = &marked.dir;
    std::fs::write(dir.path().join("input"), "from a file").unwrap();
    let mut spec = marked.shell("");
    spec.env.push(("SECRET".into(), OsString::from("hunter2")));
    spec.args = vec![
        "-c".into(),
        "cat; pwd -P; env -u _ -u PWD -u SHLVL | cut -d= -f1 | sort; ps -o sid= $$; ps -o sid= $PPID; \
         tr '\\0' ' ' </proc/$PPID/cmdline | grep -c 'hunter[2]\\|cmdlin[e]'; trap; grep SigBlk /proc/$$/status"
            .into(),
    ];
    spec.cwd = dir.path().canonicalize().unwrap();
    spec.stdin = Stdin::File(dir.path().join("input"));
    let (mut process, mut output) = start(&spec).await;
    let mut said = String::new();
    output.stdout.read_to_string(&mut said).await.unwrap();
    assert_eq!(process.wait().await.unwrap(), Exit::Code(0));
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    let [here, rest @ ..] = &lines[..] else { panic!("{said}") };
    assert_eq!(*here, format!("from a file{}", spec.cwd.display()));
    assert_eq!(rest[..4], ["BUILDWRIGHT_RUN", "PATH", "SECRET", "SUPERVISED_BY_TEST"]);
    assert_eq!(rest[4], rest[5], "the command is in the session of its supervising process");
    assert_eq!(rest[6], "0", "neither the secret nor the command is in another's argument list");
    assert_eq!(rest[7], "SigBlk:\t0000000000000000", "no signal is blocked or ignored for it");
}
