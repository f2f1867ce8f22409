//! The row of a build in a list, and how events change it.

use domain::{
    BuildId, Usage,
    build::{BuildEvent, BuildStatus, data},
};
use ports::{BuildSummary, RecordedEvent, TaskCounts};
use std::collections::HashMap;

/// Most characters of a prompt that a list shows.
const TITLE_CHARS: usize = 200;

/// Whether an event can change a row.
pub(crate) fn is_of_interest(event: &BuildEvent) -> bool {
    !matches!(
        event,
        BuildEvent::PlanningScheduled(_)
            | BuildEvent::PlanningStarted(_)
            | BuildEvent::TaskScheduled(_)
            | BuildEvent::TaskStarted(_)
            | BuildEvent::AttemptLost(_)
            | BuildEvent::MergeScheduled(_)
            | BuildEvent::MergeCompleted(_)
            | BuildEvent::MergeFailed(_)
    )
}

pub(crate) fn fold(rows: &mut HashMap<BuildId, BuildSummary>, recorded: &RecordedEvent, event: &BuildEvent) {
    let Some(id) = recorded.stream.build() else { return };
    if let BuildEvent::BuildSubmitted(submitted) = event {
        rows.insert(id, begin(id, recorded, submitted));
        return;
    }
    let Some(row) = rows.get_mut(&id) else { return };
    match event {
        BuildEvent::BuildStarted(_) => {
            row.status = if row.tasks.total > 0 { BuildStatus::Executing } else { BuildStatus::Planning };
        }
        BuildEvent::PlanGenerated(e) => {
            row.tasks.total = u32::try_from(e.plan.tasks().len()).unwrap_or(u32::MAX);
            spend(row, &e.usage);
            if row.status == BuildStatus::Planning {
                row.status = BuildStatus::Executing;
            }
        }
        BuildEvent::TaskCompleted(e) => {
            row.tasks.completed += 1;
            spend(row, &e.usage);
        }
        BuildEvent::PlanningFailed(e) => spend(row, &e.usage),
        BuildEvent::TaskFailed(e) => spend(row, &e.usage),
        BuildEvent::TaskTimeout(e) => spend(row, &e.usage),
        BuildEvent::UsageRecorded(e) => spend(row, &e.usage),
        BuildEvent::BuildCompleted(e) => end(row, BuildStatus::Completed, e.at),
        BuildEvent::BuildFailed(e) => end(row, BuildStatus::Failed, e.at),
        BuildEvent::BuildCancelled(e) => end(row, BuildStatus::Cancelled, e.at),
        _ => {}
    }
}

fn begin(id: BuildId, recorded: &RecordedEvent, e: &data::BuildSubmitted) -> BuildSummary {
    let first_line = e.spec.prompt.trim().lines().next().unwrap_or_default();
    BuildSummary {
        id,
        tenant: e.spec.tenant.clone(),
        submitted_by: recorded.metadata.actor.clone(),
        status: BuildStatus::Queued,
        title: first_line.chars().take(TITLE_CHARS).collect(),
        project: e.spec.project.clone(),
        labels: e.spec.labels.clone(),
        tasks: TaskCounts::default(),
        cost_nano_usd: 0,
        submitted_at: e.at,
        ended_at: None,
    }
}

fn spend(row: &mut BuildSummary, usage: &Usage) {
    // The figures come from outside: absurd ones must not overflow.
    row.cost_nano_usd = row.cost_nano_usd.saturating_add(usage.total().cost_nano_usd);
}

fn end(row: &mut BuildSummary, status: BuildStatus, at: chrono::DateTime<chrono::Utc>) {
    row.status = status;
    row.ended_at = Some(at);
}
