//! Starting from somebody else's repository.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use buildwright_workspace::{Access, BaseError, GitError, Project, Repositories, Source, SourceRules};
use futures::future::join_all;
use names::{BranchName, ProjectName, RefName};

use crate::fixture::{Fixture, at, git, segment, write};

fn upstream(f: &Fixture) -> (PathBuf, Source) {
    let folder = f.path("upstream");
    fs::create_dir(&folder).unwrap();
    git(&folder, &["init", "-q", "-b", "trunk"]);
    write(&folder.join("readme"), "1");
    git(&folder, &["add", "-A"]);
    git(&folder, &["commit", "-qm", "first"]);
    let source =
        Source { url: folder.to_str().unwrap().parse().unwrap(), branch: Some("trunk".parse().unwrap()) };
    (folder, source)
}

async fn with_rules(f: &Fixture, rules: SourceRules) -> Arc<Project> {
    let repositories = Repositories::new(f.git.clone(), f.path("ruled"), rules).await.unwrap();
    repositories.project(&"shop".parse::<ProjectName>().unwrap().into()).await.unwrap()
}

fn source(url: &str) -> Source {
    Source { url: url.parse().unwrap(), branch: Some(BranchName::main()) }
}

#[tokio::test]
async fn without_a_source_the_same_date_gives_the_same_empty_commit_anywhere() {
    let (one, two) = (Fixture::new().await, Fixture::new().await);
    let base = one.base().await;
    assert_eq!(base, two.base().await);
    assert_eq!(
        one.inspect(&["log", "--format=%an <%ae> %ct", base.as_str()]),
        "Buildwright <buildwright@localhost> 1700000000"
    );
    let later = one.project.base(&BranchName::main(), None, at(1)).await.unwrap();
    assert_ne!(base, later);
}

#[tokio::test]
async fn a_source_is_fetched_as_it_is_now_and_the_projects_own_work_goes_on_top() {
    let f = Fixture::new().await;
    let (folder, source) = upstream(&f);
    let main = BranchName::main();
    let first = f.project.base(&main, Some(&source), at(0)).await.unwrap();
    assert_eq!(first.as_str(), git(&folder, &["rev-parse", "trunk"]));

    // A build on top of it is where the next one continues.
    let work = f.commit_files("a", &first, &[("a", "1")]).await;
    let build = RefName::of_build(&segment("bld_1"));
    f.project.publish(&build, &work, &main, "m", at(0)).await.unwrap();
    assert_eq!(f.project.base(&main, Some(&source), at(0)).await.unwrap(), work);

    // Unless the source has moved on.
    git(&folder, &["commit", "-q", "--allow-empty", "-m", "second"]);
    let second = f.project.base(&main, Some(&source), at(0)).await.unwrap();
    assert_eq!(second.as_str(), git(&folder, &["rev-parse", "trunk"]));
    let refs = f.inspect(&["for-each-ref", "--format=%(refname)", "refs/sources"]);
    assert_eq!(refs.lines().count(), 1, "{refs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_moved_can_be_fetched_by_many_at_once() {
    let f = Fixture::new().await;
    let (folder, source) = upstream(&f);
    let main = BranchName::main();
    f.project.base(&main, Some(&source), at(0)).await.unwrap();
    for round in 0..5 {
        git(&folder, &["commit", "-q", "--allow-empty", "-m", &format!("round {round}")]);
        let tip = git(&folder, &["rev-parse", "trunk"]);
        let all = join_all((0..5).map(|_| f.project.base(&main, Some(&source), at(0)))).await;
        for found in all {
            assert_eq!(found.unwrap().as_str(), tip);
        }
    }
    // Of which one ref is left, so that the next fetch need not bring everything again.
    let refs = f.inspect(&["for-each-ref", "--format=%(refname)"]);
    assert!(refs.lines().count() == 1 && refs.starts_with("refs/sources/"), "{refs}");
}

#[tokio::test]
async fn what_a_killed_fetch_leaves_hinders_nobody_and_is_removed() {
    let f = Fixture::new().await;
    let (folder, source) = upstream(&f);
    let main = BranchName::main();
    f.project.base(&main, Some(&source), at(0)).await.unwrap();
    let fetches = f.repository().join("refs/fetches");
    fs::create_dir_all(&fetches).unwrap();
    write(&fetches.join("1-0.lock"), "");
    write(&fetches.join("1-1"), format!("{}\n", git(&folder, &["rev-parse", "trunk"])));
    f.project.base(&main, Some(&source), at(0)).await.unwrap();

    // The next one to have the project to itself
    let Fixture { folder: home, git: program, project, .. } = f;
    drop(project);
    let project = crate::fixture::open_project(&program, &home.path().join("repositories"), "shop").await;
    assert!(!fetches.exists());
    project.base(&main, Some(&source), at(0)).await.unwrap();
}

#[tokio::test]
async fn a_branch_that_is_not_there_fails_with_gits_own_words() {
    let f = Fixture::new().await;
    let (_, mut source) = upstream(&f);
    source.branch = Some("missing".parse().unwrap());
    let error = f.project.base(&BranchName::main(), Some(&source), at(0)).await.unwrap_err();
    assert!(error.to_string().contains("couldn't find remote ref refs/heads/missing"), "{error}");
}

#[tokio::test]
async fn local_repositories_are_refused_unless_the_rules_allow_them() {
    let f = Fixture::new().await;
    let (_, source) = upstream(&f);
    let project = with_rules(&f, SourceRules::default()).await;
    let error = project.base(&BranchName::main(), Some(&source), at(0)).await.unwrap_err();
    assert!(matches!(error, BaseError::LocalRefused), "{error}");
}

#[tokio::test]
async fn repositories_of_projects_are_not_taken_by_their_paths() {
    let f = Fixture::new().await;
    f.base().await;
    let inside = f.repository();
    symlink(&inside, f.path("link")).unwrap();
    for path in [inside.clone(), f.path("link"), inside.join("../shop.git"), inside.join("objects")] {
        for url in [path.display().to_string(), format!("file://{}", path.display())] {
            let Ok(url) = url.parse() else { continue };
            let source = Source { url, branch: None };
            let error = f.project.base(&BranchName::main(), Some(&source), at(0)).await.unwrap_err();
            assert!(matches!(error, BaseError::OurOwn), "{}: {error}", source.url.as_str());
        }
    }
}

#[tokio::test]
async fn hosts_with_private_addresses_are_refused_and_nothing_is_sent() {
    let f = Fixture::new().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for url in [
        format!("https://127.0.0.1:{port}/x"),
        format!("https://localhost:{port}/x"),
        format!("ssh://git@localhost:{port}/x"),
        "https://169.254.169.254/x".to_owned(),
        "https://[::1]/x".to_owned(),
        "https://10.0.0.1/x".to_owned(),
        "https://0x7f000001/x".to_owned(),
        "https://2130706433/x".to_owned(),
    ] {
        let error = f.project.base(&BranchName::main(), Some(&source(&url)), at(0)).await.unwrap_err();
        assert!(matches!(error, BaseError::PrivateHost | BaseError::UnknownHost(_)), "{url}: {error}");
    }
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_silent_host_is_given_up_on_and_git_is_gone() {
    let f = Fixture::new().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let rules = SourceRules {
        private_hosts: Access::Allowed,
        timeout: Duration::from_millis(500),
        ..SourceRules::default()
    };
    let project = with_rules(&f, rules).await;
    let started = Instant::now();
    let source = source(&format!("https://127.0.0.1:{port}/x"));
    let error = project.base(&BranchName::main(), Some(&source), at(0)).await.unwrap_err();
    assert!(matches!(error, BaseError::Git(GitError::TimedOut { command: "fetch", .. })), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10));

    // The helper that git started for https held the connection; it ends with the group.
    let (mut connection, _) = listener.accept().unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    std::io::copy(&mut connection, &mut std::io::sink()).expect("the connection was closed");
}

#[tokio::test]
async fn a_source_without_a_branch_starts_from_what_its_head_points_at() {
    let f = Fixture::new().await;
    let (folder, source) = upstream(&f);
    let project = with_rules(&f, SourceRules { local: Access::Allowed, ..SourceRules::default() }).await;

    let source = Source { branch: None, ..source };
    let base = project.base(&BranchName::main(), Some(&source), at(0)).await.unwrap();
    assert_eq!(base.as_str(), git(&folder, &["rev-parse", "trunk"]).trim());
}
