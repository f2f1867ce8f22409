use crate::{App, auth, document, edge, feed::Streams, once, rate, routes::health::document::Document};
use axum::{Extension, Router, extract::DefaultBodyLimit, middleware};
use bytes::Bytes;
use std::sync::Arc;
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer, Predicate,
        predicate::{DefaultPredicate, NotForContentType},
    },
    trace::{DefaultOnRequest, TraceLayer},
};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// The endpoints over an [`App`].
pub fn router(app: App) -> Router {
    watch_events(&app);
    let limits = rate::Limits::new(&app.settings);
    let (routes, open) = document::routed();
    let (router, document) = routes.split_for_parts();
    let methods = edge::methods::Methods::of(&document);
    let document = Document(Bytes::from(document::finish(&document, &app.settings).to_string()));
    let compressible = DefaultPredicate::new().and(NotForContentType::const_new("application/gzip"));
    // As stacks, outermost first: of layers put on a router one by one, each is cloned for every request with all that
    // are within it, each in a box of its own. What maps answers must come right above a router.
    let outer = ServiceBuilder::new()
        .layer(middleware::from_fn(edge::identify))
        .layer(middleware::from_fn(edge::trace::join))
        // What fails is logged where it is handled, with its cause.
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(edge::span)
                .on_request(DefaultOnRequest::new())
                .on_failure(()),
        )
        .layer(middleware::from_fn_with_state(app.metrics.http_requests(), edge::count))
        .layer(middleware::map_response_with_state(app.clone(), edge::tell_when_to_retry))
        .layer(middleware::map_response(edge::phrase_errors));
    let inner = ServiceBuilder::new()
        .layer(CatchPanicLayer::custom(edge::panicked))
        .layer(middleware::from_fn_with_state(Arc::clone(&app.settings.origins), edge::origins::guard))
        .layer(middleware::from_fn_with_state(limits.clone(), rate::limit_failures))
        .layer(middleware::from_fn_with_state((app.clone(), open), auth::enter))
        .layer(middleware::from_fn_with_state(limits, rate::limit))
        .layer(middleware::from_fn_with_state(app.clone(), edge::limit_time))
        .layer(CompressionLayer::new().compress_when(compressible))
        .layer(middleware::from_fn_with_state(app.clone(), once::once))
        .layer(middleware::from_fn(edge::freshness::tag))
        .layer(middleware::from_fn_with_state(methods, edge::methods::tell))
        // Bodies are bounded where they are read; axum's own bound would answer in text.
        .layer(DefaultBodyLimit::disable())
        .layer(Extension(Streams::new(&app)))
        .layer(Extension(document));
    router
        .merge(SwaggerUi::new("/docs").config(Config::from("/openapi.json")))
        .layer(inner)
        .layer(outer)
        .with_state(app)
}

/// Nothing is subscribed to between two looks: who watches a log may keep others busy telling of it.
fn watch_events(app: &App) {
    let (store, lists) = (Arc::clone(&app.store), Arc::clone(&app.read_models));
    app.metrics.watch_events(move || store.head().borrow().0, move || lists.projected().borrow().0);
}
