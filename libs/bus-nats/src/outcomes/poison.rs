//! Orders that were handed out too often: work that kills its executor, or that nobody can read. The server
//! leaves them in the stream and says so once; here they become reports of failure, and end.

use super::NatsOutcomes;
use crate::{
    lane::Lane,
    pull::Pull,
    queue::lanes,
    subjects::{self, ADVISORIES, POISON},
};
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use domain::{Failure, FailureClass, Usage, build::Outcome};
use futures::TryStreamExt;
use ports::{ExecutorName, OutcomeBus, OutcomeReport};
use serde::Deserialize;
use std::time::Duration;

/// Who reports.
const REPORTER: &str = "bus";
/// How long to wait before trying again.
const AGAIN: Duration = Duration::from_millis(500);

/// What the server says.
#[derive(Debug, Deserialize)]
struct Advisory {
    stream: String,
    consumer: String,
    stream_seq: u64,
    deliveries: u64,
}

pub(super) fn start(outcomes: NatsOutcomes) {
    let swept = outcomes.clone();
    swept.bus.clone().spawn_until_closed(async move {
        let Ok(mut pull) = Pull::new(&outcomes.bus, ADVISORIES, POISON).await else { return };
        while let Ok(message) = pull.next(1).await {
            while let Err(error) = follow(&outcomes, &message).await {
                if outcomes.bus.closed.is_cancelled() {
                    return;
                }
                tracing::warn!(%error, "an order that was handed out too often is still to be ended");
                tokio::time::sleep(AGAIN).await;
            }
        }
        pull.close().await;
    });
    swept.bus.clone().spawn(sweep(swept));
}

async fn follow(outcomes: &NatsOutcomes, message: &async_nats::Message) -> Result<(), async_nats::Error> {
    match serde_json::from_slice::<Advisory>(&message.payload) {
        Ok(Advisory { stream, consumer, stream_seq, deliveries }) => {
            // Others may use the same server.
            if subjects::holds_tasks(&stream) && Lane::of_consumer(&consumer).is_some() {
                end(outcomes, &stream, stream_seq, Some(deliveries)).await?;
            }
        }
        Err(error) => tracing::error!(%error, "an advisory cannot be read"),
    }
    if let Some(reply) = &message.reply {
        outcomes.bus.ask(reply, "+ACK", outcomes.bus.options.request_timeout).await?;
    }
    Ok(())
}

/// Reports an order's attempt as failed, then removes the order: in this order, so that a crash between the two
/// reports it twice instead of never.
async fn end(
    outcomes: &NatsOutcomes,
    stream: &str,
    sequence: u64,
    deliveries: Option<u64>,
) -> Result<(), async_nats::Error> {
    let bus = &outcomes.bus;
    let stream = bus.stream(stream).await?;
    let message = match stream.get_raw_message(sequence).await {
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => return Ok(()),
        message => message?,
    };
    let deliveries = deliveries.unwrap_or(bus.options.max_deliver.into());
    tracing::error!(subject = %message.subject, deliveries, "an order was handed out too often");
    if let Some((build, work, attempt)) = subjects::attempt_of_task(&message.subject) {
        let why = format!("{deliveries} executors took it up, and none of them came to an end with it");
        let outcome = Outcome {
            result: Err(Failure::new(FailureClass::Lost, why)),
            usage: Usage::default(),
            session_id: None,
            duration_ms: 0,
        };
        let executor = ExecutorName(REPORTER.into());
        outcomes.report(OutcomeReport::Finished { build, work, attempt, executor, outcome }).await?;
    }
    stream.delete_message(sequence).await?;
    Ok(())
}

/// Looks for such orders whose advisory got lost.
async fn sweep(outcomes: NatsOutcomes) {
    loop {
        tokio::select! {
            () = outcomes.bus.closed.cancelled() => return,
            () = tokio::time::sleep(outcomes.bus.options.sweep_every) => {}
        }
        if outcomes.bus.is_connected()
            && let Err(error) = sweep_once(&outcomes).await
        {
            tracing::warn!(%error, "orders that were handed out too often cannot be looked for");
        }
    }
}

async fn sweep_once(outcomes: &NatsOutcomes) -> Result<(), async_nats::Error> {
    let bus = &outcomes.bus;
    for name in lanes::streams(bus).await? {
        let mut consumers = bus.stream(&name).await?.consumers();
        while let Some(consumer) = consumers.try_next().await? {
            if Lane::of_consumer(&consumer.name).is_none() {
                continue;
            }
            // A settled order is removed: what the consumer is done with, and is still there, was not settled.
            let (orders, done) = (&consumer.config.filter_subject, consumer.ack_floor.stream_sequence);
            let mut from = 1;
            while let Some(left) = bus.message_from(&name, orders, from).await?
                && left.sequence <= done
            {
                end(outcomes, &name, left.sequence, None).await?;
                from = left.sequence + 1;
            }
        }
    }
    Ok(())
}
