//! Webhook endpoints: how commands reach them, and how their secrets are kept.
//!
//! | module | what |
//! |---|---|
//! | `service` | load, decide, append, and then the secrets |
//! | `vault` | secrets, sealed and opened |
//! | `contents` | what is sealed |
//!
//! A change is an event first and a secret second, so that the version of the stream decides between two who change
//! at once. Only a new endpoint's secrets come before its first event: nobody may be told without a signature. Whoever
//! dies in between has answered nobody, and leaves secrets of an older version, which stay valid. The values of headers
//! do not, if there are to be others: they may not be meant for where messages go now.

mod contents;
mod error;
mod service;
mod vault;

pub use contents::{Contents, SigningSecret};
pub use error::{ChangeError, VaultError};
pub use service::{Change, Endpoints, Given, Loaded, Rotated};
pub use vault::Vault;
