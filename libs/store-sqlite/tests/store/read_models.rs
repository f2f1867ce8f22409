use crate::scene::*;
use domain::build::BuildStatus::{self, *};
use ports::{BuildFilter, BuildSummary, Position, ReadModels, TaskCounts};
use std::collections::BTreeMap;

pub(crate) fn summary(n: u64) -> BuildSummary {
    BuildSummary {
        id: build(n),
        status: Queued,
        title: format!("Build no. {n}: “quoted” 🦀"),
        project: "shop".parse().expect("a name"),
        labels: BTreeMap::new(),
        tasks: TaskCounts { total: 3, completed: 1 },
        cost_nano_usd: n * 1_000_000,
        submitted_at: "2026-03-01T12:00:00.123456Z".parse().expect("a time"),
        ended_at: None,
    }
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

async fn numbers(scene: &Scene, filter: BuildFilter) -> (Vec<u64>, bool) {
    let page = scene.store.builds(&filter).await.expect("a page");
    let number = |id| (0..1000).find(|n| build(*n) == id).expect("one of ours");
    (page.builds.iter().map(|row| number(row.id)).collect(), page.more)
}

async fn scene_of(rows: Vec<BuildSummary>) -> Scene {
    let scene = Scene::new().await;
    scene.store.project(rows, Position(1)).await.expect("projected");
    scene
}

fn everything() -> BuildFilter {
    BuildFilter { limit: 100, ..BuildFilter::default() }
}

#[tokio::test]
async fn a_row_is_read_as_it_was_stored_and_a_second_one_replaces_it() {
    let mut row = summary(1);
    row.labels = labels(&[("team", "web")]);
    row.cost_nano_usd = u64::MAX;
    let scene = scene_of(vec![row.clone()]).await;
    assert_eq!(scene.store.summaries(&[build(1), build(2)]).await.expect("rows"), [row.clone()]);

    row.status = Completed;
    row.tasks.completed = 3;
    row.ended_at = Some(row.submitted_at);
    scene.store.project(vec![row.clone()], Position(2)).await.expect("projected");

    assert_eq!(scene.store.summaries(&[build(1)]).await.expect("rows"), [row.clone()]);
    assert_eq!(scene.store.builds(&everything()).await.expect("a page").builds, [row]);
    assert!(scene.store.summaries(&[]).await.expect("rows").is_empty());
}

#[tokio::test]
async fn a_list_is_newest_first_and_pages_meet_without_gap_or_overlap() {
    let scene = scene_of((1..=7).map(summary).collect()).await;
    let page = async |before: Option<u64>| {
        numbers(&scene, BuildFilter { before: before.map(build), limit: 3, ..everything() }).await
    };
    assert_eq!(page(None).await, (vec![7, 6, 5], true));
    assert_eq!(page(Some(5)).await, (vec![4, 3, 2], true));
    assert_eq!(page(Some(2)).await, (vec![1], false));
    assert_eq!(page(Some(1)).await, (vec![], false));
    assert_eq!(page(Some(4)).await, (vec![3, 2, 1], false));
}

#[tokio::test]
async fn filters_by_status_and_project_go_together() {
    let rows = (1..=60_u64).map(|n| BuildSummary {
        status: BuildStatus::ALL[usize::try_from(n % 6).expect("small")],
        project: if n % 4 == 0 { "shop" } else { "blog" }.parse().expect("a name"),
        labels: labels(if n % 5 == 0 { &[("tier", "gold")] } else { &[] }),
        ..summary(n)
    });
    let rows: Vec<_> = rows.collect();
    let scene = scene_of(rows.clone()).await;

    for status in [vec![], vec![Failed], vec![Queued, Completed, Queued], BuildStatus::ALL.to_vec()] {
        for project in [None, Some("shop"), Some("none")] {
            for gold in [false, true] {
                for (before, limit) in [(None, 100), (None, 2), (Some(31), 100), (Some(31), 2)] {
                    let expected: Vec<u64> = (1..=60)
                        .rev()
                        .filter(|n| before.is_none_or(|before| *n < before))
                        .filter(|n| {
                            let row = &rows[usize::try_from(*n).expect("small") - 1];
                            (status.is_empty() || status.contains(&row.status))
                                && project.is_none_or(|project| row.project.as_str() == project)
                                && (!gold || !row.labels.is_empty())
                        })
                        .collect();
                    let filter = BuildFilter {
                        status: status.clone(),
                        project: project.map(|project| project.parse().expect("a name")),
                        labels: labels(if gold { &[("tier", "gold")] } else { &[] }),
                        before: before.map(build),
                        limit,
                    };
                    let more = expected.len() > limit;
                    let expected: Vec<u64> = expected.into_iter().take(limit).collect();
                    assert_eq!(numbers(&scene, filter.clone()).await, (expected, more), "{filter:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn labels_may_hold_any_character() {
    let odd = [
        ("plain", "value"),
        ("", ""),
        ("it's", "a \"quote\""),
        ("$.path[0]", "%_*?"),
        ("back\\slash", "tab\tline\nreturn\r"),
        ("ключ", "значение 🦀"),
        ("nul\0", "in\0side"),
        ("bell\u{7}", "\u{7f}\u{2028}"),
        ("'; DROP TABLE builds; --", "{\"a\":1}"),
        ("1", "true"),
        ("null", "null"),
    ];
    let rows = (0..).zip(odd).map(|(n, pair)| BuildSummary { labels: labels(&[pair]), ..summary(n) });
    let scene = scene_of(rows.chain([BuildSummary { labels: labels(&odd), ..summary(50) }]).collect()).await;

    for (n, pair) in (0..).zip(odd) {
        let filter = |pair| BuildFilter { labels: labels(&[pair]), ..everything() };
        assert_eq!(numbers(&scene, filter(pair)).await.0, [50, n], "{pair:?}");
        assert!(numbers(&scene, filter((pair.0, "another"))).await.0.is_empty(), "{pair:?}");
    }
    assert_eq!(numbers(&scene, BuildFilter { labels: labels(&odd), ..everything() }).await.0, [50]);
    let one = labels(&odd);
    assert_eq!(scene.store.summaries(&[build(50)]).await.expect("rows")[0].labels, one);
}

#[tokio::test]
async fn a_build_is_not_found_by_labels_it_no_longer_has() {
    let row = |pairs| BuildSummary { labels: labels(pairs), ..summary(1) };
    let scene = scene_of(vec![row(&[("a", "1"), ("b", "2")])]).await;
    scene.store.project(vec![row(&[("a", "1"), ("c", "3")])], Position(2)).await.expect("projected");
    for (pair, found) in [(("a", "1"), 1), (("b", "2"), 0), (("c", "3"), 1)] {
        let filter = BuildFilter { labels: labels(&[pair]), ..everything() };
        assert_eq!(numbers(&scene, filter).await.0.len(), found, "{pair:?}");
    }
}

#[tokio::test]
async fn open_builds_come_oldest_first_in_pages() {
    let rows = (1..=12_u64).map(|n| BuildSummary {
        status: BuildStatus::ALL[usize::try_from(n % 6).expect("small")],
        ..summary(n)
    });
    let scene = scene_of(rows.collect()).await;
    // n % 6 in 0, 1, 2: queued, planning, executing.
    let open = async |after: Option<u64>, limit| {
        scene.store.open_builds(after.map(build), limit).await.expect("a page")
    };
    assert_eq!(open(None, 3).await, [1, 2, 6].map(build));
    assert_eq!(open(Some(6), 3).await, [7, 8, 12].map(build));
    assert!(open(Some(12), 3).await.is_empty());
    assert_eq!(open(Some(3), 100).await, [6, 7, 8, 12].map(build));
}

#[tokio::test]
async fn rows_and_checkpoint_are_stored_together_and_reset_together() {
    let scene = Scene::new().await;
    let mut projected = scene.store.projected();
    assert_eq!(*projected.borrow_and_update(), Position(0));

    scene.store.project((1..=600).map(summary).collect(), Position(900)).await.expect("projected");
    assert!(projected.has_changed().expect("alive"));
    assert_eq!(*projected.borrow_and_update(), Position(900));

    let scene = scene.forsake_and_open().await;
    assert_eq!(*scene.store.projected().borrow(), Position(900));
    assert_eq!(numbers(&scene, BuildFilter { limit: 1000, ..everything() }).await.0.len(), 600);

    scene.store.reset().await.expect("reset");
    assert_eq!(*scene.store.projected().borrow(), Position(0));
    assert!(numbers(&scene, everything()).await.0.is_empty());
    let scene = scene.forsake_and_open().await;
    assert_eq!(*scene.store.projected().borrow(), Position(0));
    assert!(scene.store.open_builds(None, 10).await.expect("a page").is_empty());
}

#[tokio::test]
async fn rows_that_do_not_fit_leave_rows_and_checkpoint_as_they_were() {
    let options = buildwright_store_sqlite::SqliteOptions { max_bytes: Some(1 << 20), ..Default::default() };
    let scene = Scene::with(options).await;
    scene.store.project(vec![summary(1)], Position(5)).await.expect("projected");

    let too_much = (1..5_000).map(|n| BuildSummary { title: "x".repeat(200), ..summary(n) }).collect();
    scene.store.project(too_much, Position(6)).await.expect_err("there is no room");

    assert_eq!(*scene.store.projected().borrow(), Position(5));
    assert_eq!(scene.store.builds(&everything()).await.expect("a page").builds, [summary(1)]);
    scene.store.project(vec![summary(2)], Position(6)).await.expect("projected");
    assert_eq!(*scene.store.projected().borrow(), Position(6));
}
