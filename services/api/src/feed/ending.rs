//! The end of a build, for whoever waits for nothing else.
//!
//! Waiters take none of the places that followers have: each holds a connection, of which there are so many, and not
//! for longer than a wait may be. There is no room to run out of, either: those who wait for a build share its list.

use super::{News, Streams, Topic, relay::ends_build};
use crate::App;
use commands::Loaded;
use domain::BuildId;
use ports::{StoreError, Version};
use tokio::time::{Instant, sleep_until};

impl Streams {
    /// Waits for the end of a build, and returns a version at which it had ended; `None` once the time is over or the
    /// process stops, and if there is no such build.
    pub(crate) async fn end_of(
        &self,
        app: &App,
        id: BuildId,
        until: Instant,
    ) -> Result<Option<Version>, StoreError> {
        let look = |loaded: &Loaded| (loaded.version, loaded.build.status.is_terminal());
        // Before the look: nothing that happens after it is missed.
        let mut news = self.relay().subscribe(Topic::Build(id));
        let mut seen = app.builds.read(id, look).await?;
        while let Some((version, ended)) = seen {
            if ended {
                return Ok(Some(version));
            }
            tokio::select! {
                () = sleep_until(until) => break,
                () = app.stop.cancelled() => break,
                heard = news.next() => match heard {
                    News::Told(told) => seen = Some((told.version, ends_build(&told.kind))),
                    News::Missed => {
                        news = news.renewed();
                        // All of them missed it, perhaps.
                        let _turn = self.relay().turn().await;
                        seen = app.builds.read(id, look).await?;
                    }
                },
            }
        }
        Ok(None)
    }
}
