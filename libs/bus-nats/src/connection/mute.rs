//! Queues that answer no publish any more.
//!
//! A server that once could not write to a stream drops whatever is published to it, without a word, until it is
//! started again. It still lists the stream, and gives out what lies in it. So a queue that is mute for long,
//! while the server answers and nobody else gets anything into it either, is removed and made again. Nothing of
//! it is the truth: the driver offers orders again, executors report until they are confirmed. Where artifacts
//! are, nothing is removed.

use crate::{NatsBus, subjects, topology};
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// The queues that answered nothing of late.
#[derive(Default)]
pub(super) struct Mutes(Mutex<HashMap<String, Mute>>);

struct Mute {
    /// When that was published which was the first to be not answered.
    since: Instant,
    /// How the stream was then.
    found: topology::Found,
}

impl Mutes {
    fn mutes(&self) -> MutexGuard<'_, HashMap<String, Mute>> {
        // Nothing between two changes can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since when a queue has been mute, and as it was found now.
    fn since(&self, queue: &str, sent: Instant, found: topology::Found) -> Instant {
        let mut mutes = self.mutes();
        let mute = mutes.entry(queue.to_owned()).or_insert(Mute { since: sent, found });
        if mute.found != found {
            *mute = Mute { since: sent, found };
        }
        mute.since
    }
}

impl NatsBus {
    /// Takes note of whether what was published at a time was answered, if it went to a queue.
    pub(super) async fn note_answer<T>(
        &self,
        subject: &str,
        sent: Instant,
        answer: &Result<T, PublishError>,
    ) {
        let is_missing = answer.as_ref().is_err_and(|error| error.kind() == PublishErrorKind::TimedOut);
        if !is_missing && self.mutes.mutes().is_empty() {
            return;
        }
        let Some(queue) = subjects::queue_of(subject) else { return };
        if !is_missing {
            self.mutes.mutes().remove(&queue);
        } else if self.is_connected()
            && let Err(error) = self.unanswered(&queue, sent).await
        {
            tracing::debug!(%error, queue, "a queue does not answer, and nothing is to be heard of it");
        }
    }

    async fn unanswered(&self, queue: &str, sent: Instant) -> Result<(), async_nats::Error> {
        let found = topology::found(&self.jetstream, queue).await?;
        let since = self.mutes.since(queue, sent, found);
        if since.elapsed() >= self.options.mute_after {
            self.make_anew(queue, found).await?;
            self.mutes.mutes().remove(queue);
        }
        Ok(())
    }
}
