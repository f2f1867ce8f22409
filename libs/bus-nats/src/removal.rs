//! Removing all of Buildwright from a NATS server.

use crate::{
    NatsBus,
    connection::unavailable,
    subjects::{self, ADVISORIES, EVENTS, OUTCOMES, OUTPUT},
};
use futures::TryStreamExt;
use ports::BusError;

/// Begins the names of the streams in which the object store keeps our buckets.
const ARTIFACT_BUCKETS: &str = "OBJ_buildwright";

impl NatsBus {
    /// Removes every stream of Buildwright with what is in it. The bus gives out and takes nothing from then on,
    /// and must still be closed. While another process uses the bus, it makes the streams again.
    ///
    /// # Errors
    /// If the server cannot be reached or refuses.
    pub async fn remove_everything(&self) -> Result<(), BusError> {
        self.closed.cancel();
        let names: Vec<String> = self.jetstream.stream_names().try_collect().await.map_err(unavailable)?;
        let ours = |name: &&String| {
            subjects::holds_tasks(name)
                || [ADVISORIES, EVENTS, OUTCOMES, OUTPUT].contains(&name.as_str())
                || name.starts_with(ARTIFACT_BUCKETS)
        };
        for name in names.iter().filter(ours) {
            self.jetstream.delete_stream(name).await.map_err(unavailable)?;
        }
        Ok(())
    }
}
