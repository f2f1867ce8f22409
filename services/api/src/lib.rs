//! The HTTP edge: requests become commands, events become answers.
//!
//! | module | what |
//! |---|---|
//! | `routes` | one endpoint a file, with the errors it can answer |
//! | `wire` | what requests and answers look like in JSON, apart from the domain |
//! | `read` | extractors, which gather *every* problem of a request before refusing it |
//! | `order` | from a request to the build it orders |
//! | `subscription` | from a request to what is asked of a webhook endpoint |
//! | `feed` | streams that are followed, by server-sent events or WebSocket |
//! | `auth` | who asks, by API keys, and what they may do |
//! | `once` | a POST that comes twice under one key is carried out once |
//! | `rate` | how much each may ask for |
//! | `errors` | the sets of errors of the endpoints, each answered as an RFC 9457 document |
//! | `edge` | what holds for every request: id, trace, time limit, figures, web pages, panics, unphrased errors |

mod app;
mod auth;
mod document;
mod edge;
mod errors;
mod feed;
mod once;
mod order;
mod rate;
mod read;
mod router;
mod routes;
mod server;
mod settings;
mod subscription;
mod wire;

pub use app::{App, AppParts, Delivering};
pub use auth::{Access, Anonymous, Figures};
pub use connections::Bounds;
pub use document::openapi;
pub use router::router;
pub use server::serve;
pub use settings::{
    ApiSettings, IdempotencySettings, KeySettings, Origin, OriginError, OriginSettings, RateSettings,
    StreamSettings, WebhookSettings,
};
