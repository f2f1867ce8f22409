//! Load, decide, append, and then the secrets.

use crate::{ChangeError, Contents, Vault, VaultError, error::holds};
use chrono::{DateTime, Utc};
use commands::Expected;
use domain::{
    Endpoint, EndpointId,
    endpoint::{Command, EndpointEvent, EndpointSpec, EndpointState, Signatures, Values},
};
use names::TenantName;
use ports::{
    Append, AppendError, Clock, EventStore, Kept, Metadata, NewEvent, StoreError, StreamId, Version,
};
use std::{collections::BTreeMap, sync::Arc};
use webhooks::{PrivateKey, Secret};

/// So often a command is decided anew because others were faster.
const ATTEMPTS: usize = 8;
/// Most events of a stream read at once.
const PAGE: usize = 500;
/// Most secrets of an endpoint that are valid at the same time: every message is signed with each.
const MOST_SECRETS: usize = 5;

/// An endpoint at a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// Which one.
    pub id: EndpointId,
    /// The version of its stream.
    pub version: Version,
    /// How it is then.
    pub endpoint: Endpoint,
}

/// What a client gives with a new endpoint and nobody is shown again.
#[derive(Debug, Default)]
pub struct Given {
    /// The secret; one is made if there is none.
    pub secret: Option<Secret>,
    /// Its own headers.
    pub headers: BTreeMap<String, String>,
}

/// What is to be another.
#[derive(Debug)]
pub struct Change {
    /// All of what is asked for from now on.
    pub spec: EndpointSpec,
    /// Its own headers, if others are to take the place of those that are there.
    pub headers: Option<BTreeMap<String, String>>,
}

/// An endpoint with what is shown of its secrets once.
#[derive(Debug)]
pub struct Rotated {
    /// The endpoint.
    pub loaded: Loaded,
    /// The secret to verify with.
    pub secret: Secret,
}

/// The endpoints: commands go in here, and single endpoints are read here.
pub struct Endpoints {
    store: Arc<dyn EventStore>,
    vault: Vault,
    clock: Arc<dyn Clock>,
}

impl Endpoints {
    /// Over a store and a vault.
    #[must_use]
    pub fn new(store: Arc<dyn EventStore>, vault: Vault, clock: Arc<dyn Clock>) -> Self {
        Self { store, vault, clock }
    }

    /// Where the secrets are.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// An endpoint as it is now; nothing if there is none or it is deleted.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn load(&self, id: EndpointId) -> Result<Option<Loaded>, StoreError> {
        let (version, endpoint) = self.fold(id).await?;
        let alive = endpoint.filter(|endpoint| endpoint.state != EndpointState::Deleted);
        Ok(alive.map(|endpoint| Loaded { id, version, endpoint }))
    }

    /// What messages to an endpoint as it is at a version are signed with, and bring along.
    ///
    /// # Errors
    /// If there is nothing, it cannot be opened, or it belongs to the endpoint as it is at another version: values of
    /// headers are never sent to where they were not meant for.
    pub async fn contents(&self, id: EndpointId, version: Version) -> Result<Contents, VaultError> {
        let (kept, contents) = self.vault.open(id).await?;
        if kept > version {
            return Err(VaultError::Ahead);
        }
        if self.replaces_values(id, kept, version).await? { Err(VaultError::Behind) } else { Ok(contents) }
    }

    /// Makes an endpoint, which is told of what happens from now on. If there is one of this id, somebody carried out
    /// the same request before, and it is answered as then.
    ///
    /// # Errors
    /// If it was not made, or that is not known.
    pub async fn create(
        &self,
        id: EndpointId,
        actor: Arc<str>,
        tenant: TenantName,
        spec: EndpointSpec,
        given: Given,
    ) -> Result<Rotated, ChangeError> {
        let secret = self.or_new(given.secret)?;
        let mut contents = Contents::new(&secret, given.headers);
        self.fit_key(&mut contents, spec.signatures)?;
        let secret = match self.vault.put(id, Version(1), &contents).await? {
            Kept::Stored => secret,
            Kept::Outdated => self.newest_secret(id).await?,
        };
        let (from, at) = (self.store.head().borrow().0, self.clock.now());
        let command = Command::Create { tenant, spec, from, at };
        let loaded = match self.execute(id, actor, &Expected::Any, |_| Ok(command.clone())).await {
            Err(ChangeError::Rejected(_)) => self.load(id).await?.ok_or(ChangeError::Unknown)?,
            executed => executed?,
        };
        Ok(Rotated { loaded, secret })
    }

    /// Asks for something else of an endpoint. `change` makes it of what is asked for now, and may be called again if
    /// that changes meanwhile.
    ///
    /// # Errors
    /// If it was not changed, or that is not known.
    pub async fn update(
        &self,
        id: EndpointId,
        actor: Arc<str>,
        expected: &Expected,
        change: impl Fn(&EndpointSpec) -> Change + Send + Sync,
    ) -> Result<Loaded, ChangeError> {
        let mut headers = None;
        let loaded = self
            .execute(id, actor, expected, |loaded| {
                let Change { mut spec, headers: replaced } =
                    change(&loaded.ok_or(ChangeError::Unknown)?.endpoint.spec);
                if let Some(replaced) = &replaced {
                    spec.header_names = replaced.keys().cloned().collect();
                }
                let values = if replaced.is_some() { Values::Replaced } else { Values::Kept };
                headers = replaced;
                Ok(Command::Update { spec, values, at: self.clock.now() })
            })
            .await?;
        let mut contents = self.open_before(&loaded).await?;
        let had_key = contents.ed25519.is_some();
        self.fit_key(&mut contents, loaded.endpoint.spec.signatures)?;
        let other_key = had_key != contents.ed25519.is_some();
        if headers.is_some() || other_key {
            contents.headers = headers.unwrap_or_else(|| std::mem::take(&mut contents.headers));
            self.keep(id, loaded.version, &contents).await?;
        }
        Ok(loaded)
    }

    /// Gives an endpoint a new secret. Messages are signed with the ones before too until a time.
    ///
    /// # Errors
    /// If there is no new secret, or that is not known.
    pub async fn rotate(
        &self,
        id: EndpointId,
        actor: Arc<str>,
        expected: &Expected,
        secret: Option<Secret>,
        old_valid_until: DateTime<Utc>,
    ) -> Result<Rotated, ChangeError> {
        let now = self.clock.now();
        // Looked at before, since what is refused must leave no event.
        let (_, contents) = match self.load(id).await? {
            Some(_) => self.vault.open(id).await?,
            None => return Err(ChangeError::Unknown),
        };
        if contents.signing.iter().filter(|signing| signing.is_valid(now)).count() >= MOST_SECRETS {
            return Err(ChangeError::TooManySecrets(MOST_SECRETS));
        }
        let command = Command::RotateSecret { old_valid_until, at: now };
        let loaded = self.execute(id, actor, expected, |_| Ok(command.clone())).await?;
        let secret = self.or_new(secret)?;
        let mut contents = self.open_before(&loaded).await?;
        contents.rotate(&secret, old_valid_until, now);
        self.keep(id, loaded.version, &contents).await?;
        Ok(Rotated { loaded, secret })
    }

    /// Ends an endpoint, and forgets its secrets.
    ///
    /// # Errors
    /// If it was not deleted, or that is not known.
    pub async fn delete(
        &self,
        id: EndpointId,
        actor: Arc<str>,
        expected: &Expected,
    ) -> Result<(), ChangeError> {
        let at = self.clock.now();
        self.execute(id, actor, expected, |_| Ok(Command::Delete { at })).await?;
        Ok(self.vault.remove(id).await?)
    }

    /// Carries out a command that `decide` makes of the endpoint as it is, and answers how it is then.
    ///
    /// # Errors
    /// If it was not carried out, or that is not known.
    pub async fn execute(
        &self,
        id: EndpointId,
        actor: Arc<str>,
        expected: &Expected,
        mut decide: impl FnMut(Option<&Loaded>) -> Result<Command, ChangeError> + Send,
    ) -> Result<Loaded, ChangeError> {
        for _ in 0..ATTEMPTS {
            let (version, endpoint) = self.fold(id).await?;
            let loaded = endpoint.map(|endpoint| Loaded { id, version, endpoint });
            // Of what does not exist, the command itself says more.
            if loaded.as_ref().is_some_and(|it| it.endpoint.state != EndpointState::Deleted) {
                holds(expected, version)?;
            }
            let command = decide(loaded.as_ref())?;
            let tenant = match (&loaded, &command) {
                (Some(loaded), _) => loaded.endpoint.tenant.clone(),
                (None, Command::Create { tenant, .. }) => tenant.clone(),
                (None, _) => return Err(ChangeError::Unknown),
            };
            let events = Endpoint::decide(loaded.as_ref().map(|it| &it.endpoint), command)?;
            if events.is_empty() {
                return loaded.ok_or(ChangeError::Unknown);
            }
            let append = Append {
                stream: StreamId::Endpoint(id),
                expected: version,
                events: events.iter().map(NewEvent::endpoint).collect::<Result<_, _>>().map_err(defect)?,
                metadata: Metadata { actor: Some(Arc::clone(&actor)), tenant },
                recorded_at: self.clock.now(),
            };
            match self.store.append(append).await {
                Ok(appended) => {
                    let endpoint = events.iter().fold(loaded.map(|it| it.endpoint), Endpoint::apply);
                    let endpoint = endpoint.ok_or(ChangeError::Unknown)?;
                    return Ok(Loaded { id, version: appended.version, endpoint });
                }
                Err(AppendError::Conflict { .. }) => {}
                Err(AppendError::Store(error)) => return Err(error.into()),
            }
        }
        Err(ChangeError::Contended)
    }

    async fn fold(&self, id: EndpointId) -> Result<(Version, Option<Endpoint>), StoreError> {
        let (mut version, mut endpoint) = (Version(0), None);
        loop {
            let page = self.store.read_stream(StreamId::Endpoint(id), version, PAGE).await?;
            for recorded in &page {
                let event = recorded.endpoint_event().map_err(defect)?;
                endpoint = Endpoint::apply(endpoint, &event);
                version = recorded.version;
            }
            if page.len() < PAGE {
                return Ok((version, endpoint));
            }
        }
    }

    /// What is kept of an endpoint before a change of it is. Values of headers that were replaced, but not by any that
    /// were kept, must not come to belong to the new version.
    async fn open_before(&self, loaded: &Loaded) -> Result<Contents, ChangeError> {
        let (kept, mut contents) = self.vault.open(loaded.id).await?;
        if self.replaces_values(loaded.id, kept, loaded.version).await? {
            contents.headers.clear();
        }
        Ok(contents)
    }

    /// Whether the values of the headers were replaced after a version, up to another.
    async fn replaces_values(
        &self,
        id: EndpointId,
        mut after: Version,
        upto: Version,
    ) -> Result<bool, StoreError> {
        while after < upto {
            let page = self.store.read_stream(StreamId::Endpoint(id), after, PAGE).await?;
            for recorded in page.iter().filter(|recorded| recorded.version <= upto) {
                let event = recorded.endpoint_event().map_err(defect)?;
                if matches!(&event, EndpointEvent::EndpointUpdated(e) if e.header_values == Values::Replaced)
                {
                    return Ok(true);
                }
            }
            let Some(last) = page.last() else { break };
            after = last.version;
        }
        Ok(false)
    }

    /// Whoever changed it after us has kept our secrets with theirs, or is going to say that they could not.
    async fn keep(&self, id: EndpointId, version: Version, contents: &Contents) -> Result<(), ChangeError> {
        match self.vault.put(id, version, contents).await? {
            Kept::Stored => Ok(()),
            Kept::Outdated => Err(ChangeError::Contended),
        }
    }

    async fn newest_secret(&self, id: EndpointId) -> Result<Secret, VaultError> {
        let (_, contents) = self.vault.open(id).await?;
        contents.secrets(self.clock.now()).next().map(|(secret, _)| secret).ok_or(VaultError::Missing)
    }

    fn or_new(&self, given: Option<Secret>) -> Result<Secret, VaultError> {
        given.map_or_else(|| Ok(Secret::from_bytes(self.vault.chance()?)), Ok)
    }

    fn fit_key(&self, contents: &mut Contents, signatures: Signatures) -> Result<(), VaultError> {
        match (signatures, &contents.ed25519) {
            (Signatures::HmacAndEd25519, None) => {
                let key = PrivateKey::from_seed(self.vault.chance()?);
                contents.ed25519 = Some(key.reveal().to_string());
            }
            (Signatures::Hmac, Some(_)) => contents.ed25519 = None,
            _ => {}
        }
        Ok(())
    }
}

fn defect(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Corrupt(Box::new(error))
}
