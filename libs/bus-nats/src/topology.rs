//! Streams and consumers: what they keep, and for whom. Making them is idempotent.

use crate::{
    NatsOptions,
    artifacts::Bucket,
    lane::Lane,
    subjects::{self as subject, ADVISORIES, EVENTS, OUTCOMES, OUTPUT},
};
use async_nats::jetstream::{
    Context, ErrorCode,
    consumer::{AckPolicy, pull},
    context::CreateStreamErrorKind,
    stream::{Config, DiscardPolicy, RetentionPolicy},
};
use names::PoolName;
use std::time::Duration;

/// How long JetStream remembers the ids of messages, but for streams that keep nothing as long.
const DUPLICATES: Duration = Duration::from_mins(2);
/// Reports that were handed to drivers and not confirmed yet: above what drivers take at once.
const REPORTS_HELD: i64 = 20_000;
/// How long a report stays with a driver that gives no sign of life.
pub(crate) const REPORT_WAIT: Duration = Duration::from_secs(30);
/// Pull requests that wait at one consumer: above the number of executors.
const PULLS: i64 = 8_192;

/// Makes what is not there. With `update`, also changes what other bounds were used for. Returns when the
/// stream of our pool's orders was made, in nanoseconds.
pub(crate) async fn see_to(
    jetstream: &Context,
    options: &NatsOptions,
    update: bool,
) -> Result<i64, async_nats::Error> {
    for stream in streams(options) {
        see_to_stream(jetstream, stream, update).await?;
    }
    see_to_stream(jetstream, tasks(options, &options.pool), update).await?;
    let lane = executors(options, &options.pool, &Lane::default());
    let tasks = jetstream.get_stream(subject::tasks(&options.pool)).await?;
    let made = i64::try_from(tasks.cached_info().created.unix_timestamp_nanos())?;
    tasks.create_consumer(lane).await?;
    jetstream.create_consumer_on_stream(driver(), OUTCOMES).await?;
    jetstream.create_consumer_on_stream(poison(), ADVISORIES).await?;
    Ok(made)
}

/// Makes what orders of a pool's lane need.
pub(crate) async fn see_to_lane(
    jetstream: &Context,
    options: &NatsOptions,
    pool: &PoolName,
    lane: &Lane,
) -> Result<(), async_nats::Error> {
    see_to_stream(jetstream, tasks(options, pool), false).await?;
    jetstream.create_consumer_on_stream(executors(options, pool, lane), subject::tasks(pool)).await?;
    Ok(())
}

async fn see_to_stream(jetstream: &Context, config: Config, update: bool) -> Result<(), async_nats::Error> {
    match jetstream.create_stream(config.clone()).await {
        Ok(_) => Ok(()),
        Err(error) if is_of_other_bounds(&error.kind()) => {
            if update {
                jetstream.update_stream(config).await?;
            }
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

fn is_of_other_bounds(kind: &CreateStreamErrorKind) -> bool {
    matches!(kind, CreateStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NAME_EXIST)
}

fn stream(options: &NatsOptions, name: &str, subjects: &[&str]) -> Config {
    Config {
        name: name.to_owned(),
        subjects: subjects.iter().map(|&subject| subject.to_owned()).collect(),
        num_replicas: options.replicas,
        allow_direct: true,
        duplicate_window: DUPLICATES,
        ..Config::default()
    }
}

fn queue(options: &NatsOptions, name: &str, subject: &str) -> Config {
    Config {
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::New,
        ..stream(options, name, &[subject])
    }
}

/// A subject per attempt and one message per subject: while an order waits or is held it cannot be there twice,
/// however long that takes. Message ids do the same for two minutes only, but also after the order is settled.
fn tasks(options: &NatsOptions, pool: &PoolName) -> Config {
    Config {
        max_messages: options.queue_capacity.into(),
        max_messages_per_subject: 1,
        discard_new_per_subject: true,
        ..queue(options, &subject::tasks(pool), &subject::tasks_of_pool(pool))
    }
}

fn streams(options: &NatsOptions) -> [Config; 6] {
    let kept = |name, subject, age, bytes| Config {
        max_age: age,
        duplicate_window: DUPLICATES.min(age),
        max_bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
        discard: DiscardPolicy::Old,
        ..stream(options, name, &[subject])
    };
    // As the object store makes it, so that its tools read it.
    let bucket = |bucket: Bucket, age| {
        let name = bucket.name();
        Config {
            max_age: age,
            // No age is none at all.
            duplicate_window: if age.is_zero() { DUPLICATES } else { DUPLICATES.min(age) },
            discard: DiscardPolicy::New,
            allow_rollup: true,
            ..stream(options, bucket.stream(), &[&format!("$O.{name}.C.>"), &format!("$O.{name}.M.>")])
        }
    };
    [
        queue(options, OUTCOMES, subject::ALL_OUTCOMES),
        // Advisories come at most once to whoever listens: so a stream listens.
        queue(options, ADVISORIES, subject::MAX_DELIVERIES),
        kept(OUTPUT, subject::ALL_OUTPUT, options.output_age, options.output_bytes),
        kept(EVENTS, subject::ALL_EVENTS, options.events_age, options.events_bytes),
        bucket(Bucket::Builds, options.artifacts_age),
        bucket(Bucket::Projects, Duration::ZERO),
    ]
}

/// One consumer for all executors of a pool that have the labels. No `backoff`: it would replace `ack_wait`.
fn executors(options: &NatsOptions, pool: &PoolName, lane: &Lane) -> pull::Config {
    pull::Config {
        durable_name: Some(lane.consumer()),
        filter_subject: subject::tasks_of_lane(pool, lane),
        ack_policy: AckPolicy::Explicit,
        ack_wait: options.ack_wait,
        max_deliver: options.max_deliver.max(1).into(),
        // When it is reached, nothing is handed out any more and nobody is told: so it cannot be reached.
        max_ack_pending: i64::from(options.queue_capacity).max(1_000),
        max_waiting: PULLS,
        ..pull::Config::default()
    }
}

/// Reports come again until they are confirmed.
fn driver() -> pull::Config {
    pull::Config {
        durable_name: Some(subject::DRIVER.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: REPORT_WAIT,
        max_deliver: -1,
        max_ack_pending: REPORTS_HELD,
        max_waiting: PULLS,
        ..pull::Config::default()
    }
}

fn poison() -> pull::Config {
    pull::Config { durable_name: Some(subject::POISON.to_owned()), ..driver() }
}
