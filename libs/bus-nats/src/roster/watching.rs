use super::{ALL, ROLL_CALL, RosterBounds};
use crate::{NatsBus, connection::Link};
use async_nats::Message;
use bytes::Bytes;
use futures::StreamExt;
use ports::ExecutorStatus;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    sync::watch as channel,
    time::{Instant, sleep_until},
};

/// What was heard of executors.
pub(super) struct Watch {
    list: Mutex<List>,
    /// In which epoch of the connection the roll was called, and when all must have answered.
    called: channel::Sender<Option<(u64, Instant)>>,
}

/// Executors by token, and when each was heard of. Pure.
pub(super) struct List {
    bounds: RosterBounds,
    heard: BTreeMap<String, (ExecutorStatus, Instant)>,
}

impl List {
    pub(super) fn new(bounds: RosterBounds) -> Self {
        Self { bounds, heard: BTreeMap::new() }
    }

    /// Takes note of a message, if it makes sense.
    fn hear(&mut self, token: &str, body: &[u8], now: Instant) {
        if body.is_empty() {
            self.heard.remove(token);
            return;
        }
        if body.len() > self.bounds.bytes {
            return tracing::debug!(
                token,
                bytes = body.len(),
                "what an executor says of itself is too large"
            );
        }
        match serde_json::from_slice::<ExecutorStatus>(body) {
            Ok(status) if super::token(&status.name) == token => {
                if !self.heard.contains_key(token) && self.heard.len() >= self.bounds.executors {
                    self.expire(now);
                }
                if self.heard.contains_key(token) || self.heard.len() < self.bounds.executors {
                    self.heard.insert(token.to_owned(), (status, now));
                }
            }
            Ok(status) => tracing::debug!(token, name = %status.name, "an executor is named as another"),
            Err(error) => tracing::debug!(token, %error, "what an executor says of itself cannot be read"),
        }
    }

    fn expire(&mut self, now: Instant) {
        let expiry = self.bounds.expiry;
        self.heard.retain(|_, (_, heard)| now.saturating_duration_since(*heard) < expiry);
    }

    fn executors(&mut self, now: Instant) -> Vec<ExecutorStatus> {
        self.expire(now);
        let mut executors: Vec<_> = self.heard.values().map(|(status, _)| status.clone()).collect();
        executors.sort_by(|one, other| one.name.0.cmp(&other.name.0));
        executors
    }
}

impl Watch {
    pub(super) fn new(list: List) -> Self {
        Self { list: Mutex::new(list), called: channel::Sender::new(None) }
    }

    fn list(&self) -> MutexGuard<'_, List> {
        // Nothing between two changes can panic.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is there, once all had time to answer; nothing if NATS is away.
    pub(super) async fn executors(&self, bus: &NatsBus) -> Option<Vec<ExecutorStatus>> {
        let mut link = bus.link();
        let Link { up: true, epoch } = *link.borrow_and_update() else { return None };
        let mut called = self.called.subscribe();
        let answered = async {
            let of_now = called.wait_for(|called| called.is_some_and(|(of, _)| of >= epoch)).await;
            let (_, answered) = (*of_now.ok()?)?;
            sleep_until(answered).await;
            Some(())
        };
        tokio::select! {
            biased;
            answered = answered => answered?,
            _ = link.changed() => return None,
        }
        Some(self.list().executors(Instant::now()))
    }

    fn note(&self, message: &Message) {
        if let Some(token) = message.subject.rsplit('.').next() {
            self.list().hear(token, &message.payload, Instant::now());
        }
    }
}

/// Listens to executors; calls the roll now and whenever the connection was away.
pub(super) async fn watch(bus: NatsBus, watch: Arc<Watch>) {
    let Ok(mut messages) = bus.client.subscribe(ALL).await else { return };
    let mut link = bus.link();
    loop {
        let now = *link.borrow_and_update();
        let is_news = watch.called.borrow().is_none_or(|(of, _)| of != now.epoch);
        if now.up && is_news {
            if bus.client.publish(ROLL_CALL, Bytes::new()).await.is_err() {
                return;
            }
            let answers = watch.list().bounds.answers;
            watch.called.send_replace(Some((now.epoch, Instant::now() + answers)));
        }
        tokio::select! {
            () = bus.closed.cancelled() => return,
            message = messages.next() => match message {
                Some(message) => watch.note(&message),
                None => return,
            },
            changed = link.changed() => if changed.is_err() { return },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NAMED: &str = r#"{"name":"NAME","version":"1","pool":"default","labels":[],"slots":1,"running":[],
        "state":"working","breaker":{"state":"closed"},"startedAt":"2026-03-01T12:00:00Z",
        "seenAt":"2026-03-01T12:00:00Z"}"#;

    fn of(name: &str) -> Vec<u8> {
        NAMED.replace("NAME", name).into_bytes()
    }

    fn names(list: &mut List, now: Instant) -> Vec<String> {
        list.executors(now).into_iter().map(|status| status.name.to_string()).collect()
    }

    #[test]
    fn whoever_is_silent_for_too_long_is_taken_off() {
        let bounds = RosterBounds::default();
        let (mut list, start) = (List::new(bounds), Instant::now());
        list.hear("b", &of("b"), start);
        list.hear("a", &of("a"), start + Duration::from_secs(5));
        assert_eq!(names(&mut list, start + bounds.expiry - Duration::from_secs(1)), ["a", "b"]);
        assert_eq!(names(&mut list, start + bounds.expiry), ["a"]);
    }

    #[test]
    fn what_makes_no_sense_is_ignored() {
        let (mut list, now) =
            (List::new(RosterBounds { bytes: 1_000, ..RosterBounds::default() }), Instant::now());
        list.hear("a", &of("a"), now);
        list.hear("b", &of("a"), now);
        list.hear("a", b"{}", now);
        list.hear("c", b"\xff\xfe", now);
        list.hear("d", &of("d").into_iter().chain([b' '; 1_000]).collect::<Vec<_>>(), now);
        assert_eq!(names(&mut list, now), ["a"]);
        list.hear("a", b"", now);
        assert_eq!(names(&mut list, now), [""; 0]);
    }

    #[test]
    fn more_executors_than_there_can_be_are_ignored_until_others_are_gone() {
        let bounds = RosterBounds { executors: 2, ..RosterBounds::default() };
        let (mut list, now) = (List::new(bounds), Instant::now());
        for name in ["a", "b", "c", "a"] {
            list.hear(name, &of(name), now);
        }
        assert_eq!(names(&mut list, now), ["a", "b"]);
        list.hear("c", &of("c"), now + bounds.expiry);
        assert_eq!(names(&mut list, now + bounds.expiry), ["c"]);
    }
}
