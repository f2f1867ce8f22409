//! What is kept beside long streams.

use super::{Subject, sample::*};
use ports::{Position, Snapshot, Version};

fn snapshot(version: u64, state: &str) -> Snapshot {
    Snapshot {
        version: Version(version),
        position: Position(version * 3),
        schema_version: u16::MAX,
        state: state.to_owned(),
    }
}

/// Each stream has one, and a large one is nothing special.
pub async fn a_snapshot_is_read_as_it_was_saved_last_also_after_opening_again<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.snapshots();
    assert_eq!(store.load_snapshot(stream(1)).await.expect("read"), None);

    let large = snapshot(7, &format!("\"🦀\\u0000{}\"", "x".repeat(3 << 20)));
    store.save_snapshot(stream(1), snapshot(5, "{}")).await.expect("saved");
    store.save_snapshot(stream(2), snapshot(9, "not even JSON")).await.expect("saved");
    store.save_snapshot(stream(1), large.clone()).await.expect("saved");
    drop(store);

    let subject = subject.reopened().await;
    let store = subject.snapshots();
    let saved = store.load_snapshot(stream(1)).await.expect("read").expect("a snapshot");
    assert!(saved == large, "{} bytes of version {}", saved.state.len(), saved.version);
    assert_eq!(store.load_snapshot(stream(2)).await.expect("read"), Some(snapshot(9, "not even JSON")));
    assert_eq!(store.load_snapshot(stream(3)).await.expect("read"), None);
}

/// Of two processes that save, the slower one does not undo what the other did.
pub async fn a_snapshot_never_goes_back<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.snapshots();
    store.save_snapshot(stream(1), snapshot(5, "unreadable")).await.expect("saved");
    for (version, state, kept) in
        [(4, "old", (5, "unreadable")), (5, "same", (5, "same")), (6, "new", (6, "new"))]
    {
        store.save_snapshot(stream(1), snapshot(version, state)).await.expect("saved or left alone");
        let found = store.load_snapshot(stream(1)).await.expect("read");
        assert_eq!(found, Some(snapshot(kept.0, kept.1)), "after {version}");
    }
}
