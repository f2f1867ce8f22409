//! Which endpoints there are, as the log says.

use crate::{
    Courier,
    line::Hopeless,
    round::{Ending, Shared, deliver},
};
use domain::{
    Endpoint, EndpointId,
    endpoint::{Command, DisabledReason, EndpointState},
};
use ports::{
    Append, AppendError, Clock, EventStore, Metadata, NewEvent, Position, StoreError, StreamId, Version,
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Most events that are read at once.
const PAGE: usize = 1_000;
/// Most endpoints that are read at once.
const LIST: usize = 500;

/// Endpoints as their streams say.
pub(crate) struct Registry {
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Registry {
    /// An endpoint as it is now, and the version of its stream.
    async fn load(&self, id: EndpointId) -> Result<(Option<Endpoint>, Version), StoreError> {
        let (mut endpoint, mut version) = (None, Version(0));
        loop {
            let events = self.store.read_stream(StreamId::Endpoint(id), version, PAGE).await?;
            let Some(last) = events.last() else { return Ok((endpoint, version)) };
            version = last.version;
            for event in &events {
                match event.endpoint_event() {
                    Ok(event) => endpoint = Endpoint::apply(endpoint, &event),
                    Err(error) => tracing::error!(endpoint = %id, %error, "an event cannot be read"),
                }
            }
        }
    }

    /// Disables an endpoint, unless somebody did already.
    pub(crate) async fn disable(&self, id: EndpointId, hopeless: Hopeless) {
        let reason = match hopeless {
            Hopeless::Gone => DisabledReason::Gone,
            Hopeless::Failing(since) => DisabledReason::Failing { since },
        };
        // Whoever is in the way may have disabled it; what fails for good is asked for again by the next failure.
        for _ in 0..5 {
            match self.try_disable(id, reason).await {
                Ok(()) => return,
                Err(AppendError::Conflict { .. }) => {}
                Err(AppendError::Store(error)) => {
                    tracing::error!(endpoint = %id, %error, "an endpoint could not be disabled");
                    return;
                }
            }
        }
    }

    async fn try_disable(&self, id: EndpointId, reason: DisabledReason) -> Result<(), AppendError> {
        let (endpoint, expected) = self.load(id).await?;
        let at = self.clock.now();
        let Ok(events) = Endpoint::decide(endpoint.as_ref(), Command::Disable { reason, at }) else {
            return Ok(());
        };
        let (Some(endpoint), false) = (endpoint, events.is_empty()) else { return Ok(()) };
        let encode = |error: serde_json::Error| StoreError::Corrupt(Box::new(error));
        let events = events.iter().map(NewEvent::endpoint).collect::<Result<_, _>>().map_err(encode)?;
        let metadata = Metadata { actor: Some("courier".into()), tenant: endpoint.tenant };
        let stream = StreamId::Endpoint(id);
        self.store.append(Append { stream, expected, events, metadata, recorded_at: at }).await?;
        tracing::warn!(endpoint = %id, ?reason, "a webhook endpoint is disabled");
        Ok(())
    }
}

struct Running {
    endpoint: Option<Arc<Endpoint>>,
    nudged: Arc<Notify>,
    calm: CancellationToken,
    task: JoinHandle<()>,
}

/// The endpoints that are delivered to.
pub(crate) struct Directory {
    shared: Arc<Shared>,
    now: CancellationToken,
    running: HashMap<EndpointId, Running>,
}

impl Directory {
    pub(crate) fn new(shared: Arc<Shared>, now: CancellationToken) -> Self {
        Self { shared, now, running: HashMap::new() }
    }

    fn courier(&self) -> &Courier {
        &self.shared.courier
    }

    /// Starts all endpoints of the list. Returns the position from which to follow the log.
    pub(crate) async fn open(&mut self) -> Result<Position, StoreError> {
        let from = *self.courier().read_models.projected().borrow();
        let mut after = None;
        loop {
            let rows = self.courier().list.all_endpoints(after, LIST).await?;
            let whole = rows.len() >= LIST;
            for row in rows {
                after = Some(row.id);
                self.set(row.id, Some(row.endpoint));
            }
            if !whole {
                return Ok(from);
            }
        }
    }

    /// Follows the log until the term is over.
    pub(crate) async fn follow(&mut self, from: Position) -> Result<(), StoreError> {
        let mut position = from;
        let mut head = self.courier().store.head();
        let mut poll = tokio::time::interval(self.courier().settings.poll);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            head.borrow_and_update();
            position = self.catch_up(position).await?;
            tokio::select! {
                () = self.now.cancelled() => return Ok(()),
                changed = head.changed() => if changed.is_err() { return Err(StoreError::Closed) },
                _ = poll.tick() => self.pass_on_nudges().await?,
            }
            let gather = self.courier().settings.gather;
            if tokio::time::timeout(gather, self.now.cancelled()).await.is_ok() {
                return Ok(());
            }
        }
    }

    async fn catch_up(&mut self, mut position: Position) -> Result<Position, StoreError> {
        loop {
            let events = self.courier().store.read_all(position, PAGE).await?;
            let Some(last) = events.last() else { return Ok(position) };
            position = last.position;
            let changed: BTreeSet<_> = events.iter().filter_map(|event| event.stream.endpoint()).collect();
            for id in changed {
                let (endpoint, _) = self.shared.registry.load(id).await?;
                self.set(id, endpoint);
            }
        }
    }

    async fn pass_on_nudges(&self) -> Result<(), StoreError> {
        for id in self.courier().deliveries.take_nudges().await? {
            if let Some(running) = self.running.get(&id) {
                running.nudged.notify_one();
            }
        }
        Ok(())
    }

    /// Starts, changes or ends the deliveries to an endpoint. Who starts waits for who was there before.
    fn set(&mut self, id: EndpointId, endpoint: Option<Endpoint>) {
        let wanted = endpoint.filter(|endpoint| endpoint.state == EndpointState::Enabled).map(Arc::new);
        let before = self.running.remove(&id);
        if let Some(before) = before {
            if before.endpoint == wanted {
                self.running.insert(id, before);
                return;
            }
            before.calm.cancel();
            self.start(id, wanted, Some(before.task));
        } else if wanted.is_some() {
            self.start(id, wanted, None);
        }
        self.running.retain(|_, running| running.endpoint.is_some() || !running.task.is_finished());
        let active = self.running.values().filter(|running| running.endpoint.is_some()).count();
        self.courier().gauges.endpoints(active);
    }

    fn start(&mut self, id: EndpointId, endpoint: Option<Arc<Endpoint>>, before: Option<JoinHandle<()>>) {
        let nudged = Arc::new(Notify::new());
        let ending = Ending { calm: self.now.child_token(), now: self.now.clone() };
        let calm = ending.calm.clone();
        let (shared, delivered, told) = (Arc::clone(&self.shared), endpoint.clone(), Arc::clone(&nudged));
        let task = tokio::spawn(async move {
            if let Some(before) = before {
                let _ = before.await;
            }
            if let Some(endpoint) = delivered {
                deliver(shared, id, endpoint, told, ending).await;
            }
        });
        self.running.insert(id, Running { endpoint, nudged, calm, task });
    }

    /// Waits until all have ended.
    pub(crate) async fn close(self) {
        self.now.cancel();
        for running in self.running.into_values() {
            let _ = running.task.await;
        }
        self.shared.courier.gauges.forget();
    }
}
