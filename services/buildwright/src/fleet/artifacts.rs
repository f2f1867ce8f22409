//! Which artifact store a URL names.

use anyhow::Context as _;
use bus_local::FolderArtifacts;
use bus_nats::{NatsArtifacts, NatsBus};
use ports::ArtifactStore;
use std::{path::PathBuf, str::FromStr, sync::Arc};

/// Where artifacts are kept. All roles of a fleet name the same place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum ArtifactsUrl {
    /// In the object store of the bus: `nats:`.
    #[default]
    Nats,
    /// In a folder that all machines share: `file:///folder`.
    Folder(PathBuf),
}

impl FromStr for ArtifactsUrl {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        if matches!(text, "nats:" | "nats") {
            return Ok(Self::Nats);
        }
        let folder = text.strip_prefix("file://").filter(|path| path.starts_with('/'));
        Ok(Self::Folder(folder.context("must be nats: or file:///folder")?.into()))
    }
}

impl ArtifactsUrl {
    /// Opens the store.
    pub(super) fn open(&self, bus: &NatsBus) -> Arc<dyn ArtifactStore> {
        match self {
            Self::Nats => Arc::new(NatsArtifacts::new(bus)),
            Self::Folder(folder) => Arc::new(FolderArtifacts::new(folder.clone())),
        }
    }
}
