//! The real router over a real socket, with stores in memory.

mod builds;
mod document;
mod edge;
mod follow;
mod list;
mod results;
mod submit;
mod support;
