//! How builds are found.

use super::{Subject, sample::*};
use domain::build::BuildStatus::{self, Completed, Failed, Queued};
use names::TenantName;
use ports::{BuildFilter, BuildSummary, Position, ReadModels};
use std::sync::Arc;

async fn store_of<S: Subject>(rows: Vec<BuildSummary>) -> (S, Arc<dyn ReadModels>) {
    let subject = S::empty().await;
    let store = subject.read_models();
    store.project(rows, Position(1)).await.expect("projected");
    (subject, store)
}

async fn numbers(store: &Arc<dyn ReadModels>, filter: BuildFilter) -> (Vec<u64>, bool) {
    let page = store.builds(&filter).await.expect("a page");
    let number = |n: &u64, row: &BuildSummary| row.id == build(*n);
    let of = |row: &BuildSummary| (0..=1_000).find(|n| number(n, row)).expect("one of ours");
    (page.builds.iter().map(of).collect(), page.more)
}

fn everything() -> BuildFilter {
    BuildFilter::of(TenantName::default(), 100)
}

/// Pages neither repeat nor leave out a build.
pub async fn a_list_is_newest_first_and_pages_meet_without_gap_or_overlap<S: Subject>() {
    let (_subject, store) = store_of::<S>((1..=7).map(summary).collect()).await;
    let page = async |before: Option<u64>| {
        numbers(&store, BuildFilter { before: before.map(build), limit: 3, ..everything() }).await
    };
    assert_eq!(page(None).await, (vec![7, 6, 5], true));
    assert_eq!(page(Some(5)).await, (vec![4, 3, 2], true));
    assert_eq!(page(Some(2)).await, (vec![1], false));
    assert_eq!(page(Some(1)).await, (vec![], false));
    assert_eq!(page(Some(4)).await, (vec![3, 2, 1], false));
}

/// Every combination of filters gives what filtering by hand gives.
pub async fn filters_by_status_project_and_label_go_together<S: Subject>() {
    let rows = (1..=60_u64).map(|n| BuildSummary {
        status: BuildStatus::ALL[usize::try_from(n % 6).expect("small")],
        project: if n % 4 == 0 { "shop" } else { "blog" }.parse().expect("a name"),
        labels: labels(if n % 5 == 0 { &[("tier", "gold")] } else { &[] }),
        ..summary(n)
    });
    let rows: Vec<_> = rows.collect();
    let (_subject, store) = store_of::<S>(rows.clone()).await;

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
                        tenant: TenantName::default(),
                        status: status.clone(),
                        project: project.map(|project| project.parse().expect("a name")),
                        labels: labels(if gold { &[("tier", "gold")] } else { &[] }),
                        before: before.map(build),
                        limit,
                    };
                    let more = expected.len() > limit;
                    let expected: Vec<u64> = expected.into_iter().take(limit).collect();
                    assert_eq!(numbers(&store, filter.clone()).await, (expected, more), "{filter:?}");
                }
            }
        }
    }
}

/// A label is text, never a pattern or a path.
pub async fn labels_may_hold_any_character<S: Subject>() {
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
    let all = labels(&odd);
    let rows = rows.chain([BuildSummary { labels: all.clone(), ..summary(50) }]).collect();
    let (_subject, store) = store_of::<S>(rows).await;

    for (n, pair) in (0..).zip(odd) {
        let filter = |pair| BuildFilter { labels: labels(&[pair]), ..everything() };
        assert_eq!(numbers(&store, filter(pair)).await.0, [50, n], "{pair:?}");
        assert!(numbers(&store, filter((pair.0, "another"))).await.0.is_empty(), "{pair:?}");
    }
    assert_eq!(numbers(&store, BuildFilter { labels: all.clone(), ..everything() }).await.0, [50]);
    assert_eq!(store.summaries(&[build(50)]).await.expect("rows")[0].labels, all);
}

/// Labels that changed are found under their new values only.
pub async fn a_build_is_not_found_by_labels_it_no_longer_has<S: Subject>() {
    let row = |pairs| BuildSummary { labels: labels(pairs), ..summary(1) };
    let (_subject, store) = store_of::<S>(vec![row(&[("a", "1"), ("b", "2")])]).await;
    store.project(vec![row(&[("a", "1"), ("c", "3")])], Position(2)).await.expect("projected");
    for (pair, found) in [(("a", "1"), 1), (("b", "2"), 0), (("c", "3"), 1)] {
        let filter = BuildFilter { labels: labels(&[pair]), ..everything() };
        assert_eq!(numbers(&store, filter).await.0.len(), found, "{pair:?}");
    }
}
