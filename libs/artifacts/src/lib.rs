//! Where artifacts are, as a URL says it, and the artifact store over S3 and what speaks its language.
//!
//! A folder is served by `bus-local`, the NATS object store by `bus-nats`.

mod place;
mod s3;

pub use place::{ArtifactPlace, PlaceError, S3Place};
pub use s3::{S3Artifacts, S3Error, S3Options};
