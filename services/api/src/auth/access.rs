//! From the text of a key to a principal.

use super::{credential::Credential, quota::Quotas, recent::Recent, uses::Uses};
use crate::{KeySettings, routes::ACTOR};
use chrono::{DateTime, Utc};
use names::{KeyPrefix, Scope, TenantName};
use ports::{ApiKey, ApiKeys, KeyDigest, KeyLimits, KeyState, KeyText, Principal, StoreError};
use std::sync::Arc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What becomes of requests without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anonymous {
    /// They are the owner's: the principal `local`, who may do everything as the default tenant.
    Local,
    /// They are refused.
    Refused,
}

/// Who is told the figures of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figures {
    /// Everybody who reaches it.
    Open,
    /// Who may do everything.
    Admin,
}

/// Who gets in.
pub struct Access {
    keys: Arc<dyn ApiKeys>,
    settings: KeySettings,
    anonymous: Anonymous,
    figures: Figures,
    recent: Recent,
    uses: Uses,
    pub(super) quotas: Quotas,
}

/// Why somebody does not get in.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There is no key, and one is needed.
    Missing,
    /// What there is is no key, or none of ours.
    Invalid,
    /// The key was revoked.
    Revoked,
    /// The key's time is over.
    Expired,
    /// A key stands in the query string.
    InQuery,
    /// It cannot be found out at the moment.
    Store(StoreError),
}

impl Access {
    /// By the keys of a store.
    #[must_use]
    pub fn new(
        keys: Arc<dyn ApiKeys>,
        settings: KeySettings,
        anonymous: Anonymous,
        figures: Figures,
    ) -> Self {
        let recent = Recent::new(settings.trusted, settings.remembered);
        Self { keys, settings, anonymous, figures, recent, uses: Uses::default(), quotas: Quotas::default() }
    }

    /// Writes down when keys were used, now and then, until told to stop.
    pub async fn note_uses(&self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(self.settings.note_uses_every)).await.is_some() {
            self.uses.write_down(self.keys.as_ref()).await;
        }
        self.uses.write_down(self.keys.as_ref()).await;
    }

    pub(super) fn figures(&self) -> Figures {
        self.figures
    }

    /// Whose request carries this; `None` if there is no key, and that may be.
    pub(super) async fn principal(
        &self,
        credential: Credential,
        now: DateTime<Utc>,
    ) -> Result<Principal, Refusal> {
        match credential {
            Credential::InQuery => Err(Refusal::InQuery),
            Credential::Unusable => Err(Refusal::Invalid),
            Credential::None if self.anonymous == Anonymous::Local => Ok(local()),
            Credential::None => Err(Refusal::Missing),
            Credential::Key(text) => self.owner(&text, now).await,
        }
    }

    /// Whether a key that somebody got in with can still be used.
    pub(super) async fn recheck(
        &self,
        prefix: &KeyPrefix,
        digest: KeyDigest,
        now: DateTime<Utc>,
    ) -> Result<KeyState, StoreError> {
        let key = self.find(prefix, digest).await?;
        Ok(key.map_or(KeyState::Revoked, |key| key.state(now)))
    }

    async fn owner(&self, text: &KeyText, now: DateTime<Utc>) -> Result<Principal, Refusal> {
        let key =
            self.find(text.prefix(), text.digest()).await.map_err(Refusal::Store)?.ok_or(Refusal::Invalid)?;
        match key.state(now) {
            KeyState::Usable => {}
            KeyState::Revoked => return Err(Refusal::Revoked),
            KeyState::Expired => return Err(Refusal::Expired),
        }
        self.uses.note(key.id, now);
        let mut principal = key.principal();
        let limits = &mut principal.limits;
        limits.requests_per_minute = limits.requests_per_minute.or(self.settings.limits.requests_per_minute);
        limits.open_builds = limits.open_builds.or(self.settings.limits.open_builds);
        Ok(principal)
    }

    async fn find(&self, prefix: &KeyPrefix, digest: KeyDigest) -> Result<Option<Arc<ApiKey>>, StoreError> {
        let asked = Instant::now();
        if let Some(answer) = self.recent.get(&digest.0, asked) {
            return Ok(answer);
        }
        let found = self.keys.find_key(prefix).await?;
        let answer = found.filter(|key| key.digest == digest).map(Arc::new);
        self.recent.put(digest.0, asked, answer.clone());
        Ok(answer)
    }
}

/// The owner of the machine, or whoever somebody else has let through to us.
fn local() -> Principal {
    Principal {
        actor: ACTOR.into(),
        tenant: TenantName::default(),
        scopes: [Scope::Admin].into_iter().collect(),
        key: None,
        limits: KeyLimits::default(),
    }
}
