//! What requests and answers look like in JSON. Apart from the domain, so that neither binds the other.

mod build;
mod cancel;
mod delivery;
mod event;
mod event_data;
mod executor;
mod file;
mod link;
mod list;
mod maps;
mod names;
mod output;
mod plan;
mod submit;
mod task;
mod texts;
mod usage;
mod webhook;

pub(crate) use build::{BuildView, FailureView};
pub(crate) use cancel::CancelBuild;
pub(crate) use delivery::{
    DeliveryDetail, DeliveryList, DeliveryStatus, DeliveryView, PingView, RedeliveredView, status_of,
};
pub(crate) use event::{Addresses, EventList, EventStream, EventView};
#[cfg(test)]
pub(crate) use event_data::ENDPOINT_EVENTS;
pub(crate) use event_data::{BUILD_EVENTS, EventData, EventKind};
pub(crate) use executor::{ExecutorList, ExecutorView};
pub(crate) use file::{FileList, FileView};
pub(crate) use link::links;
pub(crate) use list::{BuildList, BuildSummary};
pub(crate) use maps::{LABEL_KEY_CHARS, LABEL_VALUE_CHARS, by_model, labels};
pub(crate) use names::{
    BuildStatus, ExecutorState, FailureClass, OutputStream, PlanSource, TaskStatus, TaskType,
};
pub(crate) use output::{OutputLine, OutputList};
pub(crate) use plan::{PlanDraft, PlanView};
pub(crate) use submit::{LimitsDraft, RepositoryDraft, SubmitBuild};
pub(crate) use task::{TaskList, TaskView};
pub(crate) use texts::{Cursor, DeliveryCursor, EndpointCursor, LabelFilter, Project as ProjectText};
pub(crate) use usage::UsageView;
pub(crate) use webhook::{
    BuildWebhook, CreateWebhookEndpoint, RotateSecret, UpdateWebhookEndpoint, WebhookEndpoint,
    WebhookEndpointList,
};
