//! Orders and reports as bytes, with the version of their schema, so that processes of different versions can
//! share a bus or a spool.
//!
//! `{"schemaVersion":1,"body":{...}}`. Within a version fields may be added that older readers pass over;
//! whatever they could not pass over is a new version.

use crate::{OutcomeReport, WorkOrder};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// The version that this code writes, and the newest it reads.
const SCHEMA_VERSION: u16 = 1;

/// Why bytes could not be read.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// A newer version of Buildwright wrote them: another process may be able to read them.
    #[error("schema version {0} is newer than this process reads ({SCHEMA_VERSION})")]
    Newer(u16),
    /// They are not what they should be.
    #[error("malformed: {0}")]
    Malformed(#[from] serde_json::Error),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a, T> {
    schema_version: u16,
    body: &'a T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read<'a> {
    schema_version: u16,
    #[serde(borrow)]
    body: &'a RawValue,
}

fn encode<T: Serialize>(body: &T) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Written { schema_version: SCHEMA_VERSION, body })
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    let read: Read<'_> = serde_json::from_slice(bytes)?;
    if read.schema_version > SCHEMA_VERSION {
        return Err(WireError::Newer(read.schema_version));
    }
    Ok(serde_json::from_str(read.body.get())?)
}

macro_rules! travels {
    ($($body:ty),+) => {$(
        impl $body {
            /// As bytes.
            ///
            /// # Errors
            /// If serde cannot write it: a defect.
            pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
                encode(self)
            }

            /// Reads what [`encode`](Self::encode) wrote, here or in another version of Buildwright.
            ///
            /// # Errors
            /// If a newer version wrote it, or it is something else.
            pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
                decode(bytes)
            }
        }
    )+};
}
travels!(WorkOrder, OutcomeReport);
