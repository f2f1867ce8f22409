//! One order in the hands of an executor: begun at most once, and its end told.

use crate::{Executor, Signals, breaker::Verdict, gate::Pass, presence::Presence};
use domain::{
    Failure, FailureClass, Usage,
    build::{Outcome, Work},
};
use ports::{Answer, BusError, Handout, Lease, OutcomeReport, WorkOrder};
use std::{sync::Arc, time::Instant};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// What the orders of one executor share.
pub(crate) struct Shift {
    pub(crate) executor: Executor,
    pub(crate) signals: Signals,
    /// What runs now is stopped and handed back.
    pub(crate) hand_back: CancellationToken,
    presence: Arc<Presence>,
    bus_closed: CancellationToken,
}

/// How the course of an attempt came to its end.
enum Ended {
    /// By itself, or because the driver wanted it to.
    With(Outcome),
    /// It was stopped for the executor's sake, before it had succeeded.
    HandedBack,
}

impl Ended {
    fn is_for_lack_of_resources(&self) -> bool {
        matches!(self, Self::With(Outcome { result: Err(Failure { class: FailureClass::Resource, .. }), .. }))
    }
}

impl Shift {
    pub(crate) fn new(executor: Executor, presence: Arc<Presence>, signals: Signals) -> Self {
        let (hand_back, bus_closed) = (CancellationToken::new(), CancellationToken::new());
        Self { executor, signals, hand_back, presence, bus_closed }
    }

    /// Waits until there is a reason to take no orders any more.
    pub(crate) async fn takes_no_more(&self) {
        tokio::select! {
            () = self.signals.drain.cancelled() => {}
            () = self.signals.stop.cancelled() => {}
            () = self.bus_closed.cancelled() => {}
        }
    }

    /// Nothing comes any more.
    pub(crate) fn bus_is_closed(&self) {
        self.bus_closed.cancel();
    }

    /// Sees an order through.
    pub(crate) async fn serve(&self, lease: Box<dyn Lease>, pass: Pass) {
        match lease.handout() {
            Handout::First => return self.begin(lease, pass).await,
            Handout::Again => {
                drop(pass);
                return self.tell_lost(lease).await;
            }
            Handout::Unknown => {
                if !self.is_let_begin(&*lease).await {
                    return lease.leave().await;
                }
            }
        }
        let ended = self.carry_out(&*lease, &CancellationToken::new()).await;
        self.conclude(lease, pass, ended).await;
    }

    /// Begins at once, while the bus is told: an order that is given out for the first time is nobody else's,
    /// whatever becomes of the report. But if the bus refuses it, the work is stopped and the order goes back;
    /// whoever takes it reports it as lost.
    async fn begin(&self, lease: Box<dyn Lease>, pass: Pass) {
        let refused = CancellationToken::new();
        let told = async { self.tell_start(&*lease).await.inspect_err(|_| refused.cancel()) };
        // In this order: what is refused on the spot is not begun.
        let (told, ended) = tokio::join!(biased; told, self.carry_out(&*lease, &refused));
        match told {
            Ok(()) => self.conclude(lease, pass, ended).await,
            Err(error) => {
                drop(pass);
                self.refused(lease.order(), &error).await;
            }
        }
    }

    /// Tells how an attempt ended to whom it concerns.
    async fn conclude(&self, lease: Box<dyn Lease>, pass: Pass, ended: Ended) {
        let verdict = match &ended {
            Ended::With(outcome) => Verdict::of(lease.order(), outcome),
            Ended::HandedBack => Verdict::Unknown,
        };
        pass.ended(verdict);
        if self.signals.stop.is_cancelled() || lease.is_lost() {
            return;
        }
        let ran_out = ended.is_for_lack_of_resources();
        match ended {
            Ended::With(outcome) => self.tell_outcome(lease, outcome).await,
            Ended::HandedBack => self.tell_lost(lease).await,
        }
        if ran_out {
            let _ = timeout(self.executor.settings.resource_pause, self.is_stopping()).await;
        }
    }

    /// Asks the driver whether the attempt may begin: somebody may be at it, though the bus forgot. A merge may
    /// begin twice.
    async fn is_let_begin(&self, lease: &dyn Lease) -> bool {
        let WorkOrder { build, work, attempt, .. } = *lease.order();
        if work == Work::Merge {
            return true;
        }
        let executor = self.executor.identity.name.clone();
        let started = OutcomeReport::Started { build, work, attempt, executor };
        let asked = timeout(self.executor.settings.start_answer, self.executor.reporting.ask(started));
        let answer = tokio::select! {
            answer = asked => answer.unwrap_or_default(),
            () = self.is_stopping() => None,
            () = lease.revoked().cancelled_owned() => None,
        };
        tracing::info!(build.id = %build, %work, %attempt, ?answer, "an order may have been given out before");
        answer == Some(Answer::Accepted) && !lease.is_lost()
    }

    /// Reports the start; of a merge nobody wants to know. When everything has to end, it is not waited for.
    async fn tell_start(&self, lease: &dyn Lease) -> Result<(), BusError> {
        let WorkOrder { build, work, attempt, .. } = *lease.order();
        if work == Work::Merge {
            return Ok(());
        }
        let executor = self.executor.identity.name.clone();
        let started = OutcomeReport::Started { build, work, attempt, executor };
        tokio::select! {
            biased;
            said = self.executor.reporting.begin(started) => said,
            () = self.is_stopping() => Ok(()),
        }
    }

    /// A worker that panics is a failed attempt, not a lost one.
    async fn carry_out(&self, lease: &dyn Lease, refused: &CancellationToken) -> Ended {
        if refused.is_cancelled() || lease.is_lost() {
            return Ended::HandedBack;
        }
        let _at_work = self.presence.at(lease.order());
        let begun = Instant::now();
        let revoked = lease.revoked();
        let stop = revoked.child_token();
        let (worker, order, ended) = (Arc::clone(&self.executor.worker), lease.order().clone(), stop.clone());
        let mut work = tokio::spawn(async move { worker.carry_out(&order, &ended).await });
        let mut stopped = false;
        let joined = tokio::select! {
            joined = &mut work => joined,
            () = self.is_stopping_or(refused) => {
                // What the driver revoked is nothing to hand back.
                stopped = !revoked.is_cancelled();
                stop.cancel();
                work.await
            }
        };
        let outcome = joined.unwrap_or_else(|error| {
            tracing::error!(%error, work = %lease.order().work, build.id = %lease.order().build, "a worker died");
            failed(
                Failure::new(FailureClass::Internal, "the executor had a defect, see its log"),
                u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            )
        });
        match outcome.result {
            // It may have succeeded just before it would have been stopped.
            Ok(_) => Ended::With(outcome),
            Err(_) if stopped && outcome.usage.is_zero() => Ended::HandedBack,
            // How what was stopped or revoked failed says nothing of the task; its cost counts.
            Err(_) if stopped || revoked.is_cancelled() => {
                let result = Err(Failure::new(FailureClass::Lost, "it was stopped"));
                Ended::With(Outcome { result, ..outcome })
            }
            Err(_) => Ended::With(outcome),
        }
    }

    async fn is_stopping_or(&self, refused: &CancellationToken) {
        tokio::select! {
            () = self.is_stopping() => {}
            () = refused.cancelled() => {}
        }
    }

    async fn is_stopping(&self) {
        tokio::select! {
            () = self.hand_back.cancelled() => {}
            () = self.signals.stop.cancelled() => {}
        }
    }

    async fn tell_lost(&self, lease: Box<dyn Lease>) {
        let WorkOrder { build, work, attempt, .. } = *lease.order();
        tracing::info!(build.id = %build, %work, %attempt, "an attempt is reported as lost");
        let executor = self.executor.identity.name.clone();
        let said = self.hand_in(OutcomeReport::Lost { build, work, attempt, executor }).await;
        self.settle(lease, said).await;
    }

    async fn tell_outcome(&self, lease: Box<dyn Lease>, outcome: Outcome) {
        let (usage, duration_ms) = (outcome.usage.clone(), outcome.duration_ms);
        let mut said = self.hand_in(self.finished(lease.order(), outcome)).await;
        if let Err(Refusal::ByBus(BusError::TooLarge { bytes, most })) = said {
            let message = format!("its outcome has {bytes} bytes, more than the bus takes ({most})");
            let failure = failed(Failure::new(FailureClass::Internal, message), duration_ms);
            said = self.hand_in(self.finished(lease.order(), Outcome { usage, ..failure })).await;
        }
        self.settle(lease, said).await;
    }

    fn finished(&self, order: &WorkOrder, outcome: Outcome) -> OutcomeReport {
        let WorkOrder { build, work, attempt, .. } = *order;
        let executor = self.executor.identity.name.clone();
        OutcomeReport::Finished { build, work, attempt, executor, outcome }
    }

    /// Reports an end; returns when the bus has it. That wait has a bound once everything has to end.
    async fn hand_in(&self, report: OutcomeReport) -> Result<(), Refusal> {
        let farewell = async {
            self.hand_back.cancelled().await;
            sleep(self.executor.settings.farewell).await;
        };
        tokio::select! {
            biased;
            said = self.executor.reporting.end(report) => said.map_err(Refusal::ByBus),
            () = self.signals.stop.cancelled() => Err(Refusal::OutOfTime),
            () = farewell => Err(Refusal::OutOfTime),
        }
    }

    async fn settle(&self, lease: Box<dyn Lease>, said: Result<(), Refusal>) {
        match said {
            Ok(()) => lease.settle().await,
            Err(Refusal::OutOfTime) => {
                tracing::warn!(work = %lease.order().work, build.id = %lease.order().build, "the bus was not waited for");
            }
            Err(Refusal::ByBus(error)) => self.refused(lease.order(), &error).await,
        }
    }

    /// The order goes back when this returns, and may come again at once: not too often.
    async fn refused(&self, order: &WorkOrder, error: &BusError) {
        tracing::error!(%error, work = %order.work, build.id = %order.build, "the bus refused a report");
        if matches!(error, BusError::Closed) {
            self.bus_closed.cancel();
            return;
        }
        let _ = timeout(self.executor.settings.refusal_pause, self.is_stopping()).await;
    }
}

/// Why the bus has not got a report.
enum Refusal {
    ByBus(BusError),
    OutOfTime,
}

fn failed(failure: Failure, duration_ms: u64) -> Outcome {
    Outcome { result: Err(failure), usage: Usage::default(), session_id: None, duration_ms }
}
