//! The stories that every bus passes, told once and instantiated for each: `testkit::queue_stories!(factory)` and
//! so on, where the factory makes a fresh bus.
//!
//! They use the ports only. What a bus promises beside that, its own tests tell.

pub mod artifacts;
pub mod outcomes;
pub mod output;
pub mod queue;
pub mod roster;
mod scene;

use scene::woken;
pub use scene::{Stage, build, noon, order, soon, task};
