//! Reading requests. Nothing that axum or serde would say reaches a client; everything wrong with a request
//! is gathered before it is refused.

mod body;
mod conditional;
mod cursor;
mod fields;
mod params;
mod path;
mod problems;
mod recency;

pub(crate) use body::{Body, BodyError, FromJson, OptionalBody, receive};
pub(crate) use conditional::{IfMatch, etag, has_tag, is_current};
pub(crate) use cursor::{decode_cursor, encode_cursor};
pub(crate) use fields::Fields;
pub(crate) use params::{FromParams, MOST_DIGITS, MOST_WHOLE, Params, ParamsError, Query};
pub(crate) use path::{BuildPath, EndpointPath, EndpointPathError, TaskPath, UNCONFIGURED};
pub(crate) use problems::{Problems, pointer};
pub(crate) use recency::catch_up;
