//! A disk that is soon full.

use std::{fs, path::Path, process::Command};
use tempfile::TempDir;

/// A disk of so many MiB.
#[derive(Debug)]
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// `None`, and a word why, where none can be made.
    ///
    /// # Panics
    /// When there is no temporary folder.
    #[must_use]
    #[expect(clippy::print_stdout, reason = "a test that checks nothing says so")]
    pub fn new(mib: u32) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let options = format!("size={mib}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path());
        match mount.output() {
            Ok(output) if output.status.success() => Some(Self { folder }),
            Ok(output) => {
                println!("SKIPPED, no small disk: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                println!("SKIPPED, no small disk: {error}");
                None
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills it, except for so many KiB.
    ///
    /// # Panics
    /// When nothing tells how much is free.
    pub fn fill_up_to(&self, kib: u64) {
        let free = Command::new("df").args(["-k", "--output=avail"]).arg(self.path()).output().expect("df");
        let free = String::from_utf8_lossy(&free.stdout).into_owned();
        let free: u64 = free.lines().nth(1).and_then(|line| line.trim().parse().ok()).expect("KiB");
        let file = fs::File::create(self.filler()).expect("a file");
        let mut zeroes = std::io::Read::take(std::io::repeat(0), free.saturating_sub(kib) * 1024);
        // Where nothing is to be left, the last write fails.
        let _ = std::io::copy(&mut zeroes, &mut &file);
    }

    /// Makes room again.
    ///
    /// # Panics
    /// When it was not filled.
    pub fn free(&self) {
        fs::remove_file(self.filler()).expect("it was filled");
    }

    fn filler(&self) -> std::path::PathBuf {
        self.path().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
