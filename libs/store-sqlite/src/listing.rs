//! The queries that lists are answered from. Each walks an index in the order of the list and stops at the
//! limit, however many builds there are.

use crate::builds::COLUMNS;
use domain::{BuildId, build::BuildStatus};
use names::{ProjectName, TenantName};
use ports::BuildFilter;
use sqlx::{QueryBuilder, Sqlite};

type Sql = QueryBuilder<Sqlite>;

/// Sorts behind every id.
const END: &str = "bld_~";

/// The rows of some builds; the parameter is a JSON array of ids.
pub(crate) fn by_ids(ids: String) -> Sql {
    let mut sql = Sql::new("SELECT ");
    sql.push(COLUMNS).push(" FROM json_each(").push_bind(ids);
    sql.push(") AS page CROSS JOIN builds b ON b.id = page.value");
    sql
}

/// The newest builds that pass the filter, at most `limit`.
pub(crate) fn newest(filter: &BuildFilter, limit: i64) -> Sql {
    let before = filter.before.map_or_else(|| END.to_owned(), |id| id.to_string());
    let mut sql = Sql::new("SELECT ");
    sql.push(COLUMNS).push(" FROM (");
    if !filter.labels.is_empty() {
        with_labels(&mut sql, filter, &before, limit);
    } else if filter.status.is_empty() && filter.project.is_none() {
        sql.push("SELECT id FROM builds WHERE tenant = ").push_bind(filter.tenant.as_str().to_owned());
        sql.push(" AND id < ").push_bind(before);
        sql.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
    } else {
        let all = BuildStatus::ALL;
        let statuses: &[BuildStatus] = if filter.status.is_empty() { &all } else { &filter.status };
        let within = Within { tenant: Some(&filter.tenant), project: filter.project.as_ref() };
        of_statuses(&mut sql, statuses, &within, ("<", &before, "DESC"), limit);
    }
    // CROSS keeps the page outside: the planner must not walk all builds and look each up in the page.
    sql.push(") AS page CROSS JOIN builds b ON b.id = page.id ORDER BY page.id DESC");
    sql
}

/// The ids of the oldest builds that have not ended.
pub(crate) fn open(after: Option<BuildId>, limit: i64) -> Sql {
    let open: Vec<BuildStatus> = open_statuses().collect();
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let mut sql = Sql::new("");
    let within = Within { tenant: None, project: None };
    of_statuses(&mut sql, &open, &within, (">", &after, "ASC"), limit);
    sql
}

/// How many builds of a submitter have not ended, counted up to `most`.
pub(crate) fn count_open(submitted_by: &str, most: i64) -> Sql {
    let mut sql = Sql::new("SELECT count(*) FROM (SELECT 1 FROM builds WHERE submitted_by = ");
    sql.push_bind(submitted_by.to_owned()).push(" AND status IN (");
    let mut statuses = sql.separated(", ");
    for status in open_statuses() {
        statuses.push_bind(status.as_str());
    }
    sql.push(") LIMIT ").push_bind(most).push(")");
    sql
}

fn open_statuses() -> impl Iterator<Item = BuildStatus> {
    BuildStatus::ALL.into_iter().filter(|status| !status.is_terminal())
}

/// Whose builds are walked along.
struct Within<'a> {
    tenant: Option<&'a TenantName>,
    project: Option<&'a ProjectName>,
}

/// One walk along the index for each status, merged: an index by status is in the list's order only within
/// one status.
fn of_statuses(
    sql: &mut Sql,
    statuses: &[BuildStatus],
    within: &Within<'_>,
    (beyond, id, order): (&str, &str, &str),
    limit: i64,
) {
    for (n, status) in BuildStatus::ALL.iter().filter(|status| statuses.contains(status)).enumerate() {
        sql.push(if n == 0 { "" } else { " UNION ALL " });
        sql.push("SELECT id FROM (SELECT id FROM builds WHERE status = ").push_bind(status.as_str());
        if let Some(tenant) = within.tenant {
            sql.push(" AND tenant = ").push_bind(tenant.as_str().to_owned());
        }
        if let Some(project) = within.project {
            sql.push(" AND project = ").push_bind(project.as_str().to_owned());
        }
        sql.push(" AND id ").push(beyond).push(" ").push_bind(id.to_owned());
        sql.push(" ORDER BY id ").push(order).push(" LIMIT ").push_bind(limit).push(")");
    }
    sql.push(" ORDER BY id ").push(order).push(" LIMIT ").push_bind(limit);
}

/// A walk along the builds of the first label; everything else is looked at on the way.
fn with_labels(sql: &mut Sql, filter: &BuildFilter, before: &str, limit: i64) {
    let mut labels = filter.labels.iter();
    sql.push("SELECT l.id FROM build_labels l");
    if !filter.status.is_empty() || filter.project.is_some() {
        sql.push(" CROSS JOIN builds f ON f.id = l.id");
    }
    sql.push(" WHERE l.tenant = ").push_bind(filter.tenant.as_str().to_owned());
    sql.push(" AND l.id < ").push_bind(before.to_owned());
    if let Some((name, value)) = labels.next() {
        sql.push(" AND l.name = ").push_bind(name.clone()).push(" AND l.value = ").push_bind(value.clone());
    }
    for (name, value) in labels {
        sql.push(" AND EXISTS (SELECT 1 FROM build_labels o WHERE o.tenant = l.tenant AND o.id = l.id AND o.name = ");
        sql.push_bind(name.clone()).push(" AND o.value = ").push_bind(value.clone()).push(")");
    }
    if let Some(project) = &filter.project {
        sql.push(" AND f.project = ").push_bind(project.as_str().to_owned());
    }
    if !filter.status.is_empty() {
        sql.push(" AND f.status IN (");
        let mut statuses = sql.separated(", ");
        for status in &filter.status {
            statuses.push_bind(status.as_str());
        }
        sql.push(")");
    }
    sql.push(" ORDER BY l.id DESC LIMIT ").push_bind(limit);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SqliteOptions, SqliteStore, deliveries, endpoints, events, keys};
    use sqlx::{Row, SqlSafeStr, SqlStr};
    use std::collections::BTreeMap;

    fn queries() -> Vec<SqlStr> {
        let id = BuildId::new(ulid::Ulid(1));
        let lists = [by_ids("[]".to_owned()), open(None, 5), count_open("local", 5)];
        let mut queries: Vec<SqlStr> = lists.map(Sql::into_sql).into();
        queries.extend(keys::QUERIES.map(SqlSafeStr::into_sql_str));
        queries.extend(deliveries::QUERIES.map(SqlSafeStr::into_sql_str));
        queries.extend(endpoints::QUERIES.map(SqlSafeStr::into_sql_str));
        queries.extend(
            [events::HEAD, events::VERSIONS, events::OF_STREAM, events::OF_ALL, events::OF_TENANT]
                .map(SqlSafeStr::into_sql_str),
        );
        for status in [vec![], vec![BuildStatus::Failed], BuildStatus::ALL.to_vec()] {
            for project in [None, Some("shop".parse().expect("a name"))] {
                for labels in [vec![], vec![("a", "1")], vec![("a", "1"), ("b", "2")]] {
                    let labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
                    let filter = BuildFilter {
                        tenant: TenantName::default(),
                        status: status.clone(),
                        project: project.clone(),
                        labels: labels.collect::<BTreeMap<_, _>>(),
                        before: Some(id),
                        limit: 5,
                    };
                    queries.push(newest(&filter, 6).into_sql());
                }
            }
        }
        queries
    }

    #[tokio::test]
    async fn no_query_scans_a_table() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("plans.db");
        let options = SqliteOptions::default();
        let _store = SqliteStore::open(&path, options.clone()).await.expect("a store");
        let pool = sqlx::SqlitePool::connect_with(options.reading(&path)).await.expect("connected");
        for sql in queries() {
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", sql.as_str()));
            let steps = sqlx::query(explain).fetch_all(&pool).await.expect("a plan");
            let steps: Vec<String> = steps.iter().map(|step| step.get(3)).collect();
            let scans = |step: &&String| {
                // A page of at most `limit` rows, and the end of the log, which is one step from the root.
                let bounded = ["SCAN page", "SCAN json_each", "SCAN (subquery"];
                step.starts_with("SCAN") && !bounded.iter().any(|bounded| step.starts_with(bounded))
            };
            assert_eq!(steps.iter().find(scans), None, "{}\n{steps:#?}", sql.as_str());
        }
    }
}
