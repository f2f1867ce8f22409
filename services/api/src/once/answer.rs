//! Which answers are given again.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body::Body as _;
use ports::{Abandoned, KeptAnswer};
use problem::Problem;

/// Tells that an answer is not of this request but of an earlier one.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The headers that belong to an answer; the others belong to its transport.
const KEPT: [HeaderName; 4] = [header::CONTENT_TYPE, header::LOCATION, header::ETAG, header::LINK];

/// Put into the extensions of an answer that is shown once: a repetition is told so, and nothing of it is stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShownOnce;

/// What is to be done about a request once its answer is known.
pub(crate) enum Settled {
    /// The answer settles the matter.
    Kept(KeptAnswer),
    /// The request may be made again.
    Abandoned(Abandoned),
}

/// Judges an answer, and hands it on to be sent. Kept is what will not change when the same is asked again: what
/// was done, and what is wrong with the request itself. All else depends on the time.
pub(crate) async fn settle(response: Response, most_bytes: usize) -> (Settled, Response) {
    let status = response.status();
    let settles = status.is_success()
        || [StatusCode::BAD_REQUEST, StatusCode::UNSUPPORTED_MEDIA_TYPE, StatusCode::UNPROCESSABLE_ENTITY]
            .contains(&status);
    if !settles {
        let effect = if status.is_client_error() { Abandoned::WithoutEffect } else { Abandoned::InDoubt };
        return (Settled::Abandoned(effect), response);
    }
    if response.extensions().get::<ShownOnce>().is_some() {
        let (kept, _) = read(withheld(), most_bytes).await;
        return (kept, response);
    }
    read(response, most_bytes).await
}

/// Reads an answer of known length. Of another one nothing is kept: who asks again has it made again.
async fn read(response: Response, most_bytes: usize) -> (Settled, Response) {
    let fits = response.body().size_hint().exact().is_some_and(|size| size <= most_bytes as u64);
    if !fits {
        return (Settled::Abandoned(Abandoned::InDoubt), response);
    }
    let (parts, body) = response.into_parts();
    match axum::body::to_bytes(body, most_bytes).await {
        Ok(body) => {
            let text = |name: &HeaderName| {
                let value = parts.headers.get(name)?.to_str().ok()?;
                Some((name.as_str().to_owned(), value.to_owned()))
            };
            let headers = KEPT.iter().filter_map(text).collect();
            let kept = KeptAnswer { status: parts.status.as_u16(), headers, body: body.to_vec() };
            (Settled::Kept(kept), Response::from_parts(parts, Body::from(body)))
        }
        // A body in memory can be read.
        Err(_) => (Settled::Abandoned(Abandoned::InDoubt), Response::from_parts(parts, Body::empty())),
    }
}

fn withheld() -> Response {
    Problem::new(
        StatusCode::CONFLICT,
        "idempotency_answer_withheld",
        "this request was carried out, and its answer is shown only once",
    )
    .into_response()
}

/// The answer again.
pub(crate) fn replay(kept: KeptAnswer) -> Response {
    let mut response = Response::new(Body::from(kept.body));
    *response.status_mut() = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    for (name, value) in kept.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_secret_is_sent_and_not_stored() {
        let mut response = "the secret".into_response();
        response.extensions_mut().insert(ShownOnce);

        let (settled, sent) = settle(response, 1_000).await;

        assert_eq!(axum::body::to_bytes(sent.into_body(), 100).await.unwrap(), "the secret");
        let Settled::Kept(kept) = settled else { panic!("the matter is settled") };
        assert_eq!(kept.status, 409);
        assert!(!String::from_utf8(kept.body).unwrap().contains("the secret"));
    }

    #[tokio::test]
    async fn what_may_be_different_the_next_time_is_not_kept() {
        use Abandoned::{InDoubt, WithoutEffect};
        for (status, effect) in [
            (401, WithoutEffect),
            (403, WithoutEffect),
            (404, WithoutEffect),
            (408, WithoutEffect),
            (409, WithoutEffect),
            (412, WithoutEffect),
            (429, WithoutEffect),
            (500, InDoubt),
            (503, InDoubt),
        ] {
            let response = StatusCode::from_u16(status).unwrap().into_response();
            let (settled, _) = settle(response, 1_000).await;
            assert!(matches!(settled, Settled::Abandoned(found) if found == effect), "{status}");
        }
        for status in [200, 201, 202, 204, 400, 415, 422] {
            let response = StatusCode::from_u16(status).unwrap().into_response();
            assert!(matches!(settle(response, 1_000).await.0, Settled::Kept(_)), "{status}");
        }
        let streamed = Body::from_stream(futures::stream::iter([Ok::<_, std::io::Error>("line")]));
        let (settled, _) = settle(Response::new(streamed), 1_000).await;
        assert!(matches!(settled, Settled::Abandoned(InDoubt)));
        assert!(matches!(settle("too long".into_response(), 3).await.0, Settled::Abandoned(InDoubt)));
    }
}
