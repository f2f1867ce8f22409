//! Event to state, for live writes and for replay alike. It never refuses: what was stored, happened.

use super::{Endpoint, EndpointEvent, EndpointState, data};

impl Endpoint {
    /// The endpoint after an event; none if the stream does not begin with its creation.
    #[must_use]
    pub fn apply(this: Option<Self>, event: &EndpointEvent) -> Option<Self> {
        if let EndpointEvent::EndpointCreated(created) = event {
            return Some(Self::begin(created));
        }
        let mut endpoint = this?;
        let (state, at) = match event {
            EndpointEvent::EndpointCreated(e) => (EndpointState::Enabled, e.at),
            EndpointEvent::EndpointUpdated(e) => {
                endpoint.spec = e.spec.clone();
                (endpoint.state, e.at)
            }
            EndpointEvent::EndpointDisabled(e) => {
                (EndpointState::Disabled { at: e.at, reason: e.reason }, e.at)
            }
            EndpointEvent::EndpointEnabled(e) => {
                endpoint.from = e.from;
                (EndpointState::Enabled, e.at)
            }
            EndpointEvent::EndpointSecretRotated(e) => (endpoint.state, e.at),
            EndpointEvent::EndpointDeleted(e) => (EndpointState::Deleted, e.at),
        };
        Some(Self { state, updated_at: at, ..endpoint })
    }

    /// The endpoint that a stream's events make.
    pub fn fold<'e>(events: impl IntoIterator<Item = &'e EndpointEvent>) -> Option<Self> {
        events.into_iter().fold(None, Self::apply)
    }

    fn begin(e: &data::EndpointCreated) -> Self {
        Self {
            tenant: e.tenant.clone(),
            spec: e.spec.clone(),
            state: EndpointState::Enabled,
            from: e.from,
            created_at: e.at,
            updated_at: e.at,
        }
    }
}
