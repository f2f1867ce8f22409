//! Putting copies again.

use super::{Inner, KeptArtifacts, copies::Kept};
use crate::artifacts::BucketsMade;
use futures::{StreamExt, TryStreamExt, stream};
use ports::{ArtifactError, ArtifactStore};
use std::{collections::BTreeMap, io, time::Duration};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Between two tries of what failed.
const AGAIN: Duration = Duration::from_secs(1);

/// What became of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is stored again.
    Restored,
    /// It was there.
    There,
    /// There is something else now: the copy is gone.
    Overtaken,
    /// It cannot be read, or is gone itself.
    Unreadable,
}

#[derive(Debug, Default)]
struct Fates {
    restored: u64,
    there: u64,
    overtaken: u64,
    unreadable: u64,
}

impl Fates {
    fn and(mut self, fate: Fate) -> Self {
        match fate {
            Fate::Restored => self.restored += 1,
            Fate::There => self.there += 1,
            Fate::Overtaken => self.overtaken += 1,
            Fate::Unreadable => self.unreadable += 1,
        }
        self
    }
}

/// While it lives, we are restoring.
struct Restoring<'a>(&'a Inner);

impl<'a> Restoring<'a> {
    fn of(inner: &'a Inner) -> Self {
        inner.state().restoring = true;
        Self(inner)
    }
}

impl Drop for Restoring<'_> {
    fn drop(&mut self) {
        self.0.state().restoring = false;
    }
}

impl KeptArtifacts {
    /// Puts copies again after every loss, and removes what is too old or too much, until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(Box::pin(self.inner.run())).await;
    }
}

impl Inner {
    async fn run(&self) {
        let mut buckets = self.store.bus.buckets();
        let mut tidy = tokio::time::interval(self.bounds.tidy_every);
        tidy.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut all_in = self.copies.remembered().await;
        loop {
            buckets.borrow_and_update();
            let made = match self.look().await {
                Ok(made) => made,
                Err(error) => {
                    tracing::debug!(%error, "whether artifacts were lost cannot be seen yet");
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            };
            if all_in != Some(made) {
                if self.restore_into(made).await {
                    all_in = Some(made);
                } else {
                    tokio::time::sleep(AGAIN).await;
                }
                continue;
            }
            tokio::select! {
                changed = buckets.changed() => if changed.is_err() { return },
                () = self.late.notified() => all_in = None,
                _ = tidy.tick() => if let Err(error) = self.tidy().await {
                    tracing::warn!(%error, "copies of artifacts cannot be looked through");
                },
            }
        }
    }

    /// Returns whether all copies are in these buckets.
    async fn restore_into(&self, made: BucketsMade) -> bool {
        let _restoring = Restoring::of(self);
        let restored = async {
            let fates = self.restore().await?;
            // What was put before another loss is gone again.
            Ok::<_, ArtifactError>((fates, self.look().await?))
        };
        match restored.await {
            Ok((_, now)) if now != made => false,
            Ok((Fates { restored, there, overtaken, unreadable }, _)) => {
                if restored + overtaken + unreadable > 0 {
                    tracing::info!(restored, there, overtaken, unreadable, "artifacts were put again");
                }
                match self.copies.remember(made).await {
                    Ok(()) => {}
                    // They would be put again after a restart, which does no harm.
                    Err(error) => tracing::warn!(%error, "which artifacts are stored cannot be noted"),
                }
                true
            }
            Err(error) => {
                tracing::warn!(%error, "artifacts cannot be put again yet");
                false
            }
        }
    }

    async fn restore(&self) -> Result<Fates, ArtifactError> {
        let (mut lines, mut others) = (BTreeMap::<String, BTreeMap<u64, Kept>>::new(), Vec::new());
        for copy in self.copies.all().await? {
            match copy.place().map(|(line, number)| (line.to_owned(), number)) {
                Some((line, number)) => drop(lines.entry(line).or_default().insert(number, copy)),
                None => others.push(copy),
            }
        }
        let fates = stream::iter(others)
            .map(|copy| self.put_again(copy))
            .buffer_unordered(self.bounds.at_once.max(1))
            .try_fold(Fates::default(), async |fates, fate| Ok(fates.and(fate)));
        let mut fates = fates.await?;
        for line in lines.into_values() {
            let mut overtaken = false;
            for copy in line.into_values() {
                let fate = if overtaken { self.forget(copy).await? } else { self.put_again(copy).await? };
                overtaken |= fate == Fate::Overtaken;
                fates = fates.and(fate);
            }
        }
        Ok(fates)
    }

    async fn put_again(&self, copy: Kept) -> Result<Fate, ArtifactError> {
        let put = async {
            match self.store.put(&copy.key, &copy.path).await? {
                true => Ok(Fate::Restored),
                false if self.store.holds(&copy.key, &copy.path).await? => Ok(Fate::There),
                false => Ok(Fate::Overtaken),
            }
        };
        match put.await {
            Ok(Fate::Overtaken) => self.forget(copy).await,
            Err(ArtifactError::Io(error)) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(key = %copy.key, %error, "a copy of an artifact cannot be read");
                }
                Ok(Fate::Unreadable)
            }
            other => other,
        }
    }

    async fn forget(&self, copy: Kept) -> Result<Fate, ArtifactError> {
        tracing::warn!(key = %copy.key, "another artifact was stored in the place of ours");
        self.copies.drop(copy).await?;
        Ok(Fate::Overtaken)
    }
}
