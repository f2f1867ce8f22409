//! How many single-event appends a second the store takes, by how many wait at the same time, and how fast
//! the log is read back from the file.
//!
//! `cargo run --release -p buildwright-store-sqlite --example append_rate [FOLDER]`
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use buildwright_store_sqlite::{SqliteOptions, SqliteStore};
use chrono::{DateTime, Utc};
use domain::BuildId;
use ports::{Append, EventStore, Metadata, NewEvent, Position, StreamId, Version};
use std::{
    error::Error,
    path::PathBuf,
    time::{Duration, Instant},
};
use ulid::Ulid;

const SPAN: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(folder)?;
    let path = folder.path().join("events.db");
    let store = SqliteStore::open(&path, SqliteOptions::default()).await?;
    for writers in [1, 16, 64, 256] {
        for events_per_stream in [u64::MAX, 1] {
            let (appends, mut times) = measure(&store, writers, events_per_stream).await?;
            times.sort_unstable();
            let percentile = |p: usize| times.get(times.len() * p / 100).copied().unwrap_or_default();
            let streams = if events_per_stream == 1 { "new streams" } else { "own stream" };
            println!(
                "{writers:4} writers, {streams:11}: {appends:8.0} appends/s, p50 {:?}, p99 {:?}",
                percentile(50),
                percentile(99)
            );
        }
    }
    store.close().await;

    let store = SqliteStore::open(&path, SqliteOptions::default()).await?;
    let (start, mut after) = (Instant::now(), Position(0));
    loop {
        let page = store.read_all(after, 1000).await?;
        let Some(last) = page.last() else { break };
        after = last.position;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of a few seconds are small")]
    let rate = after.0 as f64 / start.elapsed().as_secs_f64();
    println!("read back {after} events from the file: {rate:.0} events/s");
    Ok(())
}

async fn measure(
    store: &SqliteStore,
    writers: u64,
    events_per_stream: u64,
) -> Result<(f64, Vec<Duration>), Box<dyn Error>> {
    let start = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut times = Vec::new();
                let mut append = append_to(new_stream());
                while start.elapsed() < SPAN {
                    let began = Instant::now();
                    let done = store.append(append.clone()).await?;
                    times.push(began.elapsed());
                    append.expected = done.version;
                    if done.version.0 >= events_per_stream {
                        append = append_to(new_stream());
                    }
                }
                Ok::<_, ports::AppendError>(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of a few seconds are small")]
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    Ok((rate, times))
}

#[expect(clippy::disallowed_methods, reason = "a program, whose streams need names like real ones")]
fn new_stream() -> StreamId {
    StreamId::Build(BuildId::new(Ulid::generate()))
}

fn append_to(stream: StreamId) -> Append {
    let payload = format!("{{\"summary\":\"{}\"}}", "x".repeat(386));
    Append {
        stream,
        expected: Version(0),
        events: vec![NewEvent { kind: "task_completed", schema_version: 1, payload }],
        metadata: Metadata { actor: Some("driver".into()), ..Metadata::default() },
        recorded_at: DateTime::<Utc>::UNIX_EPOCH,
    }
}
