//! Orders and reports too large for a message travel as artifacts.
//!
//! A server takes messages of 1 MiB unless told otherwise, and a plan of thousands of tasks is larger. What is
//! above [`MOST_INLINE`] is stored as an artifact of its build, under the hash of its content, and the message
//! names the key: messages stay small, and go with the build when its artifacts are removed.

use async_nats::HeaderMap;
use bytes::Bytes;
use domain::BuildId;
use ports::{ArtifactError, ArtifactKey, ArtifactStore, BusError};
use sha2::{Digest, Sha256};
use std::{io, sync::Arc};

/// Most bytes in a message itself.
const MOST_INLINE: usize = 256 << 10;
/// Most bytes at all.
const MOST: usize = 64 << 20;
/// Says that the payload is the key of the artifact that holds the body.
const ELSEWHERE: &str = "Buildwright-Body";

/// What stores large bodies.
#[derive(Clone)]
pub(crate) struct Bodies(pub(crate) Arc<dyn ArtifactStore>);

impl Bodies {
    /// The payload and headers of a message with this body.
    pub(crate) async fn pack(&self, build: BuildId, body: Vec<u8>) -> Result<(HeaderMap, Bytes), BusError> {
        let mut headers = HeaderMap::new();
        if body.len() <= MOST_INLINE {
            return Ok((headers, body.into()));
        }
        if body.len() > MOST {
            return Err(BusError::TooLarge { bytes: body.len(), most: MOST });
        }
        let key = format!("builds/{build}/messages/{}.json", hex::encode(Sha256::digest(&body)));
        let store = async {
            let key = ArtifactKey::try_from(key)?;
            let file = tempfile::NamedTempFile::new()?;
            tokio::fs::write(file.path(), &body).await?;
            self.0.put(&key, file.path()).await?;
            Ok::<_, ArtifactError>(key)
        };
        let key = store.await.map_err(|error| BusError::Unavailable(Box::new(error)))?;
        headers.insert(ELSEWHERE, "artifact");
        Ok((headers, key.to_string().into()))
    }

    /// The body of a message.
    pub(crate) async fn unpack(
        &self,
        headers: Option<&HeaderMap>,
        payload: Bytes,
    ) -> Result<Bytes, ArtifactError> {
        if headers.and_then(|headers| headers.get(ELSEWHERE)).is_none() {
            return Ok(payload);
        }
        let key = ArtifactKey::try_from(String::from_utf8_lossy(&payload).into_owned())?;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("body");
        self.0.get(&key, &file).await?;
        if tokio::fs::metadata(&file).await?.len() > MOST as u64 {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge).into());
        }
        Ok(tokio::fs::read(&file).await?.into())
    }
}
