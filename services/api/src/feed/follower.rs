use super::{EndReason, Feed, Message, Next, places::Place};
use crate::{
    App,
    auth::{Lost, Standing},
    errors::Fault,
};
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};

/// A feed together with what can end it from outside. The transports ask it what to do next.
pub(super) struct Follower {
    app: App,
    steps: BoxStream<'static, Result<Next, Fault>>,
    standing: Standing,
    check_at: Instant,
    beat_at: Instant,
    _place: Place,
}

/// What a transport does next.
pub(super) enum Turn {
    /// Sends this.
    Message(Arc<Message>),
    /// Shows that it is still there.
    Heartbeat,
    /// Says why the stream is over, and ends it.
    End(EndReason),
    /// Ends it without saying that it is over: the client comes back.
    Break(Break),
}

/// Why a stream breaks off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Break {
    /// The process stops.
    Stopping,
    /// What is followed cannot be read at the moment.
    Unavailable,
    /// A defect.
    Internal,
}

impl Follower {
    pub(super) fn new(app: App, feed: impl Feed, standing: Standing, place: Place) -> Self {
        // A stream keeps a step that is under way while the follower has to do something else.
        let steps = stream::unfold(feed, |mut feed| async { Some((feed.next().await, feed)) }).boxed();
        let now = Instant::now();
        let check_at = now + app.settings.streams.check_keys_every;
        let beat_at = now + app.settings.heartbeat;
        Self { app, steps, standing, check_at, beat_at, _place: place }
    }

    /// Waits for it. May be given up at any time; nothing is lost by that.
    pub(super) async fn next(&mut self) -> Turn {
        loop {
            let now = Instant::now();
            if now >= self.check_at {
                if let Err(lost) = self.standing.check(&self.app.access, self.app.clock.now()).await {
                    return Turn::End(lost.into());
                }
                self.check_at = now + self.app.settings.streams.check_keys_every;
            }
            if now >= self.beat_at {
                self.beat_at = now + self.app.settings.heartbeat;
                return Turn::Heartbeat;
            }
            let turn = tokio::select! {
                biased;
                () = self.app.stop.cancelled() => Turn::Break(Break::Stopping),
                step = self.steps.next() => Turn::from(step),
                () = sleep_until(self.check_at.min(self.beat_at)) => continue,
            };
            self.beat_at = Instant::now() + self.app.settings.heartbeat;
            return turn;
        }
    }
}

impl From<Option<Result<Next, Fault>>> for Turn {
    fn from(step: Option<Result<Next, Fault>>) -> Self {
        match step {
            Some(Ok(Next::Message(message))) => Self::Message(message),
            Some(Ok(Next::End(reason))) => Self::End(reason),
            Some(Ok(Next::Stop)) | None => Self::Break(Break::Stopping),
            Some(Err(fault)) => {
                fault.log();
                Self::Break(match fault {
                    Fault::Unavailable(_) => Break::Unavailable,
                    Fault::Internal(_) => Break::Internal,
                })
            }
        }
    }
}

impl From<Lost> for EndReason {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Revoked => Self::KeyRevoked,
            Lost::Expired => Self::KeyExpired,
        }
    }
}
