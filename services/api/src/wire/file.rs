use super::texts;
use serde::Serialize;
use utoipa::ToSchema;

/// The files that a build made or left in place.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FileList {
    /// The commit they are of.
    #[schema(value_type = texts::CommitId)]
    pub(crate) commit: String,
    /// The files.
    #[schema(max_items = 10_000_000)]
    pub(crate) files: Vec<FileView>,
}

/// A file.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FileView {
    /// Its path from the root of the repository.
    #[schema(value_type = texts::FilePath)]
    path: String,
    /// Its git mode: `100644` a file, `100755` a program, `120000` a link.
    #[schema(min_length = 6, max_length = 6, pattern = "^[0-7]{6}$", example = "100644")]
    mode: String,
    /// Its size in bytes.
    size: u64,
}

impl From<ports::FileEntry> for FileView {
    fn from(file: ports::FileEntry) -> Self {
        Self { path: file.path, mode: file.mode, size: file.size }
    }
}
