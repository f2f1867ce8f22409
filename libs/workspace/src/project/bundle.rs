use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use names::Commit;

use super::repositories::Project;
use crate::error::{GitError, blocking};
use crate::invocation::Invocation;

impl Project {
    /// Writes `base..commit` as a git bundle to `out`; without a base, the whole history.
    ///
    /// With the build's base, one bundle is all that another machine needs to have the commit. `out` appears
    /// complete or not at all.
    pub async fn bundle(&self, commit: &Commit, base: Option<&Commit>, out: &Path) -> Result<(), GitError> {
        write_bundle(self.run("pack-objects"), commit, base, out).await
    }
}

/// Writes the bundle ourselves (see `git help format-bundle`): `git bundle create` would want a ref for the
/// commit first, and takes two processes.
pub(crate) async fn write_bundle(
    pack_objects: Invocation,
    commit: &Commit,
    base: Option<&Commit>,
    out: &Path,
) -> Result<(), GitError> {
    let mut name = out.as_os_str().to_owned();
    name.push(".partial");
    let partial = Path::new(&name).to_owned();
    let prerequisite = base.map(|base| format!("-{base} \n")).unwrap_or_default();
    let header = format!("# v2 git bundle\n{prerequisite}{commit} refs/heads/result\n\n");
    let file = blocking({
        let partial = partial.clone();
        move || start_file(&partial, &header).map_err(GitError::file("write", &partial))
    })
    .await?;
    let exclude = base.map(|base| format!("^{base}\n")).unwrap_or_default();
    pack_objects
        .args(["--revs", "--thin", "--stdout", "--delta-base-offset", "--quiet"])
        .input(format!("{commit}\n{exclude}"))
        .output_file(file)
        .of_histories()
        .stdout()
        .await?;
    let out = out.to_owned();
    blocking(move || {
        let finish = || {
            File::open(&partial)?.sync_all()?;
            fs::rename(&partial, &out)
        };
        finish().map_err(GitError::file("write", &out))
    })
    .await
}

fn start_file(path: &Path, header: &str) -> std::io::Result<File> {
    let mut file = File::create(path)?;
    file.write_all(header.as_bytes())?;
    Ok(file)
}
