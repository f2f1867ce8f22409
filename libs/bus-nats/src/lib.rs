//! The bus, the output log and the artifact store of a fleet, on NATS JetStream (server 2.10 or later).
//!
//! | file | what |
//! |---|---|
//! | `options` | how to connect, and the bounds |
//! | `connection` | one connection: comes back by itself, is drained at the end; sees to its streams |
//! | `topology` | streams and consumers, made again if they are gone |
//! | `subjects` | the names of everything |
//! | `pull` | takes from a consumer as much as is wanted, no more |
//! | `body` | orders and reports too large for a message travel as artifacts |
//! | `trace` | which trace a message belongs to |
//! | `lane` | which labels orders ask for |
//! | `queue` | work orders and leases; what ended is withdrawn |
//! | `outcomes` | reports and their confirmation; what nobody could do becomes a failure |
//! | `output` | lines of output, numbered by whoever writes them |
//! | `artifacts` | bundles, in the form of the NATS object store |
//! | `kept` | copies of what a machine stored, put again when the server lost its data |
//! | `removal` | what of it is on a server, and all of it removed again |
//! | `roster` | which executors there are, as they say |
//! | `events` | every committed event, for consumers outside |
//!
//! Nothing here is the truth. JetStream may lose what it acknowledged when a machine loses power (it flushes
//! every two minutes unless told otherwise), and all of it may be deleted while we run: then streams and
//! consumers are made again, the driver offers again what the event store says is scheduled, executors report
//! what they hold, and the build goes on. So its durability settings decide speed, not correctness.

mod artifacts;
mod body;
mod connection;
mod events;
mod kept;
mod lane;
mod options;
mod outcomes;
mod output;
mod pull;
mod queue;
mod removal;
mod roster;
mod subjects;
mod topology;
mod trace;

pub use artifacts::NatsArtifacts;
pub use connection::{ConnectError, NatsBus};
pub use events::EventFeed;
pub use kept::{CopyBounds, KeptArtifacts};
pub use options::{NatsOptions, Tls};
pub use outcomes::NatsOutcomes;
pub use output::{NatsOutputLog, OutputBounds};
pub use queue::{Backlog, NatsQueue};
pub use removal::{LookError, streams_on};
pub use roster::{NatsRoster, RosterBounds};
