//! How many single-event appends a second the store takes, by how many wait at the same time and in how many
//! processes (stores), and how fast the log is read back.
//!
//! `cargo run --release -p buildwright-store-postgres --example postgres_append_rate [URL]`
//!
//! Without a URL it starts a server of its own, with the default settings and `fsync`.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use buildwright_store_postgres::{PostgresOptions, PostgresStore};
use chrono::{DateTime, Utc};
use domain::BuildId;
use ports::{Append, EventStore, Metadata, NewEvent, Position, StreamId, Version};
use std::{
    error::Error,
    time::{Duration, Instant},
};
use testkit::postgres::{Disk, Server};
use ulid::Ulid;

const SPAN: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut own = None;
    let url = match std::env::args().nth(1) {
        Some(url) => url,
        None => own.insert(Server::new(Disk::Flushed)).database(),
    };
    for (writers, processes) in [(1, 1), (16, 1), (64, 1), (256, 1), (64, 2), (64, 4)] {
        let mut stores = Vec::new();
        for _ in 0..processes {
            stores.push(PostgresStore::open(&url, PostgresOptions::default()).await?);
        }
        for events_per_stream in [u64::MAX, 1] {
            let (appends, mut times) = measure(&stores, writers, events_per_stream).await?;
            times.sort_unstable();
            let percentile = |p: usize| times.get(times.len() * p / 100).copied().unwrap_or_default();
            let streams = if events_per_stream == 1 { "new streams" } else { "own stream" };
            println!(
                "{writers:4} writers, {processes} stores, {streams:11}: {appends:8.0} appends/s, p50 {:?}, p99 {:?}",
                percentile(50),
                percentile(99)
            );
        }
        for store in stores {
            store.close().await;
        }
    }
    let (read, rate) = read_back(&url).await?;
    println!("read back {read} events: {rate:.0} events/s");
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts of a few seconds are small")]
async fn read_back(url: &str) -> Result<(Position, f64), Box<dyn Error>> {
    let store = PostgresStore::open(url, PostgresOptions::default()).await?;
    let (start, mut after) = (Instant::now(), Position(0));
    while let Some(last) = store.read_all(after, 1000).await?.last() {
        after = last.position;
    }
    Ok((after, after.0 as f64 / start.elapsed().as_secs_f64()))
}

async fn measure(
    stores: &[PostgresStore],
    writers: usize,
    events_per_stream: u64,
) -> Result<(f64, Vec<Duration>), Box<dyn Error>> {
    let start = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .zip(stores.iter().cycle())
        .map(|(_, store)| {
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
