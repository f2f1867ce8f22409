//! The line of a project's branch, as records in the store.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use names::{Commit, OwnedProject, Segment};
use ports::{ArtifactError, ArtifactKey};
use serde::{Deserialize, Serialize};
use workspace::{Advance, Project};

use crate::error::ExchangeError;
use crate::exchange::{Exchange, project_key};

/// What a build brings onto its project's branch.
#[derive(Debug, Clone, Copy)]
pub struct BuildWork<'a> {
    /// The build's name.
    pub build: &'a Segment,
    /// What it started from.
    pub base: &'a Commit,
    /// All its results in one commit.
    pub commit: &'a Commit,
    /// Says so, if a merge is needed.
    pub message: &'a str,
    /// The date of that merge.
    pub when: DateTime<Utc>,
}

/// One record of the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    commit: Commit,
    /// The build that brought it, for people who look.
    build: Segment,
}

/// A head and its place, from 1 on.
#[derive(Debug, Clone)]
struct Placed {
    number: u64,
    head: Head,
}

/// What this process knows of a project's line.
#[derive(Debug, Default)]
pub(crate) struct Line {
    newest: Mutex<Option<Placed>>,
    /// Whoever publishes from this process: it spares us losing to ourselves.
    publishing: tokio::sync::Mutex<()>,
    /// Whoever stores or fetches: the attempts of a build need the same commit at the same time.
    pub(crate) travelling: tokio::sync::Mutex<()>,
}

impl Line {
    fn newest(&self) -> Option<Placed> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn learn(&self, placed: &Placed) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.as_ref().is_none_or(|known| known.number < placed.number) {
            *newest = Some(placed.clone());
        }
    }
}

impl Exchange {
    /// The newest head of the project's branch, fetched; `None` if nothing has been published.
    ///
    /// # Errors
    /// If it cannot be fetched.
    pub async fn head(&self, project: &Project) -> Result<Option<Commit>, ExchangeError> {
        let newest = self.newest(project, &self.line(project.name())).await?;
        Ok(newest.map(|newest| newest.head.commit))
    }

    /// Brings a build's commit onto the project's branch, as [`Project::publish`] does where there is only one
    /// machine, and shares it. Returns the commit by which the branch got it. Repeating it is safe and gives
    /// the same answer, however far the branch has moved on.
    ///
    /// # Errors
    /// If it contradicts what is on the branch, or git or the store fail.
    pub async fn publish(&self, project: &Project, work: &BuildWork<'_>) -> Result<Commit, ExchangeError> {
        let line = self.line(project.name());
        let _turn = line.publishing.lock().await;
        for _ in 0..self.limits.rounds {
            let newest = self.newest(project, &line).await?;
            let tip = newest.as_ref().map(|newest| &newest.head.commit);
            let target = match project.advance(tip, work.commit, work.message, work.when).await? {
                Advance::Arrived(commit) => {
                    self.share(project, work.commit, Some(work.base)).await?;
                    return Ok(commit);
                }
                Advance::To(target) => target,
            };
            let number = newest.as_ref().map_or(1, |newest| newest.number + 1);
            let whole = number.is_multiple_of(self.limits.whole_every);
            if target != *work.commit {
                self.share(project, work.commit, Some(work.base)).await?;
            }
            let since = tip.unwrap_or(work.base);
            self.share(project, &target, Some(since).filter(|_| !whole)).await?;
            let head = Head { commit: target.clone(), build: work.build.clone() };
            if self.append(project.name(), &line, Placed { number, head }).await? {
                return Ok(target);
            }
        }
        Err(ExchangeError::Contended(self.limits.rounds))
    }

    async fn append(
        &self,
        project: &OwnedProject,
        line: &Line,
        placed: Placed,
    ) -> Result<bool, ExchangeError> {
        let key = head_key(project, placed.number)?;
        let record = serde_json::to_vec(&placed.head);
        let record = record.map_err(|error| ExchangeError::Unreadable(key.clone(), error))?;
        let scratch = self.scratch()?;
        let file = scratch.path().join("head");
        tokio::fs::write(&file, record).await.map_err(ExchangeError::Scratch)?;
        let first = self.artifacts.put(&key, &file).await?;
        if first {
            line.learn(&placed);
        }
        Ok(first)
    }

    /// From the last head that we know of we look ever further ahead, and once we are past the end, halve.
    async fn newest(&self, project: &Project, line: &Line) -> Result<Option<Placed>, ExchangeError> {
        let mut newest = line.newest();
        let (mut step, mut end) = (1, None);
        loop {
            let from = newest.as_ref().map_or(0, |newest| newest.number);
            let number = end.map_or(from + step, |end| from + (end - from) / 2);
            if number == from {
                break;
            }
            match self.read_head(project.name(), number).await? {
                Some(head) => newest = Some(Placed { number, head }),
                None => end = Some(number),
            }
            step *= 2;
        }
        if let Some(newest) = &newest {
            self.fetch(project, &newest.head.commit).await?;
            line.learn(newest);
        }
        Ok(newest)
    }

    async fn read_head(&self, project: &OwnedProject, number: u64) -> Result<Option<Head>, ExchangeError> {
        let key = head_key(project, number)?;
        let scratch = self.scratch()?;
        let file = scratch.path().join("head");
        match self.artifacts.get(&key, &file).await {
            Err(ArtifactError::NotFound(_)) => return Ok(None),
            got => got?,
        }
        let record = tokio::fs::read(&file).await.map_err(ExchangeError::Scratch)?;
        let head = serde_json::from_slice(&record);
        head.map(Some).map_err(|error| ExchangeError::Unreadable(key, error))
    }
}

fn head_key(project: &OwnedProject, number: u64) -> Result<ArtifactKey, ArtifactError> {
    format!("{}/heads/{number}", project_key(project)).try_into()
}
