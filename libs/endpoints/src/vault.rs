//! Secrets, sealed and opened.

use crate::{Contents, VaultError};
use domain::EndpointId;
use ports::{Chance, EndpointSecrets, Kept, SealedSecrets, Version};
use seal::Seal;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Where the secrets of endpoints are kept. Clones are the same vault.
#[derive(Clone)]
pub struct Vault {
    secrets: Arc<dyn EndpointSecrets>,
    seal: Arc<Seal>,
    chance: Arc<dyn Chance>,
}

impl Vault {
    /// Over a store, sealing with a key.
    #[must_use]
    pub fn new(secrets: Arc<dyn EndpointSecrets>, seal: Seal, chance: Arc<dyn Chance>) -> Self {
        Self { secrets, seal: Arc::new(seal), chance }
    }

    /// What is kept of an endpoint, and the version of its stream that it belongs to.
    ///
    /// # Errors
    /// If there is nothing, or it cannot be opened.
    pub async fn open(&self, id: EndpointId) -> Result<(Version, Contents), VaultError> {
        let kept = self.secrets.secrets(id).await?.ok_or(VaultError::Missing)?;
        let text = self.seal.open(id.to_string().as_bytes(), &kept.sealed)?;
        Ok((kept.version, serde_json::from_slice(&text)?))
    }

    /// Keeps this of an endpoint, in place of what belongs to an older version.
    pub(crate) async fn put(
        &self,
        id: EndpointId,
        version: Version,
        contents: &Contents,
    ) -> Result<Kept, VaultError> {
        let text = Zeroizing::new(serde_json::to_vec(contents)?);
        let [a, b, c, d, e, f, g, h, i, j, k, l, ..] = self.chance.bytes()?;
        let sealed =
            self.seal.seal(id.to_string().as_bytes(), &text, [a, b, c, d, e, f, g, h, i, j, k, l])?;
        Ok(self.secrets.put_secrets(id, &SealedSecrets { version, sealed }).await?)
    }

    pub(crate) async fn remove(&self, id: EndpointId) -> Result<(), VaultError> {
        Ok(self.secrets.remove_secrets(id).await?)
    }

    pub(crate) fn chance(&self) -> Result<[u8; 32], VaultError> {
        Ok(self.chance.bytes()?)
    }
}
