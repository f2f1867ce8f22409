//! Build deadlines and waits before retries. They are armed again from the event store by every new leader.

use crate::admission::Key;
use chrono::{DateTime, Utc};
use domain::BuildId;
use futures::StreamExt;
use ports::Clock;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, time::DelayQueue};

/// The longest wait that is armed at once; whoever is woken looks whether it is time.
const LONGEST: Duration = Duration::from_hours(24);

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Due {
    /// The build's time is over.
    Deadline(BuildId),
    /// The wait before an attempt is over.
    Attempt(Key),
    /// The queue has been left alone long enough after it took no offer.
    Refused,
}

enum Request {
    Arm(Due, DateTime<Utc>),
    DisarmDeadline(BuildId),
}

/// Sets timers.
#[derive(Clone)]
pub(crate) struct Timers(mpsc::UnboundedSender<Request>);

impl Timers {
    pub(crate) fn arm(&self, due: Due, at: DateTime<Utc>) {
        // Nobody listens only when the driver stops.
        let _ = self.0.send(Request::Arm(due, at));
    }

    pub(crate) fn disarm_deadline(&self, build: BuildId) {
        let _ = self.0.send(Request::DisarmDeadline(build));
    }
}

/// Starts the task that waits; what is due comes out of the receiver.
pub(crate) fn start(
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> (Timers, mpsc::UnboundedReceiver<Due>) {
    let (requests, mut asked) = mpsc::unbounded_channel();
    let (fire, due) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut waiting = DelayQueue::new();
        let mut deadlines = HashMap::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                request = asked.recv() => match request {
                    None => return,
                    Some(Request::Arm(due, at)) => {
                        let wait = (at - clock.now()).to_std().unwrap_or_default().min(LONGEST);
                        let key = waiting.insert(due, wait);
                        if let Due::Deadline(build) = due && let Some(old) = deadlines.insert(build, key) {
                            waiting.try_remove(&old);
                        }
                    }
                    Some(Request::DisarmDeadline(build)) => {
                        if let Some(key) = deadlines.remove(&build) {
                            waiting.try_remove(&key);
                        }
                    }
                },
                Some(expired) = waiting.next(), if !waiting.is_empty() => {
                    let due = expired.into_inner();
                    if let Due::Deadline(build) = due {
                        deadlines.remove(&build);
                    }
                    if fire.send(due).is_err() {
                        return;
                    }
                }
            }
        }
    });
    (Timers(requests), due)
}
