//! Artifacts in the form of the NATS object store, so that its tools list and fetch them: pieces of the content
//! under `$O.<bucket>.C.<id>`, then one message about it under `$O.<bucket>.M.<name>`.
//!
//! It is written here and not with the library's object store because that replaces what is there, where an
//! artifact store keeps the first: the message about an artifact is published on condition that its subject
//! has none yet.
//!
//! Made for results of up to some hundred MB; S3-compatible storage or a folder serve larger ones better.
//!
//! There are two buckets: what builds store goes with age, and with it what an interrupted upload left; what
//! projects store, under keys that begin with `projects/`, stays until it is removed.

mod bucket;

use crate::NatsBus;
use async_nats::jetstream::{
    context::{PublishAckFuture, PublishErrorKind},
    message::PublishMessage,
};
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE};
pub(crate) use bucket::{Bucket, BucketsMade};
use bytes::BytesMut;
use futures::TryStreamExt;
use ports::{ArtifactError, ArtifactKey, ArtifactStore};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::VecDeque, io, path::Path};
use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncReadExt, AsyncWriteExt},
};

/// Bytes of a piece: what the object store's tools use.
const PIECE: usize = 128 << 10;
/// Most pieces whose acknowledgement is awaited.
const UNDER_WAY: usize = 8;

/// Artifacts in buckets of the NATS object store. Clones are the same store.
#[derive(Debug, Clone)]
pub struct NatsArtifacts {
    pub(crate) bus: NatsBus,
}

/// What the bucket says of an artifact. The names are the object store's.
#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    name: String,
    bucket: String,
    /// The id of the content.
    nuid: String,
    size: u64,
    chunks: u64,
    digest: String,
    options: MetaOptions,
    #[serde(default)]
    deleted: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct MetaOptions {
    max_chunk_size: usize,
}

/// Content that is stored, and not yet anybody's.
struct Content {
    id: String,
    size: u64,
    pieces: u64,
    digest: String,
}

impl NatsArtifacts {
    /// The artifacts of a bus.
    #[must_use]
    pub fn new(bus: &NatsBus) -> Self {
        Self { bus: bus.clone() }
    }

    /// Whether what is stored under a key is what a file holds.
    pub(crate) async fn holds(&self, key: &ArtifactKey, file: &Path) -> Result<bool, ArtifactError> {
        let Some(meta) = self.meta(key.as_str()).await? else { return Ok(false) };
        let (mut file, mut digest) = (File::open(file).await?, Sha256::new());
        let mut piece = vec![0; PIECE];
        loop {
            match file.read(&mut piece).await? {
                0 => return Ok(meta.digest == finished(digest)),
                read => digest.update(piece.get(..read).unwrap_or_default()),
            }
        }
    }

    /// When the buckets were made, as the server says now.
    pub(crate) async fn made(&self) -> Result<BucketsMade, ArtifactError> {
        let [builds, projects] =
            [Bucket::Builds, Bucket::Projects].map(|bucket| self.bus.made(bucket.stream()));
        let (builds, projects) = tokio::try_join!(builds, projects).map_err(unavailable)?;
        Ok(BucketsMade { builds, projects })
    }

    async fn meta(&self, name: &str) -> Result<Option<Meta>, ArtifactError> {
        let bucket = Bucket::of(name);
        let message = self.bus.last_message(bucket.stream(), &meta_subject(bucket, name)).await;
        let message = message.map_err(unavailable)?;
        let Some(message) = message else { return Ok(None) };
        let meta: Meta = serde_json::from_slice(&message.payload).map_err(io::Error::from)?;
        Ok(Some(meta).filter(|meta| !meta.deleted))
    }

    async fn upload(&self, bucket: Bucket, id: &str, file: &mut File) -> Result<Content, ArtifactError> {
        let subject = content_subject(bucket, id);
        let (mut size, mut pieces, mut digest) = (0, 0, Sha256::new());
        let mut under_way: VecDeque<PublishAckFuture> = VecDeque::new();
        loop {
            let mut piece = BytesMut::with_capacity(PIECE);
            while piece.len() < PIECE
                && (&mut *file).take((PIECE - piece.len()) as u64).read_buf(&mut piece).await? > 0
            {
            }
            if piece.is_empty() || under_way.len() >= UNDER_WAY {
                for stored in under_way.drain(..) {
                    stored.await.map_err(unavailable)?;
                }
            }
            if piece.is_empty() {
                return Ok(Content { id: id.to_owned(), size, pieces, digest: finished(digest) });
            }
            size += piece.len() as u64;
            pieces += 1;
            digest.update(&piece);
            let message = PublishMessage::build().payload(piece.freeze());
            let stored = self.bus.jetstream.send_publish(subject.clone(), message).await;
            under_way.push_back(stored.map_err(unavailable)?);
        }
    }

    /// Removes content that is nobody's. It is in nobody's way: of builds it would go with its age.
    async fn discard(&self, bucket: Bucket, id: &str) {
        let _ = self.bus.purge(bucket.stream(), content_subject(bucket, id)).await;
    }

    /// Makes the content an artifact's, unless it has one. Returns whether it did; an error says that it may have.
    async fn claim(&self, key: &ArtifactKey, content: Content) -> Result<bool, ArtifactError> {
        let bucket = Bucket::of(key.as_str());
        let Content { id, size, pieces, digest } = content;
        let meta = Meta {
            name: key.to_string(),
            bucket: bucket.name().to_owned(),
            nuid: id.clone(),
            size,
            chunks: pieces,
            digest,
            options: MetaOptions { max_chunk_size: PIECE },
            deleted: false,
        };
        let body = serde_json::to_vec(&meta).map_err(io::Error::from)?;
        let message = PublishMessage::build().payload(body.into()).expected_last_subject_sequence(0);
        match self.bus.publish(&meta_subject(bucket, key.as_str()), message).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(false),
            // It may have arrived all the same.
            Err(error) => match self.meta(key.as_str()).await? {
                Some(found) => Ok(found.nuid == id),
                None => Err(unavailable(error)),
            },
        }
    }

    async fn download(&self, key: &ArtifactKey, meta: &Meta, file: &mut File) -> Result<(), ArtifactError> {
        let bucket = Bucket::of(key.as_str());
        let subject = content_subject(bucket, &meta.nuid);
        let (mut next, mut size, mut digest) = (1, 0, Sha256::new());
        for _ in 0..meta.chunks {
            let piece = self.bus.message_from(bucket.stream(), &subject, next).await.map_err(unavailable)?;
            // Its pieces may go, with age or with its build, while it is read.
            let piece = piece.ok_or_else(|| ArtifactError::NotFound(key.clone()))?;
            next = piece.sequence + 1;
            size += piece.payload.len() as u64;
            digest.update(&piece.payload);
            file.write_all(&piece.payload).await?;
        }
        file.flush().await?;
        if size == meta.size && meta.digest == finished(digest) {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, "the artifact is damaged").into())
        }
    }

    async fn remove(&self, bucket: Bucket, meta: &Meta) -> Result<(), ArtifactError> {
        // The other order would leave, if it were interrupted, an artifact that can't be read nor stored again.
        for subject in [meta_subject(bucket, &meta.name), content_subject(bucket, &meta.nuid)] {
            self.bus.purge(bucket.stream(), subject).await.map_err(unavailable)?;
        }
        Ok(())
    }

    /// The names of artifacts under a prefix. The server lists their subjects; no message is read.
    async fn names_under(&self, bucket: Bucket, prefix: &str) -> Result<Vec<String>, async_nats::Error> {
        let all = format!("$O.{}.M.>", bucket.name());
        let mut subjects = self.bus.stream(bucket.stream()).await?.info_with_subjects(all).await?;
        let mut names = Vec::new();
        while let Some((subject, _)) = subjects.try_next().await? {
            let encoded = subject.rsplit('.').next().unwrap_or_default();
            let name = URL_SAFE.decode(encoded).ok().and_then(|name| String::from_utf8(name).ok());
            let below = |name: &String| {
                name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            names.extend(name.filter(below));
        }
        Ok(names)
    }
}

#[async_trait]
impl ArtifactStore for NatsArtifacts {
    async fn put(&self, key: &ArtifactKey, from: &Path) -> Result<bool, ArtifactError> {
        if self.meta(key.as_str()).await?.is_some() {
            return Ok(false);
        }
        let mut file = File::open(from).await?;
        let inbox = self.bus.client.new_inbox();
        let id = inbox.rsplit('.').next().unwrap_or(&inbox);
        let bucket = Bucket::of(key.as_str());
        let claimed = match self.upload(bucket, id, &mut file).await {
            // Whether it succeeded may be unknown: then the content may be the artifact's, and stays.
            Ok(content) => self.claim(key, content).await?,
            Err(error) => {
                self.discard(bucket, id).await;
                return Err(error);
            }
        };
        if !claimed {
            self.discard(bucket, id).await;
        }
        Ok(claimed)
    }

    async fn get(&self, key: &ArtifactKey, to: &Path) -> Result<(), ArtifactError> {
        let meta = self.meta(key.as_str()).await?.ok_or_else(|| ArtifactError::NotFound(key.clone()))?;
        let mut file = OpenOptions::new().write(true).create_new(true).open(to).await?;
        let got = self.download(key, &meta, &mut file).await;
        if got.is_err() {
            let _ = tokio::fs::remove_file(to).await;
        }
        got
    }

    async fn remove_all(&self, prefix: &ArtifactKey) -> Result<(), ArtifactError> {
        for &bucket in Bucket::under(prefix) {
            for name in self.names_under(bucket, prefix.as_str()).await.map_err(unavailable)? {
                if let Some(meta) = self.meta(&name).await? {
                    self.remove(bucket, &meta).await?;
                }
            }
        }
        Ok(())
    }
}

fn meta_subject(bucket: Bucket, name: &str) -> String {
    format!("$O.{}.M.{}", bucket.name(), URL_SAFE.encode(name))
}

fn content_subject(bucket: Bucket, id: &str) -> String {
    format!("$O.{}.C.{id}", bucket.name())
}

/// A digest as the object store writes it.
fn finished(digest: Sha256) -> String {
    format!("SHA-256={}", URL_SAFE.encode(digest.finalize()))
}

fn unavailable(error: impl Into<async_nats::Error>) -> ArtifactError {
    ArtifactError::Unavailable(error.into())
}
