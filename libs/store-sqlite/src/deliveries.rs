//! Deliveries to webhook endpoints: the port. The SQL is in `read` and `change`.

mod change;
mod read;

pub(crate) use change::Change;
#[cfg(test)]
pub(crate) use read::QUERIES;

use crate::{SqliteStore, failure::store_error, writer::Request};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{BuildId, EndpointId};
use ports::{
    Deliveries, DeliveriesKnown, Delivery, DeliveryAttempt, DeliveryBacklog, DeliveryBatch, DeliveryFilter,
    DeliveryId, DeliveryPage, Position, StoreError,
};
use tokio::sync::oneshot;

impl SqliteStore {
    async fn change_deliveries(&self, change: Change) -> Result<u64, StoreError> {
        let (answer, done) = oneshot::channel();
        let request = Request::Deliveries(change, answer);
        self.requests().send(request).await.map_err(|_| StoreError::Closed)?;
        done.await.map_err(|_| StoreError::Closed)?
    }
}

#[async_trait]
impl Deliveries for SqliteStore {
    async fn load_deliveries(&self, endpoint: EndpointId) -> Result<Option<DeliveriesKnown>, StoreError> {
        read::known(self.readers(), endpoint).await
    }

    async fn record_deliveries(&self, endpoint: EndpointId, batch: DeliveryBatch) -> Result<(), StoreError> {
        self.change_deliveries(Change::Record(endpoint, batch)).await.map(drop)
    }

    async fn next_deliveries(&self, endpoint: EndpointId, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        read::next(self.readers(), endpoint, limit).await
    }

    async fn waiting_deliveries(
        &self,
        endpoint: EndpointId,
        build: BuildId,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        read::waiting(self.readers(), endpoint, build, after, limit).await
    }

    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<DeliveryPage, StoreError> {
        let mut deliveries = read::page(self.readers(), filter).await?;
        let more = deliveries.len() > filter.limit;
        deliveries.truncate(filter.limit);
        Ok(DeliveryPage { deliveries, more })
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<(Delivery, Vec<DeliveryAttempt>)>, StoreError> {
        let Some(delivery) = read::one(self.readers(), id).await? else { return Ok(None) };
        Ok(Some((delivery, read::attempts(self.readers(), id).await?)))
    }

    async fn redeliver(&self, id: DeliveryId, now: DateTime<Utc>) -> Result<Option<Delivery>, StoreError> {
        self.change_deliveries(Change::Redeliver(id, now)).await?;
        read::one(self.readers(), id).await
    }

    async fn redeliver_since(
        &self,
        endpoint: EndpointId,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
        limit: usize,
    ) -> Result<u64, StoreError> {
        self.change_deliveries(Change::RedeliverSince { endpoint, since, now, limit }).await
    }

    async fn take_nudges(&self) -> Result<Vec<EndpointId>, StoreError> {
        let nudged = read::nudged(self.readers()).await?;
        if !nudged.is_empty() {
            self.change_deliveries(Change::Nudged(nudged.clone())).await?;
        }
        Ok(nudged)
    }

    async fn prune_deliveries(&self, before: DateTime<Utc>, limit: usize) -> Result<u64, StoreError> {
        self.change_deliveries(Change::Prune { before, limit }).await
    }

    async fn forget_deleted(&self, limit: usize) -> Result<u64, StoreError> {
        if !read::is_anything_of_deleted(self.readers()).await? {
            return Ok(0);
        }
        self.change_deliveries(Change::ForgetDeleted { limit }).await
    }

    async fn delivery_backlog(&self, most: usize) -> Result<DeliveryBacklog, StoreError> {
        read::backlog(self.readers(), most).await.map_err(store_error)
    }
}
