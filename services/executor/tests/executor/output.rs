//! Lines on their way to the log.

use crate::{orders::*, scene::*};
use async_trait::async_trait;
use buildwright_executor::Output;
use domain::{
    BuildId,
    build::{Attempt, Work},
};
use ports::{OutputChunk, OutputLine, OutputLog, OutputStream, StoreError};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

#[tokio::test]
async fn what_a_command_prints_is_in_the_log_in_order() {
    let scene = Scene::new().await;
    let order = task(1, 0, command("seq 1 5000; exit 1"));
    assert!(scene.carry_out(&order).await.result.is_err());
    let lines = scene.lines(&order).await;
    let (first, last) = (lines.first().unwrap(), lines.last().unwrap());
    assert_eq!((first.stream, first.text.as_str()), (OutputStream::System, "$ seq 1 5000; exit 1"));
    assert!(last.stream == OutputStream::System && last.text.starts_with("failed: "), "{last:?}");
    let printed: Vec<String> = lines[1..lines.len() - 1].iter().map(|line| line.text.clone()).collect();
    assert_eq!(printed, (1..=5000).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn lines_that_are_no_text_or_never_end_are_taken_as_they_come() {
    let scene = Scene::new().await;
    let order =
        task(1, 0, command(r"printf 'caf\351\n'; head -c 150000 /dev/zero | tr '\0' x; printf '\nend'"));
    task_result(scene.carry_out(&order).await);
    let lines = scene.lines(&order).await;
    let printed: Vec<&str> = lines[1..].iter().map(|line| line.text.as_str()).collect();
    assert_eq!(printed.first(), Some(&"caf\u{fffd}"));
    assert_eq!(printed.last(), Some(&"end"));
    assert_eq!(printed[1..printed.len() - 1].concat(), "x".repeat(150_000));
}

/// A log that stands still until it is let go.
struct SlowLog {
    open: watch::Sender<bool>,
    written: Mutex<Vec<String>>,
}

#[async_trait]
impl OutputLog for SlowLog {
    async fn write(&self, chunk: OutputChunk) {
        self.open.subscribe().wait_for(|open| *open).await.unwrap();
        self.written.lock().unwrap().extend(chunk.lines.into_iter().map(|(_, _, text)| text));
    }

    async fn read(&self, _: BuildId, _: Work, _: u64, _: usize) -> Result<Vec<OutputLine>, StoreError> {
        Err(StoreError::Closed)
    }

    fn follow(&self, _: BuildId, _: Work) -> watch::Receiver<u64> {
        watch::Sender::new(0).subscribe()
    }
}

/// Pours lines into a log that stands still; what is in it in the end.
async fn flood(lines: usize, text: &str) -> Vec<String> {
    let log = Arc::new(SlowLog { open: watch::Sender::new(false), written: Mutex::default() });
    let output = Output::open(Arc::clone(&log) as _, Arc::new(Noon), build(1), Work::Plan, Attempt::FIRST);
    for _ in 0..lines {
        output.line(OutputStream::Stdout, text);
    }
    log.open.send_replace(true);
    soon(output.close()).await;
    let mut written = log.written.lock().unwrap();
    std::mem::take(&mut *written)
}

#[tokio::test]
async fn a_flood_blocks_nobody_and_what_is_left_out_is_said() {
    for text in ["0123456789".repeat(10), String::new()] {
        let poured = 1_000_000;
        let mut written = flood(poured, &text).await;
        let note = written.pop().unwrap();
        let dropped: usize = note.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(written.len() + dropped, poured, "{note}");
        assert!(dropped > poured / 2, "lines of {} characters are held in memory", text.len());
    }
}

#[tokio::test]
async fn lines_that_can_be_kept_are_all_kept() {
    let written = flood(1_000, "x").await;
    assert_eq!(written, vec!["x"; 1_000]);
}
