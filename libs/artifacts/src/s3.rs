use std::io;
use std::path::Path as FilePath;
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut, S3CopyIfNotExists};
use object_store::path::Path;
use object_store::{
    ClientOptions, CopyMode, CopyOptions, Error, MultipartUpload, ObjectStore, ObjectStoreExt, PutMode,
};
use ports::{ArtifactError, ArtifactKey, ArtifactStore};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::place::S3Place;

/// What begins the keys of content that is not yet an artifact. No artifact's key holds such a character.
const UNFINISHED: &str = "~unfinished";

/// How often storing is tried while others try the same and nobody succeeds.
const CONFLICTS: usize = 5;

/// How a bucket is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct S3Options {
    /// Content up to this size is stored by one request, and held in memory for it. More is sent in parts of
    /// this size; servers want at least 5 MiB.
    pub part_bytes: usize,
    /// How long a server may be silent.
    pub read_timeout: Duration,
}

impl Default for S3Options {
    /// 8 MiB, 30 s.
    fn default() -> Self {
        Self { part_bytes: 8 << 20, read_timeout: Duration::from_secs(30) }
    }
}

/// The settings do not make a client.
#[derive(Debug, thiserror::Error)]
#[error("the bucket cannot be used: {0}")]
pub struct S3Error(#[source] Box<Error>);

/// Artifacts as objects of a bucket, each under the key that its own spells.
///
/// That the first of two stays needs a server with conditional writes: `If-None-Match: *` on putting an object
/// and on completing an upload in parts. Amazon S3 has both.
#[derive(Debug)]
pub struct S3Artifacts {
    bucket: AmazonS3,
    prefix: Path,
    options: S3Options,
}

impl S3Artifacts {
    /// Artifacts in a bucket, which must exist. Credentials come from `environment`, by the names that all of
    /// Amazon's tools use (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, ...); everything in it
    /// that does not begin with `AWS_` is ignored.
    ///
    /// # Errors
    /// If the settings contradict each other. The server is not contacted.
    pub fn open(
        place: &S3Place,
        environment: impl IntoIterator<Item = (String, String)>,
        options: S3Options,
    ) -> Result<Self, S3Error> {
        let client = ClientOptions::new().with_timeout_disabled().with_read_timeout(options.read_timeout);
        let mut builder = AmazonS3Builder::new().with_client_options(client);
        for (name, value) in environment {
            let name = name.starts_with("AWS_").then(|| name.to_ascii_lowercase());
            if let Some(key) = name.and_then(|name| name.parse::<AmazonS3ConfigKey>().ok()) {
                builder = builder.with_config(key, value);
            }
        }
        builder = builder
            .with_bucket_name(&place.bucket)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_copy_if_not_exists(S3CopyIfNotExists::Multipart);
        if let Some(endpoint) = &place.endpoint {
            builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
        }
        if let Some(region) = &place.region {
            builder = builder.with_region(region);
        }
        let prefix = Path::parse(&place.prefix).map_err(|error| S3Error(Box::new(error.into())))?;
        let bucket = builder.build().map_err(Box::new).map_err(S3Error)?;
        Ok(Self { bucket, prefix, options })
    }

    fn path(&self, key: &str) -> Path {
        key.split('/').fold(self.prefix.clone(), Path::join)
    }

    async fn is_there(&self, path: &Path) -> Result<bool, ArtifactError> {
        match self.bucket.head(path).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Up to a part of a file.
    async fn next_part(&self, file: &mut File) -> io::Result<bytes::Bytes> {
        let mut part = BytesMut::new();
        while part.len() < self.options.part_bytes {
            let rest = (self.options.part_bytes - part.len()) as u64;
            if (&mut *file).take(rest).read_buf(&mut part).await? == 0 {
                break;
            }
        }
        Ok(part.freeze())
    }

    /// Parts overwrite what is there once they are complete, so they go to a place of their own first. To copy
    /// from there is up to the server, and on condition that the artifact's place is empty.
    async fn put_in_parts(
        &self,
        to: &Path,
        first: bytes::Bytes,
        file: &mut File,
    ) -> Result<bool, ArtifactError> {
        #[expect(clippy::disallowed_methods, reason = "names nothing but a place that is gone in the end")]
        let id = ulid::Ulid::generate();
        let place = self.path(&format!("{UNFINISHED}/{id}"));
        let mut upload = self.bucket.put_multipart(&place).await.map_err(unavailable)?;
        if let Err(error) = self.send(upload.as_mut(), first, file).await {
            let _ = upload.abort().await;
            return Err(error);
        }
        let options = CopyOptions::new().with_mode(CopyMode::Create);
        let stored = was_first(self.bucket.copy_opts(&place, to, options).await);
        if let Err(error) = self.bucket.delete(&place).await {
            tracing::warn!(%error, "what was uploaded in parts could not be removed");
        }
        stored
    }

    async fn send(
        &self,
        upload: &mut dyn MultipartUpload,
        first: bytes::Bytes,
        file: &mut File,
    ) -> Result<(), ArtifactError> {
        let mut part = first;
        while !part.is_empty() {
            upload.put_part(part.into()).await.map_err(unavailable)?;
            part = self.next_part(file).await?;
        }
        upload.complete().await.map(drop).map_err(unavailable)
    }
}

#[async_trait]
impl ArtifactStore for S3Artifacts {
    async fn put(&self, key: &ArtifactKey, from: &FilePath) -> Result<bool, ArtifactError> {
        let to = self.path(key.as_str());
        for _ in 0..CONFLICTS {
            let mut file = File::open(from).await?;
            let first = self.next_part(&mut file).await?;
            let stored = if first.len() < self.options.part_bytes {
                was_first(self.bucket.put_opts(&to, first.into(), PutMode::Create.into()).await)?
            } else if self.is_there(&to).await? {
                false
            } else {
                self.put_in_parts(&to, first, &mut file).await?
            };
            // A server also refuses for the sake of another's attempt, and that one may yet fail.
            if stored || self.is_there(&to).await? {
                return Ok(stored);
            }
        }
        Err(ArtifactError::Unavailable("others kept trying to store the same artifact".into()))
    }

    async fn get(&self, key: &ArtifactKey, to: &FilePath) -> Result<(), ArtifactError> {
        let found = self.bucket.get(&self.path(key.as_str())).await.map_err(|error| match error {
            Error::NotFound { .. } => ArtifactError::NotFound(key.clone()),
            error => unavailable(error),
        })?;
        let mut file = OpenOptions::new().write(true).create_new(true).open(to).await?;
        let got = async {
            let mut content = found.into_stream();
            while let Some(piece) = content.try_next().await.map_err(unavailable)? {
                file.write_all(&piece).await?;
            }
            Ok(file.flush().await?)
        };
        let got = got.await;
        if got.is_err() {
            let _ = tokio::fs::remove_file(to).await;
        }
        got
    }

    async fn remove_all(&self, prefix: &ArtifactKey) -> Result<(), ArtifactError> {
        let prefix = self.path(prefix.as_str());
        let below = self.bucket.list(Some(&prefix)).map_ok(|found| found.location);
        // A list of what is below does not have the artifact of that very key.
        let all = futures::stream::once(std::future::ready(Ok(prefix.clone()))).chain(below).boxed();
        let removed = self.bucket.delete_stream(all).map(|removed| match removed {
            Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(unavailable(error)),
        });
        removed.try_collect().await
    }
}

fn was_first<T>(stored: Result<T, Error>) -> Result<bool, ArtifactError> {
    match stored {
        Ok(_) => Ok(true),
        Err(Error::AlreadyExists { .. }) => Ok(false),
        Err(error) => Err(unavailable(error)),
    }
}

fn unavailable(error: Error) -> ArtifactError {
    ArtifactError::Unavailable(Box::new(error))
}
