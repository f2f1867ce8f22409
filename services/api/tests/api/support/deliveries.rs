//! Deliveries in memory: what the API asks of them, and nothing of what a courier does.

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::{BuildId, EndpointId, endpoint::EndpointSpec};
use ports::{
    AttemptError, Deliveries, DeliveriesKnown, Delivery, DeliveryAttempt, DeliveryBacklog, DeliveryBatch,
    DeliveryFilter, DeliveryId, DeliveryPage, DeliveryStatus, Pings, Position, StoreError, Version,
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
    time::Duration,
};

/// Deliveries, and what will become of pings.
#[derive(Default)]
pub(crate) struct MemoryDeliveries {
    rows: Mutex<BTreeMap<DeliveryId, (Delivery, Vec<DeliveryAttempt>)>>,
    pub(crate) pings: Mutex<VecDeque<DeliveryAttempt>>,
    pub(crate) pinged: Mutex<Vec<(EndpointId, String)>>,
}

impl MemoryDeliveries {
    pub(crate) fn put(&self, delivery: Delivery, attempts: Vec<DeliveryAttempt>) {
        self.rows.lock().unwrap().insert(delivery.id, (delivery, attempts));
    }

    /// Changes those that are chosen, and says how many these were.
    fn again(&self, now: DateTime<Utc>, most: usize, chosen: impl Fn(&Delivery) -> bool) -> u64 {
        let mut rows = self.rows.lock().unwrap();
        let of_them = rows.values_mut().map(|(delivery, _)| delivery).filter(|delivery| chosen(delivery));
        let mut changed = 0;
        for delivery in of_them.take(most) {
            (delivery.status, delivery.tries) = (DeliveryStatus::Pending, 0);
            (delivery.next_at, delivery.ended_at) = (Some(now), None);
            changed += 1;
        }
        changed
    }
}

/// An attempt that was answered.
pub(crate) fn answered(number: u32, status: u16, body: &'static [u8]) -> DeliveryAttempt {
    DeliveryAttempt {
        position: Position(1),
        number,
        at: DateTime::UNIX_EPOCH,
        took: Duration::from_millis(12),
        status: Some(status),
        error: (!(200..300).contains(&status)).then_some(AttemptError::Status),
        message: None,
        response_headers: vec![("retry-after".to_owned(), "30".to_owned())],
        response_body: Bytes::from_static(body),
    }
}

#[async_trait]
impl Deliveries for MemoryDeliveries {
    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<DeliveryPage, StoreError> {
        let rows = self.rows.lock().unwrap();
        let mut deliveries: Vec<Delivery> = rows
            .values()
            .rev()
            .map(|(delivery, _)| delivery.clone())
            .filter(|delivery| delivery.id.endpoint == filter.endpoint)
            .filter(|delivery| filter.status.is_none_or(|status| delivery.status == status))
            .filter(|delivery| filter.before.is_none_or(|before| delivery.id.position < before))
            .take(filter.limit + 1)
            .collect();
        let more = deliveries.len() > filter.limit;
        deliveries.truncate(filter.limit);
        Ok(DeliveryPage { deliveries, more })
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<(Delivery, Vec<DeliveryAttempt>)>, StoreError> {
        Ok(self.rows.lock().unwrap().get(&id).cloned())
    }

    async fn redeliver(&self, id: DeliveryId, now: DateTime<Utc>) -> Result<Option<Delivery>, StoreError> {
        self.again(now, 1, |delivery| delivery.id == id);
        Ok(self.delivery(id).await?.map(|(delivery, _)| delivery))
    }

    async fn redeliver_since(
        &self,
        endpoint: EndpointId,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
        limit: usize,
    ) -> Result<u64, StoreError> {
        let chosen = |delivery: &Delivery| {
            delivery.id.endpoint == endpoint
                && delivery.status == DeliveryStatus::Dead
                && delivery.created_at >= since
        };
        Ok(self.again(now, limit, chosen))
    }

    async fn load_deliveries(&self, _: EndpointId) -> Result<Option<DeliveriesKnown>, StoreError> {
        Ok(None)
    }

    async fn record_deliveries(&self, _: EndpointId, _: DeliveryBatch) -> Result<(), StoreError> {
        Ok(())
    }

    async fn next_deliveries(&self, _: EndpointId, _: usize) -> Result<Vec<Delivery>, StoreError> {
        Ok(Vec::new())
    }

    async fn waiting_deliveries(
        &self,
        _: EndpointId,
        _: BuildId,
        _: Position,
        _: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        Ok(Vec::new())
    }

    async fn take_nudges(&self) -> Result<Vec<EndpointId>, StoreError> {
        Ok(Vec::new())
    }

    async fn prune_deliveries(&self, _: DateTime<Utc>, _: usize) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn forget_deleted(&self, _: usize) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn delivery_backlog(&self, _: usize) -> Result<DeliveryBacklog, StoreError> {
        Ok(DeliveryBacklog::default())
    }
}

#[async_trait]
impl Pings for MemoryDeliveries {
    async fn ping(
        &self,
        id: EndpointId,
        _: Version,
        spec: &EndpointSpec,
    ) -> Result<DeliveryAttempt, StoreError> {
        self.pinged.lock().unwrap().push((id, spec.url.clone()));
        let next = self.pings.lock().unwrap().pop_front();
        Ok(next.unwrap_or_else(|| answered(1, 200, b"")))
    }
}
