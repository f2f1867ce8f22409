//! Events as they are stored.

use super::{EndReason, Feed, Live, Message, News, Next, Relay, Subscription, Topic, relay::ends_build};
use crate::{App, errors::Fault, wire::Addresses};
use domain::BuildId;
use names::TenantName;
use ports::{Position, Principal, RecordedEvent, StoreError, StreamId, Version};
use std::{collections::VecDeque, sync::Arc};

const PAGE: usize = 200;

/// The events of a build or of all builds: from the store, and once it has no more, as they are told.
pub(crate) struct EventFeed {
    app: App,
    relay: Arc<Relay>,
    source: Source,
    page: VecDeque<RecordedEvent>,
    /// What comes after what the store has; `None` if nobody waits for it.
    news: Option<Subscription>,
    place: Place,
    /// As whoever follows may see them.
    addresses: Addresses,
}

/// Whose events, and up to where they were read.
enum Source {
    Tenant(TenantName, Position),
    Build(BuildId, Version),
}

/// Where the next event comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Store,
    News,
    /// From nowhere: the build has ended.
    End,
}

/// What reading on found.
enum Found {
    Events(Vec<RecordedEvent>),
    /// Nothing yet.
    Nothing,
    /// Nothing, and the build has ended.
    Ended,
}

impl EventFeed {
    /// All events of somebody's tenant after a position.
    pub(crate) fn all(app: App, live: &Live, who: &Principal, after: Position, follow: bool) -> Self {
        let topic = Topic::Tenant(who.tenant.clone());
        let feed = Self::new(app, live, Source::Tenant(who.tenant.clone(), after), topic, follow);
        Self { addresses: Addresses::seen_with(who.scopes), ..feed }
    }

    /// A build's events after a version.
    pub(crate) fn build(app: App, live: &Live, id: BuildId, after: Version, follow: bool) -> Self {
        Self::new(app, live, Source::Build(id, after), Topic::Build(id), follow)
    }

    fn new(app: App, live: &Live, source: Source, topic: Topic, follow: bool) -> Self {
        let relay = Arc::clone(live.relay());
        let news = follow.then(|| relay.subscribe(topic));
        Self {
            app,
            relay,
            source,
            page: VecDeque::new(),
            news,
            place: Place::Store,
            addresses: Addresses::Whole,
        }
    }

    async fn read(&mut self) -> Result<Found, Fault> {
        let _turn = self.relay.turn().await;
        let events = match &mut self.source {
            Source::Tenant(tenant, after) => {
                let page = self.app.store.read_tenant(tenant, *after, PAGE).await?;
                // So far there is nothing else to send, but what is in this page.
                *after = page.upto;
                page.events
            }
            Source::Build(id, after) => {
                let (id, after) = (*id, *after);
                // The fold in memory may know that there is nothing to read.
                let known = |loaded: &commands::Loaded| (loaded.version, loaded.build.status.is_terminal());
                match self.app.builds.read(id, known).await? {
                    Some((version, _)) if version > after => {
                        self.app.store.read_stream(StreamId::Build(id), after, PAGE).await?
                    }
                    Some((_, true)) => return Ok(Found::Ended),
                    Some((_, false)) | None => Vec::new(),
                }
            }
        };
        Ok(if events.is_empty() { Found::Nothing } else { Found::Events(events) })
    }

    async fn read_on(&mut self) -> Result<(), Fault> {
        match self.read().await? {
            Found::Events(events) => self.page = events.into(),
            Found::Ended => self.place = Place::End,
            Found::Nothing => self.place = Place::News,
        }
        Ok(())
    }

    /// Goes on after an event; false if that was sent before.
    fn pass(&mut self, position: Position, version: Version, kind: &str) -> bool {
        match &mut self.source {
            Source::Tenant(_, after) => {
                let new = position > *after;
                *after = position.max(*after);
                new
            }
            Source::Build(_, after) => {
                let new = version > *after;
                *after = version.max(*after);
                if new && ends_build(kind) {
                    self.place = Place::End;
                }
                new
            }
        }
    }
}

impl Feed for EventFeed {
    async fn begin(&mut self) -> Result<(), Fault> {
        self.read_on().await
    }

    async fn next(&mut self) -> Result<Next, Fault> {
        loop {
            if let Some(event) = self.page.pop_front().filter(|_| self.place != Place::End) {
                self.pass(event.position, event.version, &event.kind);
                return Ok(Next::Message(Arc::new(Message::event(event, self.addresses)?)));
            }
            match self.place {
                Place::End => return Ok(Next::End(EndReason::Ended)),
                Place::Store => self.read_on().await?,
                Place::News => {
                    let Some(news) = &mut self.news else { return Ok(Next::End(EndReason::Head)) };
                    match news.next().await {
                        News::Told(told) => {
                            if self.pass(told.position, told.version, &told.kind) {
                                return Ok(Next::Message(Arc::clone(told.message(self.addresses))));
                            }
                        }
                        News::Missed => {
                            self.news = Some(news.renewed());
                            self.place = Place::Store;
                        }
                    }
                }
            }
        }
    }
}

/// The version that a build had at a position: where a client that has seen everything up to there goes on.
pub(crate) async fn version_at(
    app: &App,
    id: BuildId,
    position: Position,
    newest: (Version, Position),
) -> Result<Version, StoreError> {
    let (newest, newest_position) = newest;
    if position >= newest_position {
        return Ok(newest);
    }
    let Some(before) = position.0.checked_sub(1) else { return Ok(Version(0)) };
    // Most come back with the position of an event of the build.
    if let [event] = &app.store.read_all(Position(before), 1).await?[..]
        && event.stream == StreamId::Build(id)
    {
        return Ok(event.version);
    }
    // Positions rise with versions, so halving finds it in a few reads however long the stream is.
    // `low` was reached by the position, `high` was not.
    let (mut low, mut high) = (0, newest.0);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let event = app.store.read_stream(StreamId::Build(id), Version(middle - 1), 1).await?;
        match event.first() {
            Some(event) if event.position <= position => low = middle,
            Some(_) | None => high = middle,
        }
    }
    Ok(Version(low))
}
