//! From what was seen to how it ended.

use supervisor::Exit;

use crate::result::{ResultLine, Subtype};
use crate::transcript::Transcript;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The model finished. Whether it did what it was asked is for the caller to check.
    Completed,
    /// The API refused or failed.
    ApiError {
        /// HTTP status; `None` for a network failure or a refusal by the model.
        status: Option<u16>,
        /// What kind of failure.
        kind: ApiErrorKind,
        /// The CLI's description.
        message: String,
    },
    /// There is no credential.
    NotLoggedIn,
    /// The account's limit or the API's rate limit was hit.
    RateLimited {
        /// When the limit is lifted, in seconds since 1970; known for logins only.
        resets_at: Option<i64>,
        /// The CLI's description.
        message: String,
    },
    /// The model needed more turns than it was given.
    MaxTurns,
    /// The cost passed the given budget. It is checked after each turn, so it overshoots.
    MaxBudget,
    /// The model never produced what the schema asks for.
    StructuredOutputRetries,
    /// The CLI gave up for another reason, an unknown session to resume among them.
    ExecutionError {
        /// Its description.
        message: String,
    },
    /// We stopped it: its time was over.
    TimedOut,
    /// We stopped it: the caller cancelled.
    Cancelled,
    /// A signal that we did not send ended it.
    Crashed {
        /// Its number.
        signal: i32,
    },
    /// It ended without a result: refused arguments, a failed start, an outside SIGTERM.
    NoResult {
        /// Its exit code, `None` when even that is not known.
        exit: Option<i32>,
        /// The end of its standard error.
        stderr: String,
    },
    /// It never ran.
    CouldNotStart {
        /// Why.
        message: String,
    },
}

/// What kind of API failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiErrorKind {
    /// 401, 403, no key.
    Authentication,
    /// No credit.
    Billing,
    /// 429.
    RateLimit,
    /// 400, 413.
    InvalidRequest,
    /// 404.
    ModelNotFound,
    /// 5xx.
    Server,
    /// 529.
    Overloaded,
    /// The answer hit its length limit.
    MaxOutputTokens,
    /// Anything else, network failures and refusals included.
    Unknown,
}

/// Why we stopped a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The caller cancelled.
    Cancelled,
    /// Its time was over.
    TimedOut,
}

/// How a process ended, once it has: what it printed, its exit, whether we stopped it, and the end
/// of its standard error. Our own stop wins over whatever the stream says.
#[must_use]
pub fn conclude(
    transcript: &Transcript,
    exit: Option<Exit>,
    stopped: Option<Stopped>,
    stderr: &str,
) -> Ending {
    match (stopped, &transcript.last_result, exit) {
        (Some(Stopped::Cancelled), _, _) => Ending::Cancelled,
        (Some(Stopped::TimedOut), _, _) => Ending::TimedOut,
        (None, Some(result), _) => by_result(result, transcript),
        (None, None, Some(Exit::Signal(signal))) => Ending::Crashed { signal },
        (None, None, Some(Exit::Code(code))) => {
            Ending::NoResult { exit: Some(code), stderr: stderr.to_owned() }
        }
        (None, None, None) => Ending::NoResult { exit: None, stderr: stderr.to_owned() },
    }
}

fn by_result(result: &ResultLine, transcript: &Transcript) -> Ending {
    match &result.subtype {
        Subtype::Success if result.is_error => api_error(result, transcript),
        Subtype::Success => Ending::Completed,
        Subtype::MaxTurns => Ending::MaxTurns,
        Subtype::MaxBudget => Ending::MaxBudget,
        Subtype::StructuredOutputRetries => Ending::StructuredOutputRetries,
        Subtype::ExecutionError => Ending::ExecutionError { message: result.errors.join("\n") },
        Subtype::Other(name) => {
            Ending::ExecutionError { message: format!("{name}: {}", result.errors.join("\n")) }
        }
    }
}

fn api_error(result: &ResultLine, transcript: &Transcript) -> Ending {
    let status = result.api_error_status;
    let message = result.text.clone().unwrap_or_default();
    let kind = transcript.api_error.as_deref().map_or(ApiErrorKind::Unknown, ApiErrorKind::from_name);
    if status == Some(429) || kind == ApiErrorKind::RateLimit {
        return Ending::RateLimited { resets_at: transcript.limit_resets_at, message };
    }
    // The only failure of this kind that no HTTP answer stands behind.
    if status.is_none() && kind == ApiErrorKind::Authentication {
        return Ending::NotLoggedIn;
    }
    Ending::ApiError { status, kind, message }
}

impl ApiErrorKind {
    fn from_name(name: &str) -> Self {
        match name {
            "authentication_failed" | "oauth_org_not_allowed" => Self::Authentication,
            "billing_error" => Self::Billing,
            "rate_limit" => Self::RateLimit,
            "invalid_request" => Self::InvalidRequest,
            "model_not_found" => Self::ModelNotFound,
            "server_error" => Self::Server,
            "overloaded" => Self::Overloaded,
            "max_output_tokens" => Self::MaxOutputTokens,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Line;
    use crate::lines::RawLine;

    fn seen(lines: &[&str]) -> Transcript {
        let mut transcript = Transcript::default();
        for line in lines {
            transcript.add(&Line::read(RawLine::Text((*line).to_owned())).event);
        }
        transcript
    }

    fn ending(lines: &[&str]) -> Ending {
        conclude(&seen(lines), Some(Exit::Code(1)), None, "")
    }

    const SUCCESS: &str = r#"{"type":"result","subtype":"success","is_error":false}"#;

    #[test]
    fn a_documented_error_subtype_has_its_own_ending() {
        let result = |subtype: &str| {
            ending(&[&format!(r#"{{"type":"result","subtype":"{subtype}","errors":["e"]}}"#)])
        };
        assert_eq!(result("error_max_turns"), Ending::MaxTurns);
        assert_eq!(result("error_max_budget_usd"), Ending::MaxBudget);
        assert_eq!(result("error_max_structured_output_retries"), Ending::StructuredOutputRetries);
        assert_eq!(result("error_during_execution"), Ending::ExecutionError { message: "e".into() });
        assert_eq!(result("error_new"), Ending::ExecutionError { message: "error_new: e".into() });
    }

    #[test]
    fn success_with_is_error_is_an_api_error_of_the_kind_said_last() {
        let failed =
            r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":500,"result":"m"}"#;
        let kinds = [
            ("authentication_failed", ApiErrorKind::Authentication),
            ("billing_error", ApiErrorKind::Billing),
            ("invalid_request", ApiErrorKind::InvalidRequest),
            ("model_not_found", ApiErrorKind::ModelNotFound),
            ("server_error", ApiErrorKind::Server),
            ("overloaded", ApiErrorKind::Overloaded),
            ("max_output_tokens", ApiErrorKind::MaxOutputTokens),
            ("never heard of", ApiErrorKind::Unknown),
        ];
        for (name, kind) in kinds {
            let line = format!(r#"{{"type":"assistant","error":"{name}"}}"#);
            let expected = Ending::ApiError { status: Some(500), kind, message: "m".into() };
            assert_eq!(ending(&[r#"{"type":"assistant","error":"unknown"}"#, &line, failed]), expected);
        }
    }

    #[test]
    fn an_error_that_the_run_got_over_is_forgotten() {
        let lines = [
            r#"{"type":"assistant","error":"server_error"}"#,
            r#"{"type":"assistant","message":{"content":[]}}"#,
            r#"{"type":"result","subtype":"success","is_error":true}"#,
        ];
        let expected = Ending::ApiError { status: None, kind: ApiErrorKind::Unknown, message: String::new() };
        assert_eq!(ending(&lines), expected);
        assert_eq!(ending(&[lines[0], SUCCESS]), Ending::Completed);
    }

    #[test]
    fn a_login_past_its_limit_says_when_it_may_go_on() {
        let lines = [
            r#"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":17}}"#,
            r#"{"type":"assistant","error":"rate_limit"}"#,
            r#"{"type":"result","subtype":"success","is_error":true,"result":"resets 10pm"}"#,
        ];
        assert_eq!(
            ending(&lines),
            Ending::RateLimited { resets_at: Some(17), message: "resets 10pm".into() }
        );
    }

    #[test]
    fn no_credential_is_told_from_a_refused_one() {
        let said = r#"{"type":"assistant","error":"authentication_failed"}"#;
        let none = r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":null}"#;
        let refused = r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":401}"#;
        assert_eq!(ending(&[said, none]), Ending::NotLoggedIn);
        let expected = Ending::ApiError {
            status: Some(401),
            kind: ApiErrorKind::Authentication,
            message: String::new(),
        };
        assert_eq!(ending(&[said, refused]), expected);
    }

    #[test]
    fn our_own_stop_wins_over_what_the_stream_says() {
        let done = seen(&[SUCCESS]);
        let stopped = |why| conclude(&done, Some(Exit::Code(0)), Some(why), "");
        assert_eq!(stopped(Stopped::Cancelled), Ending::Cancelled);
        assert_eq!(stopped(Stopped::TimedOut), Ending::TimedOut);
    }

    #[test]
    fn without_a_result_the_exit_decides() {
        let nothing = Transcript::default();
        let crashed = conclude(&nothing, Some(Exit::Signal(11)), None, "");
        assert_eq!(crashed, Ending::Crashed { signal: 11 });
        let silent = conclude(&nothing, Some(Exit::Code(0)), None, "bad flag");
        assert_eq!(silent, Ending::NoResult { exit: Some(0), stderr: "bad flag".into() });
        assert_eq!(
            conclude(&nothing, None, None, ""),
            Ending::NoResult { exit: None, stderr: String::new() }
        );
    }

    #[test]
    fn a_result_counts_even_if_the_process_then_crashed() {
        assert_eq!(conclude(&seen(&[SUCCESS]), Some(Exit::Signal(9)), None, ""), Ending::Completed);
    }
}
