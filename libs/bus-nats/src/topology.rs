//! Streams and consumers: what they keep, and for whom. Making them is idempotent.

use crate::{NatsOptions, subjects as names};
use async_nats::jetstream::{
    Context, ErrorCode,
    consumer::{AckPolicy, pull},
    context::CreateStreamErrorKind,
    stream::{Config, DiscardPolicy, RetentionPolicy},
};
use std::time::Duration;

/// How long JetStream remembers the ids of messages.
const DUPLICATES: Duration = Duration::from_mins(2);
/// Reports that were handed to drivers and not confirmed yet: above what drivers take at once.
const REPORTS_HELD: i64 = 20_000;
/// How long a report stays with a driver that gives no sign of life.
pub(crate) const REPORT_WAIT: Duration = Duration::from_secs(30);
/// Pull requests that wait at one consumer: above the number of executors.
const PULLS: i64 = 8_192;

/// Makes what is not there. With `update`, also changes what other bounds were used for. Returns when the
/// stream of orders was made, in nanoseconds.
pub(crate) async fn see_to(
    jetstream: &Context,
    options: &NatsOptions,
    update: bool,
) -> Result<i64, async_nats::Error> {
    for stream in streams(options) {
        see_to_stream(jetstream, stream, update).await?;
    }
    let tasks = jetstream.get_stream(names::tasks(&options.pool)).await?;
    let made = i64::try_from(tasks.cached_info().created.unix_timestamp_nanos())?;
    tasks.create_consumer(executors(options)).await?;
    jetstream.create_consumer_on_stream(driver(), names::OUTCOMES).await?;
    jetstream.create_consumer_on_stream(poison(), names::ADVISORIES).await?;
    Ok(made)
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

fn streams(options: &NatsOptions) -> [Config; 6] {
    let stream = |name: &str, subjects: &[&str]| Config {
        name: name.to_owned(),
        subjects: subjects.iter().map(|&subject| subject.to_owned()).collect(),
        num_replicas: options.replicas,
        allow_direct: true,
        duplicate_window: DUPLICATES,
        ..Config::default()
    };
    let queue = |name: &str, subject: &str| Config {
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::New,
        ..stream(name, &[subject])
    };
    let kept = |name, subject, age, bytes| Config {
        max_age: age,
        max_bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
        discard: DiscardPolicy::Old,
        ..stream(name, &[subject])
    };
    [
        // A subject per attempt and one message per subject: while an order waits or is held it cannot be
        // there twice, however long that takes. Message ids do the same for two minutes only, but also
        // after the order is settled.
        Config {
            max_messages: options.queue_capacity.into(),
            max_messages_per_subject: 1,
            discard_new_per_subject: true,
            ..queue(&names::tasks(&options.pool), &names::tasks_of_pool(&options.pool))
        },
        queue(names::OUTCOMES, names::ALL_OUTCOMES),
        // Advisories come at most once to whoever listens: so a stream listens.
        queue(names::ADVISORIES, names::MAX_DELIVERIES),
        kept(names::OUTPUT, names::ALL_OUTPUT, options.output_age, options.output_bytes),
        kept(names::EVENTS, names::ALL_EVENTS, options.events_age, options.events_bytes),
        // As the object store makes it, so that its tools read it.
        Config {
            max_age: options.artifacts_age,
            discard: DiscardPolicy::New,
            allow_rollup: true,
            ..stream(
                names::ARTIFACTS,
                &[&format!("$O.{}.C.>", names::BUCKET), &format!("$O.{}.M.>", names::BUCKET)],
            )
        },
    ]
}

/// One consumer for all executors of a pool. No filter: it would make taking slow, see `queue`. No `backoff`: it
/// would replace `ack_wait`.
fn executors(options: &NatsOptions) -> pull::Config {
    pull::Config {
        durable_name: Some(names::EXECUTORS.to_owned()),
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
        durable_name: Some(names::DRIVER.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: REPORT_WAIT,
        max_deliver: -1,
        max_ack_pending: REPORTS_HELD,
        max_waiting: PULLS,
        ..pull::Config::default()
    }
}

fn poison() -> pull::Config {
    pull::Config { durable_name: Some(names::POISON.to_owned()), ..driver() }
}
