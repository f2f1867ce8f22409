//! How commits travel between machines that share an artifact store and no disk.
//!
//! Every machine keeps repositories of its own, as a cache. What the machines agree on is in the store:
//!
//! - `projects/<project>/commits/<commit>.bundle`: a commit with its history, back to the commits that the
//!   bundle's header says it builds on. Those were stored before it, under keys of the same form, so whoever
//!   has a commit's id can have the commit.
//! - `projects/<project>/heads/<number>`: the line of the project's branch, from 1 on without gaps. Each head
//!   contains the one before. The store keeps the first of two records under one key, so of two machines that
//!   publish at once one is told to look again.
//!
//! Nothing here is ever removed: a head that is gone would take the project's history with it. So the store must
//! not let artifacts expire, and a machine that is given another store needs empty repositories.
//!
//! A [`Sharing`] is what the rest of the product uses: it tells a machine on its own from one of many.

mod error;
mod exchange;
mod heads;
mod lines;
mod results;
mod sharing;

pub use error::ExchangeError;
pub use exchange::{Exchange, ExchangeLimits};
pub use heads::BuildWork;
pub use results::GitResults;
pub use sharing::Sharing;
