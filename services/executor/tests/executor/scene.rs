//! A workshop in a temporary folder.

use crate::{
    artifacts::TroubledArtifacts,
    orders::{noon, soon},
};
use async_trait::async_trait;
use buildwright_executor::{
    Output, Shell, Worker, Workshop,
    agent::{Agent, Job, Report, ScriptedAgent},
};
use bundles::{Exchange, ExchangeLimits, Sharing};
use bus_local::{FileOutputLog, FolderArtifacts, OutputBounds};
use chrono::{DateTime, Utc};
use domain::build::{Outcome, TaskResult};
use names::{Commit, RefName};
use ports::{ArtifactKey, ArtifactStore, Clock, OutputLine, OutputLog, WorkOrder};
use scripted_model::{Engine, Script};
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use supervisor::Supervisor;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use workspace::{Access, Git, HarvestLimits, Project, Repositories, SourceRules, Workspaces};

pub(crate) struct Scene {
    folder: TempDir,
    pub(crate) workshop: Arc<Workshop>,
    pub(crate) artifacts: Arc<TroubledArtifacts>,
    pub(crate) output: FileOutputLog,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::over(tempfile::tempdir().expect("a folder"), Self::sound_agent()).await
    }

    /// One whose agent has a defect.
    pub(crate) async fn with_defect() -> Self {
        Self::over(tempfile::tempdir().expect("a folder"), Arc::new(Defect)).await
    }

    pub(crate) fn sound_agent() -> Arc<dyn Agent> {
        Arc::new(ScriptedAgent { engine: Arc::new(Engine::new(Script::default())), shell: shell() })
    }

    /// A workshop over what another one left.
    pub(crate) async fn over(folder: TempDir, agent: Arc<dyn Agent>) -> Self {
        let artifacts = folder.path().join("artifacts");
        let artifacts = Arc::new(TroubledArtifacts::new(FolderArtifacts::new(artifacts)));
        Self::made(folder, agent, artifacts, |_, _| Sharing::OneDisk).await
    }

    /// One of several workshops, each with a disk of its own, that share the folder `artifacts`.
    pub(crate) async fn sharing(artifacts: &Path) -> Self {
        let artifacts = Arc::new(TroubledArtifacts::new(FolderArtifacts::new(artifacts.to_owned())));
        let folder = tempfile::tempdir().expect("a folder");
        Self::made(folder, Self::sound_agent(), artifacts, |artifacts, scratch| {
            let exchange = Exchange::new(artifacts, scratch, ExchangeLimits::default());
            Sharing::ThroughArtifacts(Arc::new(exchange))
        })
        .await
    }

    async fn made(
        folder: TempDir,
        agent: Arc<dyn Agent>,
        artifacts: Arc<TroubledArtifacts>,
        sharing: impl FnOnce(Arc<dyn ArtifactStore>, PathBuf) -> Sharing,
    ) -> Self {
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("scratch")).expect("a folder");
        let git = Git::find("git", search_path()).await.expect("git 2.38 or newer");
        let rules = SourceRules { local: Access::Allowed, ..SourceRules::default() };
        let repositories = Repositories::new(git, path("repositories"), rules).await.expect("repositories");
        let workspaces =
            Workspaces::new(path("workspaces"), HarvestLimits::default()).await.expect("workspaces");
        let output = FileOutputLog::new(path("output"), OutputBounds::default());
        let workshop = Arc::new(Workshop {
            repositories: Arc::new(repositories),
            sharing: sharing(Arc::clone(&artifacts) as _, path("scratch")),
            workspaces,
            artifacts: Arc::clone(&artifacts) as _,
            output: Arc::new(output.clone()),
            clock: Arc::new(Noon),
            agent,
            shell: shell(),
            plan_bounds: plan::Bounds::default(),
            scratch: path("scratch"),
        });
        Self { folder, workshop, artifacts, output }
    }

    /// Carries an order out, to its end.
    pub(crate) async fn carry_out(&self, order: &WorkOrder) -> Outcome {
        let outcome = soon(self.workshop.carry_out(order, &CancellationToken::new())).await;
        self.assert_tidy();
        outcome
    }

    /// Carries an order out in the background.
    pub(crate) fn begin(&self, order: &WorkOrder) -> Running {
        let (workshop, order, stop) = (Arc::clone(&self.workshop), order.clone(), CancellationToken::new());
        let token = stop.clone();
        let work = tokio::spawn(async move { workshop.carry_out(&order, &token).await });
        Running { stop, work }
    }

    /// Whatever becomes of an attempt, nothing of it is left but what it handed over.
    pub(crate) fn assert_tidy(&self) {
        for name in ["workspaces", "scratch"] {
            let left: Vec<_> = fs::read_dir(self.path(name)).expect("a folder").collect();
            assert!(left.is_empty(), "left in {name}: {left:?}");
        }
    }

    pub(crate) fn into_folder(self) -> TempDir {
        self.folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) async fn project(&self) -> Arc<Project> {
        self.workshop
            .repositories
            .project(&"shop".parse::<names::ProjectName>().expect("a name").into())
            .await
            .expect("a project")
    }

    /// The commit that the project's branch points at.
    pub(crate) async fn main(&self) -> Option<Commit> {
        self.project().await.resolve(&main_branch()).await.expect("readable")
    }

    pub(crate) async fn files(&self, commit: &Commit) -> Vec<String> {
        let files = self.project().await.files(commit).await.expect("a tree");
        files.iter().map(|file| file.path.to_string()).collect()
    }

    /// Takes a task's result into the project, as an attempt that builds on it would, and lists its files.
    pub(crate) async fn files_of(&self, result: &TaskResult) -> Vec<String> {
        let bundle = self.path("taken-over.bundle");
        let key = ArtifactKey::try_from(result.bundle.clone().expect("a bundle")).expect("a key");
        ports::ArtifactStore::get(&self.artifacts.inner, &key, &bundle).await.expect("it is stored");
        let name = RefName::of_task(&"bld".parse().expect("a segment"), &"1".parse().expect("a segment"));
        self.project().await.import(&bundle, &result.commit, &name, 1 << 20).await.expect("a bundle");
        fs::remove_file(bundle).expect("removed");
        self.files(&result.commit).await
    }

    pub(crate) async fn lines(&self, order: &WorkOrder) -> Vec<OutputLine> {
        self.output.read(order.build, order.work, 0, 100_000).await.expect("a log")
    }

    /// Waits for a line of output and returns what follows the given beginning.
    pub(crate) async fn wait_for_line(&self, order: &WorkOrder, beginning: &str) -> String {
        let mut followed = self.output.follow(order.build, order.work);
        soon(async {
            loop {
                followed.borrow_and_update();
                let lines = self.lines(order).await;
                if let Some(rest) = lines.iter().find_map(|line| line.text.strip_prefix(beginning)) {
                    return rest.to_owned();
                }
                followed.changed().await.expect("a log");
            }
        })
        .await
    }
}

fn main_branch() -> RefName {
    RefName::from(&names::BranchName::main())
}

/// An attempt in the background.
pub(crate) struct Running {
    pub(crate) stop: CancellationToken,
    work: tokio::task::JoinHandle<Outcome>,
}

impl Running {
    pub(crate) async fn ended(self) -> Outcome {
        soon(self.work).await.expect("the workshop does not panic")
    }

    /// Whether it panicked.
    pub(crate) async fn died(self) -> bool {
        soon(self.work).await.is_err_and(|error| error.is_panic())
    }
}

pub(crate) fn shell() -> Shell {
    let supervisor = Supervisor::new(env!("CARGO_BIN_EXE_executor-supervise").into(), Vec::new());
    Shell { supervisor, environment: vec![("PATH".into(), search_path())], grace: Duration::from_millis(300) }
}

#[expect(clippy::disallowed_methods, reason = "tests look for programs where the person running them would")]
fn search_path() -> OsString {
    std::env::var_os("PATH").expect("PATH is set")
}

pub(crate) fn is_alive(process: &str) -> bool {
    // Of one that has ended, and of which nobody has heard yet, nothing but its state is left.
    let stat = fs::read_to_string(Path::new("/proc").join(process).join("stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

pub(crate) struct Noon;

impl Clock for Noon {
    fn now(&self) -> DateTime<Utc> {
        noon()
    }
}

struct Defect;

#[async_trait]
impl Agent for Defect {
    async fn run(&self, _: Job<'_>, _: &Output, _: &CancellationToken) -> Report {
        panic!("the agent has a defect")
    }
}
