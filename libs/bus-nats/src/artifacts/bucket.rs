use ports::ArtifactKey;

/// Where an artifact is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bucket {
    /// For as long as builds may need it.
    Builds,
    /// For ever: the history of projects.
    Projects,
}

/// Begins the keys of what projects keep.
const PROJECTS: &str = "projects";

impl Bucket {
    /// Where the artifact of a key is.
    pub(super) fn of(key: &str) -> Self {
        match key.split_once('/') {
            Some((PROJECTS, _)) => Self::Projects,
            _ => Self::Builds,
        }
    }

    /// Where artifacts of this key and below it may be.
    pub(super) fn under(prefix: &ArtifactKey) -> &'static [Self] {
        match (prefix.as_str(), Self::of(prefix.as_str())) {
            (PROJECTS, _) => &[Self::Builds, Self::Projects],
            (_, Self::Builds) => &[Self::Builds],
            (_, Self::Projects) => &[Self::Projects],
        }
    }

    /// What the object store calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Builds => "buildwright",
            Self::Projects => "buildwright-projects",
        }
    }

    /// The stream that the object store keeps it in.
    pub(crate) fn stream(self) -> &'static str {
        match self {
            Self::Builds => "OBJ_buildwright",
            Self::Projects => "OBJ_buildwright-projects",
        }
    }
}
