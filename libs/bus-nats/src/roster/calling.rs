use super::{ROLL_CALL, subject};
use crate::NatsBus;
use bytes::Bytes;
use futures::StreamExt;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What executors of this process said last, by token.
#[derive(Default)]
pub(super) struct Said(Mutex<HashMap<String, Bytes>>);

impl Said {
    fn last(&self) -> MutexGuard<'_, HashMap<String, Bytes>> {
        // Nothing between two changes can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, token: String, body: Bytes) {
        self.last().insert(token, body);
    }

    pub(super) fn remove(&self, token: &str) {
        self.last().remove(token);
    }
}

/// Answers roll calls, and those that were missed while the connection was away.
pub(super) async fn answer(bus: NatsBus, said: Arc<Said>) {
    let Ok(mut calls) = bus.client.subscribe(ROLL_CALL).await else { return };
    let mut link = bus.link();
    loop {
        tokio::select! {
            () = bus.closed.cancelled() => return,
            call = calls.next() => if call.is_none() { return },
            changed = link.changed() => if changed.is_err() { return },
        }
        if !link.borrow_and_update().up {
            continue;
        }
        for (token, body) in said.last().iter() {
            bus.say(subject(token).into(), body.clone());
        }
    }
}
