//! Which endpoints there are, as the log says.

use crate::{
    Courier,
    line::Hopeless,
    round::{Ending, Shared, deliver},
};
use commands::Expected;
use domain::{
    BuildId, EndpointId,
    endpoint::{Command, DisabledReason, EndpointState},
};
use endpoints::Loaded;
use ports::{EndpointRow, Position, StoreError};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// Most events that are read at once.
const PAGE: usize = 1_000;
/// Most endpoints that are read at once.
const LIST: usize = 500;

/// Disables an endpoint, unless somebody did already. If it cannot be done now, the next failure asks for it again.
pub(crate) async fn disable(courier: &Courier, id: EndpointId, hopeless: Hopeless) {
    let reason = match hopeless {
        Hopeless::Gone => DisabledReason::Gone,
        Hopeless::Failing(since) => DisabledReason::Failing { since },
    };
    let command = Command::Disable { reason, at: courier.sender.clock.now() };
    let done = courier.endpoints.execute(id, "courier".into(), &Expected::Any, |_| Ok(command.clone()));
    match done.await {
        Ok(_) => tracing::warn!(endpoint = %id, ?reason, "a webhook endpoint is disabled"),
        Err(error) => tracing::error!(endpoint = %id, %error, "a webhook endpoint could not be disabled"),
    }
}

/// Deletes an endpoint that was made for one build. If it cannot be done now, that is asked for again.
pub(crate) async fn remove(courier: &Courier, id: EndpointId) {
    match courier.endpoints.delete(id, "courier".into(), &Expected::Any).await {
        Ok(()) => tracing::debug!(endpoint = %id, "a webhook endpoint has outlived its build"),
        Err(error) => tracing::warn!(endpoint = %id, %error, "a webhook endpoint could not be deleted"),
    }
}

struct Running {
    /// Nothing of an endpoint that is not delivered to.
    loaded: Option<Arc<Loaded>>,
    nudged: Arc<Notify>,
    calm: CancellationToken,
    task: JoinHandle<()>,
}

/// The endpoints that are delivered to.
pub(crate) struct Directory {
    shared: Arc<Shared>,
    now: CancellationToken,
    running: HashMap<EndpointId, Running>,
    /// The log was read up to here.
    position: Position,
    /// Builds that endpoints were made for: up to where those may read them, which need not look at each event.
    builds: HashMap<BuildId, watch::Sender<Position>>,
}

impl Directory {
    pub(crate) fn new(shared: Arc<Shared>, now: CancellationToken) -> Self {
        Self { shared, now, running: HashMap::new(), position: Position(0), builds: HashMap::new() }
    }

    fn courier(&self) -> &Courier {
        &self.shared.courier
    }

    /// Starts all endpoints of the list.
    pub(crate) async fn open(&mut self) -> Result<(), StoreError> {
        self.position = *self.courier().read_models.projected().borrow();
        let mut after = None;
        loop {
            let rows = self.courier().list.all_endpoints(after, LIST).await?;
            let whole = rows.len() >= LIST;
            for EndpointRow { id, version, endpoint } in rows {
                after = Some(id);
                self.set(id, Some(Loaded { id, version, endpoint }));
            }
            if !whole {
                self.tidy();
                return Ok(());
            }
        }
    }

    /// Follows the log from where the list was, until the term is over.
    pub(crate) async fn follow(&mut self) -> Result<(), StoreError> {
        let mut head = self.courier().store.head();
        let mut poll = tokio::time::interval(self.courier().settings.poll);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        head.mark_changed();
        loop {
            tokio::select! {
                () = self.now.cancelled() => return Ok(()),
                changed = head.changed() => {
                    if changed.is_err() {
                        return Err(StoreError::Closed);
                    }
                    self.catch_up().await?;
                }
                // Where nothing is delivered to, nothing can be wanted again.
                _ = poll.tick(), if !self.running.is_empty() => self.pass_on_nudges().await?,
            }
            let gather = self.courier().settings.gather;
            if tokio::time::timeout(gather, self.now.cancelled()).await.is_ok() {
                return Ok(());
            }
        }
    }

    async fn catch_up(&mut self) -> Result<(), StoreError> {
        loop {
            let events = self.courier().store.read_all(self.position, PAGE).await?;
            let Some(last) = events.last() else { return Ok(()) };
            self.position = last.position;
            let changed: BTreeSet<_> = events.iter().filter_map(|event| event.stream.endpoint()).collect();
            for &id in &changed {
                match self.courier().endpoints.load(id).await {
                    Ok(loaded) => self.set(id, loaded),
                    // Another endpoint can do nothing for it.
                    Err(error @ StoreError::Corrupt(_)) => {
                        tracing::error!(endpoint = %id, %error, "a webhook endpoint cannot be read");
                    }
                    Err(error) => return Err(error),
                }
            }
            if !changed.is_empty() {
                self.tidy();
            }
            // Only now: nobody reads of a build what comes after a change of the endpoint without knowing of it.
            for event in &events {
                if let Some(told) = event.stream.build().and_then(|build| self.builds.get(&build)) {
                    told.send_replace(event.position);
                }
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
    fn set(&mut self, id: EndpointId, loaded: Option<Loaded>) {
        let enabled = |loaded: &Loaded| loaded.endpoint.state == EndpointState::Enabled;
        let wanted = loaded.filter(enabled).map(Arc::new);
        let before = self.running.remove(&id);
        if let Some(before) = before {
            // Whoever reads of another version in the log waits to be followed, even if nothing else is new.
            if before.loaded == wanted {
                self.running.insert(id, before);
                return;
            }
            before.calm.cancel();
            self.start(id, wanted, Some(before.task));
        } else if wanted.is_some() {
            self.start(id, wanted, None);
        }
    }

    fn tidy(&mut self) {
        self.running.retain(|_, running| running.loaded.is_some() || !running.task.is_finished());
        self.builds.retain(|_, told| told.receiver_count() > 0);
        let active = self.running.values().filter(|running| running.loaded.is_some()).count();
        self.courier().gauges.endpoints(active);
    }

    fn start(&mut self, id: EndpointId, loaded: Option<Arc<Loaded>>, before: Option<JoinHandle<()>>) {
        let nudged = Arc::new(Notify::new());
        let ending = Ending { calm: self.now.child_token(), now: self.now.clone() };
        let calm = ending.calm.clone();
        let upto = self.upto(loaded.as_deref().and_then(|loaded| loaded.endpoint.spec.build));
        let (shared, delivered, told) = (Arc::clone(&self.shared), loaded.clone(), Arc::clone(&nudged));
        let task = tokio::spawn(async move {
            if let Some(before) = before {
                let _ = before.await;
            }
            if let Some(loaded) = delivered {
                deliver(shared, loaded, upto, told, ending).await;
            }
        });
        self.running.insert(id, Running { loaded, nudged, calm, task });
    }

    /// Up to where an endpoint may read: the log, or the one build that it was made for.
    fn upto(&mut self, build: Option<BuildId>) -> watch::Receiver<Position> {
        let Some(build) = build else { return self.courier().store.head() };
        let told = self.builds.entry(build).or_insert_with(|| watch::channel(self.position).0);
        told.subscribe()
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
