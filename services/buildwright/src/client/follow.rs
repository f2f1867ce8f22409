//! Following a stream for as long as it takes: connections come and go, events come once.

use super::{
    Client, ClientError,
    sse::{Parser, SseEvent},
};
use reqwest::{Method, Response};
use std::{collections::VecDeque, time::Duration};
use tokio::time::{Instant, timeout};

/// The server says something every 15 s; a connection this quiet is dead.
const QUIET: Duration = Duration::from_secs(50);
/// A server that does not come back within this time is gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same on this machine, where nothing lies in between, and another server may take its place.
const PATIENCE_WITH_OUR_OWN: Duration = Duration::from_secs(2);
/// Waits between attempts to come back.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// A stream that is followed.
#[derive(Debug)]
pub(crate) struct Follow {
    client: Client,
    path: String,
    last_id: Option<String>,
    connection: Option<Response>,
    parser: Parser,
    waiting: VecDeque<SseEvent>,
    lost: Option<Lost>,
    over: bool,
}

/// Whether a stream is over for us only: our key does not hold any more.
fn is_of_the_key(end: &SseEvent) -> bool {
    let data: serde_json::Value = serde_json::from_str(&end.data).unwrap_or_default();
    matches!(data["reason"].as_str(), Some("key_revoked" | "key_expired"))
}

impl Follow {
    pub(super) fn new(client: Client, path: String, after: Option<u64>) -> Self {
        Self {
            client,
            path,
            last_id: after.map(|place| place.to_string()),
            connection: None,
            parser: Parser::default(),
            waiting: VecDeque::new(),
            lost: None,
            over: false,
        }
    }

    /// The next event; `None` when the server says that there will be no more. Can be dropped while it waits.
    ///
    /// # Errors
    /// If the server refuses, or stays away for too long.
    pub(crate) async fn next(&mut self) -> Result<Option<SseEvent>, ClientError> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                if event.event == "end" {
                    if is_of_the_key(&event) {
                        // Whoever asks again is told why.
                        self.connection = None;
                        continue;
                    }
                    self.over = true;
                    return Ok(None);
                }
                if event.id.is_some() {
                    self.last_id.clone_from(&event.id);
                }
                return Ok(Some(event));
            }
            if self.over {
                return Ok(None);
            }
            if let Some(lost) = &self.lost {
                tokio::time::sleep_until(lost.retry_at).await;
            }
            match self.receive().await {
                Ok(()) => self.lost = None,
                Err(error) => self.lose(error)?,
            }
        }
    }

    fn lose(&mut self, error: ClientError) -> Result<(), ClientError> {
        self.connection = None;
        self.parser = Parser::default();
        let patience = if self.client.own_machine { PATIENCE_WITH_OUR_OWN } else { PATIENCE };
        let now = Instant::now();
        let lost = self.lost.get_or_insert(Lost { since: now, wait: FIRST_WAIT, retry_at: now });
        if !error.may_pass() || now.duration_since(lost.since) > patience {
            return Err(error);
        }
        lost.retry_at = now + lost.wait;
        lost.wait = (lost.wait * 2).min(LONGEST_WAIT);
        Ok(())
    }

    /// Connects, if need be, and reads what comes next.
    async fn receive(&mut self) -> Result<(), ClientError> {
        let silent = |reason: &str| ClientError::Unreachable {
            base: self.client.base().to_owned(),
            reason: reason.to_owned(),
        };
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let connecting = connect(&self.client, &self.path, self.last_id.as_deref());
                let connected =
                    timeout(QUIET, connecting).await.map_err(|_| silent("no answer in time"))??;
                none.insert(connected)
            }
        };
        let piece = timeout(QUIET, connection.chunk())
            .await
            .map_err(|_| silent("the stream went silent"))?
            .map_err(|source| ClientError::unreachable(self.client.base(), source))?;
        match piece {
            Some(bytes) => {
                let mut events = Vec::new();
                self.parser.feed(&bytes, &mut events).map_err(|_| ClientError::Answer {
                    what: "the server sends an event without an end".to_owned(),
                })?;
                self.waiting.extend(events);
                Ok(())
            }
            None => Err(silent("the stream was broken off")),
        }
    }
}

async fn connect(client: &Client, path: &str, after: Option<&str>) -> Result<Response, ClientError> {
    let mut request = client.request(Method::GET, path).header("accept", "text/event-stream");
    if let Some(id) = after {
        request = request.header("last-event-id", id);
    }
    client.send(request).await
}

/// A connection that was lost.
#[derive(Debug)]
struct Lost {
    since: Instant,
    wait: Duration,
    retry_at: Instant,
}
