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

pub(crate) use body::{Body, BodyError, FromJson, OptionalBody};
pub(crate) use conditional::{etag, is_current};
pub(crate) use cursor::{decode_cursor, encode_cursor};
pub(crate) use fields::Fields;
pub(crate) use params::{FromParams, Params, ParamsError, Query};
pub(crate) use path::{BuildPath, TaskPath};
pub(crate) use problems::{Problems, pointer};
pub(crate) use recency::catch_up;
