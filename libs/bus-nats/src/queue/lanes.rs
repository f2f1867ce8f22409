//! Streams and consumers of the pools and labels that orders ask for: made when they are first asked for.

use crate::{NatsBus, lane::Lane, subjects};
use futures::TryStreamExt;
use names::PoolName;
use ports::BusError;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex as StdMutex, PoisonError},
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

/// The lanes of a pool that are known to be there. Whoever makes one holds this for as long.
type OfPool = Arc<Mutex<HashMap<Lane, Seen>>>;

/// The lanes that are known to be there. No pool waits for what another needs.
#[derive(Default)]
pub(super) struct Lanes(StdMutex<HashMap<PoolName, OfPool>>);

impl Lanes {
    /// Makes a lane unless it is known to be there.
    pub(super) async fn see_to(&self, bus: &NatsBus, pool: &PoolName, lane: &Lane) -> Result<(), BusError> {
        let known = self.of(pool);
        let mut known = known.lock().await;
        let epoch = bus.link().borrow().epoch;
        let seen = known.get(lane).filter(|seen| seen.epoch == epoch);
        if seen.and_then(|seen| seen.at).is_some_and(|at| at.elapsed() < BELIEVED) {
            return Ok(());
        }
        let there_before = known.values().any(|seen| seen.epoch == epoch);
        bus.see_to_lane(pool, lane, there_before).await?;
        known.insert(lane.clone(), Seen { at: Some(Instant::now()), epoch });
        Ok(())
    }

    /// What was believed of a pool proved wrong.
    pub(super) async fn doubt(&self, pool: &PoolName) {
        self.of(pool).lock().await.values_mut().for_each(|seen| seen.at = None);
    }

    fn of(&self, pool: &PoolName) -> OfPool {
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(pools.entry(pool.clone()).or_default())
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
