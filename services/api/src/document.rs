//! The OpenAPI document: what the endpoints say of themselves, and what holds for all of them.

mod answers;
mod conventions;
mod finish;
mod parameters;
mod settings;
mod shapes;
mod streams;
mod webhooks;

pub(crate) use finish::finish;

use crate::{
    ApiSettings, App,
    auth::{OpenPaths, document_schemes, needing, perhaps_needing},
    routes,
    wire::{Cursor, DeliveryCursor, EndpointCursor, LabelFilter},
};
use names::Scope;
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
    components(schemas(Problem, LabelFilter, Cursor, DeliveryCursor, EndpointCursor)),
)]
struct Doc;

/// The OpenAPI description of every endpoint, with the bounds that are the defaults.
#[must_use]
pub fn openapi() -> serde_json::Value {
    finish(&routed().0.into_openapi(), &ApiSettings::default())
}

/// Every endpoint, with its description and what it needs: an endpoint cannot have one without the others.
pub(crate) fn routed() -> (OpenApiRouter<App>, OpenPaths) {
    use routes::{builds, deliveries, events, executors, health, tasks, webhook_endpoints as endpoints};
    let open = OpenApiRouter::new()
        .routes(routes!(health::live::live))
        .routes(routes!(health::ready::ready))
        .routes(routes!(health::document::document));
    let figures =
        OpenApiRouter::new().routes(perhaps_needing(Scope::Admin, routes!(health::metrics::metrics)));
    let open_paths = [&open, &figures]
        .iter()
        .flat_map(|router| router.get_openapi().paths.paths.keys().cloned())
        .collect();
    let reading = |routes| needing(Scope::BuildsRead, routes);
    let writing = |routes| needing(Scope::BuildsWrite, routes);
    let managing = |routes| needing(Scope::WebhooksManage, routes);
    let mut document = Doc::openapi();
    document_schemes(document.components.get_or_insert_default());
    let router = OpenApiRouter::with_openapi(document)
        .routes(writing(routes!(builds::submit::submit)))
        .routes(reading(routes!(builds::list::list)))
        .routes(reading(routes!(builds::show::show)))
        .routes(writing(routes!(builds::cancel::cancel)))
        .routes(reading(routes!(builds::plan::plan)))
        .routes(reading(routes!(builds::plan_output::plan_output)))
        .routes(reading(routes!(builds::tasks::tasks)))
        .routes(reading(routes!(builds::files::files)))
        .routes(reading(routes!(builds::diff::diff)))
        .routes(reading(routes!(builds::archive::archive)))
        .routes(reading(routes!(builds::events::events)))
        .routes(reading(routes!(tasks::show::show)))
        .routes(reading(routes!(tasks::output::output)))
        .routes(reading(routes!(events::list::list)))
        .routes(managing(routes!(endpoints::create::create, endpoints::list::list)))
        .routes(managing(routes!(
            endpoints::show::show,
            endpoints::update::update,
            endpoints::delete::delete
        )))
        .routes(managing(routes!(endpoints::rotate_secret::rotate_secret)))
        .routes(managing(routes!(endpoints::enable::enable)))
        .routes(managing(routes!(endpoints::disable::disable)))
        .routes(managing(routes!(endpoints::ping::ping)))
        .routes(managing(routes!(endpoints::deliveries::deliveries)))
        .routes(managing(routes!(endpoints::redeliver::redeliver)))
        .routes(managing(routes!(deliveries::show::show)))
        .routes(managing(routes!(deliveries::redeliver::redeliver)))
        .routes(needing(Scope::Admin, routes!(executors::list::list)))
        .merge(figures)
        .merge(open);
    (router, open_paths)
}
