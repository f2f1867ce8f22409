//! How many may follow at the same time.

use names::TenantName;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// By which transport somebody follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Transport {
    Sse,
    WebSocket,
}

/// Who follows this process.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    most_of_tenant: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    by_transport: [usize; 2],
    by_tenant: HashMap<TenantName, usize>,
    refused: u64,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The process has as many followers as it may.
    Process,
    /// The tenant has.
    Tenant,
}

/// The place of a follower, for as long as it is kept.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    tenant: TenantName,
    transport: Transport,
}

impl Places {
    pub(super) fn new(most: usize, most_of_tenant: usize) -> Arc<Self> {
        Arc::new(Self { most, most_of_tenant, taken: Mutex::default() })
    }

    pub(super) fn take(self: &Arc<Self>, tenant: &TenantName, transport: Transport) -> Result<Place, Full> {
        let mut taken = self.taken();
        let of_tenant = taken.by_tenant.get(tenant).copied().unwrap_or(0);
        let full = if of_tenant >= self.most_of_tenant {
            Some(Full::Tenant)
        } else if taken.by_transport.iter().sum::<usize>() >= self.most {
            Some(Full::Process)
        } else {
            None
        };
        if let Some(full) = full {
            taken.refused += 1;
            return Err(full);
        }
        taken.by_transport[transport as usize] += 1;
        taken.by_tenant.insert(tenant.clone(), of_tenant + 1);
        Ok(Place { places: Arc::clone(self), tenant: tenant.clone(), transport })
    }

    /// How many there are, by transport.
    pub(super) fn count(&self) -> [(&'static str, usize); 2] {
        let [sse, sockets] = self.taken().by_transport;
        [("sse", sse), ("websocket", sockets)]
    }

    /// How many were refused.
    pub(super) fn refused(&self) -> u64 {
        self.taken().refused
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.by_transport[self.transport as usize] -= 1;
        if let Some(count) = taken.by_tenant.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                taken.by_tenant.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_so_many_places_and_all_tenants_together_so_many() {
        let places = Places::new(3, 2);
        let [one, other]: [TenantName; 2] = ["one", "other"].map(|name| name.parse().unwrap());
        let first = places.take(&one, Transport::Sse).unwrap();
        let _second = places.take(&one, Transport::WebSocket).unwrap();
        assert_eq!(places.take(&one, Transport::Sse).unwrap_err(), Full::Tenant);
        let third = places.take(&other, Transport::Sse).unwrap();
        assert_eq!(places.take(&other, Transport::Sse).unwrap_err(), Full::Process);
        assert_eq!(places.count(), [("sse", 2), ("websocket", 1)]);
        assert_eq!(places.refused(), 2);
        drop((first, third));
        assert_eq!(places.count(), [("sse", 0), ("websocket", 1)]);
        assert_eq!(places.taken().by_tenant.len(), 1, "who is gone is forgotten");
        let _first = places.take(&one, Transport::Sse).unwrap();
    }
}
