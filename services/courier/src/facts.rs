//! What endpoints choose builds by: project and labels, as their first event says.

use domain::{
    BuildId,
    build::{BuildEvent, BuildSpec},
};
use ports::{EventStore, RecordedEvent, StoreError, StreamId, Version};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

type Known = HashMap<BuildId, Option<Arc<BuildSpec>>>;

/// Builds that were asked for lately. Of two generations the older one is forgotten when the younger is full.
pub(crate) struct Facts {
    store: Arc<dyn EventStore>,
    generations: Mutex<(Known, Known)>,
    most: usize,
}

impl Facts {
    pub(crate) fn new(store: Arc<dyn EventStore>, most: usize) -> Self {
        Self { store, generations: Mutex::default(), most: (most / 2).max(1) }
    }

    /// What was ordered, without the prompt; nothing if that cannot be read.
    pub(crate) async fn of(&self, event: &RecordedEvent) -> Result<Option<Arc<BuildSpec>>, StoreError> {
        let Some(build) = event.stream.build() else { return Ok(None) };
        if let Some(known) = self.known(build) {
            return Ok(known);
        }
        let spec = match event.version {
            Version(1) => spec_in(event),
            _ => {
                let first = self.store.read_stream(StreamId::Build(build), Version(0), 1).await?;
                first.first().and_then(spec_in)
            }
        };
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.0.len() >= self.most {
            generations.1 = std::mem::take(&mut generations.0);
        }
        generations.0.insert(build, spec.clone());
        Ok(spec)
    }

    fn known(&self, build: BuildId) -> Option<Option<Arc<BuildSpec>>> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = generations.0.get(&build) {
            return Some(known.clone());
        }
        let known = generations.1.remove(&build)?;
        generations.0.insert(build, known.clone());
        Some(known)
    }
}

fn spec_in(event: &RecordedEvent) -> Option<Arc<BuildSpec>> {
    match event.build_event() {
        Ok(BuildEvent::BuildSubmitted(submitted)) => {
            Some(Arc::new(BuildSpec { prompt: String::new(), ..submitted.spec }))
        }
        _ => None,
    }
}
