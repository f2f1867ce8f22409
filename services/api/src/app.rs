use crate::{Access, ApiSettings};
use commands::Builds;
use endpoints::Endpoints;
use ports::{
    Clock, Deliveries, EndpointList, EventStore, Idempotency, Ids, OutputLog, Pings, ReadModels, Results,
    Roster,
};
use std::{ops::Deref, sync::Arc};
use tokio_util::sync::CancellationToken;
use vitals::{Metrics, ReadyChecks};

/// What the endpoints need of the world, in common: every request has it.
#[derive(Clone)]
pub struct App(Arc<AppParts>);

impl App {
    /// Of these parts.
    #[must_use]
    pub fn new(parts: AppParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for App {
    type Target = AppParts;

    fn deref(&self) -> &AppParts {
        &self.0
    }
}

/// What an [`App`] consists of.
#[derive(Clone)]
pub struct AppParts {
    /// The builds: commands go in here, and single builds are read here.
    pub builds: Arc<Builds>,
    /// Who gets in.
    pub access: Arc<Access>,
    /// The events themselves, for those who follow them.
    pub store: Arc<dyn EventStore>,
    /// What lists are answered from.
    pub read_models: Arc<dyn ReadModels>,
    /// The webhook endpoints, if there is a key to seal their secrets with.
    pub endpoints: Option<Arc<Endpoints>>,
    /// What was delivered to them, if anything is.
    pub delivering: Option<Delivering>,
    /// What lists of webhook endpoints are answered from.
    pub endpoint_list: Arc<dyn EndpointList>,
    /// Requests that may come twice.
    pub idempotency: Arc<dyn Idempotency>,
    /// Output of runs.
    pub output: Arc<dyn OutputLog>,
    /// What builds made.
    pub results: Arc<dyn Results>,
    /// Who does the work.
    pub roster: Arc<dyn Roster>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Ids of new builds.
    pub ids: Arc<dyn Ids>,
    /// Bounds and defaults.
    pub settings: Arc<ApiSettings>,
    /// What must work beside the event store and the lists for the process to be ready.
    pub ready: ReadyChecks,
    /// Where requests are counted, and what is told of the process.
    pub metrics: Arc<Metrics>,
    /// Cancelled when the process stops: streams and long polls end.
    pub stop: CancellationToken,
}

/// What becomes of events on their way to webhook endpoints.
#[derive(Clone)]
pub struct Delivering {
    /// Deliveries.
    pub deliveries: Arc<dyn Deliveries>,
    /// Who can be asked to send something at once.
    pub pings: Arc<dyn Pings>,
}
