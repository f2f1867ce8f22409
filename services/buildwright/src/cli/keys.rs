use super::Output;
use clap::{Args, Subcommand};
use names::{KeyId, KeyName, Scope, TenantName};
use std::num::NonZeroU32;

/// `keys`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  buildwright keys create --name ops --scope admin
  buildwright keys create --name ci --tenant shop --scope builds:read --scope builds:write --expires 90d
  buildwright keys list --tenant shop
  buildwright keys revoke key_01ARZ3NDEKTSV4RRFFQ69G5FAV

Keys are in the event store: the one of --data-dir, whether its server runs or not, or that of the fleet if
DATABASE_URL is set. A revoked key stops working within seconds.")]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
    /// The event store of a fleet. Better in the environment: arguments are public [default: the data directory]
    #[arg(long, global = true, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key and show it: once, for nobody can show it again
    Create(CreateKeyArgs),
    /// List keys, newest first
    List(ListKeysArgs),
    /// Make a key useless for good
    Revoke(RevokeKeyArgs),
}

/// `keys create`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  buildwright keys create --name ops --scope admin
  buildwright keys create --name ci --tenant shop --scope builds:read,builds:write --expires 90d --open-builds 5
  export BUILDWRIGHT_API_KEY=$(buildwright keys create --name me --scope admin --output json | jq -r .key)

Scopes: builds:read, builds:write, plans:approve, webhooks:manage, audit:read, and admin, which is all of them and
whatever concerns the installation as a whole. A key sees its tenant's builds and no others, whatever its scopes.")]
pub(crate) struct CreateKeyArgs {
    /// What to call it
    #[arg(long, value_name = "NAME")]
    pub(crate) name: KeyName,
    /// Whose builds it works with
    #[arg(long, value_name = "TENANT", default_value = "default")]
    pub(crate) tenant: TenantName,
    /// What it allows; may be given several times
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',')]
    pub(crate) scopes: Vec<Scope>,
    /// After what time it stops working, such as 90d, 12h or 30m [default: never]
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    pub(crate) expires: Option<chrono::TimeDelta>,
    /// Most requests within a minute [default: as the server is set]
    #[arg(long, value_name = "N")]
    pub(crate) requests_per_minute: Option<NonZeroU32>,
    /// Most builds that have not ended, at the same time [default: as the server is set]
    #[arg(long, value_name = "N")]
    pub(crate) open_builds: Option<NonZeroU32>,
    /// For whom the answer is
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// `keys list`.
#[derive(Debug, Args)]
pub(crate) struct ListKeysArgs {
    /// Only of this tenant
    #[arg(long, value_name = "TENANT")]
    pub(crate) tenant: Option<TenantName>,
    /// For whom the answer is
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// `keys revoke`.
#[derive(Debug, Args)]
pub(crate) struct RevokeKeyArgs {
    /// Its id, as `keys list` shows it
    #[arg(value_name = "ID")]
    pub(crate) id: KeyId,
    /// For whom the answer is
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Output,
}

fn lifetime(text: &str) -> Result<chrono::TimeDelta, String> {
    const MOST_DAYS: i64 = 36_500;
    let wanted = || "must be a number with d, h or m, such as 90d; at most a hundred years".to_owned();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wanted)?;
    let number: u32 = number.parse().map_err(|_| wanted())?;
    let span = match unit {
        "d" => chrono::TimeDelta::try_days(number.into()),
        "h" => chrono::TimeDelta::try_hours(number.into()),
        "m" => chrono::TimeDelta::try_minutes(number.into()),
        _ => None,
    };
    let sensible = |span: &chrono::TimeDelta| span.num_minutes() > 0 && span.num_days() <= MOST_DAYS;
    span.filter(sensible).ok_or_else(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_number_with_its_unit() {
        assert_eq!(lifetime("90d"), Ok(chrono::TimeDelta::days(90)));
        assert_eq!(lifetime("12h"), Ok(chrono::TimeDelta::hours(12)));
        assert_eq!(lifetime("30m"), Ok(chrono::TimeDelta::minutes(30)));
        for text in ["", "d", "90", "0d", "-1d", "1.5d", "90 d", "90s", "4000000000d", "1ü"] {
            assert!(lifetime(text).is_err(), "{text}");
        }
    }
}
