//! What a bus on JetStream promises, told as stories against a real nats-server.
#![expect(clippy::expect_used, clippy::panic, reason = "a story that cannot go on must stop")]

mod conformance;
mod events;
mod kept;
mod leases;
mod outages;
mod poison;
mod pools;
mod removal;
mod roster;
mod scene;
mod streams;
mod wiped;
