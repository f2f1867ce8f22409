//! Offers what is admitted.

use crate::{
    Driver,
    admission::Key,
    desk::Desk,
    orders::{Waiting, waiting},
    timers::Due,
};
use commands::ExecuteError;
use domain::{
    BuildId, Failure, FailureClass, Usage,
    build::{Attempt, Command, Outcome, Work},
};
use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use ports::{BusError, StoreError, WorkOrder};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

impl Driver {
    /// Offers what is admitted until told to stop.
    pub(crate) async fn dispatch(&self, desk: &Desk, stop: &CancellationToken) {
        let mut offers = FuturesUnordered::new();
        let mut under_way = 0;
        loop {
            let room = self.settings.offers_at_once.max(1).saturating_sub(under_way);
            let admitted = desk.admission().admit(room);
            for (build, attempts) in admitted {
                under_way += attempts.len();
                offers.push(self.offer_all(build, attempts, desk));
            }
            tokio::select! {
                () = stop.cancelled() => return,
                Some(ended) = offers.next(), if !offers.is_empty() => under_way -= ended,
                () = desk.rung() => {}
            }
        }
    }

    /// Offers attempts of one build and tells how many.
    async fn offer_all(&self, build: BuildId, attempts: Vec<(Work, Attempt)>, desk: &Desk) -> usize {
        let now = self.clock.now();
        let look = |loaded: &_| {
            let calls_for = |&(work, attempt): &_| waiting(build, loaded, work, attempt, now);
            attempts.iter().map(calls_for).collect::<Vec<_>>()
        };
        let keys = || attempts.iter().map(|&(work, attempt)| (build, work, attempt));
        let heard = desk.admission().heard(build);
        let read = async {
            match heard {
                Some(version) => self.builds.read_since(build, version, look).await,
                None => self.builds.read(build, look).await,
            }
        };
        match read.await {
            Ok(found) => {
                // What is not there does not wait.
                let found = found.into_iter().flatten().chain(std::iter::repeat_with(|| None));
                join_all(keys().zip(found).map(|(key, found)| self.see_to(key, found, desk))).await;
            }
            Err(StoreError::Corrupt(error)) => {
                tracing::error!(build.id = %build, %error, "a build that cannot be read is left alone");
                keys().for_each(|key| desk.admission().end(key));
            }
            Err(error) => {
                tracing::debug!(build.id = %build, %error, "offers are made again later");
                desk.refuse(keys());
            }
        }
        attempts.len()
    }

    /// Does with an attempt what it calls for.
    async fn see_to(&self, key: Key, found: Option<Waiting>, desk: &Desk) {
        match found {
            None => desk.admission().end(key),
            Some(Waiting::Until(at)) => {
                desk.admission().end(key);
                desk.timers.arm(Due::Attempt(key), at);
            }
            Some(Waiting::For(order)) => self.offer(key, *order, desk).await,
        }
    }

    async fn offer(&self, key: Key, order: WorkOrder, desk: &Desk) {
        let (build, work, attempt) = key;
        match self.queue.offer(order).await {
            Ok(_) => desk.admission().offered(key),
            // Offering it again would not make it smaller.
            Err(error @ BusError::TooLarge { .. }) => {
                if let Err(error) = self.give_up(build, work, attempt, &error.to_string()).await {
                    tracing::debug!(build.id = %build, %work, %error, "an attempt is given up later");
                    desk.refuse([key]);
                }
            }
            Err(error @ (BusError::Unavailable(_) | BusError::Closed)) => {
                tracing::debug!(build.id = %build, %work, %error, "an offer is made again later");
                desk.refuse([key]);
            }
        }
    }

    /// Ends an attempt that can never be taken up.
    async fn give_up(
        &self,
        build: BuildId,
        work: Work,
        attempt: Attempt,
        why: &str,
    ) -> Result<(), ExecuteError> {
        let outcome = Outcome {
            result: Err(Failure::new(FailureClass::Internal, why)),
            usage: Usage::default(),
            session_id: None,
            duration_ms: 0,
        };
        let finish = Command::Finish { work, attempt, outcome, at: self.clock.now() };
        match self.builds.execute(build, Arc::from("driver"), finish).await {
            Ok(_) | Err(ExecuteError::Rejected(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
