//! When an endpoint that was made for one build has nothing more to be told.

use crate::Courier;
use domain::{BuildId, endpoint::EndpointSpec};
use ports::{RecordedEvent, StoreError};
use std::time::Duration;
use tokio::time::Instant;

/// The least time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is known of the end of a build, at the endpoint that was made for it.
#[derive(Debug)]
pub(crate) struct Leaving {
    build: BuildId,
    ended: bool,
    /// When something last happened to the build or to a delivery.
    quiet_since: Instant,
}

impl Leaving {
    /// Of an endpoint that is there for one build only. Whether that has ended may have been said in events that
    /// were delivered long ago.
    pub(crate) async fn of(courier: &Courier, spec: &EndpointSpec) -> Result<Option<Self>, StoreError> {
        let Some(build) = spec.build else { return Ok(None) };
        let rows = courier.read_models.summaries(&[build]).await?;
        let ended = rows.iter().any(|row| row.status.is_terminal());
        Ok(Some(Self { build, ended, quiet_since: Instant::now() }))
    }

    /// An event of the log was read.
    pub(crate) fn read(&mut self, event: &RecordedEvent) {
        if event.stream.build() == Some(self.build) {
            self.ended |= matches!(&*event.kind, "build_completed" | "build_failed" | "build_cancelled");
            self.stirred();
        }
    }

    /// Something became of a delivery.
    pub(crate) fn stirred(&mut self) {
        self.quiet_since = Instant::now();
    }

    /// When it has been quiet for long enough, if nothing happens until then.
    pub(crate) fn due_at(&self, quiet_for: Duration) -> Option<Instant> {
        self.ended.then(|| self.quiet_since + quiet_for.max(LOOK_EVERY))
    }
}
