//! Reading and writing streams. One that is gone is made again.

use super::unavailable;
use crate::{NatsBus, topology};
use async_nats::jetstream::{
    context::{PublishError, PublishErrorKind},
    message::{PublishMessage, StreamMessage},
    publish::PublishAck,
    stream::{DirectGetError, DirectGetErrorKind, LastRawMessageErrorKind, Stream},
};
use bytes::Bytes;
use ports::BusError;
use std::time::{Duration, Instant};

impl NatsBus {
    /// A stream by its name, without asking the server.
    pub(crate) async fn stream(&self, name: &str) -> Result<Stream<()>, async_nats::Error> {
        Ok(self.jetstream.get_stream_no_info(name).await?)
    }

    /// The first message of a subject from a number on.
    pub(crate) async fn message_from(
        &self,
        stream: &str,
        subject: &str,
        sequence: u64,
    ) -> Result<Option<StreamMessage>, async_nats::Error> {
        let get = async || {
            let stream = self.stream(stream).await?;
            found(stream.direct_get_next_for_subject(subject, Some(sequence)).await)
        };
        match get().await {
            Err(error) => {
                self.see_to_after(&error).await?;
                get().await
            }
            found => found,
        }
    }

    /// The last message of a subject, asking the leader: other replicas may not have it yet.
    pub(crate) async fn last_message(
        &self,
        stream: &str,
        subject: &str,
    ) -> Result<Option<StreamMessage>, async_nats::Error> {
        let get = async || match self.stream(stream).await?.get_last_raw_message_by_subject(subject).await {
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            other => Ok(Some(other?)),
        };
        match get().await {
            Err(error) => {
                self.see_to_after(&error).await?;
                get().await
            }
            found => found,
        }
    }

    /// After a failure though the server is there: its stream may be gone.
    async fn see_to_after(&self, error: &async_nats::Error) -> Result<(), BusError> {
        if !self.is_connected() {
            return Err(unavailable("NATS is not connected"));
        }
        tracing::debug!(%error, "streams are looked at");
        self.see_to_topology(false).await;
        Ok(())
    }

    /// Removes all messages of a subject, which may hold wildcards, from a stream.
    pub(crate) async fn purge(&self, stream: &str, subject: String) -> Result<(), async_nats::Error> {
        self.stream(stream).await?.purge().filter(subject).await?;
        Ok(())
    }

    /// When a stream was made, as the server says now.
    pub(crate) async fn made(&self, stream: &str) -> Result<i64, async_nats::Error> {
        let ask = async || topology::made(self.jetstream.get_stream(stream).await?.cached_info());
        match ask().await {
            Err(error) => {
                self.see_to_after(&error).await?;
                ask().await
            }
            made => made,
        }
    }

    /// Publishes to a stream and waits until it is stored. If the stream is gone it is made again.
    pub(crate) async fn publish(
        &self,
        subject: &str,
        message: PublishMessage,
    ) -> Result<PublishAck, PublishError> {
        let again = message.clone();
        match self.publish_once(subject, message).await {
            Err(error) if error.kind() == PublishErrorKind::StreamNotFound => {
                self.see_to_topology(false).await;
                self.publish_once(subject, again).await
            }
            other => other,
        }
    }

    pub(crate) async fn publish_once(
        &self,
        subject: &str,
        message: PublishMessage,
    ) -> Result<PublishAck, PublishError> {
        let sent = Instant::now();
        let stored = self.jetstream.send_publish(subject.to_owned(), message).await?.await;
        self.note_answer(subject, sent, &stored).await;
        stored
    }

    /// Asks the server something under a subject, such as one that a message is acknowledged at, and waits for
    /// the answer.
    pub(crate) async fn ask(
        &self,
        subject: &str,
        payload: &'static str,
        patience: Duration,
    ) -> Result<(), async_nats::Error> {
        let request = async_nats::Request::new()
            .payload(Bytes::from_static(payload.as_bytes()))
            .timeout(Some(patience));
        self.client.send_request(subject.to_owned(), request).await?;
        Ok(())
    }
}

fn found(message: Result<StreamMessage, DirectGetError>) -> Result<Option<StreamMessage>, async_nats::Error> {
    match message {
        Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
        other => Ok(Some(other?)),
    }
}
