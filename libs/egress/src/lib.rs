//! HTTP requests to addresses that strangers chose.
//!
//! Whoever may say where a request goes could have it sent to what only we can reach: a
//! database, the metadata service of a cloud, the machine itself. So [`TargetUrl`] refuses at
//! once what can be seen to be inside, in whatever spelling; and [`Client`] refuses, when it
//! connects, whatever address a name has *then*. It follows no redirects, knows no proxies,
//! keeps no cookies and unpacks nothing.
//!
//! Whoever answers may do so slowly, for ever, or not at all. One deadline covers all of it, and
//! of the answer only the beginning is kept.
//!
//! ```
//! use buildwright_egress::{Policy, TargetError, TargetUrl};
//!
//! let policy = Policy::default();
//! assert!(TargetUrl::parse("https://example.com/hooks?team=7", &policy).is_ok());
//!
//! for inside in ["http://0x7f.1", "http://[::ffff:10.0.0.1]", "http://169.254.169.254"] {
//!     assert!(matches!(TargetUrl::parse(inside, &policy), Err(TargetError::Address(_))));
//! }
//! ```

mod address;
mod answer;
mod client;
mod failure;
mod policy;
mod resolver;
mod target;
mod tls;

pub use address::{AddressKind, AddressPolicy, RefusedAddress};
pub use answer::{Answer, Body, BodyEnd};
pub use client::{Client, ClientError, Outcome, Request, Settings};
pub use failure::{Failure, FailureClass};
pub use ipnet::IpNet;
pub use policy::{Policy, Ports, Schemes};
pub use resolver::{Resolver, SystemResolver};
pub use target::{TargetError, TargetUrl};
