//! How a build gets into memory.

use crate::{Inner, Loaded, Writers, snapshots::Snapshotting};
use domain::{BuildId, build::Build};
use ports::{RecordedEvent, Snapshot, StoreError, StreamId, Version};

/// Events that are read at once.
const PAGE: usize = 1_000;

impl Loaded {
    pub(crate) fn fold(&mut self, events: &[RecordedEvent]) -> Result<(), StoreError> {
        for event in events {
            let decoded = event.build_event().map_err(|error| StoreError::Corrupt(Box::new(error)))?;
            self.build.apply(&decoded);
            self.version = event.version;
            self.position = event.position;
        }
        Ok(())
    }

    /// The build of a snapshot, if this version can read it.
    fn restore(id: BuildId, snapshot: &Snapshot) -> Option<Self> {
        let Snapshot { version, position, schema_version, ref state } = *snapshot;
        let build = Build::from_snapshot(schema_version, state)
            .inspect_err(|error| tracing::debug!(build.id = %id, %version, %error, "a snapshot is of no use"))
            .ok()?;
        Some(Self { build, version, position, saved: version })
    }
}

impl Inner {
    /// A build as it is now, given what is known of it.
    pub(crate) async fn current(&self, id: BuildId, known: Option<Loaded>) -> Result<Loaded, StoreError> {
        match known {
            Some(loaded) if self.writers == Writers::OnlyThis => Ok(loaded),
            Some(loaded) => self.refresh(id, loaded).await,
            None => self.load(id).await,
        }
    }

    /// A build as it is now, given how it was once.
    pub(crate) async fn refresh(&self, id: BuildId, once: Loaded) -> Result<Loaded, StoreError> {
        if once.version == Version(0) { self.load(id).await } else { self.read_on(id, once).await }
    }

    /// A build as it is now, given what was decided on and that the stream has another version.
    pub(crate) async fn after_conflict(
        &self,
        id: BuildId,
        decided_on: Loaded,
        actual: Version,
    ) -> Result<Loaded, StoreError> {
        // Nobody else should have written, or the database has gone back: what is known is worth nothing.
        if self.writers == Writers::OnlyThis || actual < decided_on.version {
            return self.load(id).await;
        }
        self.refresh(id, decided_on).await
    }

    /// A build of which nothing is known. Most are short: a snapshot is asked for only if the stream turns out to
    /// be as long as one that may have one.
    pub(crate) async fn load(&self, id: BuildId) -> Result<Loaded, StoreError> {
        let Some(snapshotting) = &self.snapshotting else {
            return self.read_on(id, Loaded::default()).await;
        };
        let most = snapshotting.every.get();
        let mut page = self.store.read_stream(StreamId::Build(id), Version(0), most).await?;
        let mut more = page.len() == most;
        let mut loaded = Loaded::default();
        if more && let Some((restored, after)) = self.after_snapshot(id, snapshotting).await? {
            more = after.len() + 1 == PAGE;
            (loaded, page) = (restored, after);
        }
        loaded.fold(&page)?;
        if more { self.read_on(id, loaded).await } else { Ok(loaded) }
    }

    /// A build as its snapshot has it, and some of the events after that. Its own event is read once more: a
    /// snapshot that the stream does not have an event for is of a stream that was.
    async fn after_snapshot(
        &self,
        id: BuildId,
        snapshotting: &Snapshotting,
    ) -> Result<Option<(Loaded, Vec<RecordedEvent>)>, StoreError> {
        let stream = StreamId::Build(id);
        let Some(snapshot) = snapshotting.find(stream).await else { return Ok(None) };
        let before = Version(snapshot.version.0.saturating_sub(1));
        let mut events = self.store.read_stream(stream, before, PAGE).await?;
        let its_own = events.first().map(|event| (event.version, event.position));
        if its_own != Some((snapshot.version, snapshot.position)) {
            tracing::warn!(build.id = %id, version = %snapshot.version, "a snapshot is not of this stream");
            return Ok(None);
        }
        events.remove(0);
        Ok(Loaded::restore(id, &snapshot).map(|loaded| (loaded, events)))
    }

    /// Folds the events after what is known.
    async fn read_on(&self, id: BuildId, mut known: Loaded) -> Result<Loaded, StoreError> {
        loop {
            let page = self.store.read_stream(StreamId::Build(id), known.version, PAGE).await?;
            known.fold(&page)?;
            if page.len() < PAGE {
                return Ok(known);
            }
        }
    }

    /// A build as it was at a version, or at its last if it never had that. Folded from its first event, whatever
    /// snapshots say.
    pub(crate) async fn fold_up_to(&self, id: BuildId, version: Version) -> Result<Loaded, StoreError> {
        let mut loaded = Loaded::default();
        while loaded.version < version {
            let missing = version.0 - loaded.version.0;
            let limit = usize::try_from(missing).map_or(PAGE, |missing| missing.min(PAGE));
            let page = self.store.read_stream(StreamId::Build(id), loaded.version, limit).await?;
            if page.is_empty() {
                break;
            }
            loaded.fold(&page)?;
        }
        Ok(loaded)
    }
}
