//! Deliveries to webhook endpoints: the port. The SQL is in `read` and `change`.

mod change;
mod read;

use crate::{PostgresStore, failure::store_error};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{BuildId, EndpointId};
use ports::{
    Deliveries, DeliveriesKnown, Delivery, DeliveryAttempt, DeliveryBacklog, DeliveryBatch, DeliveryFilter,
    DeliveryId, DeliveryPage, DeliveryStatus, Position, StoreError,
};
use sqlx::{Row, postgres::PgRow};

#[async_trait]
impl Deliveries for PostgresStore {
    async fn load_deliveries(&self, endpoint: EndpointId) -> Result<Option<DeliveriesKnown>, StoreError> {
        let name = endpoint.to_string();
        let rows = self.readers().rows(|| read::progress_of(&name)).await?;
        let Some(progress) = rows.first().map(read::progress).transpose()? else { return Ok(None) };
        let beyond = self.readers().rows(|| read::beyond(&name, progress.cursor)).await?;
        let beyond = beyond.iter().map(read::position).collect::<Result<_, _>>()?;
        let waiting = self.readers().rows(|| read::waiting_builds(&name)).await?;
        let waiting = waiting.iter().map(read::waiting_build).collect::<Result<_, _>>()?;
        Ok(Some(DeliveriesKnown { progress, beyond, waiting }))
    }

    async fn record_deliveries(&self, endpoint: EndpointId, batch: DeliveryBatch) -> Result<(), StoreError> {
        let columns = change::Columns::of(&batch).map_err(store_error)?;
        let name = endpoint.to_string();
        self.readers().rows(|| columns.query(&name, batch.progress)).await.map(drop)
    }

    async fn next_deliveries(&self, endpoint: EndpointId, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        let name = endpoint.to_string();
        read::read_all(&self.readers().rows(|| read::next(&name, limit)).await?)
    }

    async fn waiting_deliveries(
        &self,
        endpoint: EndpointId,
        build: BuildId,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let (name, build) = (endpoint.to_string(), build.to_string());
        read::read_all(&self.readers().rows(|| read::waiting(&name, &build, after, limit)).await?)
    }

    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<DeliveryPage, StoreError> {
        let name = filter.endpoint.to_string();
        let mut deliveries = read::read_all(&self.readers().rows(|| read::page(&name, filter)).await?)?;
        let more = deliveries.len() > filter.limit;
        deliveries.truncate(filter.limit);
        Ok(DeliveryPage { deliveries, more })
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<(Delivery, Vec<DeliveryAttempt>)>, StoreError> {
        let name = id.endpoint.to_string();
        let rows = self.readers().rows(|| read::one(&name, id.position)).await?;
        let Some(delivery) = read::read_all(&rows)?.pop() else { return Ok(None) };
        let rows = self.readers().rows(|| read::attempts(&name, id.position)).await?;
        let attempts = rows.iter().map(|row| read::attempt(row, id.position)).collect::<Result<_, _>>()?;
        Ok(Some((delivery, attempts)))
    }

    async fn redeliver(&self, id: DeliveryId, now: DateTime<Utc>) -> Result<Option<Delivery>, StoreError> {
        let name = id.endpoint.to_string();
        let rows = self.readers().rows(|| change::redeliver(&name, id.position, now)).await?;
        Ok(read::read_all(&rows)?.pop())
    }

    async fn redeliver_since(
        &self,
        endpoint: EndpointId,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
        limit: usize,
    ) -> Result<u64, StoreError> {
        let name = endpoint.to_string();
        count(&self.readers().rows(|| change::redeliver_since(&name, since, now, limit)).await?)
    }

    async fn take_nudges(&self) -> Result<Vec<EndpointId>, StoreError> {
        let rows = self.readers().rows(change::take_nudges).await?;
        rows.iter().map(|row| read::endpoint(row).map_err(StoreError::from)).collect()
    }

    async fn prune_deliveries(&self, before: DateTime<Utc>, limit: usize) -> Result<u64, StoreError> {
        count(&self.readers().rows(|| change::prune(before, limit)).await?)
    }

    async fn forget_deleted(&self, limit: usize) -> Result<u64, StoreError> {
        count(&self.readers().rows(|| change::forget_deleted(limit)).await?)
    }

    async fn delivery_backlog(&self, most: usize) -> Result<DeliveryBacklog, StoreError> {
        let of = async |status: DeliveryStatus| {
            count(&self.readers().rows(|| read::count(status.name(), most)).await?)
        };
        Ok(DeliveryBacklog {
            pending: of(DeliveryStatus::Pending).await?,
            dead: of(DeliveryStatus::Dead).await?,
        })
    }
}

fn count(rows: &[PgRow]) -> Result<u64, StoreError> {
    let count = rows.first().map_or(Ok(0), |row| row.try_get::<i64, _>(0)).map_err(store_error)?;
    Ok(count.cast_unsigned())
}
