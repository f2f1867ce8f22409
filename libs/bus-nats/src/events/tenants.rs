//! Whose builds events are about: the first event of a build says it, the others do not.

use domain::{
    BuildId,
    build::{BuildEvent, DecodeError},
};
use lru::LruCache;
use names::TenantName;
use ports::{EventStore, RecordedEvent, Version};
use std::num::NonZeroUsize;

/// Most builds whose tenants are remembered: more than events pass of at a time. What was forgotten is read again.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();
/// The event that says it.
const SUBMITTED: &str = "build_submitted";

/// Tenants of builds, as far as they are remembered.
pub(super) struct Tenants(LruCache<BuildId, TenantName>);

impl Default for Tenants {
    fn default() -> Self {
        Self(LruCache::new(REMEMBERED))
    }
}

impl Tenants {
    /// The tenant of the build that an event is about. The events of endpoints say it themselves.
    pub(super) async fn of(
        &mut self,
        event: &RecordedEvent,
        store: &dyn EventStore,
    ) -> Result<TenantName, async_nats::Error> {
        let Some(build) = event.stream.build() else { return Ok(event.metadata.tenant.clone()) };
        if let Some(tenant) = self.0.get(&build) {
            return Ok(tenant.clone());
        }
        let tenant = if event.version == Version(1) {
            submitted_by(event)?
        } else {
            let first = store.read_stream(event.stream, Version(0), 1).await?;
            first.first().map_or_else(|| Ok(TenantName::default()), submitted_by)?
        };
        self.0.put(build, tenant.clone());
        Ok(tenant)
    }
}

/// A submission that only a newer version can read waits for one: told under a wrong tenant, it would be seen by
/// others. What nobody submitted is nobody's in particular.
fn submitted_by(first: &RecordedEvent) -> Result<TenantName, DecodeError> {
    if &*first.kind != SUBMITTED {
        return Ok(TenantName::default());
    }
    match first.build_event()? {
        BuildEvent::BuildSubmitted(submitted) => Ok(submitted.spec.tenant),
        _ => Ok(TenantName::default()),
    }
}
