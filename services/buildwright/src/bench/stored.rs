//! Builds that lie in the store already, so that it can be seen whether they cost anything.

use super::stack::Inside;
use anyhow::Context as _;
use domain::build::{Attempt, BuildEvent, BuildSpec, Limits, data};
use ports::{Append, Metadata, NewEvent, StreamId, Version};
use tokio::task::JoinSet;

/// Builds stored at the same time.
const WRITERS: usize = 64;

/// Stores so many builds that have ended.
pub(super) async fn fill(inside: &Inside, builds: usize) -> anyhow::Result<()> {
    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        let inside = inside.clone();
        let share = builds / WRITERS + usize::from(number < builds % WRITERS);
        writers.spawn(async move {
            for _ in 0..share {
                store_one(&inside).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = writers.join_next().await {
        done??;
    }
    // What comes next is not to be measured with what is left to do of this.
    let head = *inside.store.head().borrow();
    inside.read_models.projected().wait_for(|projected| *projected >= head).await?;
    Ok(())
}

async fn store_one(inside: &Inside) -> anyhow::Result<()> {
    let at = inside.clock.now();
    let spec = BuildSpec {
        prompt: "a build of long ago".to_owned(),
        project: "stored".parse()?,
        repository: None,
        framework: None,
        model: "sonnet".to_owned(),
        limits: Limits::default(),
        labels: std::collections::BTreeMap::new(),
        tenant: names::TenantName::default(),
        priority: domain::build::Priority::default(),
        pool: names::PoolName::default(),
        webhook: None,
    };
    let history: [BuildEvent; 3] = [
        data::BuildSubmitted { spec, at }.into(),
        data::PlanningScheduled { attempt: Attempt::FIRST, not_before: None }.into(),
        data::BuildCancelled { reason: None, at }.into(),
    ];
    let events: Result<Vec<NewEvent>, _> = history.iter().map(NewEvent::build).collect();
    let append = Append {
        stream: StreamId::Build(inside.ids.build()),
        expected: Version(0),
        events: events?,
        metadata: Metadata::default(),
        recorded_at: at,
    };
    inside.store.append(append).await.context("a build of long ago cannot be stored")?;
    Ok(())
}
