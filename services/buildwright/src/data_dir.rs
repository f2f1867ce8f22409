//! The data directory: what is where, and whose it is.

use anyhow::Context as _;
use nix::fcntl::{Flock, FlockArg};
use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// The file that says where the running server listens.
pub(crate) const SERVER_FILE: &str = "server.json";

/// A data directory that this process holds.
pub(crate) struct DataDir {
    root: PathBuf,
    _lock: Flock<File>,
}

impl DataDir {
    /// The folders of a process that does everything.
    pub(crate) const ALL: &[&str] = &["output", "artifacts", "repositories", "workspaces"];
    /// The folders of an executor.
    pub(crate) const OF_EXECUTOR: &[&str] = &["repositories", "workspaces", "spool", "copies"];
    /// The folders of an API.
    pub(crate) const OF_API: &[&str] = &["repositories"];

    /// Creates the directory with some folders if need be, and takes it.
    pub(crate) fn open(root: &Path, folders: &[&str]) -> anyhow::Result<Self> {
        let create = |path: &Path| {
            fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))
        };
        create(root)?;
        let root = root.canonicalize().with_context(|| format!("cannot use {}", root.display()))?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(root.join("lock"))
            .with_context(|| format!("cannot write to {}", root.display()))?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).map_err(|(_, _)| {
            anyhow::anyhow!(
                "{} is in use by another buildwright; give this one another --data-dir",
                root.display()
            )
        })?;
        let data_dir = Self { root, _lock: lock };
        for folder in folders {
            create(&data_dir.root.join(folder))?;
        }
        // Nothing in there outlives a process.
        let _ = fs::remove_dir_all(data_dir.scratch());
        create(&data_dir.scratch())?;
        Ok(data_dir)
    }

    /// The directory itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The event store and read models.
    pub(crate) fn database(&self) -> PathBuf {
        Self::database_in(&self.root)
    }

    /// The same of a directory that somebody else may hold.
    pub(crate) fn database_in(root: &Path) -> PathBuf {
        root.join("buildwright.db")
    }

    /// Output of runs.
    pub(crate) fn output(&self) -> PathBuf {
        self.root.join("output")
    }

    /// Bundles.
    pub(crate) fn artifacts(&self) -> PathBuf {
        self.root.join("artifacts")
    }

    /// The projects' bare repositories.
    pub(crate) fn repositories(&self) -> PathBuf {
        self.root.join("repositories")
    }

    /// Where attempts work.
    pub(crate) fn workspaces(&self) -> PathBuf {
        self.root.join("workspaces")
    }

    /// Outcomes that the driver has not confirmed.
    pub(crate) fn spool(&self) -> PathBuf {
        self.root.join("spool")
    }

    /// Copies of artifacts that the bus might lose.
    pub(crate) fn copies(&self) -> PathBuf {
        self.root.join("copies")
    }

    /// Files on their way.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    /// Tells other commands what runs here and where it listens, if it does.
    pub(crate) fn announce(&self, role: &str, address: Option<SocketAddr>) -> anyhow::Result<()> {
        let said = serde_json::json!({ "address": address, "pid": std::process::id(), "role": role });
        let text = format!("{said}\n");
        let file = self.root.join(SERVER_FILE);
        let unfinished = self.root.join("server.json.new");
        fs::write(&unfinished, text)
            .and_then(|()| fs::rename(&unfinished, &file))
            .context("cannot announce the server")
    }

    /// Takes that back.
    pub(crate) fn unannounce(&self) {
        let _ = fs::remove_file(self.root.join(SERVER_FILE));
    }
}
