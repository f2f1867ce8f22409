//! The courier against real receivers, over a real store.

mod delivering;
mod failing;
mod killed;
mod receiver;
mod redelivering;
mod scene;
