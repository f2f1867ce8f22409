//! What every list of executors promises.
#![allow(missing_docs, clippy::missing_panics_doc, reason = "the names are the sentences")]

use super::{Stage, build, noon, soon, task};
use domain::build::Attempt;
use ports::{BreakerState, ExecutorName, ExecutorState, ExecutorStatus, Roster, RunningWork};
use std::{sync::Arc, time::Duration};

/// A stage with a list of executors.
pub type RosterStage = Stage<Arc<dyn Roster>>;

/// So long is an executor silent until it is taken off the list.
pub const SILENCE: Duration = Duration::from_secs(2);

/// Instantiates every story for a factory: `async fn(silence: Duration) -> RosterStage`.
#[macro_export]
macro_rules! roster_stories {
    ($factory:path) => {
        $crate::roster_stories!($factory:
            an_empty_roster_names_nobody,
            an_executor_is_listed_as_it_described_itself,
            what_an_executor_said_last_counts,
            executors_are_listed_by_name,
            whoever_leaves_is_taken_off_and_nobody_else,
            whoever_is_silent_is_taken_off_and_whoever_speaks_stays,
            whoever_was_taken_off_for_silence_may_speak_again,
        );
    };
    ($factory:path: $($story:ident,)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $story() {
            $crate::bus::roster::$story(&$factory($crate::bus::roster::SILENCE).await).await;
        }
    )+};
}

fn name(text: &str) -> ExecutorName {
    ExecutorName(text.into())
}

fn idle(text: &str) -> ExecutorStatus {
    ExecutorStatus {
        name: name(text),
        version: "1.2.3".to_owned(),
        pool: Default::default(),
        labels: Vec::new(),
        slots: 4,
        running: Vec::new(),
        state: ExecutorState::Working,
        breaker: BreakerState::Closed,
        started_at: noon(),
        seen_at: noon(),
    }
}

fn busy(text: &str) -> ExecutorStatus {
    let running = (0..3).map(|n| RunningWork {
        build: build(n.into()),
        work: task(n),
        attempt: Attempt(n + 1),
        since: noon(),
    });
    ExecutorStatus {
        pool: "large".to_owned().try_into().expect("a name"),
        labels: vec!["gpu".to_owned().try_into().expect("a label")],
        running: running.collect(),
        state: ExecutorState::Draining,
        breaker: BreakerState::Open { until: noon(), reason: "rate_limited".to_owned() },
        ..idle(text)
    }
}

/// Waits until the list, as the driver sees it, is this one.
async fn listed(stage: &RosterStage, expected: &[ExecutorStatus]) {
    soon(async {
        while stage.driver.executors().await.expect("reachable") != expected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

pub async fn an_empty_roster_names_nobody(stage: &RosterStage) {
    assert_eq!(stage.driver.executors().await.expect("reachable"), []);
}

pub async fn an_executor_is_listed_as_it_described_itself(stage: &RosterStage) {
    stage.executors[0].announce(&busy("host-1.example-01")).await;
    listed(stage, &[busy("host-1.example-01")]).await;
}

pub async fn what_an_executor_said_last_counts(stage: &RosterStage) {
    stage.executors[0].announce(&idle("a")).await;
    stage.executors[0].announce(&busy("a")).await;
    listed(stage, &[busy("a")]).await;
    stage.executors[0].announce(&idle("a")).await;
    listed(stage, &[idle("a")]).await;
}

pub async fn executors_are_listed_by_name(stage: &RosterStage) {
    for (n, text) in ["c", "a", "d", "b"].into_iter().enumerate() {
        stage.executors[n % 2].announce(&idle(text)).await;
    }
    listed(stage, &["a", "b", "c", "d"].map(idle)).await;
}

pub async fn whoever_leaves_is_taken_off_and_nobody_else(stage: &RosterStage) {
    // It was never there: no harm.
    stage.executors[0].leave(&name("a")).await;
    stage.executors[0].announce(&idle("a")).await;
    stage.executors[1].announce(&idle("ab")).await;
    listed(stage, &[idle("a"), idle("ab")]).await;
    stage.executors[0].leave(&name("a")).await;
    stage.executors[0].leave(&name("a")).await;
    listed(stage, &[idle("ab")]).await;
}

pub async fn whoever_is_silent_is_taken_off_and_whoever_speaks_stays(stage: &RosterStage) {
    stage.executors[0].announce(&idle("silent")).await;
    stage.executors[1].announce(&idle("speaking")).await;
    listed(stage, &[idle("silent"), idle("speaking")]).await;
    let speaking = tokio::spawn({
        let roster = Arc::clone(&stage.executors[1]);
        async move {
            loop {
                roster.announce(&idle("speaking")).await;
                tokio::time::sleep(SILENCE / 10).await;
            }
        }
    });
    listed(stage, &[idle("speaking")]).await;
    speaking.abort();
    let _ = speaking.await;
    listed(stage, &[]).await;
}

pub async fn whoever_was_taken_off_for_silence_may_speak_again(stage: &RosterStage) {
    stage.executors[0].announce(&idle("a")).await;
    listed(stage, &[idle("a")]).await;
    listed(stage, &[]).await;
    stage.executors[0].announce(&idle("a")).await;
    listed(stage, &[idle("a")]).await;
}
