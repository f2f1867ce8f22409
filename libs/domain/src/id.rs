//! Identifiers, as text with a prefix.
//!
//! The ids of a build and of an endpoint are ULIDs. A task's id is its build's id and its number in the plan, an event's id its
//! stream and its version: so neither needs a table to find what it belongs to, and neither can collide.

use plan::TaskNumber;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use ulid::Ulid;

/// Why a text is no identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not {0}")]
pub struct IdError(&'static str);

/// A build: `bld_` and 26 characters of ULID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BuildId(Ulid);

impl BuildId {
    /// Wraps a ULID made at the edge.
    #[must_use]
    pub fn new(id: Ulid) -> Self {
        Self(id)
    }

    /// The ULID in it.
    #[must_use]
    pub fn ulid(self) -> Ulid {
        self.0
    }

    /// The id of this build's task of that number.
    #[must_use]
    pub fn task(self, number: TaskNumber) -> TaskId {
        TaskId { build: self, number }
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bld_{}", self.0)
    }
}

impl FromStr for BuildId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        const WANTED: IdError = IdError("a build id: bld_ and 26 letters and digits");
        let ulid = text.strip_prefix("bld_").ok_or(WANTED)?;
        Ulid::from_string(ulid).map(Self).map_err(|_| WANTED)
    }
}

/// A task of a build: `tsk_`, the build's 26 characters, `_` and the task's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskId {
    /// The build it belongs to.
    pub build: BuildId,
    /// Its place in the build's plan.
    pub number: TaskNumber,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tsk_{}_{}", self.build.0, self.number)
    }
}

impl FromStr for TaskId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        const WANTED: IdError = IdError("a task id: tsk_, 26 letters and digits, _ and a number");
        let (ulid, number) = text.strip_prefix("tsk_").and_then(|rest| rest.split_once('_')).ok_or(WANTED)?;
        let build = Ulid::from_string(ulid).map(BuildId).map_err(|_| WANTED)?;
        digits(number).map(|number| Self { build, number: TaskNumber(number) }).ok_or(WANTED)
    }
}

/// A webhook endpoint: `whk_` and 26 characters of ULID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EndpointId(Ulid);

impl EndpointId {
    /// Wraps a ULID made at the edge.
    #[must_use]
    pub fn new(id: Ulid) -> Self {
        Self(id)
    }

    /// The ULID in it.
    #[must_use]
    pub fn ulid(self) -> Ulid {
        self.0
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "whk_{}", self.0)
    }
}

impl FromStr for EndpointId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        const WANTED: IdError = IdError("a webhook endpoint id: whk_ and 26 letters and digits");
        let ulid = text.strip_prefix("whk_").ok_or(WANTED)?;
        Ulid::from_string(ulid).map(Self).map_err(|_| WANTED)
    }
}

/// An event: `evt_`, the 26 characters of the build or endpoint it happened to, `_` and the version it gave the
/// stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventId {
    of: Ulid,
    version: u64,
}

impl EventId {
    /// The event that gave a build's stream this version.
    #[must_use]
    pub fn of_build(build: BuildId, version: u64) -> Self {
        Self { of: build.0, version }
    }

    /// The event that gave an endpoint's stream this version.
    #[must_use]
    pub fn of_endpoint(endpoint: EndpointId, version: u64) -> Self {
        Self { of: endpoint.0, version }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "evt_{}_{}", self.of, self.version)
    }
}

impl FromStr for EventId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        const WANTED: IdError = IdError("an event id: evt_, 26 letters and digits, _ and a number");
        let (ulid, version) =
            text.strip_prefix("evt_").and_then(|rest| rest.split_once('_')).ok_or(WANTED)?;
        let of = Ulid::from_string(ulid).map_err(|_| WANTED)?;
        digits(version).map(|version| Self { of, version }).ok_or(WANTED)
    }
}

/// A number without the sign that `parse` would take.
fn digits<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

macro_rules! text_conversions {
    ($($id:ty),+) => {$(
        impl TryFrom<String> for $id {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }
        impl From<$id> for String {
            fn from(id: $id) -> Self {
                id.to_string()
            }
        }
    )+};
}
text_conversions!(BuildId, TaskId, EndpointId, EventId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_print() {
        let build = BuildId::new(Ulid(0x0191_2345_6789_abcd_ef01_2345_6789_abcd));
        let task = build.task(TaskNumber(12));
        assert_eq!(build.to_string().parse(), Ok(build));
        assert_eq!(task.to_string().parse(), Ok(task));
        assert_eq!(task.to_string(), format!("tsk_{}_12", &build.to_string()[4..]));
        let endpoint = EndpointId::new(Ulid(7));
        assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
        for event in [EventId::of_build(build, 3), EventId::of_endpoint(endpoint, 3)] {
            assert_eq!(event.to_string().parse(), Ok(event));
        }
    }

    #[test]
    fn a_number_in_an_id_has_no_sign() {
        let ulid = "01J00000000000000000000000";
        assert!(format!("tsk_{ulid}_3").parse::<TaskId>().is_ok());
        assert!(format!("tsk_{ulid}_+3").parse::<TaskId>().is_err());
        assert!(format!("evt_{ulid}_3").parse::<EventId>().is_ok());
        assert!(format!("evt_{ulid}_+3").parse::<EventId>().is_err());
    }

    #[test]
    fn foreign_text_is_no_id() {
        for text in ["", "bld_", "tsk_01", "bld_01J0000000000000000000000", "BLD_x", "bld_../../etc/passwd"] {
            assert!(text.parse::<BuildId>().is_err(), "{text}");
            assert!(text.parse::<TaskId>().is_err(), "{text}");
            assert!(text.parse::<EndpointId>().is_err(), "{text}");
        }
    }
}
