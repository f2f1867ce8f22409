//! How events of any aggregate are written and read: by type name and schema version.

/// Why a stored event cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Written by a newer version of Buildwright.
    #[error("event type {kind:?} version {version} is not known to this version")]
    Unknown {
        /// Its type.
        kind: String,
        /// Its schema version.
        version: u16,
    },
    /// Its data does not fit its type.
    #[error("event of type {kind:?} version {version}: {source}")]
    Malformed {
        /// Its type.
        kind: String,
        /// Its schema version.
        version: u16,
        /// What does not fit.
        source: serde_json::Error,
    },
}

/// The data of events: one struct each.
macro_rules! event_data {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }
    )+};
}

/// The events of an aggregate: an enum over their data, with what the store needs of them.
macro_rules! stored_events {
    ($(#[$meta:meta])* $events:ident { $($name:ident $kind:literal $version:literal $doc:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "type", content = "data")]
        pub enum $events {
            $(#[doc = $doc] #[serde(rename = $kind)] $name(data::$name),)+
        }

        impl $events {
            /// Every type name, in the order of the documentation.
            pub const KINDS: &'static [&'static str] = &[$($kind),+];

            /// The type name: a contract with every reader.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$name(_) => $kind,)+ }
            }

            /// The schema version that `encode` writes.
            #[must_use]
            pub fn schema_version(&self) -> u16 {
                match self { $(Self::$name(_) => $version,)+ }
            }

            /// The data as JSON.
            ///
            /// # Errors
            /// Never for events made by `decide`; serde asks for it.
            pub fn encode(&self) -> Result<String, serde_json::Error> {
                match self { $(Self::$name(data) => serde_json::to_string(data),)+ }
            }

            /// Reads a stored event of any known version.
            ///
            /// # Errors
            /// If the type or version is unknown or the data does not fit.
            pub fn decode(kind: &str, version: u16, json: &str) -> Result<Self, $crate::DecodeError> {
                match (kind, version) {
                    $(($kind, $version) => serde_json::from_str(json).map(Self::$name).map_err(|source| {
                        $crate::DecodeError::Malformed { kind: kind.to_owned(), version, source }
                    }),)+
                    _ => Err($crate::DecodeError::Unknown { kind: kind.to_owned(), version }),
                }
            }
        }

        $(impl From<data::$name> for $events {
            fn from(data: data::$name) -> Self {
                Self::$name(data)
            }
        })+
    };
}

pub(crate) use {event_data, stored_events};
