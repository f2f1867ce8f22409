//! Whether there is something of Buildwright on a NATS server, and removing all of it.

use crate::{
    ConnectError, NatsBus, NatsOptions,
    connection::{Link, connect, unavailable},
    subjects,
};
use async_nats::jetstream;
use futures::TryStreamExt;
use ports::BusError;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Why it cannot be said what is on a server.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server does not say, for one because it has no JetStream.
    #[error("the NATS server does not say which streams it has: {0}")]
    Streams(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The streams on a server that are Buildwright's, or have the names of such, buckets among them. Makes nothing;
/// waits for the server as long as it takes.
///
/// # Errors
/// If the options cannot be right, or the server refuses.
pub async fn streams_on(options: &NatsOptions) -> Result<Vec<String>, LookError> {
    let (link, mut linked) = watch::channel(Link::default());
    let client = Box::pin(connect(options, link, CancellationToken::new())).await?;
    // A request would not wait for the server.
    let _ = linked.wait_for(|link| link.up).await;
    let streams = streams(&jetstream::new(client.clone())).await;
    let _ = client.drain().await;
    streams.map_err(LookError::Streams)
}

impl NatsBus {
    /// Removes every stream of Buildwright with what is in it. The bus gives out and takes nothing from then on,
    /// and must still be closed. While another process uses the bus, it makes the streams again.
    ///
    /// # Errors
    /// If the server cannot be reached or refuses.
    pub async fn remove_everything(&self) -> Result<(), BusError> {
        self.make_no_more().await;
        for name in streams(&self.jetstream).await.map_err(unavailable)? {
            self.jetstream.delete_stream(name).await.map_err(unavailable)?;
        }
        Ok(())
    }
}

async fn streams(jetstream: &jetstream::Context) -> Result<Vec<String>, async_nats::Error> {
    let names: Vec<String> = jetstream.stream_names().try_collect().await?;
    Ok(names.into_iter().filter(|name| subjects::is_ours(name)).collect())
}
