//! What a process tells those who operate it: whether it lives, whether it is ready, and figures.
//!
//! [`Metrics`] are filled by the composition root with closures that are asked when somebody looks;
//! [`ReadyChecks`] say which part of the process is not ready; [`serve_health`] tells both for the roles that
//! have no API.

mod catalogue;
mod http_requests;
mod metrics;
mod ready;
mod sampled;
mod server;

pub use catalogue::{PoolAttempts, PoolExecutors};
pub use http_requests::HttpRequests;
pub use metrics::Metrics;
pub use ready::{CheckError, NotReady, ReadyChecks};
pub use server::serve_health;
