//! What the attempts at tasks leave outside, so that nobody has to be believed about how often they began.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A file in which every attempt that begins writes its name.
#[derive(Debug)]
pub struct Marks {
    file: PathBuf,
}

impl Marks {
    /// In a new folder.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        fs::create_dir(folder).expect("a folder");
        Self { file: folder.join("attempts") }
    }

    /// A command for a task: writes the name of the attempt, which it then has in `$here`. An attempt's tree is in a
    /// folder of that name.
    #[must_use]
    pub fn leave(&self) -> String {
        // Appended by one write, a short line is never torn.
        format!("here=$(basename \"$(dirname \"$PWD\")\"); echo \"$here\" >> {}", self.file.display())
    }

    /// How often each attempt has begun.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for line in fs::read_to_string(&self.file).unwrap_or_default().lines() {
            *counts.entry(line.to_owned()).or_insert(0) += 1;
        }
        counts
    }

    /// The attempts that must not be.
    #[must_use]
    pub fn begun_more_than_once(&self) -> BTreeMap<String, usize> {
        self.counts().into_iter().filter(|(_, count)| *count > 1).collect()
    }
}
