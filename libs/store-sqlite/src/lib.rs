//! The event store, its snapshots and the read models in one SQLite file.
//!
//! All writing goes through one task that owns the only writing connection. It takes everything that waits,
//! stores it in one transaction, and answers when that is on disk: under load one `fsync` serves many
//! appends, and positions are dense because nobody else gives them out. What was stored last also stays in
//! memory, so readers that follow the log do not touch the file.
//!
//! | file | what |
//! |---|---|
//! | `store` | opening, closing, and the ports |
//! | `writer` | the task that writes |
//! | `placement` | which append of a batch goes where, and which conflicts |
//! | `versions` | the versions of recently written streams |
//! | `tail` | the end of the log in memory |
//! | `events`, `snapshots`, `builds`, `listing`, `idempotency`, `keys`, `endpoints` | the SQL |
//! | `deliveries` | what became of events on their way to webhook endpoints |
//! | `insert` | many rows in few statements |
//! | `failure` | SQLite's errors as the port's |

mod builds;
mod deliveries;
mod endpoints;
mod events;
mod failure;
mod idempotency;
mod insert;
mod keys;
mod listing;
mod options;
mod placement;
mod snapshots;
mod store;
mod tail;
mod versions;
mod writer;

pub use options::SqliteOptions;
pub use store::SqliteStore;
