//! What an endpoint needs. An endpoint cannot be registered without saying so, and its documentation says the same.

use super::{Figures, access::Refusal};
use crate::{App, errors::Fault};
use axum::{
    extract::Request,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use names::Scope;
use ports::Principal;
use problem::{MEDIA_TYPE, Problem};
use utoipa::openapi::{
    Components, Content, HeaderBuilder, ObjectBuilder, Paths, Ref, RefOr, ResponseBuilder,
    path::Operation,
    schema::Type,
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
};
use utoipa_axum::router::UtoipaMethodRouter;

const BEARER: &str = "bearer";
const HEADER: &str = "header";

/// Endpoints for principals that may do this.
pub(crate) fn needing(
    scope: Scope,
    (schemas, mut paths, methods): UtoipaMethodRouter<App>,
) -> UtoipaMethodRouter<App> {
    operations(&mut paths).for_each(|operation| document(operation, scope));
    let methods = methods.route_layer(middleware::from_fn(move |request: Request, next: Next| async move {
        match request.extensions().get::<Principal>() {
            Some(who) if who.scopes.allow(scope) => next.run(request).await,
            Some(_) => lacks(scope),
            None => Fault::internal("a request without a principal").into_response(),
        }
    }));
    (schemas, paths, methods)
}

/// An endpoint that needs this only where a setting says so. It sees to that itself.
pub(crate) fn perhaps_needing(
    scope: Scope,
    (schemas, mut paths, methods): UtoipaMethodRouter<App>,
) -> UtoipaMethodRouter<App> {
    for operation in operations(&mut paths) {
        document(operation, scope);
        operation.security.get_or_insert_default().insert(0, SecurityRequirement::default());
    }
    (schemas, paths, methods)
}

/// The answer to who may not see the figures of the process.
pub(crate) fn no_figures(app: &App, who: Option<&Principal>) -> Option<Response> {
    match (app.access.figures(), who) {
        (Figures::Open, _) => None,
        (Figures::Admin, None) => Some(Refusal::Missing.into_response()),
        (Figures::Admin, Some(who)) => (!who.scopes.allow(Scope::Admin)).then(|| lacks(Scope::Admin)),
    }
}

fn operations(paths: &mut Paths) -> impl Iterator<Item = &mut Operation> {
    paths.paths.values_mut().flat_map(|item| {
        [&mut item.get, &mut item.post, &mut item.put, &mut item.delete, &mut item.patch]
            .into_iter()
            .flatten()
    })
}

fn lacks(scope: Scope) -> Response {
    let title = "the API key lacks the scope that this needs";
    let problem = Problem::new(StatusCode::FORBIDDEN, "scope_missing", title);
    let mut response = problem.with(format!("it needs the scope {scope}")).into_response();
    let challenge = format!(r#"Bearer realm="buildwright", error="insufficient_scope", scope="{scope}""#);
    if let Ok(challenge) = HeaderValue::try_from(challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

fn document(operation: &mut Operation, scope: Scope) {
    let requirement = |scheme| SecurityRequirement::new(scheme, [scope.as_str()]);
    operation.security = Some(vec![requirement(BEARER), requirement(HEADER)]);
    let responses = &mut operation.responses.responses;
    for (status, text) in [
        ("401", "`key_missing`, `key_invalid`, `key_revoked`, `key_expired`, `key_in_query`: there is no usable key".to_owned()),
        ("403", format!("`scope_missing`: it needs the scope `{scope}`")),
    ] {
        let challenge = ObjectBuilder::new().schema_type(Type::String);
        let response = ResponseBuilder::new()
            .description(text)
            .content(MEDIA_TYPE, Content::new(Some(Ref::from_schema_name("Problem"))))
            .header("www-authenticate", HeaderBuilder::new().schema(Some(challenge)).build());
        responses.insert(status.to_owned(), RefOr::T(response.build()));
    }
}

/// How a key is sent.
pub(crate) fn document_schemes(components: &mut Components) {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("bw_…").description(Some(
        "An API key, made by `buildwright keys create`. Names in a requirement are scopes.",
    ));
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer.build()));
    let value = ApiKeyValue::with_description("X-API-Key", "The same key, for tools that know no other way.");
    components.add_security_scheme(HEADER, SecurityScheme::ApiKey(ApiKey::Header(value)));
}
