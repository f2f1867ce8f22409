//! What every log of output promises.
#![allow(missing_docs, clippy::missing_panics_doc, reason = "the names are the sentences")]

use super::{Stage, build, noon, soon, task};
use domain::build::{Attempt, Work};
use ports::{OutputChunk, OutputLine, OutputLog, OutputStream};
use std::{sync::Arc, time::Duration};

/// A stage with a log of output.
pub type OutputStage = Stage<Arc<dyn OutputLog>>;

/// Bounds that a factory is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Most bytes of one piece of work, about.
    pub work_bytes: u64,
    /// Most bytes of the text of one line.
    pub line_bytes: usize,
}

impl Bounds {
    /// Wide enough not to matter.
    pub const WIDE: Self = Self { work_bytes: 64 << 20, line_bytes: 64 << 10 };
    /// Few bytes of work.
    pub const LITTLE_WORK: Self = Self { work_bytes: 3_000, ..Self::WIDE };
    /// Short lines.
    pub const SHORT_LINES: Self = Self { line_bytes: 10, ..Self::WIDE };
}

/// Instantiates every story for a factory: `async fn(Bounds) -> OutputStage`.
#[macro_export]
macro_rules! output_stories {
    ($factory:path) => {
        $crate::output_stories!($factory:
            WIDE lines_are_read_as_they_were_written_numbered_over_all_attempts,
            WIDE any_page_of_a_long_log_is_found,
            WIDE a_follower_sees_every_line_once,
            WIDE a_follower_is_woken_by_a_line,
            WIDE a_follower_of_finished_work_is_told_how_far_it_goes,
            WIDE writers_of_one_log_and_of_many_do_not_mix_lines,
            WIDE large_writes_are_kept_whole,
            LITTLE_WORK a_log_that_is_full_says_so_once_and_stays_within_its_bound,
            SHORT_LINES a_long_line_is_cut_between_characters,
        );
    };
    ($factory:path: $($bounds:ident $story:ident,)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $story() {
            let stage = $factory($crate::bus::output::Bounds::$bounds).await;
            $crate::bus::output::$story(&stage).await;
        }
    )+};
}

async fn write(log: &Arc<dyn OutputLog>, work: Work, attempt: u32, lines: &[&str]) {
    let lines = lines.iter().map(|text| (OutputStream::Stdout, noon(), (*text).to_owned())).collect();
    soon(log.write(OutputChunk { build: build(1), work, attempt: Attempt(attempt), lines })).await;
}

async fn read(stage: &OutputStage, work: Work, after: u64, limit: usize) -> Vec<OutputLine> {
    soon(stage.driver.read(build(1), work, after, limit)).await.expect("readable")
}

async fn texts(stage: &OutputStage) -> Vec<String> {
    read(stage, task(1), 0, usize::MAX).await.into_iter().map(|line| line.text).collect()
}

fn assert_numbered(lines: &[OutputLine], first: u64) {
    let numbers: Vec<u64> = lines.iter().map(|line| line.seq).collect();
    assert!(numbers.iter().copied().eq((first..).take(lines.len())), "{numbers:?}");
}

pub async fn lines_are_read_as_they_were_written_numbered_over_all_attempts(stage: &OutputStage) {
    assert!(read(stage, task(1), 0, 10).await.is_empty());
    let odd = "tab\t \"quoted\" \\ new\nline \u{0} 🦀";
    let [first, second] = &stage.executors;
    write(first, task(1), 1, &["one", odd]).await;
    write(first, task(1), 2, &[]).await;
    // The next attempt is another executor's.
    write(second, task(1), 2, &["three"]).await;
    // The first one did not know.
    write(first, task(1), 1, &["four"]).await;

    let lines = read(stage, task(1), 0, 10).await;
    assert_numbered(&lines, 1);
    assert_eq!(texts(stage).await, ["one", odd, "three", "four"]);
    assert_eq!(lines.iter().map(|line| line.attempt.0).collect::<Vec<_>>(), [1, 1, 2, 1]);
    assert_eq!((lines[0].stream, lines[0].at), (OutputStream::Stdout, noon()));
    assert!(read(stage, task(2), 0, 10).await.is_empty(), "other work has other lines");
}

pub async fn any_page_of_a_long_log_is_found(stage: &OutputStage) {
    let padding = "x".repeat(1000);
    for n in 0..50 {
        let lines: Vec<String> = (1..=20).map(|k| format!("{} {padding}", n * 20 + k)).collect();
        write(&stage.executors[0], task(1), 1, &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
        write(&stage.executors[0], task(2), 1, &["in between"]).await;
    }
    for after in [999, 500, 0, 1, 19, 20, 55, 56, 57, 501, 998, 1000, 1001, u64::MAX] {
        for limit in [0, 1, 7, 100] {
            let lines = read(stage, task(1), after, limit).await;
            let left = usize::try_from(1000_u64.saturating_sub(after)).expect("small");
            assert_eq!(lines.len(), left.min(limit), "after {after}");
            assert_numbered(&lines, after.saturating_add(1));
            assert!(lines.iter().all(|line| line.text.starts_with(&format!("{} ", line.seq))));
        }
    }
}

pub async fn a_follower_sees_every_line_once(stage: &OutputStage) {
    const LINES: u64 = 700;
    write(&stage.executors[0], task(1), 1, &["line 1", "line 2"]).await;
    let follower = tokio::spawn({
        let log = Arc::clone(&stage.driver);
        async move {
            let mut last = log.follow(build(1), task(1));
            let mut seen: Vec<OutputLine> = Vec::new();
            while (seen.len() as u64) < LINES {
                let after = seen.last().map_or(0, |line| line.seq);
                last.wait_for(|last| *last > after).await.expect("the log lives");
                seen.extend(log.read(build(1), task(1), after, 100).await.expect("readable"));
            }
            seen
        }
    });
    let mut n = 2;
    while n < LINES {
        let lines: Vec<String> = (n + 1..=LINES.min(n + 7)).map(|n| format!("line {n}")).collect();
        n += lines.len() as u64;
        write(&stage.executors[0], task(1), 1, &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    let seen = soon(follower).await.expect("no panic");
    assert_numbered(&seen, 1);
    assert!(seen.iter().all(|line| line.text == format!("line {}", line.seq)));
}

pub async fn a_follower_is_woken_by_a_line(stage: &OutputStage) {
    let mut last = stage.driver.follow(build(1), task(1));
    for n in 1..=10 {
        write(&stage.executors[0], task(1), 1, &["line"]).await;
        let told = tokio::time::timeout(Duration::from_secs(3), last.wait_for(|last| *last == n)).await;
        told.expect("it looked only now and then").expect("the log lives");
    }
}

pub async fn a_follower_of_finished_work_is_told_how_far_it_goes(stage: &OutputStage) {
    write(&stage.executors[0], task(1), 1, &["one", "two"]).await;
    let mut last = stage.driver.follow(build(1), task(1));
    assert_eq!(*soon(last.wait_for(|last| *last > 0)).await.expect("told"), 2);
}

pub async fn writers_of_one_log_and_of_many_do_not_mix_lines(stage: &OutputStage) {
    let writers: Vec<_> = (0..8)
        .map(|n: u32| {
            let log = Arc::clone(&stage.executors[n as usize / 4]);
            tokio::spawn(async move {
                for k in 0..25 {
                    write(&log, task(n % 4), n + 1, &[&k.to_string()]).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no panic");
    }
    for work in 0..4 {
        let lines = read(stage, task(work), 0, 1000).await;
        assert_eq!(lines.len(), 50);
        assert_numbered(&lines, 1);
        for attempt in [work + 1, work + 5] {
            let of_attempt = lines.iter().filter(|line| line.attempt == Attempt(attempt));
            assert!(of_attempt.map(|line| line.text.clone()).eq((0..25).map(|k| k.to_string())));
        }
    }
}

pub async fn large_writes_are_kept_whole(stage: &OutputStage) {
    // Every character of the worst kind, which JSON writes with six.
    let worst = "\u{1}".repeat(60_000);
    let lines: Vec<String> = (0..40).map(|n| format!("{n} {worst}")).collect();
    write(&stage.executors[0], task(1), 1, &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert!(texts(stage).await == lines, "some are missing or damaged");
}

pub async fn a_log_that_is_full_says_so_once_and_stays_within_its_bound(stage: &OutputStage) {
    for n in 0..50 {
        write(&stage.executors[0], task(1), 1, &[&format!("line {n}"), "and another"]).await;
    }
    let lines = read(stage, task(1), 0, 200).await;
    assert_numbered(&lines, 1);
    let (last, kept) = lines.split_last().expect("lines");
    assert_eq!(last.stream, OutputStream::System);
    assert!(last.text.starts_with("output truncated"), "{}", last.text);
    assert!(kept.len() > 5 && kept.len() < 60, "{}", kept.len());
    assert!(kept.iter().all(|line| line.stream == OutputStream::Stdout));

    // Not even a line that would still fit is added, whoever writes it.
    for executor in &stage.executors {
        write(executor, task(1), 2, &["x"]).await;
    }
    assert_eq!(read(stage, task(1), 0, 200).await, lines);
    // Other work has a bound of its own.
    write(&stage.executors[0], task(2), 1, &["x"]).await;
    assert_eq!(read(stage, task(2), 0, 9).await.len(), 1);
}

pub async fn a_long_line_is_cut_between_characters(stage: &OutputStage) {
    write(&stage.executors[0], task(1), 1, &["0123456789", "01234567é9", "012345678é", "🦀🦀🦀"]).await;
    assert_eq!(texts(stage).await, ["0123456789", "01234567é", "012345678", "🦀🦀"]);
}
