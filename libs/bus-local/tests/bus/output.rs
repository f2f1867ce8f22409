use buildwright_bus_local::{FileOutputLog, OutputBounds};
use domain::build::{Attempt, Work};
use ports::{OutputChunk, OutputLine, OutputLog, OutputStream};
use std::{fs, path::PathBuf};
use tempfile::TempDir;
use testkit::bus::{build, noon, soon, task};

struct Scene {
    folder: TempDir,
    log: FileOutputLog,
}

impl Scene {
    fn new() -> Self {
        Self::with(OutputBounds::default())
    }

    fn with(bounds: OutputBounds) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let log = FileOutputLog::new(folder.path().join("output"), bounds);
        Self { folder, log }
    }

    /// As after a restart.
    fn restart(&mut self) {
        self.log = FileOutputLog::new(self.folder.path().join("output"), OutputBounds::default());
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("output").join(build(1).to_string()).join("task-1.ndjson")
    }

    async fn write(&self, attempt: u32, lines: &[&str]) {
        write(&self.log, task(1), attempt, lines).await;
    }

    async fn read(&self, after: u64, limit: usize) -> Vec<OutputLine> {
        self.log.read(build(1), task(1), after, limit).await.expect("readable")
    }

    async fn texts(&self) -> Vec<String> {
        self.read(0, usize::MAX).await.into_iter().map(|line| line.text).collect()
    }
}

async fn write(log: &FileOutputLog, work: Work, attempt: u32, lines: &[&str]) {
    let lines = lines.iter().map(|text| (OutputStream::Stdout, noon(), (*text).to_owned())).collect();
    log.write(OutputChunk { build: build(1), work, attempt: Attempt(attempt), lines }).await;
}

fn assert_numbered(lines: &[OutputLine], first: u64) {
    assert!(lines.iter().map(|line| line.seq).eq((first..).take(lines.len())), "{lines:?}");
}

#[tokio::test]
async fn numbering_goes_on_after_a_restart() {
    let mut scene = Scene::new();
    scene.write(1, &["one", "two"]).await;
    scene.restart();
    scene.write(1, &["three"]).await;
    scene.restart();
    let lines = scene.read(0, 10).await;
    assert_numbered(&lines, 1);
    assert_eq!(scene.texts().await, ["one", "two", "three"]);
}

#[tokio::test]
async fn any_page_of_a_long_log_is_found() {
    let mut scene = Scene::new();
    let padding = "x".repeat(1000);
    for n in 0..100 {
        let lines: Vec<String> = (1..=20).map(|k| format!("{} {padding}", n * 20 + k)).collect();
        scene.write(1, &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    for _ in 0..2 {
        for after in [0, 1, 19, 20, 55, 56, 57, 999, 1998, 1999, 2000, 2001, u64::MAX] {
            for limit in [0, 1, 7, 100] {
                let lines = scene.read(after, limit).await;
                let left = usize::try_from(2000_u64.saturating_sub(after)).expect("small");
                assert_eq!(lines.len(), left.min(limit), "after {after}");
                for (line, n) in lines.iter().zip(after.saturating_add(1)..) {
                    assert_eq!(line.seq, n);
                    assert!(line.text.starts_with(&format!("{n} ")));
                }
            }
        }
        scene.restart();
    }
}

#[tokio::test]
async fn a_line_torn_by_sudden_death_is_not_seen_and_repaired_by_the_next_one() {
    let mut scene = Scene::new();
    scene.write(1, &["one", "two"]).await;
    let whole = fs::read(scene.file()).expect("a file");
    fs::write(scene.file(), &whole[..whole.len() - 5]).expect("torn");
    scene.restart();

    assert_eq!(scene.texts().await, ["one"]);
    assert_eq!(scene.read(1, 10).await, []);
    scene.write(1, &["second"]).await;

    let lines = scene.read(0, 10).await;
    assert_numbered(&lines, 1);
    assert_eq!(scene.texts().await, ["one", "second"]);
}

#[tokio::test]
async fn a_line_lost_by_a_crash_of_the_machine_does_not_hide_the_others() {
    let mut scene = Scene::new();
    scene.write(1, &["one", "two", "three"]).await;
    let text = fs::read_to_string(scene.file()).expect("a file");
    fs::write(scene.file(), text.replace(r#""two""#, "\0\0\0\0\0")).expect("damaged");
    scene.restart();
    let lines = scene.read(0, 10).await;
    assert_eq!(lines.iter().map(|line| line.seq).collect::<Vec<_>>(), [1, 3]);
}

#[tokio::test]
async fn a_log_that_is_full_says_so_once_and_stays_within_its_bound() {
    let bounds = OutputBounds { work_bytes: 2000, ..OutputBounds::default() };
    let mut scene = Scene::with(bounds);
    for n in 0..50 {
        scene.write(1, &[&format!("line {n}"), "and another"]).await;
    }
    let lines = scene.read(0, 100).await;
    assert_numbered(&lines, 1);
    let (last, kept) = lines.split_last().expect("lines");
    assert_eq!(last.stream, OutputStream::System);
    assert!(last.text.starts_with("output truncated"), "{}", last.text);
    assert!(kept.len() > 5 && kept.iter().all(|line| line.stream == OutputStream::Stdout));
    let length = fs::metadata(scene.file()).expect("a file").len();
    assert!(length < 2000 + 200, "{length}");

    // Not even a line that would still fit is added, nor after a restart.
    scene.write(2, &["x"]).await;
    scene.restart();
    scene.write(2, &["x"]).await;
    assert_eq!(scene.read(0, 100).await, lines);
    // Other work has a bound of its own.
    write(&scene.log, task(2), 1, &["x"]).await;
    assert_eq!(scene.log.read(build(1), task(2), 0, 9).await.expect("readable").len(), 1);
}

#[tokio::test]
async fn output_that_cannot_be_kept_is_counted_and_the_run_goes_on() {
    let scene = Scene::new();
    scene.write(1, &["one"]).await;
    scene.log.remove_build(build(1)).await.expect("removed");
    // A file where the folder should be: nothing can be written.
    let folder = scene.file().parent().expect("a folder").to_owned();
    fs::write(&folder, "").expect("written");
    scene.write(1, &["two", "three"]).await;
    scene.write(1, &["four"]).await;
    fs::remove_file(&folder).expect("removed");

    scene.write(1, &["five"]).await;
    assert_eq!(scene.texts().await, ["3 lines of output could not be kept", "five"]);
    scene.write(1, &["six"]).await;
    assert_eq!(scene.texts().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_sees_every_line_once() {
    const LINES: u64 = 3000;
    let scene = Scene::with(OutputBounds { open_files: 1, ..OutputBounds::default() });
    scene.write(1, &["line 1", "line 2"]).await;
    let follower = tokio::spawn({
        let log = scene.log.clone();
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
        scene.write(1, &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
        // Other work pushes the file out of those that are kept open.
        write(&scene.log, task(u32::try_from(n % 5).expect("small") + 10), 1, &["x"]).await;
    }
    let seen = soon(follower).await.expect("no panic");
    assert_numbered(&seen, 1);
    assert!(seen.iter().all(|line| line.text == format!("line {}", line.seq)));
}

#[tokio::test]
async fn a_follower_of_finished_work_is_told_how_far_it_goes() {
    let mut scene = Scene::new();
    scene.write(1, &["one", "two"]).await;
    scene.restart();
    let mut last = scene.log.follow(build(1), task(1));
    assert_eq!(*soon(last.wait_for(|last| *last > 0)).await.expect("told"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_one_log_and_of_many_do_not_mix_lines() {
    let scene = Scene::with(OutputBounds { open_files: 2, ..OutputBounds::default() });
    let writers: Vec<_> = (0..12)
        .map(|n: u32| {
            let log = scene.log.clone();
            tokio::spawn(async move {
                for k in 0..50 {
                    write(&log, task(n % 4), n + 1, &[&k.to_string()]).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no panic");
    }
    for work in 0..4 {
        let lines = scene.log.read(build(1), task(work), 0, 1000).await.expect("readable");
        assert_eq!(lines.len(), 150);
        assert_numbered(&lines, 1);
        for attempt in [work + 1, work + 5, work + 9] {
            let of_attempt = lines.iter().filter(|line| line.attempt == Attempt(attempt));
            assert!(of_attempt.map(|line| line.text.clone()).eq((0..50).map(|k| k.to_string())));
        }
    }
}

#[tokio::test]
async fn a_removed_build_leaves_nothing_behind() {
    let scene = Scene::new();
    scene.write(1, &["one"]).await;
    scene.log.remove_build(build(1)).await.expect("removed");
    scene.log.remove_build(build(2)).await.expect("there was nothing to remove");
    assert!(scene.texts().await.is_empty());
    assert_eq!(fs::read_dir(scene.folder.path().join("output")).expect("a folder").count(), 0);
    scene.write(1, &["again"]).await;
    assert_numbered(&scene.read(0, 10).await, 1);
}
