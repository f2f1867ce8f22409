//! The row of a webhook endpoint, and how events change it.

use domain::{Endpoint, EndpointId, endpoint::EndpointEvent};
use ports::{EndpointRow, RecordedEvent};
use std::collections::HashMap;

/// Rows after events. An event that a row stands for already changes nothing.
pub(crate) fn fold(stored: Vec<EndpointRow>, events: &[(&RecordedEvent, EndpointEvent)]) -> Vec<EndpointRow> {
    let mut rows: HashMap<EndpointId, EndpointRow> = stored.into_iter().map(|row| (row.id, row)).collect();
    for (recorded, event) in events {
        let Some(id) = recorded.stream.endpoint() else { continue };
        let known = rows.remove(&id);
        if known.as_ref().is_some_and(|row| row.version >= recorded.version) {
            rows.extend(known.map(|row| (id, row)));
            continue;
        }
        let endpoint = Endpoint::apply(known.map(|row| row.endpoint), event);
        rows.extend(endpoint.map(|endpoint| (id, EndpointRow { id, version: recorded.version, endpoint })));
    }
    rows.into_values().collect()
}
