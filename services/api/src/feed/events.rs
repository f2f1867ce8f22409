//! Events as they are stored.

use super::{EndOfStream, Feed, Next};
use crate::{App, errors::Fault, wire::EventView};
use axum::response::sse;
use domain::BuildId;
use names::TenantName;
use ports::{Position, RecordedEvent, StoreError, StreamId, Version};
use std::collections::VecDeque;
use tokio::sync::watch;

const PAGE: usize = 200;

/// The events of a build or of all builds.
pub(crate) struct EventFeed {
    app: App,
    head: watch::Receiver<Position>,
    source: Source,
    page: VecDeque<RecordedEvent>,
    follow: bool,
    over: bool,
}

/// Whose events, and up to where they were read.
enum Source {
    Tenant(TenantName, Position),
    Build(BuildId, Version),
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
    /// All events of a tenant after a position.
    pub(crate) fn all(app: App, tenant: TenantName, after: Position, follow: bool) -> Self {
        Self::new(app, Source::Tenant(tenant, after), follow)
    }

    /// A build's events after a version.
    pub(crate) fn build(app: App, id: BuildId, after: Version, follow: bool) -> Self {
        Self::new(app, Source::Build(id, after), follow)
    }

    fn new(app: App, source: Source, follow: bool) -> Self {
        Self { head: app.store.head(), app, source, page: VecDeque::new(), follow, over: false }
    }

    async fn read(&mut self) -> Result<Found, Fault> {
        let events = match &mut self.source {
            Source::Tenant(tenant, after) => {
                let page = self.app.store.read_tenant(tenant, *after, PAGE).await?;
                // So far there is nothing else to send, but what is in this page.
                *after = page.upto;
                page.events
            }
            Source::Build(id, after) => {
                let (id, after) = (*id, *after);
                // The fold in memory knows whether there is anything to read, of all the appends that wake us.
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

    fn send(&mut self, event: RecordedEvent) -> Result<Next, Fault> {
        match &mut self.source {
            Source::Tenant(..) => {}
            Source::Build(_, after) => {
                *after = event.version;
                self.over =
                    matches!(event.kind.as_ref(), "build_completed" | "build_failed" | "build_cancelled");
            }
        }
        let sent = sse::Event::default().id(event.position.to_string()).event(&event.kind);
        let view = EventView::try_from(event)?;
        sent.json_data(view).map(Next::Event).map_err(Fault::internal)
    }
}

impl Feed for EventFeed {
    async fn begin(&mut self) -> Result<(), Fault> {
        match self.read().await? {
            Found::Events(events) => self.page = events.into(),
            Found::Ended => self.over = true,
            Found::Nothing => {}
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Next, Fault> {
        loop {
            if self.over {
                return Ok(Next::End(EndOfStream::ENDED));
            }
            if let Some(event) = self.page.pop_front() {
                return self.send(event);
            }
            self.head.borrow_and_update();
            match self.read().await? {
                Found::Events(events) => self.page = events.into(),
                Found::Ended => self.over = true,
                Found::Nothing if !self.follow => return Ok(Next::End(EndOfStream::HEAD)),
                Found::Nothing => tokio::select! {
                    () = self.app.stop.cancelled() => return Ok(Next::Stop),
                    changed = self.head.changed() => if changed.is_err() {
                        return Ok(Next::Stop);
                    }
                },
            }
        }
    }
}

/// The version that a build had at a position: where a client that has seen everything up to there goes on.
/// Positions rise with versions, so halving finds it in a few reads however long the stream is.
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
