//! The queries that lists are answered from. Each walks an index in the order of the list and stops at the
//! limit, however many builds there are.

use crate::{builds::json, sessions::Query};
use domain::{BuildId, build::BuildStatus};
use names::ProjectName;
use ports::BuildFilter;

/// The columns that rows are read from, of the table named `b`.
macro_rules! columns {
    () => {
        "b.id, b.status, b.title, b.project, b.labels, b.tasks_total, b.tasks_completed, b.cost_nano_usd, \
         b.submitted_at, b.ended_at, b.tenant, b.submitted_by"
    };
}

/// Sorts behind every id.
const END: &str = "bld_~";

pub(crate) const BY_IDS: &str = concat!("SELECT ", columns!(), " FROM builds b WHERE b.id = ANY($1)");

pub(crate) const NEWEST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM builds b WHERE b.tenant = $3 AND b.id < $1 ORDER BY b.id DESC LIMIT $2"
);

/// One walk along the index for each status, merged: an index by status is in the list's order only within
/// one status.
pub(crate) const OF_STATUSES: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM unnest($4::text[]) AS s (status) CROSS JOIN LATERAL \
     (SELECT * FROM builds WHERE tenant = $3 AND status = s.status AND id < $1 ORDER BY id DESC LIMIT $2) AS b \
     ORDER BY b.id DESC LIMIT $2"
);

pub(crate) const OF_PROJECT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM unnest($4::text[]) AS s (status) CROSS JOIN LATERAL \
     (SELECT * FROM builds WHERE tenant = $3 AND project = $5 AND status = s.status AND id < $1 ORDER BY id DESC LIMIT $2) AS b \
     ORDER BY b.id DESC LIMIT $2"
);

/// A walk along the builds of the first label; everything else is looked at on the way.
pub(crate) const WITH_LABELS: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM build_labels l JOIN builds b ON b.id = l.id \
     WHERE l.tenant = $3 AND l.name = ($6::text[])[1] AND l.value = ($7::text[])[1] AND l.id < $1 \
     AND b.status = ANY($4) AND ($5::text IS NULL OR b.project = $5) \
     AND NOT EXISTS (SELECT FROM unnest($6::text[], $7::text[]) AS w (name, value) WHERE NOT EXISTS \
     (SELECT FROM build_labels o WHERE o.id = l.id AND o.name = w.name AND o.value = w.value)) \
     ORDER BY l.id DESC LIMIT $2"
);

pub(crate) const OPEN: &str = "SELECT b.id FROM unnest($3::text[]) AS s (status) CROSS JOIN LATERAL \
     (SELECT id FROM builds WHERE status = s.status AND id > $1 ORDER BY id LIMIT $2) AS b \
     ORDER BY b.id LIMIT $2";

/// How many builds of a submitter have not ended, counted up to a bound.
pub(crate) const COUNT_OPEN: &str =
    "SELECT count(*) FROM (SELECT FROM builds WHERE submitted_by = $1 AND status = ANY($2) LIMIT $3) AS b";

/// A filter as parameters, to be bound as often as a query is tried.
pub(crate) struct Newest {
    tenant: String,
    before: String,
    limit: i64,
    statuses: Vec<&'static str>,
    any_status: bool,
    project: Option<String>,
    label_names: Vec<String>,
    label_values: Vec<String>,
}

impl Newest {
    pub(crate) fn new(filter: &BuildFilter, limit: i64) -> Result<Self, sqlx::Error> {
        let wanted = |status: &BuildStatus| filter.status.is_empty() || filter.status.contains(status);
        Ok(Self {
            tenant: filter.tenant.to_string(),
            before: filter.before.map_or_else(|| END.to_owned(), |id| id.to_string()),
            limit,
            statuses: BuildStatus::ALL.into_iter().filter(wanted).map(BuildStatus::as_str).collect(),
            any_status: filter.status.is_empty(),
            project: filter.project.as_ref().map(ProjectName::to_string),
            label_names: filter.labels.keys().map(json).collect::<Result<_, _>>()?,
            label_values: filter.labels.values().map(json).collect::<Result<_, _>>()?,
        })
    }

    /// The newest builds that pass the filter, at most `limit`.
    pub(crate) fn query(&self) -> Query<'_> {
        let sql = match (&self.project, self.label_names.is_empty()) {
            (_, false) => WITH_LABELS,
            (Some(_), true) => OF_PROJECT,
            (None, true) if self.any_status => NEWEST,
            (None, true) => OF_STATUSES,
        };
        let mut query = sqlx::query(sql).bind(&self.before).bind(self.limit).bind(&self.tenant);
        if sql != NEWEST {
            query = query.bind(&self.statuses);
        }
        if sql == OF_PROJECT || sql == WITH_LABELS {
            query = query.bind(&self.project);
        }
        if sql == WITH_LABELS {
            query = query.bind(&self.label_names).bind(&self.label_values);
        }
        query
    }
}

pub(crate) fn by_ids(ids: &[String]) -> Query<'_> {
    sqlx::query(BY_IDS).bind(ids)
}

/// The ids of the oldest builds that have not ended.
pub(crate) fn open<'q>(after: Option<BuildId>, limit: i64) -> Query<'q> {
    sqlx::query(OPEN)
        .bind(after.map(|id| id.to_string()).unwrap_or_default())
        .bind(limit)
        .bind(open_statuses())
}

pub(crate) fn count_open(submitted_by: &str, most: i64) -> Query<'_> {
    sqlx::query(COUNT_OPEN).bind(submitted_by).bind(open_statuses()).bind(most)
}

fn open_statuses() -> Vec<&'static str> {
    BuildStatus::ALL.into_iter().filter(|status| !status.is_terminal()).map(BuildStatus::as_str).collect()
}
