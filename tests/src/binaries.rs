//! Where the programs under test are.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

/// `buildwright`, as `BUILDWRIGHT_TEST_BINARY` names it or else as Cargo builds it now.
pub fn buildwright() -> &'static Path {
    static BINARY: LazyLock<PathBuf> = LazyLock::new(|| match env::var_os("BUILDWRIGHT_TEST_BINARY") {
        Some(path) => path.into(),
        None => build(),
    });
    &BINARY
}

fn build() -> PathBuf {
    let root = root();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--package", "buildwright"])
        .current_dir(&root)
        .status()
        .expect("cargo starts");
    assert!(built.success(), "cargo could not build buildwright");
    target().join("debug/buildwright")
}

/// The pinned Claude CLI: where `scripts/fetch-claude` puts it.
pub fn claude() -> PathBuf {
    let path = env::var_os("BUILDWRIGHT_TEST_CLAUDE")
        .map_or_else(|| target().join("tools/claude-2.1.197/node_modules/.bin/claude"), PathBuf::from);
    assert!(path.is_file(), "{} is missing: run scripts/fetch-claude", path.display());
    path
}

fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository").to_owned()
}
