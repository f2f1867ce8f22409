use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use names::{Commit, OwnedProject, RefName, TenantName};
use ports::{ArtifactError, ArtifactKey, ArtifactStore};
use tempfile::TempDir;
use workspace::{ImportError, Project};

use crate::error::ExchangeError;
use crate::heads::Line;
use crate::lines::Lines;

/// Bounds of an [`Exchange`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExchangeLimits {
    /// The largest bundle that is taken in, in bytes.
    pub bundle_bytes: u64,
    /// Most bundles that are fetched to have one commit.
    pub bundles: usize,
    /// Every how many heads one is stored with its whole history, so that a new machine need not fetch all;
    /// with 0, none is.
    pub whole_every: u64,
    /// How often publishing starts over because another machine was faster.
    pub rounds: usize,
    /// Of how many projects the newest head is remembered. Of others it is looked for anew.
    pub lines: NonZeroUsize,
}

impl Default for ExchangeLimits {
    /// 4 GiB, 1,000 bundles, every 32nd, 100 times, 1,024 projects.
    fn default() -> Self {
        Self {
            bundle_bytes: 4 << 30,
            bundles: 1_000,
            whole_every: 32,
            rounds: 100,
            lines: NonZeroUsize::MIN.saturating_add(1_023),
        }
    }
}

/// What carries commits from and to the artifact store.
pub struct Exchange {
    pub(crate) artifacts: Arc<dyn ArtifactStore>,
    pub(crate) limits: ExchangeLimits,
    scratch: PathBuf,
    lines: Lines,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Exchange {
    /// Over a store; `scratch` is an existing folder for files on their way.
    #[must_use]
    pub fn new(artifacts: Arc<dyn ArtifactStore>, scratch: PathBuf, limits: ExchangeLimits) -> Self {
        Self { artifacts, limits, scratch, lines: Lines::new(limits.lines) }
    }

    /// Makes a commit available to all machines. Its bundle leaves out what `since` contains, which must be
    /// available already.
    ///
    /// # Errors
    /// If it cannot be bundled or stored.
    pub async fn share(
        &self,
        project: &Project,
        commit: &Commit,
        since: Option<&Commit>,
    ) -> Result<(), ExchangeError> {
        let name = RefName::of_shared(commit);
        let line = self.line(project.name());
        let _turn = line.travelling.lock().await;
        if project.resolve(&name).await?.is_some() {
            return Ok(());
        }
        let scratch = self.scratch()?;
        let file = scratch.path().join("bundle");
        project.bundle(commit, since.filter(|since| *since != commit), &file).await?;
        self.artifacts.put(&commit_key(project.name(), commit)?, &file).await?;
        // Only now: it stands for what is in the store. A store that may lose it puts it there again.
        Ok(project.keep(&name, commit).await?)
    }

    /// Takes a commit that another machine shared into the project's repository here, with all it builds on.
    ///
    /// # Errors
    /// If it is not in the store, or its bundle is refused.
    pub async fn fetch(&self, project: &Project, commit: &Commit) -> Result<(), ExchangeError> {
        if project.has(commit).await? {
            return Ok(());
        }
        let line = self.line(project.name());
        let _turn = line.travelling.lock().await;
        if project.has(commit).await? {
            return Ok(());
        }
        let scratch = self.scratch()?;
        let mut wanted = vec![commit.clone()];
        while let Some(next) = wanted.last() {
            match self.take_in(project, next, scratch.path()).await {
                Err(ExchangeError::Import(ImportError::MissingPrerequisite(earlier))) => {
                    if wanted.len() >= self.limits.bundles || wanted.contains(&earlier) {
                        return Err(ExchangeError::Endless(commit.clone()));
                    }
                    wanted.push(earlier);
                }
                taken => {
                    taken?;
                    wanted.pop();
                }
            }
        }
        Ok(())
    }

    /// A bundle that could not be taken in yet is kept for the next time.
    async fn take_in(&self, project: &Project, commit: &Commit, scratch: &Path) -> Result<(), ExchangeError> {
        let file = scratch.join(commit.as_str());
        if !file.exists() {
            match self.artifacts.get(&commit_key(project.name(), commit)?, &file).await {
                Err(ArtifactError::NotFound(_)) => return Err(ExchangeError::NotShared(commit.clone())),
                got => got?,
            }
        }
        project.import(&file, commit, &RefName::of_shared(commit), self.limits.bundle_bytes).await?;
        tokio::fs::remove_file(&file).await.map_err(ExchangeError::Scratch)
    }

    /// A folder for files on their way. It goes with the value, even if the step that uses it is dropped.
    pub(crate) fn scratch(&self) -> Result<TempDir, ExchangeError> {
        let made = tempfile::Builder::new().prefix("exchange-").tempdir_in(&self.scratch);
        made.map_err(ExchangeError::Scratch)
    }

    pub(crate) fn line(&self, project: &OwnedProject) -> Arc<Line> {
        self.lines.of(project)
    }
}

fn commit_key(project: &OwnedProject, commit: &Commit) -> Result<ArtifactKey, ArtifactError> {
    format!("{}/commits/{commit}.bundle", project_key(project)).try_into()
}

/// What the keys of a project begin with. No project's name begins with `_`.
pub(crate) fn project_key(OwnedProject { tenant, name }: &OwnedProject) -> String {
    if *tenant == TenantName::default() {
        format!("projects/{name}")
    } else {
        format!("projects/_of/{tenant}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projects_of_the_same_name_have_keys_of_their_own() {
        let shop: OwnedProject = "shop".parse::<names::ProjectName>().unwrap().into();
        let theirs = OwnedProject { tenant: "acme".parse().unwrap(), ..shop.clone() };
        assert_eq!(project_key(&shop), "projects/shop");
        assert_eq!(project_key(&theirs), "projects/_of/acme/shop");
    }
}
