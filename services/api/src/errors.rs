//! The errors of an endpoint, written once: status, code and words give the answer and its documentation.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use ports::{BusError, StoreError};
use problem::{MEDIA_TYPE, Problem};
use std::{collections::BTreeMap, error::Error};
use utoipa::openapi::{Content, HeaderBuilder, ObjectBuilder, Ref, RefOr, ResponseBuilder, schema::Type};

/// Declares the set of errors that one endpoint can answer. Every set also holds `Fault`, what goes wrong on
/// our side, which any endpoint can answer.
macro_rules! api_errors {
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($status:ident $code:literal: $variant:ident $(($particulars:ident: $type:ty))? => $title:literal,)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, thiserror::Error)]
        $vis enum $name {
            $(#[error($title)] $variant $(($type))?,)*
            #[error(transparent)]
            Fault(#[from] $crate::errors::Fault),
        }

        impl axum::response::IntoResponse for $name {
            fn into_response(self) -> axum::response::Response {
                match self {
                    $(Self::$variant $(($particulars))? => {
                        problem::Problem::new(http::StatusCode::$status, $code, $title)
                            $(.with($particulars))?
                            .into_response()
                    })*
                    Self::Fault(fault) => fault.into_response(),
                }
            }
        }

        impl From<ports::StoreError> for $name {
            fn from(error: ports::StoreError) -> Self {
                Self::Fault(error.into())
            }
        }

        impl utoipa::IntoResponses for $name {
            fn responses()
            -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
                $crate::errors::documented(&[$((http::StatusCode::$status, $code, $title),)*])
            }
        }
    };
}
pub(crate) use api_errors;

const UNAVAILABLE: (StatusCode, &str, &str) =
    (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "not available at the moment, try again");
const INTERNAL: (StatusCode, &str, &str) =
    (StatusCode::INTERNAL_SERVER_ERROR, "internal", "an internal error");

/// What went wrong on our side. The cause is logged and never sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// It may pass.
    #[error("unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// A defect, or data that cannot be read.
    #[error("internal")]
    Internal(#[source] Box<dyn Error + Send + Sync>),
}

impl Fault {
    /// A defect.
    pub(crate) fn internal(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }

    /// Logs the cause: once, here, where the failure is handled.
    pub(crate) fn log(&self) {
        match self {
            Self::Unavailable(cause) => tracing::warn!(error = cause.as_ref(), "unavailable"),
            Self::Internal(cause) => tracing::error!(error = cause.as_ref(), "internal error"),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::from(std::sync::Arc::new(error))
    }
}

impl From<std::sync::Arc<StoreError>> for Fault {
    fn from(error: std::sync::Arc<StoreError>) -> Self {
        match *error {
            StoreError::Unavailable(_) | StoreError::Closed => Self::Unavailable(error.into()),
            StoreError::Corrupt(_) => Self::Internal(error.into()),
        }
    }
}

impl From<BusError> for Fault {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Unavailable(_) | BusError::Closed => Self::Unavailable(error.into()),
            BusError::TooLarge { .. } => Self::internal(error),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        self.log();
        let (status, code, title) = match self {
            Self::Unavailable(_) => UNAVAILABLE,
            Self::Internal(_) => INTERNAL,
        };
        Problem::new(status, code, title).into_response()
    }
}

/// The documentation of a set of errors. Errors that share a status share an entry.
pub(crate) fn documented(
    errors: &[(StatusCode, &str, &str)],
) -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (status, code, title) in errors.iter().copied().chain([UNAVAILABLE, INTERNAL]) {
        texts.entry(status.as_str().to_owned()).or_default().push(format!("`{code}`: {title}"));
    }
    let schema = || Content::new(Some(Ref::from_schema_name("Problem")));
    texts
        .into_iter()
        .map(|(status, texts)| {
            let response = ResponseBuilder::new().description(texts.join("; ")).content(MEDIA_TYPE, schema());
            let response = if status == StatusCode::SERVICE_UNAVAILABLE.as_str() {
                response.header("retry-after", retry_after())
            } else {
                response
            };
            (status, RefOr::T(response.build()))
        })
        .collect()
}

/// Every answer of status 503 has it; the edge sees to that.
fn retry_after() -> utoipa::openapi::Header {
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds after which to try again")).build()
}
