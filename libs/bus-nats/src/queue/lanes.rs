//! Streams and consumers of the pools and labels that orders ask for: made when they are first asked for.

use crate::{NatsBus, lane::Lane, subjects};
use futures::TryStreamExt;
use names::PoolName;
use ports::BusError;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// How long what was there is believed to be: somebody may remove it by hand.
const BELIEVED: Duration = Duration::from_secs(30);

/// When a lane was last seen to.
struct Seen {
    /// `None` if that proved wrong since.
    at: Option<Instant>,
    /// In which epoch of the connection: the server may have come back without it.
    epoch: u64,
}

/// The lanes that are known to be there.
#[derive(Default)]
pub(super) struct Lanes(Mutex<HashMap<(PoolName, Lane), Seen>>);

impl Lanes {
    /// Makes a lane unless it is known to be there.
    pub(super) async fn see_to(&self, bus: &NatsBus, pool: &PoolName, lane: &Lane) -> Result<(), BusError> {
        let mut known = self.0.lock().await;
        let epoch = bus.link().borrow().epoch;
        let key = (pool.clone(), lane.clone());
        let seen = known.get(&key).filter(|seen| seen.epoch == epoch);
        if seen.and_then(|seen| seen.at).is_some_and(|at| at.elapsed() < BELIEVED) {
            return Ok(());
        }
        let there_before = known.iter().any(|((of, _), seen)| of == pool && seen.epoch == epoch);
        bus.see_to_lane(pool, lane, there_before).await?;
        known.insert(key, Seen { at: Some(Instant::now()), epoch });
        Ok(())
    }

    /// What was believed of a pool proved wrong.
    pub(super) async fn doubt(&self, pool: &PoolName) {
        let mut known = self.0.lock().await;
        known.iter_mut().filter(|((of, _), _)| of == pool).for_each(|(_, seen)| seen.at = None);
    }
}

/// The streams of all pools, whoever made them.
pub(crate) async fn streams(bus: &NatsBus) -> Result<Vec<String>, async_nats::Error> {
    let names: Vec<String> = bus.jetstream.stream_names().try_collect().await?;
    Ok(names.into_iter().filter(|name| subjects::holds_tasks(name)).collect())
}

/// The lanes of a pool's stream.
pub(crate) async fn of_stream(bus: &NatsBus, stream: &str) -> Result<Vec<Lane>, async_nats::Error> {
    let names: Vec<String> = bus.stream(stream).await?.consumer_names().try_collect().await?;
    Ok(names.iter().filter_map(|name| Lane::of_consumer(name)).collect())
}
