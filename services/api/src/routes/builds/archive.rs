use super::finished::{Finished, ResultUnavailable};
use crate::{
    App,
    errors::Fault,
    read::{BuildPath, ParamsError, Query, has_tag},
};
use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type},
    },
};

/// Bytes, as generators of clients know them.
struct Archive;

impl PartialSchema for Archive {
    fn schema() -> RefOr<Schema> {
        let binary = SchemaFormat::KnownFormat(KnownFormat::Binary);
        ObjectBuilder::new().schema_type(Type::String).format(Some(binary)).into()
    }
}

impl ToSchema for Archive {}

/// Download the files of a completed build
///
/// As they are in the commit it ended in, without history.
#[utoipa::path(get, path = "/v1/builds/{id}/archive.tar.gz", operation_id = "getBuildArchive", tag = "results",
    params(("id" = String, Path, description = "The build", example = "bld_01ARZ3NDEKTSV4RRFFQ69G5FAV")),
    responses(
        (status = 200, description = "A gzipped tar archive", body = inline(Archive), content_type = "application/gzip",
            headers(("content-disposition" = String, description = "A name for the file"))),
        ParamsError, ResultUnavailable,
    ))]
#[tracing::instrument(name = "api.builds.archive", skip_all, fields(build.id = %id))]
pub(crate) async fn archive(
    State(app): State<App>,
    BuildPath(id): BuildPath,
    Query(()): Query<()>,
    headers: HeaderMap,
) -> Result<Response, ResultUnavailable> {
    let known = headers.get(header::IF_NONE_MATCH);
    let Finished { project, result } = Finished::find(&app, id).await?;
    // A commit never changes.
    let tag = HeaderValue::from_str(&format!("\"{}\"", result.commit)).map_err(Fault::internal)?;
    if known.is_some_and(|known| tag.to_str().is_ok_and(|tag| has_tag(known, tag))) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let archive = app.results.archive(&project, &result.commit).await?;
    let commit = result.commit.as_str().get(..12).unwrap_or_default();
    // Project names hold nothing that would need quoting.
    let name = format!("attachment; filename=\"{}-{commit}.tar.gz\"", project.name);
    let disposition = HeaderValue::from_str(&name).map_err(Fault::internal)?;
    let media_type = HeaderValue::from_static("application/gzip");
    let headers =
        [(header::CONTENT_TYPE, media_type), (header::CONTENT_DISPOSITION, disposition), (header::ETAG, tag)];
    Ok((headers, Body::from_stream(archive)).into_response())
}
