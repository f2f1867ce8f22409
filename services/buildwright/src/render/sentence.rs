//! An event in one line.

use super::{
    amounts,
    progress::Progress,
    text::{clean, cut},
};
use domain::{
    Failure,
    build::{BuildEvent, Work},
};

/// Most characters of a message.
const MOST: usize = 400;

/// What happened, in words; `None` for what only matters to machines. `progress` knows the event already.
pub(crate) fn sentence(event: &BuildEvent, progress: &Progress) -> Option<String> {
    use BuildEvent as E;
    let name = |work: Work| clean(progress.name(work));
    let task = |number| name(Work::Task(number));
    Some(match event {
        E::BuildSubmitted(e) => format!("accepted: {}", cut(&clean(&e.spec.prompt), 100)),
        E::PlanningStarted(e) => format!("planning{}", again(e.attempt.0)),
        E::PlanningFailed(e) => format!("✗ planning: {}", failed(&e.failure, e.will_retry)),
        E::PlanGenerated(e) => {
            let summary = e.plan.summary().map(|text| format!(": {}", cut(&clean(text), MOST)));
            let tasks = amounts::of(progress.tasks.len() as u64, "task");
            format!("✓ a plan of {tasks}{}", summary.unwrap_or_default())
        }
        E::TaskStarted(e) => format!("{}: begun{}", task(e.task), again(e.attempt.0)),
        E::TaskCompleted(e) => {
            let title = progress.task(e.task).map(|task| clean(&task.title)).unwrap_or_default();
            let took = amounts::duration(i64::try_from(e.duration_ms).unwrap_or(i64::MAX));
            let files = match e.result.files_changed {
                0 => String::new(),
                files => format!(", {}", amounts::of(files.into(), "file")),
            };
            format!("✓ {}: {} ({took}{files})", task(e.task), cut(&title, 100))
        }
        E::TaskFailed(e) => format!("✗ {}: {}", task(e.task), failed(&e.failure, e.will_retry)),
        E::TaskTimeout(e) => format!("✗ {}: {}", task(e.task), failed(&e.failure, e.will_retry)),
        E::AttemptLost(e) => format!("{}: interrupted, to be begun again", name(e.work)),
        E::MergeCompleted(e) => {
            let commit = e.result.commit.as_str().get(..10).unwrap_or_default().to_owned();
            format!(
                "✓ merged: {} at {commit} on {}",
                amounts::of(e.result.files_changed.into(), "file"),
                clean(&e.result.branch)
            )
        }
        E::MergeFailed(e) => format!("✗ merging: {}", failed(&e.failure, e.will_retry)),
        E::BuildCompleted(_) => "✓ completed".to_owned(),
        E::BuildFailed(e) => format!("✗ failed: {}", cut(&clean(&e.failure.message), MOST)),
        E::BuildCancelled(e) => match &e.reason {
            Some(reason) => format!("✗ cancelled: {}", cut(&clean(reason), MOST)),
            None => "✗ cancelled".to_owned(),
        },
        E::BuildStarted(_)
        | E::PlanningScheduled(_)
        | E::TaskScheduled(_)
        | E::MergeScheduled(_)
        | E::UsageRecorded(_) => return None,
    })
}

fn failed(failure: &Failure, will_retry: bool) -> String {
    let next = if will_retry { "; another try follows" } else { "" };
    format!("{}{next}", cut(&clean(&failure.message), MOST))
}

fn again(attempt: u32) -> String {
    if attempt > 1 { format!(" (try {attempt})") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::progress::tests::{at, event, story};
    use serde_json::json;

    fn told(events: &[(BuildEvent, chrono::DateTime<chrono::Utc>)]) -> Vec<String> {
        let mut progress = Progress::default();
        let mut lines = Vec::new();
        for (event, recorded_at) in events {
            progress.apply(event, *recorded_at);
            lines.extend(sentence(event, &progress));
        }
        lines
    }

    #[test]
    fn a_build_is_told_in_sentences() {
        let expected = [
            "accepted: A list. A short one.",
            "planning",
            "✓ a plan of 2 tasks",
            "store: begun",
            "view: begun",
            "✗ view: not created: b; another try follows",
            "view: begun (try 2)",
            "✓ store: Keep it (0.9s, 1 file)",
            "✓ view: Show it (0.9s, 1 file)",
            "✓ merged: 2 files at 0123456789 on builds/1",
            "✓ completed",
        ];
        assert_eq!(told(&story()), expected);
    }

    #[test]
    fn what_a_model_or_a_client_wrote_is_only_text() {
        let failure = json!({ "class": "internal", "message": "bad\u{1b}[2J\nthing" });
        let events = [
            (event("build_failed", 0, json!({ "failure": failure })), at(0)),
            (event("build_cancelled", 0, json!({ "reason": "\u{1b}]0;x\u{7}stop" })), at(0)),
        ];
        assert_eq!(told(&events), ["✗ failed: bad thing", "✗ cancelled: stop"]);
    }
}
