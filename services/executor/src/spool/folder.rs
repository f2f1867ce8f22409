//! The folder of a spool: a file for each report, written so that it is there as a whole or not at all.

use ports::{OutcomeReport, WireError};
use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;

/// Begins the name of a file that is still being written.
const UNFINISHED: &str = "~";
/// Ends the name of a report.
const REPORT: &str = "json";
/// Ends the name of what is set aside: nobody will read it again but people.
const SET_ASIDE: &str = "set-aside";

/// A folder of reports.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

/// A report in the folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kept(PathBuf);

impl Folder {
    /// Opens it, makes it if it is not there, and lists what is in it.
    pub(super) async fn open(path: PathBuf) -> io::Result<(Self, Vec<Kept>)> {
        blocking(move || {
            fs::create_dir_all(&path)?;
            let kept = list(&path)?;
            Ok((Self(path), kept))
        })
        .await
    }

    /// Keeps a report. When this returns, it outlasts the process and the machine.
    pub(super) async fn keep(&self, report: &OutcomeReport) -> io::Result<Kept> {
        let (build, work, attempt) = report.about();
        let name = format!("{build}-{work}-{attempt}");
        let (folder, bytes) = (self.0.clone(), report.encode()?);
        blocking(move || keep(&folder, &name, &bytes)).await
    }

    /// Reads a report. What is none is set aside; what a newer version wrote stays for that.
    pub(super) async fn read(&self, kept: &Kept) -> Option<OutcomeReport> {
        let path = kept.0.clone();
        let error = match blocking(move || fs::read(path)).await {
            Ok(bytes) => match OutcomeReport::decode(&bytes) {
                Ok(report) => return Some(report),
                Err(error @ WireError::Newer(_)) => {
                    tracing::error!(%error, file = %kept.0.display(), "a report in the spool is left for a newer version");
                    return None;
                }
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        tracing::error!(error, file = %kept.0.display(), "a report in the spool cannot be read");
        self.set_aside(kept).await;
        None
    }

    /// Keeps a report out of the way of every later start.
    pub(super) async fn set_aside(&self, kept: &Kept) {
        let path = kept.0.clone();
        if let Err(error) = blocking(move || fs::rename(&path, path.with_extension(SET_ASIDE))).await {
            tracing::error!(%error, file = %kept.0.display(), "a report in the spool could not be set aside");
        }
    }

    /// Forgets a report. Should the machine fail before the disk has it, the report is published once more.
    pub(super) async fn remove(&self, kept: Kept) {
        let path = kept.0.clone();
        if let Err(error) = blocking(move || fs::remove_file(path)).await {
            tracing::error!(%error, file = %kept.0.display(), "a confirmed report stays in the spool");
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

fn list(folder: &Path) -> io::Result<Vec<Kept>> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
            // An earlier process died over it.
            let _ = fs::remove_file(&path);
        } else if path.extension() == Some(OsStr::new(REPORT)) {
            kept.push(Kept(path));
        }
    }
    // Names begin with ids that grow: older builds come first.
    kept.sort();
    Ok(kept)
}

fn keep(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<Kept> {
    let mut file = NamedTempFile::with_prefix_in(UNFINISHED, folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    // An attempt may have been reported already, as lost.
    for number in 0_u64.. {
        let path = folder.join(format!("{name}-{number}.{REPORT}"));
        match file.persist_noclobber(&path) {
            Ok(_) => {
                // The name must be as durable as the content.
                File::open(folder)?.sync_all()?;
                return Ok(Kept(path));
            }
            Err(taken) if taken.error.kind() == io::ErrorKind::AlreadyExists => file = taken.file,
            Err(error) => return Err(error.error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
