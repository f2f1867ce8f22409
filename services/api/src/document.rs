//! The OpenAPI document: what the endpoints say of themselves, and what holds for all of them.

mod answers;
mod conventions;
mod finish;
mod parameters;
mod settings;
mod shapes;
mod webhooks;

pub(crate) use finish::finish;

use crate::wire::{Cursor, LabelFilter};
use crate::{ApiSettings, App, routes};
use problem::Problem;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Buildwright",
        description = "Turns a prompt into a planned, verified and committed piece of software.\n\n\
            Errors are problem documents (RFC 9457) with a stable `type`. Fields may be added to answers, and \
            values to sets of names; take what you know and leave the rest.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "builds", description = "One prompt carried through"),
        (name = "results", description = "What a completed build made"),
        (name = "tasks", description = "The parts of a build"),
        (name = "events", description = "Everything that happened, in order"),
        (name = "executors", description = "Who does the work"),
        (name = "webhooks", description = "What is sent to those who subscribe"),
        (name = "operation", description = "For those who operate it"),
    ),
    components(schemas(Problem, LabelFilter, Cursor)),
)]
struct Doc;

/// The OpenAPI description of every endpoint, with the bounds that are the defaults.
#[must_use]
pub fn openapi() -> serde_json::Value {
    finish(&routed().into_openapi(), &ApiSettings::default())
}

/// Every endpoint, with its description: an endpoint cannot have one without the other.
pub(crate) fn routed() -> OpenApiRouter<App> {
    use routes::{builds, events, executors, health, tasks};
    OpenApiRouter::with_openapi(Doc::openapi())
        .routes(routes!(builds::submit::submit, builds::list::list))
        .routes(routes!(builds::show::show))
        .routes(routes!(builds::cancel::cancel))
        .routes(routes!(builds::plan::plan))
        .routes(routes!(builds::plan_output::plan_output))
        .routes(routes!(builds::tasks::tasks))
        .routes(routes!(builds::files::files))
        .routes(routes!(builds::diff::diff))
        .routes(routes!(builds::archive::archive))
        .routes(routes!(builds::events::events))
        .routes(routes!(tasks::show::show))
        .routes(routes!(tasks::output::output))
        .routes(routes!(events::list::list))
        .routes(routes!(executors::list::list))
        .routes(routes!(health::live::live))
        .routes(routes!(health::ready::ready))
        .routes(routes!(health::metrics::metrics))
        .routes(routes!(health::document::document))
}
