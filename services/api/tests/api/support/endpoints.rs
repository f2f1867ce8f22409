//! Webhook endpoints in memory.

use super::memory::MemoryModels;
use async_trait::async_trait;
use domain::{Endpoint, EndpointId, endpoint::EndpointState};
use names::TenantName;
use ports::{
    Chance, EndpointFilter, EndpointList, EndpointPage, EndpointRow, EndpointSecrets, Kept, NoChance,
    SealedSecrets, StoreError,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex,
        atomic::{AtomicU8, Ordering},
    },
};

/// Endpoints, folded from the store like the builds.
fn rows(models: &MemoryModels) -> BTreeMap<EndpointId, EndpointRow> {
    let mut rows = BTreeMap::new();
    for event in models.events() {
        let Some(id) = event.stream.endpoint() else { continue };
        let known = rows.remove(&id).map(|row: EndpointRow| row.endpoint);
        let endpoint = Endpoint::apply(known, &event.endpoint_event().unwrap()).unwrap();
        rows.insert(id, EndpointRow { id, version: event.version, endpoint });
    }
    rows.retain(|_, row| row.endpoint.state != EndpointState::Deleted);
    rows
}

#[async_trait]
impl EndpointList for MemoryModels {
    async fn endpoints(&self, filter: &EndpointFilter) -> Result<EndpointPage, StoreError> {
        let mut endpoints: Vec<EndpointRow> = rows(self)
            .into_values()
            .rev()
            .filter(|row| row.endpoint.tenant == filter.tenant && row.endpoint.spec.build.is_none())
            .filter(|row| filter.before.is_none_or(|before| row.id < before))
            .take(filter.limit + 1)
            .collect();
        let more = endpoints.len() > filter.limit;
        endpoints.truncate(filter.limit);
        Ok(EndpointPage { endpoints, more })
    }

    async fn count_endpoints(&self, tenant: &TenantName, most: usize) -> Result<usize, StoreError> {
        let filter = EndpointFilter { tenant: tenant.clone(), before: None, limit: most };
        Ok(self.endpoints(&filter).await?.endpoints.len())
    }

    async fn all_endpoints(&self, _: Option<EndpointId>, _: usize) -> Result<Vec<EndpointRow>, StoreError> {
        Ok(rows(self).into_values().collect())
    }

    async fn endpoint_rows(&self, _: &[EndpointId]) -> Result<Vec<EndpointRow>, StoreError> {
        Ok(Vec::new())
    }

    async fn put_endpoints(&self, _: &[EndpointRow]) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Sealed secrets, for whoever wants to look into them.
#[derive(Default)]
pub(crate) struct MemorySecrets(pub(crate) Mutex<HashMap<EndpointId, SealedSecrets>>);

#[async_trait]
impl EndpointSecrets for MemorySecrets {
    async fn put_secrets(&self, id: EndpointId, secrets: &SealedSecrets) -> Result<Kept, StoreError> {
        let mut kept = self.0.lock().unwrap();
        if kept.get(&id).is_some_and(|known| known.version >= secrets.version) {
            return Ok(Kept::Outdated);
        }
        kept.insert(id, secrets.clone());
        Ok(Kept::Stored)
    }

    async fn secrets(&self, id: EndpointId) -> Result<Option<SealedSecrets>, StoreError> {
        Ok(self.0.lock().unwrap().get(&id).cloned())
    }

    async fn remove_secrets(&self, id: EndpointId) -> Result<(), StoreError> {
        self.0.lock().unwrap().remove(&id);
        Ok(())
    }
}

/// Chance that is different every time, and the same in every run.
#[derive(Default)]
pub(crate) struct Dice(AtomicU8);

impl Chance for Dice {
    fn bytes(&self) -> Result<[u8; 32], NoChance> {
        Ok([self.0.fetch_add(1, Ordering::SeqCst); 32])
    }
}
