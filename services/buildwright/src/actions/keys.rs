//! `keys`: straight on the event store, so that the first key needs none.

use super::{Usage, json};
use crate::{
    adapters::{SystemClock, UlidIds, random_key},
    cli::{CreateKeyArgs, Global, KeysArgs, KeysCommand, ListKeysArgs, Output, RevokeKeyArgs},
    data_dir::DataDir,
    render::{print, table::table, text::clean},
};
use anyhow::Context as _;
use chrono::{DateTime, Utc};
use ports::{ApiKey, ApiKeys, Clock as _, Created, KeyChange, KeyFilter, KeyLimits, KeyState, KeyText};
use serde_json::{Value, json as object};
use std::{process::ExitCode, sync::Arc};
use store_postgres::{PostgresOptions, PostgresStore};
use store_sqlite::{SqliteOptions, SqliteStore};

/// Keys that are read at once.
const PAGE: usize = 500;
/// So often another prefix is tried. One in a trillion is taken already.
const TRIES: usize = 5;

/// The event store, to be closed.
enum Store {
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
}

pub(crate) async fn keys(global: &Global, args: KeysArgs) -> anyhow::Result<ExitCode> {
    let store = Store::open(global, args.database_url.as_deref()).await?;
    let keys = store.keys();
    let done = match &args.command {
        KeysCommand::Create(args) => create(keys.as_ref(), args).await,
        KeysCommand::List(args) => list(keys.as_ref(), args).await,
        KeysCommand::Revoke(args) => revoke(keys.as_ref(), args).await,
    };
    store.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

impl Store {
    /// A server may run on it: SQLite has two processes write by turns.
    async fn open(global: &Global, database_url: Option<&str>) -> anyhow::Result<Self> {
        if let Some(url) = database_url {
            let store = PostgresStore::open(url, PostgresOptions::default()).await?;
            return Ok(Self::Postgres(store));
        }
        let data_dir = global.data_dir();
        std::fs::create_dir_all(&data_dir)
            .with_context(|| format!("cannot create {}", data_dir.display()))?;
        let store = SqliteStore::open(&DataDir::database_in(&data_dir), SqliteOptions::default()).await?;
        Ok(Self::Sqlite(store))
    }

    fn keys(&self) -> Arc<dyn ApiKeys> {
        match self {
            Self::Sqlite(store) => Arc::new(store.clone()),
            Self::Postgres(store) => Arc::new(store.clone()),
        }
    }

    async fn close(&self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }
}

async fn create(keys: &dyn ApiKeys, args: &CreateKeyArgs) -> anyhow::Result<()> {
    let now = SystemClock.now();
    for _ in 0..TRIES {
        let text = random_key()?;
        let key = new_key(args, &text, now);
        match keys.create_key(&key).await? {
            Created::PrefixTaken => {}
            Created::Stored => return show_new(&key, &text, args.output),
        }
    }
    anyhow::bail!("no free prefix was found for the key; try again")
}

fn new_key(args: &CreateKeyArgs, text: &KeyText, now: DateTime<Utc>) -> ApiKey {
    ApiKey {
        id: UlidIds::default().key(),
        prefix: text.prefix().clone(),
        digest: text.digest(),
        name: args.name.clone(),
        tenant: args.tenant.clone(),
        scopes: args.scopes.iter().copied().collect(),
        limits: KeyLimits { requests_per_minute: args.requests_per_minute, open_builds: args.open_builds },
        created: KeyChange { at: now, by: operator() },
        expires_at: args.expires.and_then(|span| now.checked_add_signed(span)),
        revoked: None,
        last_used_at: None,
    }
}

fn show_new(key: &ApiKey, text: &KeyText, output: Output) -> anyhow::Result<()> {
    if output == Output::Json {
        let mut document = document(key, key.created.at);
        document["key"] = text.expose().into();
        return Ok(print(&json(&document)?)?);
    }
    print(&format!(
        "{text}\n\n\
         This is the key {id} of the tenant {tenant}. It is not shown again: only its hash is kept.\n  \
         export BUILDWRIGHT_API_KEY=…                  for `buildwright` itself\n  \
         curl -H \"Authorization: Bearer …\" URL/v1/builds",
        text = text.expose(),
        id = key.id,
        tenant = key.tenant,
    ))?;
    Ok(())
}

async fn list(keys: &dyn ApiKeys, args: &ListKeysArgs) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let mut found: Vec<ApiKey> = Vec::new();
    loop {
        let before = found.last().map(|key| key.id);
        let page = keys.keys(&KeyFilter { tenant: args.tenant.clone(), before, limit: PAGE }).await?;
        found.extend(page.keys);
        if !page.more {
            break;
        }
    }
    if args.output == Output::Json {
        let documents: Vec<Value> = found.iter().map(|key| document(key, now)).collect();
        return Ok(print(&json(&object!({ "keys": documents }))?)?);
    }
    let day = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M").to_string();
    let never = || "never".to_owned();
    let row = |key: &ApiKey| {
        [
            key.id.to_string(),
            format!("{}{}", KeyText::START, key.prefix),
            state(key, now).to_owned(),
            key.tenant.to_string(),
            key.scopes.to_string(),
            day(key.created.at),
            key.expires_at.map_or_else(never, day),
            key.last_used_at.map_or_else(never, day),
            clean(key.name.as_str()),
        ]
    };
    let rows: Vec<_> = found.iter().map(row).collect();
    let heading =
        ["KEY", "BEGINS", "STATE", "TENANT", "SCOPES", "CREATED (UTC)", "EXPIRES", "LAST USED", "NAME"];
    Ok(print(&table(heading, &rows))?)
}

async fn revoke(keys: &dyn ApiKeys, args: &RevokeKeyArgs) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let revoked = keys.revoke_key(args.id, &KeyChange { at: now, by: operator() }).await?;
    let key = revoked.ok_or_else(|| Usage(format!("there is no key {}", args.id)))?;
    match args.output {
        Output::Json => print(&json(&document(&key, now))?)?,
        Output::Text => print(&format!("{} ({}) is revoked.", key.id, clean(key.name.as_str())))?,
    }
    Ok(())
}

/// A key for machines, without what must stay secret.
fn document(key: &ApiKey, now: DateTime<Utc>) -> Value {
    object!({
        "id": key.id,
        "name": key.name,
        "prefix": format!("{}{}", KeyText::START, key.prefix),
        "state": state(key, now),
        "tenant": key.tenant,
        "scopes": key.scopes.iter().collect::<Vec<_>>(),
        "requestsPerMinute": key.limits.requests_per_minute,
        "openBuilds": key.limits.open_builds,
        "createdAt": key.created.at,
        "createdBy": &*key.created.by,
        "expiresAt": key.expires_at,
        "revokedAt": key.revoked.as_ref().map(|change| change.at),
        "revokedBy": key.revoked.as_ref().map(|change| &*change.by),
        "lastUsedAt": key.last_used_at,
    })
}

fn state(key: &ApiKey, now: DateTime<Utc>) -> &'static str {
    match key.state(now) {
        KeyState::Usable => "usable",
        KeyState::Revoked => "revoked",
        KeyState::Expired => "expired",
    }
}

/// Whoever runs the command.
fn operator() -> Arc<str> {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
    user.map_or_else(|| "cli".into(), |user| format!("cli:{}", user.name).into())
}
