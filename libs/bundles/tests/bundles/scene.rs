//! Machines that share a folder of artifacts and nothing else.

use async_trait::async_trait;
use buildwright_bundles::{BuildWork, Exchange, ExchangeError, ExchangeLimits, GitResults, Sharing};
use bus_local::FolderArtifacts;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use names::{Commit, OwnedProject, ProjectName, RefName, Segment};
use ports::{ArtifactError, ArtifactKey, ArtifactStore};
use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};
use tempfile::TempDir;
use workspace::{
    Access, AgentGit, AttemptSpec, Git, HarvestLimits, Project, Repositories, SourceRules, Workspaces,
};

/// What the machines share.
pub(crate) struct Scene {
    folder: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    pub(crate) async fn machine(&self, name: &str) -> Machine {
        self.machine_with(name, ExchangeLimits::default()).await
    }

    pub(crate) async fn machine_with(&self, name: &str, limits: ExchangeLimits) -> Machine {
        self.machine_over(name, limits, Arc::new(FolderArtifacts::new(self.artifacts()))).await
    }

    /// One whose artifacts are elsewhere.
    pub(crate) async fn machine_over(
        &self,
        name: &str,
        limits: ExchangeLimits,
        artifacts: Arc<dyn ArtifactStore>,
    ) -> Machine {
        let home = self.folder.path().join(name);
        fs::create_dir_all(home.join("scratch")).expect("a folder");
        let git = Git::find("git", search_path()).await.expect("git 2.38 or newer");
        let rules = SourceRules { local: Access::Allowed, ..SourceRules::default() };
        let repositories =
            Repositories::new(git, home.join("repositories"), rules).await.expect("repositories");
        let workspaces =
            Workspaces::new(home.join("workspaces"), HarvestLimits::default()).await.expect("made");
        let store = Arc::new(WatchedStore {
            inner: artifacts,
            bundles_fetched: AtomicUsize::new(0),
            heads_refused: AtomicBool::new(false),
            before_head: Mutex::default(),
        });
        let exchange = Arc::new(Exchange::new(Arc::clone(&store) as _, home.join("scratch"), limits));
        let project = repositories.project(&shop()).await.expect("a project");
        Machine { home, repositories: Arc::new(repositories), project, workspaces, store, exchange }
    }

    pub(crate) fn artifacts(&self) -> PathBuf {
        self.folder.path().join("artifacts")
    }

    pub(crate) fn bundle_of(&self, commit: &Commit) -> PathBuf {
        self.artifacts().join(format!("projects/shop/commits/{commit}.bundle"))
    }

    /// The commits of the line of heads, the oldest first.
    pub(crate) fn heads(&self) -> Vec<Commit> {
        let record = |number: usize| {
            fs::read(self.artifacts().join(format!("projects/shop/heads/{number}"))).ok().map(|record| {
                let record: serde_json::Value = serde_json::from_slice(&record).expect("JSON");
                record["commit"].as_str().expect("a commit").parse().expect("a commit")
            })
        };
        (1..).map_while(record).collect()
    }
}

/// An executor's or an API's disk.
pub(crate) struct Machine {
    home: PathBuf,
    pub(crate) repositories: Arc<Repositories>,
    pub(crate) project: Arc<Project>,
    workspaces: Workspaces,
    pub(crate) store: Arc<WatchedStore>,
    pub(crate) exchange: Arc<Exchange>,
}

impl Machine {
    /// What a new build starts from.
    pub(crate) async fn base(&self) -> Commit {
        let sharing = Sharing::ThroughArtifacts(Arc::clone(&self.exchange));
        sharing.base(&self.project, None, at(0)).await.expect("a base")
    }

    /// A commit on this machine that writes a file.
    pub(crate) async fn commit(&self, start: &Commit, path: &str, content: &str) -> Commit {
        let name = segment(&path.replace('/', "-"));
        let spec = AttemptSpec {
            build: segment("bld_1"),
            name: name.clone(),
            start: start.clone(),
            agent_git: AgentGit::Absent,
        };
        let workspace = self.workspaces.prepare(&self.project, &spec).await.expect("a workspace");
        let file = workspace.tree().join(path);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
        fs::write(file, content).expect("written");
        let commit = workspace.commit("Do it", at(60)).await.expect("a harvest").commit.expect("a change");
        let bundle = self.home.join("bundle");
        workspace.bundle(&commit, Some(start), &bundle).await.expect("a bundle");
        let name = RefName::of_task(&segment("bld_1"), &name);
        self.project.import(&bundle, &commit, &name, 1 << 30).await.expect("imported");
        workspace.remove().await.expect("removed");
        commit
    }

    pub(crate) async fn publish(
        &self,
        build: &str,
        base: &Commit,
        commit: &Commit,
    ) -> Result<Commit, ExchangeError> {
        let build = segment(build);
        let work = BuildWork { build: &build, base, commit, message: "Merge a build", when: at(9) };
        let published = self.exchange.publish(&self.project, &work).await;
        let left: Vec<_> = fs::read_dir(self.home.join("scratch")).expect("a folder").collect();
        assert!(left.is_empty(), "left in scratch: {left:?}");
        published
    }

    /// A build of one file, from its base to its end.
    pub(crate) async fn build(&self, path: &str) -> Commit {
        let base = self.base().await;
        let commit = self.commit(&base, path, path).await;
        self.publish("bld_x", &base, &commit).await.expect("published")
    }

    pub(crate) async fn files(&self, commit: &Commit) -> Vec<String> {
        let files = self.project.files(commit).await.expect("a tree");
        files.iter().map(|file| file.path.to_string()).collect()
    }

    pub(crate) fn results(&self) -> GitResults {
        let sharing = Sharing::ThroughArtifacts(Arc::clone(&self.exchange));
        GitResults::new(Arc::clone(&self.repositories), sharing)
    }
}

/// The common store as one machine sees it.
pub(crate) struct WatchedStore {
    inner: Arc<dyn ArtifactStore>,
    bundles_fetched: AtomicUsize,
    heads_refused: AtomicBool,
    before_head: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl WatchedStore {
    pub(crate) fn bundles_fetched(&self) -> usize {
        self.bundles_fetched.load(SeqCst)
    }

    /// As if the machine died before it could store a head.
    pub(crate) fn refuse_heads(&self, refuse: bool) {
        self.heads_refused.store(refuse, SeqCst);
    }

    /// What others do at the last moment before this machine stores its next head.
    pub(crate) fn before_head(&self, what: BoxFuture<'static, ()>) {
        *self.before_head.lock().unwrap() = Some(what);
    }
}

#[async_trait]
impl ArtifactStore for WatchedStore {
    async fn put(&self, key: &ArtifactKey, from: &Path) -> Result<bool, ArtifactError> {
        if key.as_str().contains("/heads/") {
            if self.heads_refused.load(SeqCst) {
                return Err(io::Error::from(io::ErrorKind::ConnectionReset).into());
            }
            let others = self.before_head.lock().unwrap().take();
            if let Some(others) = others {
                others.await;
            }
        }
        self.inner.put(key, from).await
    }

    async fn get(&self, key: &ArtifactKey, to: &Path) -> Result<(), ArtifactError> {
        let got = self.inner.get(key, to).await;
        if got.is_ok() && key.as_str().ends_with(".bundle") {
            self.bundles_fetched.fetch_add(1, SeqCst);
        }
        got
    }

    async fn remove_all(&self, prefix: &ArtifactKey) -> Result<(), ArtifactError> {
        self.inner.remove_all(prefix).await
    }
}

pub(crate) fn shop() -> OwnedProject {
    "shop".parse::<ProjectName>().expect("a name").into()
}

pub(crate) fn segment(text: &str) -> Segment {
    text.parse().expect("a segment")
}

pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("a time")
}

#[expect(clippy::disallowed_methods, reason = "tests look for git where the person running them would")]
fn search_path() -> OsString {
    std::env::var_os("PATH").expect("PATH is set")
}
