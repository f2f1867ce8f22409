//! The directory of a run that the model is not shown.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::credential::Credential;

/// Where things are in a private directory.
pub(crate) struct PrivateDir {
    pub(crate) config: PathBuf,
    pub(crate) home: PathBuf,
    pub(crate) tmp: PathBuf,
    pub(crate) prompt: PathBuf,
}

impl PrivateDir {
    pub(crate) fn of(root: &Path) -> Self {
        Self {
            config: root.join("config"),
            home: root.join("home"),
            tmp: root.join("tmp"),
            prompt: root.join("prompt.txt"),
        }
    }

    /// Makes what is missing, for our eyes only, and puts prompt and login in.
    pub(crate) fn prepare(root: &Path, prompt: &str, credential: &Credential) -> io::Result<Self> {
        let dir = Self::of(root);
        for path in [&dir.config, &dir.home, &dir.tmp] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        }
        // A prompt that begins with a slash is a command to the CLI; after a line feed it is text.
        let guard = if prompt.starts_with('/') { "\n" } else { "" };
        write_secret(&dir.prompt, format!("{guard}{prompt}").as_bytes())?;
        if let Credential::Login { config_dir } = credential {
            const NAME: &str = ".credentials.json";
            let login = config_dir.join(NAME);
            let bytes = fs::read(&login)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", login.display())))?;
            write_secret(&dir.config.join(NAME), &bytes)?;
        }
        Ok(dir)
    }
}

/// Replaces, so that the mode holds for a file that was there before too.
fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_login_is_copied_for_our_eyes_only() {
        let user = tempfile::tempdir().unwrap();
        fs::write(user.path().join(".credentials.json"), "{}").unwrap();
        let root = tempfile::tempdir().unwrap();
        let login = Credential::Login { config_dir: user.path().into() };
        for prompt in ["first", "second"] {
            let dir = PrivateDir::prepare(root.path(), prompt, &login).unwrap();
            assert_eq!(fs::read_to_string(&dir.prompt).unwrap(), prompt);
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&dir.config.join(".credentials.json")), 0o600);
            assert_eq!(mode(&dir.prompt), 0o600);
            assert_eq!([mode(&dir.config), mode(&dir.home), mode(&dir.tmp)], [0o700; 3]);
        }
    }

    #[test]
    fn a_login_that_is_not_there_is_an_error() {
        let empty = tempfile::tempdir().unwrap();
        let login = Credential::Login { config_dir: empty.path().join("none") };
        let prepared = PrivateDir::prepare(empty.path(), "p", &login);
        assert_eq!(prepared.err().map(|error| error.kind()), Some(io::ErrorKind::NotFound));
    }
}
