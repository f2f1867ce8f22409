//! One role of a fleet in this process: over PostgreSQL and NATS JetStream, beside any number of others.
//!
//! | file | what |
//! |---|---|
//! | `connections` | the store and the bus, waited for at the start |
//! | `api` `driver` `projector` `executor` | what each role is made of |
//! | `health` | what it tells those who operate it |
//! | `artifacts` | which artifact store a URL names |
//! | `running` | a role from its start to its end |

mod api;
mod artifacts;
mod connections;
mod driver;
mod executor;
mod health;
mod projector;
mod running;

pub(crate) use api::{ApiOptions, api};
pub(crate) use artifacts::ArtifactsUrl;
pub(crate) use connections::{BusOptions, FleetOptions};
pub(crate) use driver::driver;
pub(crate) use executor::{ExecutorOptions, executor};
pub(crate) use projector::projector;
pub(crate) use running::Running;
