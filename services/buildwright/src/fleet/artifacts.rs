//! Which artifact store a URL names.

use ::artifacts::{ArtifactPlace, PlaceError, S3Artifacts, S3Options};
use bus_local::FolderArtifacts;
use bus_nats::{NatsArtifacts, NatsBus};
use ports::ArtifactStore;
use std::{str::FromStr, sync::Arc};

/// Where artifacts are kept. All roles of a fleet name the same place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum ArtifactsUrl {
    /// In the object store of the bus: `nats:`.
    #[default]
    Nats,
    /// In a folder that all machines share, or in S3: `file:///folder`, `s3://bucket/prefix`.
    Elsewhere(ArtifactPlace),
}

impl FromStr for ArtifactsUrl {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        if matches!(text, "nats:" | "nats") { Ok(Self::Nats) } else { text.parse().map(Self::Elsewhere) }
    }
}

impl ArtifactsUrl {
    /// Opens the store.
    pub(super) fn open(&self, bus: &NatsBus) -> anyhow::Result<Arc<dyn ArtifactStore>> {
        Ok(match self {
            Self::Nats => Arc::new(NatsArtifacts::new(bus)),
            Self::Elsewhere(ArtifactPlace::Folder(folder)) => Arc::new(FolderArtifacts::new(folder.clone())),
            Self::Elsewhere(ArtifactPlace::S3(place)) => {
                crate::client::provide_tls();
                let environment = crate::settings::s3_environment();
                Arc::new(S3Artifacts::open(place, environment, S3Options::default())?)
            }
        })
    }
}
