//! What an attempt costs in processes. Time is printed, not asserted.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use buildwright_workspace::{Git, HarvestLimits};

use crate::fixture::{Fixture, harvest, search_path, write};

#[tokio::test]
async fn a_small_attempt_takes_seven_git_processes() {
    // Given a git that counts how often it is started.
    let folder = tempfile::TempDir::new().unwrap();
    let (program, count) = (folder.path().join("git"), folder.path().join("count"));
    write(&program, format!("#!/bin/sh\necho \"$@\" >> {}\nexec /usr/bin/env git \"$@\"\n", count.display()));
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let git = Git::find(&program, search_path()).await.unwrap();
    let f = Fixture::running(git, HarvestLimits::default()).await;
    let base = f.base().await;
    fs::remove_file(&count).unwrap();

    let workspace = f.prepare("small", &base).await;
    write(&workspace.tree().join("src/main.rs"), "fn main() {}");
    let commit = harvest(&workspace).await.commit.unwrap();
    workspace.bundle(&commit, Some(&base), &f.path("small.bundle")).await.unwrap();

    let started = fs::read_to_string(&count).unwrap();
    assert_eq!(started.lines().count(), 7, "{started}");
}

#[tokio::test]
async fn the_time_of_a_small_attempt() {
    let f = Fixture::new().await;
    let base = f.commit_files("start", &f.base().await, &[("a", "1"), ("b", "2"), ("c/d", "3")]).await;
    let (mut prepared, mut committed, mut bundled, mut imported, mut removed) = (0, 0, 0, 0, 0);
    let rounds = 20;
    for n in 0..rounds {
        let start = Instant::now();
        let workspace = f.prepare(&format!("n{n}"), &base).await;
        prepared += start.elapsed().as_micros();
        write(&workspace.tree().join("src/main.rs"), format!("fn main() {{ {n} }}"));
        let start = Instant::now();
        let commit = harvest(&workspace).await.commit.unwrap();
        committed += start.elapsed().as_micros();
        let start = Instant::now();
        let bundle = f.path("small.bundle");
        workspace.bundle(&commit, Some(&base), &bundle).await.unwrap();
        bundled += start.elapsed().as_micros();
        let start = Instant::now();
        let name = crate::fixture::task_ref(&format!("n{n}"));
        f.project.import(&bundle, &commit, &name, 1 << 20).await.unwrap();
        imported += start.elapsed().as_micros();
        let start = Instant::now();
        workspace.remove().await.unwrap();
        removed += start.elapsed().as_micros();
    }
    for (what, micros) in [
        ("prepare", prepared),
        ("commit", committed),
        ("bundle", bundled),
        ("import", imported),
        ("remove", removed),
    ] {
        println!("{what}: {:.1} ms", micros as f64 / f64::from(rounds) / 1000.0);
    }
}
