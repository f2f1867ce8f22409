//! The event store, its snapshots and the read models in one PostgreSQL database, for any number of processes.
//!
//! Every process has one task that appends. It takes everything that waits and stores it with one statement,
//! which judges each append by itself; so under load one `fsync` serves many appends, and the lock under which
//! positions are given out is taken once for all of them. Positions are dense and become visible in their
//! order, so a reader that goes on after the last position it saw never misses an event.
//!
//! A statement whose answer was lost is sent again, under the same number: what is already there is found, not
//! stored twice. Only if that cannot be done soon are its callers told that the store is unavailable, and must
//! read their streams again.
//!
//! | file | what |
//! |---|---|
//! | `store` | opening, closing, and the ports |
//! | `appender` | the task that appends |
//! | `batch` | which of the waiting appends share a statement, and what it says of them |
//! | `link` | the appender's connection |
//! | `progress` | how far log and read models have come, as this process knows |
//! | `wakeups` | telling other processes of it, and hearing from them |
//! | `projecting` | the read models' checkpoint: only one process at a time moves it |
//! | `tail` | the end of the log in memory |
//! | `events`, `snapshots`, `builds`, `listing`, `idempotency` | the SQL |
//! | `deliveries` | what became of events on their way to webhook endpoints |
//! | `sessions` | connections and their settings, and reading through them |
//! | `scratch` | databases for the time of a measurement |
//! | `migrations` | the steps to the tables of this version |
//! | `leadership` | which of several replicas leads |
//! | `failure` | PostgreSQL's errors as the port's |

mod appender;
mod batch;
mod builds;
mod deliveries;
mod dice;
mod endpoints;
mod events;
mod failure;
mod idempotency;
mod keys;
mod leadership;
mod link;
mod listing;
mod migrations;
mod options;
mod progress;
mod projecting;
mod scratch;
mod sessions;
mod snapshots;
mod store;
mod tail;
mod wakeups;

pub use leadership::{LeadershipOptions, PostgresLeadership};
pub use options::PostgresOptions;
pub use scratch::ScratchDatabase;
pub use store::PostgresStore;
