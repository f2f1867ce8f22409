//! The API, from the client's side: thin and typed.

pub(crate) mod archive;
mod error;
pub(crate) mod follow;
mod sse;
pub(crate) mod wire;

#[cfg(test)]
mod tests;

pub(crate) use error::ClientError;
pub(crate) use follow::Follow;

use error::refusal;
use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{io::Write as _, time::Duration};

/// So long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// So long an answer may take to begin and to arrive, streams and downloads apart.
const ANSWER: Duration = Duration::from_secs(90);

/// A connection to a server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    own_machine: bool,
}

/// What every HTTP client of this process is made from.
pub(crate) fn http() -> reqwest::ClientBuilder {
    provide_tls();
    reqwest::Client::builder()
}

/// Names who encrypts, for the whole process. Without it reqwest panics.
pub(crate) fn provide_tls() {
    // Fails only if it is done already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl Client {
    /// A client of the server at a URL. Nothing is sent yet.
    pub(crate) fn new(base: &str) -> Result<Self, ClientError> {
        Self::with_key(base, None)
    }

    /// One that has an API key.
    pub(crate) fn with_key(base: &str, key: Option<&SecretString>) -> Result<Self, ClientError> {
        let base = base.trim_end_matches('/').to_owned();
        let url = reqwest::Url::parse(&base).map_err(|_| ClientError::Address(base.clone()))?;
        let host = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https"));
        let host = host.ok_or_else(|| ClientError::Address(base.clone()))?;
        let own_machine = matches!(host, "localhost" | "[::1]") || host.starts_with("127.");
        let mut builder = http().connect_timeout(CONNECT);
        if own_machine {
            builder = builder.no_proxy();
        }
        if let Some(key) = key {
            builder = builder.default_headers(authorization(key)?);
        }
        let http = builder.build().map_err(|source| ClientError::unreachable(&base, source))?;
        Ok(Self { http, base, own_machine })
    }

    /// The server's URL, without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Whether the server answers within this time.
    pub(crate) async fn answers(&self, within: Duration) -> Result<(), ClientError> {
        let answer = self.send(self.request(Method::GET, "/healthz").timeout(within)).await?;
        let body: Value = self.read(answer).await?;
        match body.get("status") {
            Some(_) => Ok(()),
            None => Err(ClientError::Answer { what: "the server is not a Buildwright".to_owned() }),
        }
    }

    /// Submits a build.
    pub(crate) async fn submit(&self, order: &Value) -> Result<wire::Build, ClientError> {
        self.post("/v1/builds", order).await
    }

    /// Cancels a build.
    pub(crate) async fn cancel<T: DeserializeOwned>(
        &self,
        id: &str,
        reason: Option<&str>,
    ) -> Result<T, ClientError> {
        let body = serde_json::json!({ "reason": reason.unwrap_or("cancelled on the command line") });
        self.post(&format!("/v1/builds/{}/cancel", segment(id)), &body).await
    }

    /// A build: typed, or as [`Value`] with all that the server said.
    pub(crate) async fn build<T: DeserializeOwned>(&self, id: &str) -> Result<T, ClientError> {
        self.get(&format!("/v1/builds/{}", segment(id)), &[]).await
    }

    /// A part of a build, such as `tasks`.
    pub(crate) async fn part<T: DeserializeOwned>(&self, id: &str, part: &str) -> Result<T, ClientError> {
        self.get(&format!("/v1/builds/{}/{part}", segment(id)), &[]).await
    }

    /// A JSON resource.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, ClientError> {
        let request = self.request(Method::GET, &with_query(path, query)).timeout(ANSWER);
        let answer = self.send(request).await?;
        self.read(answer).await
    }

    /// A build's changes.
    pub(crate) async fn diff(&self, id: &str) -> Result<String, ClientError> {
        let path = format!("/v1/builds/{}/diff", segment(id));
        let answer = self.send(self.request(Method::GET, &path).timeout(ANSWER)).await?;
        answer.text().await.map_err(|source| ClientError::unreachable(&self.base, source))
    }

    /// A build's files, in a file without a name.
    pub(crate) async fn archive(&self, id: &str) -> Result<std::fs::File, ClientError> {
        let path = format!("/v1/builds/{}/archive.tar.gz", segment(id));
        let mut answer = self.send(self.request(Method::GET, &path)).await?;
        let mut file = tempfile::tempfile().map_err(ClientError::Disk)?;
        loop {
            match answer.chunk().await {
                Ok(Some(bytes)) => file.write_all(&bytes).map_err(ClientError::Disk)?,
                Ok(None) => return Ok(file),
                Err(source) => return Err(ClientError::unreachable(&self.base, source)),
            }
        }
    }

    /// Follows a stream of server-sent events from its beginning or after a place.
    pub(crate) fn follow(&self, path: String, after: Option<u64>) -> Follow {
        Follow::new(self.clone(), path, after)
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, ClientError> {
        let answer = self.send(self.request(Method::POST, path).json(body).timeout(ANSWER)).await?;
        self.read(answer).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let answer = request.send().await.map_err(|source| ClientError::unreachable(&self.base, source))?;
        match answer.status() {
            status if status.is_success() => Ok(answer),
            status => Err(self.refused(status, answer).await),
        }
    }

    async fn refused(&self, status: StatusCode, answer: Response) -> ClientError {
        match answer.bytes().await {
            Ok(body) => refusal(status, &body),
            Err(source) => ClientError::unreachable(&self.base, source),
        }
    }

    async fn read<T: DeserializeOwned>(&self, answer: Response) -> Result<T, ClientError> {
        let body = answer.bytes().await.map_err(|source| ClientError::unreachable(&self.base, source))?;
        serde_json::from_slice(&body).map_err(|error| ClientError::Answer {
            what: format!("the server's answer makes no sense: {error}"),
        })
    }
}

fn authorization(key: &SecretString) -> Result<HeaderMap, ClientError> {
    let value = HeaderValue::try_from(format!("Bearer {}", key.expose_secret().trim()));
    let mut value = value.map_err(|_| ClientError::Key)?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}

/// An id as a segment of a path: what could end the segment does not get through.
pub(crate) fn segment(id: &str) -> String {
    escaped(id)
}

fn with_query(path: &str, query: &[(&str, String)]) -> String {
    let pairs: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.,".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}
