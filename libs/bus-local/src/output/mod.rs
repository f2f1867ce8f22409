//! Lines of output, one file for each piece of work.

mod file;
mod registry;

use async_trait::async_trait;
use domain::{BuildId, build::Work};
use file::LogFile;
use ports::{OutputChunk, OutputLine, OutputLog, StoreError};
use registry::{Registry, WorkId};
use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{runtime::Handle, sync::watch, task::spawn_blocking};

/// How much output is kept.
#[derive(Debug, Clone, Copy)]
pub struct OutputBounds {
    /// Most bytes of the file of one piece of work; what comes after is dropped.
    pub work_bytes: u64,
    /// Most bytes of the text of one line; the rest of the line is cut off.
    pub line_bytes: usize,
    /// Most files that are kept open while nobody uses them.
    pub open_files: usize,
}

impl Default for OutputBounds {
    fn default() -> Self {
        Self { work_bytes: 16 << 20, line_bytes: 256 << 10, open_files: 128 }
    }
}

/// Output in files, `<root>/<build>/<work>.ndjson`, one [`OutputLine`] a line.
///
/// Each write has reached the operating system when it returns, so a killed process loses none; a crash of
/// the machine may. Clones are the same log; one process at a time may write to a folder.
#[derive(Debug, Clone)]
pub struct FileOutputLog {
    root: Arc<PathBuf>,
    bounds: OutputBounds,
    registry: Arc<Mutex<Registry>>,
}

impl FileOutputLog {
    /// A log under `root`, which is made when the first line is written.
    #[must_use]
    pub fn new(root: PathBuf, bounds: OutputBounds) -> Self {
        let registry = Registry::new(bounds.open_files);
        Self { root: Arc::new(root), bounds, registry: Arc::new(Mutex::new(registry)) }
    }

    /// Removes all output of a build.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub async fn remove_build(&self, build: BuildId) -> io::Result<()> {
        self.registry().forget(build);
        match tokio::fs::remove_dir_all(self.root.join(build.to_string())).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        lock(&self.registry)
    }

    fn file(&self, work: WorkId) -> Arc<Mutex<LogFile>> {
        self.registry().file(work, || {
            let (build, work) = work;
            LogFile::new(self.root.join(build.to_string()).join(format!("{work}.ndjson")), self.bounds)
        })
    }
}

#[async_trait]
impl OutputLog for FileOutputLog {
    async fn write(&self, chunk: OutputChunk) {
        if chunk.lines.is_empty() {
            return;
        }
        let work = (chunk.build, chunk.work);
        let file = self.file(work);
        // An error here is the runtime shutting down: nobody will read it any more.
        if let Ok(last) = spawn_blocking(move || lock(&file).append(chunk)).await {
            self.registry().tell(work, last);
        }
    }

    async fn read(
        &self,
        build: BuildId,
        work: Work,
        after: u64,
        limit: usize,
    ) -> Result<Vec<OutputLine>, StoreError> {
        let file = self.file((build, work));
        let read = move || {
            let Some(section) = lock(&file).section(after)? else { return Ok(Vec::new()) };
            section.read(after, limit)
        };
        let read = spawn_blocking(read).await.map_err(|_| StoreError::Closed)?;
        read.map_err(|error: io::Error| StoreError::Unavailable(Box::new(error)))
    }

    fn follow(&self, build: BuildId, work: Work) -> watch::Receiver<u64> {
        let followed = self.registry().follow((build, work));
        // Counting lines reads the file: the follower is told a moment later, as of a new line.
        let log = self.clone();
        let count = move || {
            let file = log.file((build, work));
            let last = lock(&file).last();
            log.registry().tell((build, work), last);
        };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(count)),
            Err(_) => count(),
        }
        followed
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A file that somebody panicked over is looked at again before it is used.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
