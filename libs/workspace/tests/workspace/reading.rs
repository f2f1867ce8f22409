//! What the HTTP API shows of a commit.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use tokio::io::AsyncReadExt;

use crate::fixture::{Fixture, at, harvest, segment, write};

#[tokio::test]
async fn files_come_with_mode_size_and_id() {
    let f = Fixture::new().await;
    let workspace = f.prepare("a", &f.base().await).await;
    write(&workspace.tree().join("bin/run"), "#!/bin/sh\n");
    fs::set_permissions(workspace.tree().join("bin/run"), fs::Permissions::from_mode(0o755)).unwrap();
    write(&workspace.tree().join("readme"), "hello");
    let commit = harvest(&workspace).await.commit.unwrap();
    f.deliver(&workspace, &commit, workspace.start(), "a").await;

    let files = f.project.files(&commit).await.unwrap();
    let seen: Vec<_> = files.iter().map(|f| (f.path.to_string(), f.mode, f.size)).collect();
    assert_eq!(seen, [("bin/run".into(), 0o100_755, Some(10)), ("readme".into(), 0o100_644, Some(5))]);
    assert_eq!(files[1].blob, f.inspect(&["rev-parse", &format!("{commit}:readme")]));
    assert_eq!(f.project.files(workspace.start()).await.unwrap(), []);
}

#[tokio::test]
async fn a_diff_is_cut_after_a_whole_line() {
    let f = Fixture::new().await;
    let base = f.base().await;
    let text: String = (0..10_000).map(|n| format!("line {n}\n")).collect();
    let commit = f.commit_files("a", &base, &[("a", &text)]).await;

    let whole = f.project.diff(&base, &commit, 1 << 20).await.unwrap();
    assert!(!whole.truncated && whole.text.ends_with(b"+line 9999\n"));
    let cut = f.project.diff(&base, &commit, 5_000).await.unwrap();
    assert!(cut.truncated && cut.text.len() <= 5_000 && cut.text.ends_with(b"\n"));
    assert!(whole.text.starts_with(&cut.text));
    assert_eq!(f.project.diff(&commit, &commit, 100).await.unwrap().text, b"");
}

#[tokio::test]
async fn a_file_is_read_up_to_the_bound_and_a_missing_one_is_none() {
    let f = Fixture::new().await;
    let commit = f.commit_files("a", &f.base().await, &[("dir/a", "0123456789")]).await;
    let read =
        async |path: &str, max| f.project.read_file(&commit, &path.parse().unwrap(), max).await.unwrap();
    let whole = read("dir/a", 100).await.unwrap();
    assert_eq!((whole.bytes.as_slice(), whole.size), (&b"0123456789"[..], 10));
    let cut = read("dir/a", 4).await.unwrap();
    assert_eq!((cut.bytes.as_slice(), cut.size), (&b"0123"[..], 10));
    assert_eq!(read("dir", 100).await, None);
    assert_eq!(read("nowhere", 100).await, None);
    assert_eq!(read("long/".repeat(400).trim_end_matches('/'), 0).await, None);
}

#[tokio::test]
async fn a_log_lists_the_commits_of_a_build_newest_first() {
    let f = Fixture::new().await;
    let base = f.base().await;
    let a = f.commit_files("a", &base, &[("a", "1")]).await;
    let b = f.commit_files("b", &a, &[("b", "1")]).await;
    let log = f.project.log(&base, &b, 10).await.unwrap();
    assert_eq!(log.iter().map(|entry| &entry.commit).collect::<Vec<_>>(), [&b, &a]);
    assert_eq!(log[1].parents, std::slice::from_ref(&base));
    assert_eq!((log[0].author.as_str(), log[0].message.as_str()), ("Buildwright", "Do the task"));
    assert_eq!(log[0].committed_at, at(60));
    assert_eq!(f.project.log(&base, &b, 1).await.unwrap().len(), 1);
    assert_eq!(f.project.log(&b, &b, 10).await.unwrap(), []);
}

#[tokio::test]
async fn an_archive_holds_the_files_under_the_prefix() {
    let f = Fixture::new().await;
    let commit = f.commit_files("a", &f.base().await, &[("src/a", "1"), ("b", "22")]).await;
    let mut bytes = Vec::new();
    f.project.archive(&commit, &segment("shop")).unwrap().read_to_end(&mut bytes).await.unwrap();

    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
    let mut files = Vec::new();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        if entry.header().entry_type().is_file() {
            files.push((entry.path().unwrap().to_string_lossy().into_owned(), text));
        }
    }
    assert_eq!(files, [("shop/b".into(), "22".into()), ("shop/src/a".to_owned(), "1".to_owned())]);
}

#[tokio::test]
async fn a_broken_archive_ends_in_an_error_not_in_silence() {
    let f = Fixture::new().await;
    let unknown = "1".repeat(40).parse().unwrap();
    let mut bytes = Vec::new();
    let read = f.project.archive(&unknown, &segment("shop")).unwrap().read_to_end(&mut bytes).await;
    assert!(read.unwrap_err().to_string().contains("git archive failed"));
}
