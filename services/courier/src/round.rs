//! Delivering to one endpoint, from its start to its end.

use crate::{
    Courier, Pause,
    directory::{disable, remove},
    facts::Facts,
    leaving::Leaving,
    line::{Hopeless, Item, Line, Next, Terms},
    message,
    sender::{Destination, unsent},
    verdict::Attempted,
};
use chrono::{DateTime, Utc};
use domain::{Endpoint, EndpointId, endpoint::PayloadKind};
use endpoints::Loaded;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use ports::{
    AttemptError, DeliveriesKnown, Delivery, DeliveryBatch, DeliveryId, DeliveryProgress, DeliveryStatus,
    Position, RecordedEvent, StoreError, Version,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use webhooks::EventGlob;

/// Most events that are read at once …
const PAGE: usize = 256;
/// … and how many at least, since an endpoint may want few of them.
const LEAST_PAGE: usize = 32;
/// Most deliveries of a build that are read at once.
const REFILL: usize = 64;
/// How long the results of an endpoint that ends may take to be stored.
const FAREWELL: Duration = Duration::from_secs(5);

/// What all endpoints share during a term.
pub(crate) struct Shared {
    pub(crate) courier: Courier,
    pub(crate) facts: Facts,
    pub(crate) slots: Arc<Semaphore>,
}

/// How an endpoint is told to end.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    /// Send nothing more, and wait for what is under way.
    pub(crate) calm: CancellationToken,
    /// At once.
    pub(crate) now: CancellationToken,
}

/// Delivers to an endpoint until told to end. A failing store is tried again.
pub(crate) async fn deliver(shared: Arc<Shared>, loaded: Arc<Loaded>, nudged: Arc<Notify>, ending: Ending) {
    let id = loaded.id;
    let mut pause = Pause::FIRST;
    while !ending.calm.is_cancelled() && !ending.now.is_cancelled() {
        let begun = async {
            let mut round = Round::begin(&shared, &loaded, &nudged, &ending).await?;
            let result = round.run().await;
            if round.stored_something {
                pause = Pause::FIRST;
            }
            result
        };
        match begun.await {
            Ok(()) => break,
            Err(StoreError::Closed) => break,
            Err(error) => tracing::error!(endpoint = %id, %error, "deliveries stand still"),
        }
        pause.wait(&ending.now).await;
    }
    shared.courier.gauges.behind(id, None);
}

type Sent = (Item, Result<Attempted, StoreError>, Option<OwnedSemaphorePermit>);
type Flushed = (DeliveryBatch, Result<(), StoreError>);

struct Round<'a> {
    shared: &'a Arc<Shared>,
    id: EndpointId,
    endpoint: &'a Endpoint,
    /// The version of the endpoint's stream that this is.
    version: Version,
    /// Whether the log was read up to a newer one: what comes after that is for whoever follows.
    superseded: bool,
    nudged: &'a Notify,
    ending: &'a Ending,
    globs: Vec<EventGlob>,
    to: Arc<Destination>,
    line: Line,
    head: watch::Receiver<Position>,
    sending: FuturesUnordered<BoxFuture<'static, Sent>>,
    flush: Option<BoxFuture<'static, Flushed>>,
    questions: Vec<domain::BuildId>,
    first_unstored: Option<Instant>,
    stored_cursor: Position,
    stored_something: bool,
    read_again: Instant,
    /// When to look again though nothing happened.
    later: Option<DateTime<Utc>>,
    oldest_unsent: Option<DateTime<Utc>>,
    leaving: Option<Leaving>,
}

impl<'a> Round<'a> {
    async fn begin(
        shared: &'a Arc<Shared>,
        loaded: &'a Loaded,
        nudged: &'a Notify,
        ending: &'a Ending,
    ) -> Result<Self, StoreError> {
        let courier = &shared.courier;
        let Loaded { id, version, ref endpoint } = *loaded;
        let known = courier.deliveries.load_deliveries(id).await?.unwrap_or_default();
        let from = Position(endpoint.from);
        let known = DeliveriesKnown {
            progress: DeliveryProgress { cursor: known.progress.cursor.max(from), ..known.progress },
            ..known
        };
        let (settings, spec) = (&courier.settings, &endpoint.spec);
        let terms = Terms {
            order: spec.order,
            concurrency: usize::try_from(spec.concurrency).unwrap_or(usize::MAX).max(1),
            rate_per_second: spec.rate_per_second,
            schedule: settings.schedule.clone(),
            longest_pause: settings.longest_pause,
            patience: settings.patience,
            window: settings.window,
        };
        let stored_cursor = known.progress.cursor;
        Ok(Self {
            shared,
            id,
            endpoint,
            version,
            superseded: false,
            nudged,
            ending,
            globs: spec.events.iter().filter_map(|glob| glob.parse().ok()).collect(),
            to: Arc::new(courier.sender.destination(id, spec).await?),
            line: Line::new(terms, known, courier.sender.clock.now()),
            head: courier.store.head(),
            sending: FuturesUnordered::new(),
            flush: None,
            questions: Vec::new(),
            first_unstored: None,
            stored_cursor,
            stored_something: false,
            read_again: Instant::now(),
            later: None,
            oldest_unsent: None,
            leaving: Leaving::of(courier, spec).await?,
        })
    }

    fn courier(&self) -> &Courier {
        &self.shared.courier
    }

    fn now(&self) -> DateTime<Utc> {
        self.courier().sender.clock.now()
    }

    async fn run(&mut self) -> Result<(), StoreError> {
        loop {
            let calm = self.ending.calm.is_cancelled();
            if !calm {
                self.read().await?;
                self.ask().await?;
                self.renew().await?;
                self.dispatch();
                self.leave().await?;
            }
            let done = calm && self.sending.is_empty();
            if self.ending.now.is_cancelled() || (done && self.flush.is_none()) {
                return self.farewell().await;
            }
            self.flush_if_due();
            self.wait(calm).await?;
        }
    }

    /// Reads the log as far as there is room.
    async fn read(&mut self) -> Result<(), StoreError> {
        if Instant::now() < self.read_again || !self.has_room() {
            return Ok(());
        }
        let head = *self.head.borrow_and_update();
        if self.line.scanned() >= head {
            return Ok(());
        }
        // What there is no room for is read again.
        let page = self.line.room().clamp(LEAST_PAGE, PAGE);
        let events = self.courier().store.read_all(self.line.scanned(), page).await?;
        if events.len() < page {
            self.read_again = Instant::now() + self.courier().settings.gather;
        }
        for event in events {
            if event.stream.endpoint() == Some(self.id) && event.version > self.version {
                self.superseded = true;
                break;
            }
            let position = event.position;
            if let Some(leaving) = &mut self.leaving {
                leaving.read(&event);
            }
            if wants(self.shared, self.endpoint, &self.globs, &event).await? {
                let item = self.item(event);
                self.line.take_in(item);
            }
            self.line.read_up_to(position);
            if !self.has_room() {
                break;
            }
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        !self.superseded && self.line.room() > 0 && self.line.unstored() < self.most_unstored()
    }

    fn most_unstored(&self) -> usize {
        self.courier().settings.flush_results.saturating_mul(4).max(1)
    }

    fn item(&self, event: RecordedEvent) -> Item {
        let delivery = Delivery {
            id: DeliveryId { endpoint: self.id, position: event.position },
            build: event.stream.build(),
            event_id: event.stream.event(event.version).to_string().into(),
            event_type: Arc::clone(&event.kind),
            status: DeliveryStatus::Pending,
            attempts: 0,
            tries: 0,
            next_at: None,
            created_at: self.now(),
            ended_at: None,
            last_status: None,
            last_error: None,
        };
        Item { delivery, event: Some(event), kept: false }
    }

    /// Asks the store what is to be tried again, when something is.
    async fn ask(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        if self.line.ask_at().is_some_and(|at| at <= now) {
            let asked = self.line.ask_for();
            let due = self.courier().deliveries.next_deliveries(self.id, asked).await?;
            self.line.due(due, asked, now);
        }
        Ok(())
    }

    /// Keys may have changed.
    async fn renew(&mut self) -> Result<(), StoreError> {
        if self.line.has_something() && self.to.valid_until <= self.now() {
            self.to = Arc::new(self.courier().sender.destination(self.id, &self.endpoint.spec).await?);
        }
        Ok(())
    }

    /// Sends what may be sent. The first request of an endpoint needs no slot, so others cannot hold it up.
    fn dispatch(&mut self) {
        let now = self.now();
        self.later = None;
        while self.line.unstored() < self.most_unstored() {
            let slot = match self.line.in_flight() {
                0 => None,
                _ => match Arc::clone(&self.shared.slots).try_acquire_owned() {
                    Ok(slot) => Some(slot),
                    Err(_) => return,
                },
            };
            match self.line.next(now) {
                Next::Send(item) => self.sending.push(self.send(*item, slot)),
                Next::Later(at) => {
                    self.later = Some(at);
                    return;
                }
                Next::Nothing => return,
            }
        }
    }

    fn send(&self, item: Item, slot: Option<OwnedSemaphorePermit>) -> BoxFuture<'static, Sent> {
        let (shared, to) = (Arc::clone(self.shared), Arc::clone(&self.to));
        let payload = self.endpoint.spec.payload;
        async move {
            let attempted = attempt(&shared.courier, &to, &item, payload).await;
            (item, attempted, slot)
        }
        .boxed()
    }

    fn ended(&mut self, (item, attempted, _slot): Sent) -> Result<(), StoreError> {
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
    fn give_up(&self, hopeless: Hopeless) {
        let (shared, id) = (Arc::clone(self.shared), self.id);
        tokio::spawn(async move { disable(&shared.courier, id, hopeless).await });
    }

    /// Asks for the endpoint to be deleted if it was made for a build that is over, and all that it is to be told is
    /// delivered or given up. That comes back as an event, too.
    async fn leave(&mut self) -> Result<(), StoreError> {
        if self.leaves_at().is_none_or(|at| at > Instant::now()) {
            return Ok(());
        }
        let known = self.courier().deliveries.load_deliveries(self.id).await?;
        // Whatever comes of it, it is looked at again only later.
        self.stirred();
        if known.is_none_or(|known| known.waiting.is_empty()) {
            let (shared, id) = (Arc::clone(self.shared), self.id);
            tokio::spawn(async move { remove(&shared.courier, id).await });
        }
        Ok(())
    }

    /// When to leave, if nothing happens until then.
    fn leaves_at(&self) -> Option<Instant> {
        let nothing_here = self.sending.is_empty() && self.flush.is_none() && self.line.is_idle();
        let all_read = self.line.scanned() >= *self.head.borrow();
        let leaving = self.leaving.as_ref().filter(|_| nothing_here && all_read)?;
        leaving.due_at(self.courier().settings.keep_one_off)
    }

    fn stirred(&mut self) {
        if let Some(leaving) = &mut self.leaving {
            leaving.stirred();
        }
    }

    /// Begins to store results when they have waited long enough, or nothing else is under way.
    fn flush_if_due(&mut self) {
        let unstored = self.line.unstored();
        if unstored > 0 {
            self.first_unstored.get_or_insert_with(Instant::now);
        }
        let settings = &self.courier().settings;
        let far = self.line.progress().cursor.0.saturating_sub(self.stored_cursor.0) >= settings.cursor_every;
        let waited = self.first_unstored.is_some_and(|since| since.elapsed() >= settings.flush_after);
        let idle = unstored > 0 && self.sending.is_empty();
        let full = unstored >= settings.flush_results;
        if self.flush.is_some() || !(far || idle || waited || full || self.line.has_questions()) {
            return;
        }
        let batch = self.line.batch();
        self.first_unstored = None;
        self.questions.extend(self.line.take_questions());
        let (deliveries, id) = (Arc::clone(&self.courier().deliveries), self.id);
        self.flush = Some(
            async move {
                let result = deliveries.record_deliveries(id, batch.clone()).await;
                (batch, result)
            }
            .boxed(),
        );
    }

    async fn flushed(&mut self, (batch, result): Flushed) -> Result<(), StoreError> {
        result?;
        self.stored_something = true;
        self.stirred();
        self.stored_cursor = batch.progress.cursor;
        self.line.stored(&batch);
        for build in std::mem::take(&mut self.questions) {
            let rows =
                self.courier().deliveries.waiting_deliveries(self.id, build, Position(0), REFILL).await?;
            let now = self.now();
            self.line.answered(build, rows, REFILL, now);
        }
        Ok(())
    }

    /// Waits until there is something to do.
    async fn wait(&mut self, calm: bool) -> Result<(), StoreError> {
        let lag = if self.line.is_behind() { self.oldest_unsent } else { None };
        self.courier().gauges.behind(self.id, lag);
        let caught_up = self.line.scanned() >= *self.head.borrow();
        let until = self.wake_at(calm, caught_up);
        let gathering = Instant::now() < self.read_again;
        let (sending, flush, ending) = (&mut self.sending, &mut self.flush, self.ending);
        let mut ended = Vec::new();
        let mut flushed = None;
        tokio::select! {
            () = ending.now.cancelled() => {}
            () = ending.calm.cancelled(), if !calm => {}
            Some(sent) = sending.next() => {
                ended.push(sent);
                while let Some(Some(sent)) = sending.next().now_or_never() {
                    ended.push(sent);
                }
            }
            result = async { match flush.as_mut() { Some(flush) => flush.await, None => std::future::pending().await } } => {
                flushed = Some(result);
            }
            changed = self.head.changed(), if !calm && caught_up && !gathering => {
                if changed.is_err() {
                    return Err(StoreError::Closed);
                }
            }
            () = self.nudged.notified(), if !calm => {
                let now = self.shared.courier.sender.clock.now();
                self.line.nudge(now);
            }
            () = tokio::time::sleep_until(until) => {}
        }
        for sent in ended {
            self.ended(sent)?;
        }
        if let Some(flushed) = flushed {
            self.flush = None;
            self.flushed(flushed).await?;
        }
        Ok(())
    }

    /// When to look again at the latest.
    fn wake_at(&self, calm: bool, caught_up: bool) -> Instant {
        let (instant, now) = (Instant::now(), self.now());
        let mut until = instant + Duration::from_secs(3_600);
        let mut at = |time: Instant| until = until.min(time);
        if let (Some(since), None) = (self.first_unstored, &self.flush) {
            at(since + self.courier().settings.flush_after);
        }
        if !calm {
            let waits = [self.later, self.line.ask_at()];
            for time in waits.into_iter().flatten() {
                at(instant + (time - now).to_std().unwrap_or_default().max(Duration::from_millis(1)));
            }
            if let Some(leaves_at) = self.leaves_at() {
                at(leaves_at);
            }
            if self.has_room() && (!caught_up || instant < self.read_again) {
                at(self.read_again.max(instant));
            }
        }
        until
    }

    /// Stores what there is. What is under way is sent again by whoever comes next, under the same id.
    async fn farewell(&mut self) -> Result<(), StoreError> {
        let store = async {
            if let Some(flush) = self.flush.take() {
                flush.await.1?;
            }
            let batch = self.line.batch();
            if batch.progress.cursor > self.stored_cursor || !batch.deliveries.is_empty() {
                self.shared.courier.deliveries.record_deliveries(self.id, batch).await?;
            }
            Ok(())
        };
        tokio::time::timeout(FAREWELL, store).await.unwrap_or(Ok(()))
    }
}

/// Whether an event is for an endpoint.
async fn wants(
    shared: &Shared,
    endpoint: &Endpoint,
    globs: &[EventGlob],
    event: &RecordedEvent,
) -> Result<bool, StoreError> {
    let Some(build) = event.stream.build() else { return Ok(false) };
    let spec = &endpoint.spec;
    if event.metadata.tenant != endpoint.tenant
        || spec.build.is_some_and(|only| only != build)
        || !(globs.is_empty() || globs.iter().any(|glob| glob.matches(&event.kind)))
    {
        return Ok(false);
    }
    if spec.projects.is_empty() && spec.labels.is_empty() {
        return Ok(true);
    }
    let facts = shared.facts.of(event).await?;
    Ok(facts.is_some_and(|facts| spec.wants(build, &facts)))
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
