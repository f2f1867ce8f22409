//! A process that appends is killed, again and again: what it had been told is stored is stored.

use crate::scene::*;
use ports::{EventStore, Position};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};
use tokio::time::Instant;

/// Names the folder to the process that is going to be killed.
const FOLDER: &str = "BUILDWRIGHT_TEST_FOLDER";
const DEATHS: u64 = 6;

/// Not a test: the process that is killed. It appends for ever and prints what it was told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the test below, in a process of its own"]
#[expect(clippy::disallowed_methods, reason = "a test harness passes no arguments")]
async fn victim() {
    let folder = std::env::var(FOLDER).expect("a folder");
    let store = open(Path::new(&folder)).await;
    // Streams of its own in every life: their ids go on where the log ended.
    let first = store.head().borrow().0 + 1;
    let writers = (first..first + 8).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut version = 0;
            loop {
                let done = store.append(append(stream(n), version, 1 + n % 3)).await.expect("appended");
                version = done.version.0;
                println!("\nstored {} {n} {version}", done.position);
            }
        })
    });
    futures::future::join_all(writers).await;
}

/// What the victim was told before it died: position, stream, version.
fn live_and_die(folder: &Path, after: Duration) -> Vec<(u64, u64, u64)> {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "sudden_death::victim", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let told = |line: &str| {
        let mut words = line.strip_prefix("stored ")?.split(' ').map(|word| word.parse().ok());
        Some((words.next()??, words.next()??, words.next()??))
    };
    let mut all = Vec::new();
    let mut deadline = None;
    while deadline.is_none_or(|deadline| Instant::now() < deadline) {
        let line = lines.next().expect("it lives").expect("text");
        all.extend(told(&line));
        if deadline.is_none() && !all.is_empty() {
            deadline = Some(Instant::now() + after);
        }
    }
    child.kill().expect("killed");
    child.wait().expect("dead");
    // What it still got out; the last line may be torn, which makes a number shorter, so it counts only
    // with the line break before the next one.
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    all.extend(rest.iter().rev().skip(1).filter_map(|line| told(line)));
    all
}

#[tokio::test]
async fn whatever_was_acknowledged_survives_sigkill() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut acknowledged = Vec::new();
    for death in 0..DEATHS {
        // Spread over some transactions of a few milliseconds each.
        let told = live_and_die(folder.path(), Duration::from_micros(1_700 * death * death + 300));
        assert!(!told.is_empty());
        acknowledged.extend(told);

        let store = open(folder.path()).await;
        let log = whole_log(&store).await;
        assert_whole(&log);
        assert_eq!(*store.head().borrow(), Position(log.len() as u64));
        for (position, n, version) in &acknowledged {
            let event = &log[usize::try_from(*position).expect("small") - 1];
            assert_eq!((event.stream, event.version.0), (stream(*n), *version));
        }
        store.close().await;
    }
}
