//! Streams and consumers: what they keep, and for whom. Making them is idempotent.

use crate::{
    NatsOptions,
    artifacts::{Bucket, BucketsMade},
    lane::Lane,
    subjects::{self as subject, ADVISORIES, EVENTS, OUTCOMES, OUTPUT},
};
use async_nats::jetstream::{
    Context, ErrorCode,
    consumer::{AckPolicy, pull},
    context::{ConsumerInfoErrorKind, CreateStreamErrorKind},
    stream::{Config, DiscardPolicy, Info, RetentionPolicy},
};
use futures::TryStreamExt;
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

/// When streams were made that lose their meaning, or what they held, when they are made anew.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Made {
    /// The stream of our pool's orders, in nanoseconds.
    pub(crate) tasks: i64,
    /// The number of its last message.
    pub(crate) last_order: u64,
    pub(crate) buckets: BucketsMade,
}

/// Which streams may be made.
#[derive(Clone, Copy)]
pub(crate) enum Makes<'a> {
    /// Those that are not there. With `update`, what other bounds were used for is changed.
    All { update: bool },
    /// These. The others are there, or are being removed just now.
    Only(&'a [String]),
}

impl Makes<'_> {
    fn updates(self) -> bool {
        matches!(self, Self::All { update: true })
    }
}

/// Makes what is not there and may be made.
pub(crate) async fn see_to(
    jetstream: &Context,
    options: &NatsOptions,
    makes: Makes<'_>,
) -> Result<Made, async_nats::Error> {
    for stream in streams(options) {
        see_to_stream(jetstream, stream, makes).await?;
    }
    let [builds, projects] = buckets(options);
    let buckets = BucketsMade {
        builds: see_to_stream(jetstream, builds, makes).await?.made,
        projects: see_to_stream(jetstream, projects, makes).await?.made,
    };
    let tasks = see_to_stream(jetstream, tasks(options, &options.pool), makes).await?;
    let lane = executors(options, &options.pool, &Lane::default());
    see_to_consumer(jetstream, lane, &subject::tasks(&options.pool), makes.updates()).await?;
    see_to_consumer(jetstream, driver(), OUTCOMES, makes.updates()).await?;
    see_to_consumer(jetstream, poison(), ADVISORIES, makes.updates()).await?;
    Ok(Made { tasks: tasks.made, last_order: tasks.last, buckets })
}

/// Makes what orders of a pool's lane need.
pub(crate) async fn see_to_lane(
    jetstream: &Context,
    options: &NatsOptions,
    pool: &PoolName,
    lane: &Lane,
    makes: Makes<'_>,
) -> Result<(), async_nats::Error> {
    see_to_stream(jetstream, tasks(options, pool), makes).await?;
    let updates = matches!(makes, Makes::All { .. });
    see_to_consumer(jetstream, executors(options, pool, lane), &subject::tasks(pool), updates).await
}

/// The streams that [`see_to`] sees to.
pub(crate) fn names(options: &NatsOptions) -> Vec<String> {
    let tasks = tasks(options, &options.pool);
    streams(options).into_iter().chain(buckets(options)).chain([tasks]).map(|stream| stream.name).collect()
}

/// Which of these streams are not there, and have not been for a while.
///
/// A server that removes a stream first tells whoever waits there, and then removes the files, by the stream's
/// name: also those of a stream of that name that was made meanwhile. Such a stream is listed like any other, but
/// answers no publish, for ever.
pub(crate) async fn gone(
    jetstream: &Context,
    names: &[String],
    pause: Duration,
) -> Result<Vec<String>, async_nats::Error> {
    let mut gone = missing(jetstream, names).await?;
    if !gone.is_empty() {
        tokio::time::sleep(pause).await;
        let still = missing(jetstream, names).await?;
        gone.retain(|name| still.contains(name));
    }
    Ok(gone)
}

async fn missing(jetstream: &Context, names: &[String]) -> Result<Vec<String>, async_nats::Error> {
    let there: Vec<String> = jetstream.stream_names().try_collect().await?;
    Ok(names.iter().filter(|name| !there.contains(name)).cloned().collect())
}

/// Removes a stream. Its consumers go first: what is left of them where the stream's own files are gone would be
/// taken for the beginnings of new ones.
pub(crate) async fn remove(jetstream: &Context, name: &str) -> Result<(), async_nats::Error> {
    let stream = jetstream.get_stream_no_info(name).await?;
    let consumers: Vec<String> = stream.consumer_names().try_collect().await?;
    for consumer in consumers {
        // Another process may do the same now.
        let _ = stream.delete_consumer(&consumer).await;
    }
    jetstream.delete_stream(name).await?;
    Ok(())
}

/// Makes a consumer unless it is there. One that has delivered what its stream does not hold yet is left over from
/// a stream of that name that was removed: it would pass over what comes.
async fn see_to_consumer(
    jetstream: &Context,
    config: pull::Config,
    stream: &str,
    update: bool,
) -> Result<(), async_nats::Error> {
    let name = config.durable_name.clone().unwrap_or_default();
    let is_there = if update { None } else { delivered(jetstream, stream, &name).await? };
    let delivered = match is_there {
        Some(delivered) => delivered,
        None => match jetstream.create_consumer_on_stream(config.clone(), stream).await {
            Ok(consumer) => consumer.cached_info().delivered.stream_sequence,
            // One that cannot be changed is still better than none.
            Err(error) => match delivered(jetstream, stream, &name).await? {
                Some(delivered) => delivered,
                None => return Err(error.into()),
            },
        },
    };
    if delivered > 0 && delivered > found(jetstream, stream).await?.last {
        tracing::warn!(stream, consumer = name, "a consumer is left over from a stream that was removed");
        jetstream.delete_consumer_from_stream(&name, stream).await?;
        jetstream.create_consumer_on_stream(config, stream).await?;
    }
    Ok(())
}

/// The number of the last message that a consumer delivered, if it is there.
async fn delivered(jetstream: &Context, stream: &str, name: &str) -> Result<Option<u64>, async_nats::Error> {
    let stream = jetstream.get_stream_no_info(stream).await?;
    match stream.consumer_info(name).await {
        Ok(info) => Ok(Some(info.delivered.stream_sequence)),
        Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A stream as it is now.
pub(crate) async fn found(jetstream: &Context, stream: &str) -> Result<Found, async_nats::Error> {
    Found::of(jetstream.get_stream(stream).await?.cached_info())
}

/// A stream as it is, or as it was made.
async fn see_to_stream(
    jetstream: &Context,
    config: Config,
    makes: Makes<'_>,
) -> Result<Found, async_nats::Error> {
    let name = config.name.clone();
    if matches!(makes, Makes::Only(names) if !names.contains(&name)) {
        return found(jetstream, &name).await;
    }
    match jetstream.create_stream(config.clone()).await {
        Ok(stream) => Found::of(stream.cached_info()),
        Err(error) if is_of_other_bounds(&error.kind()) => {
            if makes.updates() {
                return Found::of(&jetstream.update_stream(config).await?);
            }
            found(jetstream, &name).await
        }
        Err(error) => Err(error.into()),
    }
}

/// A stream, as it was found or made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// When it was made, in nanoseconds.
    made: i64,
    /// The number of its last message.
    last: u64,
}

impl Found {
    fn of(info: &Info) -> Result<Self, async_nats::Error> {
        Ok(Self { made: made(info)?, last: info.state.last_sequence })
    }
}

/// When a stream was made, in nanoseconds.
pub(crate) fn made(info: &Info) -> Result<i64, async_nats::Error> {
    Ok(i64::try_from(info.created.unix_timestamp_nanos())?)
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

/// The server refuses to remember ids for longer than it keeps messages; 0 keeps them for ever.
fn duplicates(age: Duration) -> Duration {
    if age.is_zero() { DUPLICATES } else { DUPLICATES.min(age) }
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

fn streams(options: &NatsOptions) -> [Config; 4] {
    let kept = |name, subject, age, bytes| Config {
        max_age: age,
        duplicate_window: duplicates(age),
        max_bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
        discard: DiscardPolicy::Old,
        ..stream(options, name, &[subject])
    };
    [
        queue(options, OUTCOMES, subject::ALL_OUTCOMES),
        // Advisories come at most once to whoever listens: so a stream listens.
        queue(options, ADVISORIES, subject::MAX_DELIVERIES),
        kept(OUTPUT, subject::ALL_OUTPUT, options.output_age, options.output_bytes),
        kept(EVENTS, subject::ALL_EVENTS, options.events_age, options.events_bytes),
    ]
}

fn buckets(options: &NatsOptions) -> [Config; 2] {
    // As the object store makes it, so that its tools read it.
    let bucket = |bucket: Bucket, age| {
        let name = bucket.name();
        Config {
            max_age: age,
            duplicate_window: duplicates(age),
            discard: DiscardPolicy::New,
            allow_rollup: true,
            ..stream(options, bucket.stream(), &[&format!("$O.{name}.C.>"), &format!("$O.{name}.M.>")])
        }
    };
    [bucket(Bucket::Builds, options.artifacts_age), bucket(Bucket::Projects, Duration::ZERO)]
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
