//! What goes out.

use super::{Round, Sent};
use crate::{
    Courier,
    directory::disable,
    line::{Hopeless, Item, Next},
    message,
    sender::{Destination, LOOK_AGAIN, Lacking, unsent},
    verdict::Attempted,
};
use domain::endpoint::PayloadKind;
use ports::{AttemptError, Position, StoreError};
use std::{sync::Arc, time::Duration};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

/// So long after an event that tells of other keys they may come.
const KEYS_COME_WITHIN: Duration = Duration::from_secs(10);

impl Round<'_> {
    /// Keys may have changed.
    pub(super) async fn renew(&mut self) -> Result<(), StoreError> {
        if self.line.has_something() && self.to.valid_until <= Instant::now() {
            let sender = &self.courier().sender;
            self.to = Arc::new(sender.destination(self.id, self.version, &self.endpoint.spec).await?);
        }
        Ok(())
    }

    /// Sends what may be sent. The first request of an endpoint needs no slot, so others cannot hold it up.
    pub(super) fn dispatch(&mut self) {
        let now = self.now();
        self.later = None;
        if self.line.has_something() && self.waits_for_keys() {
            self.later = Some(now + LOOK_AGAIN);
            return;
        }
        while self.line.unstored() < self.most_unstored() {
            let slot = match self.line.in_flight() {
                0 => None,
                _ => match Arc::clone(&self.shared.slots).try_acquire_owned() {
                    Ok(slot) => Some(slot),
                    Err(_) => return,
                },
            };
            match self.line.next(now) {
                Next::Send(item) => {
                    let sent = self.send(*item, slot);
                    self.sending.spawn(sent);
                }
                Next::Later(at) => {
                    self.later = Some(at);
                    return;
                }
                Next::Nothing => return,
            }
        }
    }

    /// Whether the keys for what the endpoint is now are about to come, or another line with the endpoint as it is
    /// then. Without keys that do not come, deliveries fail, so that somebody notices.
    fn waits_for_keys(&self) -> bool {
        match self.to.lacks() {
            None | Some(Lacking::Unusable) => false,
            Some(Lacking::Behind) => self.begun.elapsed() < KEYS_COME_WITHIN,
            Some(Lacking::Ahead) => true,
        }
    }

    fn send(
        &self,
        item: Item,
        slot: Option<OwnedSemaphorePermit>,
    ) -> impl Future<Output = Sent> + Send + 'static {
        let (shared, to) = (Arc::clone(self.shared), Arc::clone(&self.to));
        let payload = self.endpoint.spec.payload;
        async move {
            let attempted = attempt(&shared.courier, &to, &item, payload).await;
            (item, attempted, slot)
        }
    }

    pub(super) fn ended(&mut self, (item, attempted, _slot): Sent) -> Result<(), StoreError> {
        let attempted = attempted?;
        self.courier().gauges.attempted(attempted.why());
        let now = self.now();
        self.oldest_unsent = item.event.as_ref().map(|event| event.recorded_at).or(self.oldest_unsent);
        let hopeless = self.line.ended(item, attempted, now);
        self.first_unstored.get_or_insert_with(Instant::now);
        if let Some(hopeless) = hopeless {
            self.give_up(hopeless);
        }
        Ok(())
    }

    /// Asks for the endpoint to be disabled. That comes back as an event, and ends this.
    pub(super) fn give_up(&self, hopeless: Hopeless) {
        let (shared, id) = (Arc::clone(self.shared), self.id);
        tokio::spawn(async move { disable(&shared.courier, id, hopeless).await });
    }
}

/// Sends an event, which may have to be read again.
async fn attempt(
    courier: &Courier,
    to: &Destination,
    item: &Item,
    payload: PayloadKind,
) -> Result<Attempted, StoreError> {
    let now = courier.sender.clock.now();
    let event = match &item.event {
        Some(event) => Some(event.clone()),
        None => {
            let before = Position(item.delivery.id.position.0.saturating_sub(1));
            courier.store.read_all(before, 1).await?.into_iter().next()
        }
    };
    let Some(event) = event else {
        return Ok(unsent(now, AttemptError::Protocol, "the event cannot be read"));
    };
    match message::body(&event, &item.delivery.event_id, payload) {
        Ok(body) => Ok(courier.sender.send(to, &item.delivery.event_id, body).await),
        Err(error) => {
            Ok(unsent(now, AttemptError::Protocol, &format!("the event cannot be written: {error}")))
        }
    }
}
