//! Leading, as often as it is this process's turn.
//!
//! Nothing is carried over from one term to the next: every leader starts from the event store.

use crate::{Driver, Pause, desk::Desk, timers};
use async_trait::async_trait;
use ports::{Leadership, StoreError, Term};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The leadership of a process that has no replicas: it leads, always.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

#[async_trait]
impl Leadership for Alone {
    async fn lead(&self) -> Result<Term, StoreError> {
        Ok(Term::new(CancellationToken::new(), Box::new(())))
    }
}

impl Driver {
    /// Leads whenever it may, until told to stop. `recovered` is cancelled after the first recovery.
    pub(crate) async fn lead(&self, recovered: &CancellationToken, stop: &CancellationToken) {
        let mut pause = Pause::FIRST;
        loop {
            let term = tokio::select! {
                () = stop.cancelled() => return,
                term = self.leadership.lead() => term,
            };
            match term {
                Ok(term) => {
                    tracing::info!("leading");
                    let over = term.over().clone();
                    self.serve(&over, recovered, stop).await;
                    drop(term);
                    // It ended itself: there is nothing to drive any more.
                    if !over.is_cancelled() {
                        return;
                    }
                    tracing::info!("not leading any more");
                    pause = Pause::FIRST;
                }
                Err(StoreError::Closed) => return,
                Err(error) => tracing::error!(%error, "waiting to lead"),
            }
            pause.wait(stop).await;
            if stop.is_cancelled() {
                return;
            }
        }
    }

    /// Leads until the term is over.
    async fn serve(
        &self,
        term_over: &CancellationToken,
        recovered: &CancellationToken,
        stop: &CancellationToken,
    ) {
        let over = stop.child_token();
        let (timers, due) = timers::start(Arc::clone(&self.clock), over.clone());
        let desk = Desk::new(&self.settings, Arc::clone(&self.clock), timers);
        let _shown = self.gauges.show(&desk.admission);
        let lead = async {
            if let Some(from) = self.recover(&desk, &over).await {
                recovered.cancel();
                tokio::join!(self.follow_events(from, &desk, &over), self.sweep(&desk, &over));
            }
            // Whoever cannot follow the log must not lead.
            over.cancel();
        };
        let end = async {
            tokio::select! {
                () = over.cancelled() => {}
                () = term_over.cancelled() => over.cancel(),
            }
        };
        tokio::join!(
            lead,
            end,
            self.dispatch(&desk, &over),
            self.follow_timers(&desk, due, &over),
            self.follow_roster(&desk, &over),
        );
    }
}
