//! What tenants see of each other: nothing.

use super::{Subject, sample::*};
use domain::build::BuildStatus::{Completed, Executing, Queued};
use names::TenantName;
use ports::{Append, BuildFilter, BuildSummary, EventStore, Metadata, Position};

fn tenant(name: &str) -> TenantName {
    name.parse().expect("a name")
}

fn append_for(name: &str, n: u64, expected: u64, events: u64) -> Append {
    let metadata = Metadata { actor: Some("tester".into()), tenant: tenant(name) };
    Append { metadata, ..append(stream(n), expected, events) }
}

/// The positions of a tenant's events, read in pages, and where reading ended.
async fn positions(store: &dyn EventStore, name: &str, limit: usize) -> (Vec<u64>, Position) {
    let (mut found, mut after) = (Vec::new(), Position(0));
    loop {
        let page = store.read_tenant(&tenant(name), after, limit).await.expect("a page");
        assert!(page.upto >= after && page.events.len() <= limit);
        assert!(page.events.iter().all(|event| event.metadata.tenant == tenant(name)));
        found.extend(page.events.iter().map(|event| event.position.0));
        after = page.upto;
        if page.events.len() < limit {
            return (found, after);
        }
    }
}

/// In order and in pages, from memory and from disk.
pub async fn a_tenant_reads_its_own_events_only<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.events();
    for n in 0..20 {
        store.append(append_for("large", n, 0, 3)).await.expect("stored");
    }
    store.append(append_for("small", 50, 0, 2)).await.expect("stored");
    store.append(append_for("large", 1, 3, 3)).await.expect("stored");
    store.append(append_for("small", 50, 2, 1)).await.expect("stored");
    let large: Vec<u64> = (1..=60).chain(63..=65).collect();
    for limit in [2, 100] {
        assert_eq!(positions(store.as_ref(), "small", limit).await.0, [61, 62, 66]);
        assert_eq!(positions(store.as_ref(), "large", limit).await.0, large);
    }
    drop(store);

    let subject = subject.reopened().await;
    let store = subject.events();
    for limit in [2, 100] {
        assert_eq!(positions(store.as_ref(), "small", limit).await, (vec![61, 62, 66], Position(66)));
        assert_eq!(positions(store.as_ref(), "large", limit).await.0, large);
    }
    let page = store.read_tenant(&tenant("small"), Position(62), 9).await.expect("a page");
    assert_eq!(page.events.iter().map(|event| event.position.0).collect::<Vec<_>>(), [66]);
}

/// Whoever follows goes on from the end of the log, not from its own last event.
pub async fn a_tenant_without_events_need_not_read_twice<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.events();
    store.append(append_for("large", 1, 0, 30)).await.expect("stored");
    assert_eq!(positions(store.as_ref(), "none", 10).await, (vec![], Position(30)));
    drop(store);
    let subject = subject.reopened().await;
    let store = subject.events();
    assert_eq!(positions(store.as_ref(), "none", 10).await, (vec![], Position(30)));
    let page = store.read_tenant(&tenant("none"), Position(30), 10).await.expect("a page");
    assert_eq!((page.events.len(), page.upto), (0, Position(30)));
    store.append(append_for("none", 2, 0, 1)).await.expect("stored");
    let page = store.read_tenant(&tenant("none"), Position(30), 10).await.expect("a page");
    assert_eq!((page.events.len(), page.upto), (1, Position(31)));
}

/// By status, by project, by label and in pages.
pub async fn lists_are_one_tenants_whatever_else_is_asked_for<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.read_models();
    let row = |n: u64| BuildSummary {
        tenant: tenant(if n.is_multiple_of(2) { "even" } else { "odd" }),
        status: if n.is_multiple_of(3) { Completed } else { Queued },
        labels: labels(&[("team", "a"), ("n", if n < 10 { "low" } else { "high" })]),
        ..summary(n)
    };
    store.project((1..=20).map(row).collect(), Position(1)).await.expect("projected");
    for status in [vec![], vec![Queued], vec![Queued, Completed]] {
        for project in [None, Some("shop".parse().expect("a name"))] {
            for labels in [labels(&[]), labels(&[("team", "a")]), labels(&[("team", "a"), ("n", "low")])] {
                let filter = BuildFilter {
                    status: status.clone(),
                    project: project.clone(),
                    labels: labels.clone(),
                    before: Some(build(19)),
                    ..BuildFilter::of(tenant("even"), 100)
                };
                let found = store.builds(&filter).await.expect("a page").builds;
                let wanted = (1..19).rev().map(row).filter(|row| {
                    row.tenant == tenant("even")
                        && (status.is_empty() || status.contains(&row.status))
                        && labels.iter().all(|(name, value)| row.labels.get(name) == Some(value))
                });
                assert_eq!(found, wanted.collect::<Vec<_>>(), "{filter:?}");
                let nobody = BuildFilter { tenant: tenant("nobody"), ..filter };
                assert_eq!(store.builds(&nobody).await.expect("a page").builds, []);
            }
        }
    }
}

/// Ended builds do not count, and counting stops where nobody needs to know more.
pub async fn open_builds_are_counted_by_who_submitted_them<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.read_models();
    let row = |n: u64| BuildSummary {
        submitted_by: Some(if n <= 10 { "key_a".into() } else { "key_b".into() }),
        status: if n.is_multiple_of(2) { Completed } else { Executing },
        ..summary(n)
    };
    store.project((1..=14).map(row).collect(), Position(1)).await.expect("projected");
    assert_eq!(store.count_open("key_a", 100).await.expect("a number"), 5);
    assert_eq!(store.count_open("key_b", 100).await.expect("a number"), 2);
    assert_eq!(store.count_open("key_a", 3).await.expect("a number"), 3);
    assert_eq!(store.count_open("key_c", 3).await.expect("a number"), 0);
}
