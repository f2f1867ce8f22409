use crate::{
    ApiSettings, App,
    auth::Caller,
    errors::api_errors,
    order::is_label_key,
    read::{FromParams, Params, ParamsError, Query, catch_up, decode_cursor, encode_cursor},
    wire::{BuildList, BuildSummary, Cursor, LABEL_VALUE_CHARS, LabelFilter, ProjectText, links},
};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use domain::{BuildId, build::BuildStatus};
use http::{Uri, header};
use names::{ProjectName, TenantName};
use ports::BuildFilter;
use std::collections::BTreeMap;

/// List builds
///
/// Newest first. A build is in the list as soon as its submission was answered.
#[utoipa::path(get, path = "/v1/builds", operation_id = "listBuilds", tag = "builds",
    params(
        ("status" = Option<Vec<crate::wire::BuildStatus>>, Query, max_items = 6,
            description = "Only these states: repeated, or separated by commas", example = json!(["queued", "planning"])),
        ("project" = Option<ProjectText>, Query, description = "Only this project"),
        ("label" = Option<Vec<LabelFilter>>, Query, max_items = 64,
            description = "Only with this label, as `key:value`; repeat for more"),
        ("limit" = Option<u32>, Query, description = "Most builds; 50 if not given", minimum = 1, maximum = 200),
        ("cursor" = Option<Cursor>, Query, description = "Where the page before ended: its `nextCursor`"),
    ),
    responses(
        (status = 200, description = "A page of builds", body = BuildList, headers(
            ("link" = String, description = "The first page, and the next, as `rel=\"next\"`, if there is one"),
        )),
        ParamsError, ListError,
    ))]
#[tracing::instrument(name = "api.builds.list", skip_all)]
pub(crate) async fn list(
    State(app): State<App>,
    uri: Uri,
    Caller(who): Caller,
    Query(filter): Query<Filter>,
) -> Result<Response, ListError> {
    catch_up(&app).await.map_err(|_| ListError::Behind)?;
    let page = app.read_models.builds(&filter.of(who.tenant)).await?;
    let next_cursor = page.builds.last().filter(|_| page.more).map(|last| encode_cursor(last.id));
    let link = links(&uri, "cursor", next_cursor.as_deref())?;
    let builds = page.builds.into_iter().map(BuildSummary::from).collect();
    Ok(([(header::LINK, link)], Json(BuildList { builds, next_cursor })).into_response())
}

/// Which builds are asked for.
pub(crate) struct Filter {
    status: Vec<BuildStatus>,
    project: Option<ProjectName>,
    labels: BTreeMap<String, String>,
    before: Option<BuildId>,
    limit: usize,
}

impl Filter {
    fn of(self, tenant: TenantName) -> BuildFilter {
        let Self { status, project, labels, before, limit } = self;
        BuildFilter { tenant, status, project, labels, before, limit }
    }
}

impl FromParams for Filter {
    fn from_params(params: &mut Params<'_>, settings: &ApiSettings) -> Self {
        Self {
            status: statuses(params),
            project: params.parsed("project", |text| text.parse::<ProjectName>().map_err(|e| e.to_string())),
            labels: labels(params, settings.max_labels),
            before: params.parsed("cursor", |text| {
                decode_cursor(text).ok_or_else(|| "must be a nextCursor of this list".to_owned())
            }),
            limit: params.limit(50, 200),
        }
    }
}

fn statuses(params: &mut Params<'_>) -> Vec<BuildStatus> {
    let given = params.all("status");
    let names: Vec<&str> = given.iter().flat_map(|value| value.split(',')).collect();
    let most = BuildStatus::ALL.len();
    if names.len() > most {
        params.problem("status", format!("at most {most} are allowed"));
    }
    let mut statuses = Vec::new();
    for name in names {
        match BuildStatus::parse(name.trim()) {
            Some(status) if statuses.contains(&status) => {}
            Some(status) => statuses.push(status),
            None => {
                let known = BuildStatus::ALL.map(BuildStatus::as_str).join(", ");
                params.problem("status", format!("must be of {known}"));
                break;
            }
        }
    }
    statuses
}

fn labels(params: &mut Params<'_>, most: usize) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let given = params.all("label");
    if given.len() > most {
        params.problem("label", format!("at most {most} are allowed"));
    }
    for text in given {
        match text.split_once(':') {
            Some((key, value)) if is_label_key(key) && value.chars().count() <= LABEL_VALUE_CHARS => {
                if labels.insert(key.to_owned(), value.to_owned()).is_some() {
                    params.problem("label", format!("{key} is given more than once"));
                }
            }
            _ => params.problem("label", "must be key:value, both as in a build's labels"),
        }
    }
    labels
}

api_errors! {
    /// What listing can be refused for.
    pub(crate) enum ListError {
        SERVICE_UNAVAILABLE "list_behind": Behind => "the list is behind what has happened, try again",
    }
}
