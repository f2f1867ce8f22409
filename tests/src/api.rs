//! The HTTP interface, from outside.

use crate::{Answer, Sse};
use serde_json::Value;
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

/// Nothing that is not waited for on purpose may take longer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// Where a process of the product listens, and who speaks to it. What is held on to finds the process again after
/// a restart, wherever it listens then.
#[derive(Debug, Clone)]
pub struct Api {
    address: Arc<RwLock<String>>,
    http: reqwest::Client,
    key: Option<String>,
}

impl Api {
    pub(crate) fn new() -> Self {
        // Only who talks TLS needs one, but the client asks for it when it is made.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { address: Arc::default(), http, key: None }
    }

    pub(crate) fn is_now_at(&self, address: &str) {
        address.clone_into(&mut self.address.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// The same, spoken to with an API key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An URL of it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// A request that a test makes itself.
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, self.url(path));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// GET
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(reqwest::Method::GET, path)).await
    }

    /// POST
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(reqwest::Method::POST, path).json(body)).await
    }

    /// Sends a request.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        match tokio::time::timeout(ANSWERS_WITHIN, request.send()).await {
            Ok(Ok(response)) => Answer::read(response).await,
            Ok(Err(error)) => panic!("no answer: {error:?}"),
            Err(_) => panic!("no answer within {ANSWERS_WITHIN:?}"),
        }
    }

    /// Follows a stream of server-sent events after one of them.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn follow(&self, path: &str, last_event_id: Option<&str>) -> Sse {
        let mut request = self.request(reqwest::Method::GET, path).header("accept", "text/event-stream");
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), 200);
        Sse::of(response)
    }
}
