//! How events get into the log, and in which order.

use super::{Subject, sample::*};
use futures::future::join_all;
use ports::{AppendError, Appended, Position, RecordedEvent, Version};
use std::collections::HashMap;

/// Whatever a reader is told of an event is what its writer said, whether it is still in memory or not.
pub async fn an_event_is_read_as_it_was_written_from_memory_and_from_disk<S: Subject>() {
    let subject = S::empty().await;
    let appended = subject.events().append(append(stream(1), 0, 2)).await.expect("appended");
    assert_eq!(appended, Appended { position: Position(2), version: Version(2) });

    let from_memory = whole_log(&*subject.events()).await;
    let subject = subject.reopened().await;
    let from_disk = whole_log(&*subject.events()).await;
    let of_stream = subject.events().read_stream(stream(1), Version(0), 10).await.expect("read");

    for log in [&from_memory, &from_disk, &of_stream] {
        assert_whole(log);
        assert_eq!(log.len(), 2);
        let event = &log[1];
        assert_eq!(event.stream, stream(1));
        assert_eq!((&*event.kind, event.schema_version), ("task_started", 1));
        assert_eq!(&*event.payload, append(stream(1), 0, 2).events[1].payload);
        assert_eq!(event.metadata.actor.as_deref(), Some("tester"));
        assert_eq!(event.recorded_at.to_rfc3339(), "2026-03-01T12:00:00.123456+00:00");
    }
}

/// A stream's pages meet, whatever else is in the log.
pub async fn a_stream_is_read_in_pages<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.events();
    store.append(append(stream(1), 0, 5)).await.expect("appended");
    store.append(append(stream(2), 0, 5)).await.expect("appended");
    let versions = async |after, limit| {
        let page = store.read_stream(stream(1), Version(after), limit).await.expect("read");
        page.iter().map(|event| event.version.0).collect::<Vec<_>>()
    };
    assert_eq!(versions(0, 2).await, [1, 2]);
    assert_eq!(versions(2, 2).await, [3, 4]);
    assert_eq!(versions(4, 2).await, [5]);
    assert!(versions(5, 2).await.is_empty());
    assert!(store.read_stream(stream(3), Version(0), 9).await.expect("read").is_empty());
}

/// Any place of the log can be read on from, in pages of any size.
pub async fn the_log_is_read_in_pages_from_any_place<S: Subject>() {
    async fn read_everywhere<S: Subject>(subject: &S) {
        for after in 0..=25 {
            for limit in [1, 7, 100] {
                let page = subject.events().read_all(Position(after), limit).await.expect("read");
                let positions: Vec<u64> = page.iter().map(|event| event.position.0).collect();
                let expected: Vec<u64> = (after + 1..=21).take(limit).collect();
                assert_eq!(positions, expected, "after {after}, at most {limit}");
            }
        }
    }
    let subject = S::empty().await;
    for n in 0..7 {
        subject.events().append(append(stream(n), 0, 3)).await.expect("appended");
    }
    read_everywhere(&subject).await;
    read_everywhere(&subject.reopened().await).await;
}

/// A conflict tells what is there and leaves no trace.
pub async fn an_append_that_expected_another_version_stores_nothing<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.events();
    store.append(append(stream(1), 0, 3)).await.expect("appended");

    for (n, expected, actual) in [(1, 0, 3), (1, 2, 3), (1, 4, 3), (2, 1, 0)] {
        match store.append(append(stream(n), expected, 2)).await {
            Err(AppendError::Conflict { expected: told, actual: found }) => {
                assert_eq!((told, found), (Version(expected), Version(actual)));
            }
            other => panic!("expected a conflict, not {other:?}"),
        }
    }

    assert_eq!(*store.head().borrow(), Position(3));
    assert_eq!(whole_log(&*store).await.len(), 3);
    store.append(append(stream(1), 3, 1)).await.expect("the right version");
}

/// Who opens a store knows where its streams and its log end.
pub async fn versions_are_known_after_opening_again<S: Subject>() {
    let subject = S::empty().await;
    subject.events().append(append(stream(1), 0, 3)).await.expect("appended");
    let subject = subject.reopened().await;
    let store = subject.events();
    assert_eq!(*store.head().borrow(), Position(3));
    let conflict = store.append(append(stream(1), 0, 1)).await;
    assert!(matches!(conflict, Err(AppendError::Conflict { actual: Version(3), .. })), "{conflict:?}");
    let next = store.append(append(stream(1), 3, 1)).await.expect("appended");
    assert_eq!(next, Appended { position: Position(4), version: Version(4) });
}

/// Appends that are stored together are still judged each by itself, those of one stream in their order.
pub async fn appends_that_wait_together_are_judged_one_after_another<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.events();
    // Polled in this order, all of them wait before the first is stored.
    let results = join_all([
        store.append(append(stream(1), 0, 2)),
        store.append(append(stream(1), 0, 1)), // too late: the first one was there before
        store.append(append(stream(1), 2, 1)), // goes on where the first one ended
        store.append(append(stream(2), 0, 1)),
        store.append(append(stream(2), 7, 1)),
    ])
    .await;
    let versions: Vec<_> =
        results.iter().map(|result| result.as_ref().ok().map(|done| done.version.0)).collect();
    assert_eq!(versions, [Some(2), None, Some(3), Some(1), None]);
    for (refused, actual) in [(1, 2), (4, 1)] {
        match &results[refused] {
            // Whether it is told before or after the third was stored is the store's own business.
            Err(AppendError::Conflict { actual: told, .. }) => assert!(told.0 >= actual, "{told}"),
            other => panic!("expected a conflict, not {other:?}"),
        }
    }
    let log = whole_log(&*store).await;
    assert_whole(&log);
    assert_eq!(log.len(), 4);
}

/// However many events an append has, they are stored at once.
pub async fn a_large_append_is_stored_whole<S: Subject>() {
    let subject = S::empty().await;
    let done = subject.events().append(append(stream(1), 0, 5_003)).await.expect("appended");
    assert_eq!(done, Appended { position: Position(5_003), version: Version(5_003) });
    let log = whole_log(&*subject.reopened().await.events()).await;
    assert_whole(&log);
    assert_eq!(log.len(), 5_003);
}

/// Eight writers race for each of eight streams and try again from what the conflict tells.
pub async fn writers_that_race_leave_one_dense_log<S: Subject>() {
    let subject = S::empty().await;
    let writers = (0..64).map(|n| {
        let store = subject.events();
        tokio::spawn(async move {
            let (mut done, mut conflicts, mut expected) = (Vec::new(), 0, 0);
            while done.len() < 20 {
                match store.append(append(stream(n % 8), expected, 1 + n % 3)).await {
                    Ok(appended) => {
                        expected = appended.version.0;
                        done.push(appended);
                    }
                    Err(AppendError::Conflict { actual, .. }) => {
                        conflicts += 1;
                        expected = actual.0;
                    }
                    Err(other) => panic!("{other}"),
                }
            }
            (n, done, conflicts)
        })
    });
    let writers: Vec<_> =
        join_all(writers).await.into_iter().map(|writer| writer.expect("a writer")).collect();

    let log = whole_log(&*subject.reopened().await.events()).await;
    assert_whole(&log);
    let appended: u64 = writers.iter().map(|(n, ..)| 20 * (1 + n % 3)).sum();
    assert_eq!(log.len() as u64, appended);
    assert!(writers.iter().any(|(.., conflicts)| *conflicts > 0), "nobody raced");
    for (n, done, _) in &writers {
        for appended in done {
            let last = &log[usize::try_from(appended.position.0).expect("small") - 1];
            assert_eq!((last.stream, last.version), (stream(n % 8), appended.version));
        }
    }
}

/// Of appends of five events that race for one stream, each is found whole, in one piece, or nowhere.
pub async fn an_append_of_several_events_is_stored_whole_or_not_at_all<S: Subject>() {
    let subject = S::empty().await;
    let writers = (0..16_u64).map(|n| {
        let store = subject.events();
        tokio::spawn(async move {
            let (mut stored, mut expected) = (Vec::new(), 0);
            for round in 0..10 {
                let mark = format!("\"{n}/{round}\"");
                match store.append(append_of(stream(1), expected, vec![mark.clone(); 5])).await {
                    Ok(appended) => {
                        expected = appended.version.0;
                        stored.push((mark, appended));
                    }
                    Err(AppendError::Conflict { actual, .. }) => expected = actual.0,
                    Err(other) => panic!("{other}"),
                }
            }
            stored
        })
    });
    let mut told: HashMap<String, Appended> = HashMap::new();
    for writer in join_all(writers).await {
        told.extend(writer.expect("a writer"));
    }
    assert!(told.len() < 160, "nobody raced");

    let log = whole_log(&*subject.events()).await;
    assert_dense(&log);
    for five in log.chunks(5) {
        assert!(five.iter().all(|event| event.payload == five[0].payload), "{five:?}");
        let end: &RecordedEvent = &five[4];
        let appended = told.remove(&*end.payload).expect("only what was told to be stored, and that once");
        assert_eq!(appended, Appended { position: end.position, version: end.version });
    }
    assert!(told.is_empty(), "not there: {told:?}");
}
