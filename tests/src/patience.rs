//! Waiting for conditions.

use std::{
    future::Future,
    time::{Duration, Instant},
};

const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Waits until the condition gives something, and returns it with the time that took.
///
/// # Panics
/// When it has not by then.
pub async fn until<T, F: Future<Output = Option<T>>>(
    limit: Duration,
    what: &str,
    mut condition: impl FnMut() -> F,
) -> (T, Duration) {
    let begun = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return (value, begun.elapsed());
        }
        assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Awaits a future.
///
/// # Panics
/// When it takes longer.
pub async fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(limit, future).await {
        Ok(value) => value,
        Err(_) => panic!("not within {limit:?}: {what}"),
    }
}
