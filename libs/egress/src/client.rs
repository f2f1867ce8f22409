use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use tokio::time::{Instant, timeout_at};

use crate::answer::{Answer, beginning, first_headers};
use crate::failure::{Failure, FailureClass, describe};
use crate::policy::Policy;
use crate::resolver::{Guard, Resolver, SystemResolver};
use crate::target::TargetUrl;
use crate::tls;

/// What a [`Client`] allows itself and others.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where requests may go.
    pub policy: Policy,
    /// How long finding the address and connecting may take, encryption included. The whole
    /// deadline of a request holds beside it.
    pub connect_timeout: Duration,
    /// How many connections to a host are kept for later.
    pub idle_per_host: usize,
    /// How long they are kept. Less than the five seconds after which many servers hang up,
    /// because a request that meets the end of its connection fails.
    pub idle_timeout: Duration,
    /// How much of a body is kept, in bytes.
    pub max_body_bytes: usize,
    /// How much of all headers is kept, in bytes.
    pub max_header_bytes: usize,
    /// With how many headers an answer is still accepted.
    pub max_headers: usize,
    /// What the client calls itself.
    pub user_agent: String,
    /// Certificates of authorities (DER) that are trusted beside those that the machine trusts.
    pub extra_roots: Vec<Vec<u8>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            connect_timeout: Duration::from_secs(10),
            idle_per_host: 16,
            idle_timeout: Duration::from_secs(4),
            max_body_bytes: 20_000,
            max_header_bytes: 8_192,
            max_headers: 100,
            user_agent: "buildwright".to_owned(),
            extra_roots: Vec::new(),
        }
    }
}

/// Why there can be no client with these settings.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A certificate is none.
    #[error("one of the extra certificates can't be used")]
    Certificate(#[from] rustls::Error),
    /// Something else, such as a line break in the user agent.
    #[error("the HTTP client can't be set up")]
    Setup(#[source] reqwest::Error),
}

/// One request.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Where to.
    pub target: &'a TargetUrl,
    /// Usually POST.
    pub method: Method,
    /// Sent as they are: whoever takes them from a stranger has checked them.
    pub headers: HeaderMap,
    /// What to send.
    pub body: Bytes,
    /// How long all of it may take, from looking up the name to the end of the answer.
    pub deadline: Duration,
}

/// What became of a request.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// An answer came, whatever it says.
    Answered(Answer),
    /// None came, or not all of it.
    Failed(Failure),
}

/// Sends requests to addresses that strangers chose. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    settings: Arc<Settings>,
}

impl Client {
    /// A client that asks the operating system for addresses.
    ///
    /// # Errors
    /// When the settings don't make a client.
    pub fn new(settings: Settings) -> Result<Self, ClientError> {
        Self::with_resolver(settings, Arc::new(SystemResolver))
    }

    /// A client that asks somebody else for addresses.
    ///
    /// # Errors
    /// When the settings don't make a client.
    pub fn with_resolver(settings: Settings, resolver: Arc<dyn Resolver>) -> Result<Self, ClientError> {
        let guard = Guard { resolver, addresses: settings.policy.addresses.clone() };
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config(&settings.extra_roots)?)
            .dns_resolver(guard)
            // Whatever the environment says: a proxy would connect to where we wouldn't.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            // Other crates may have switched unpacking on.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .http1_only()
            .http1_max_headers(settings.max_headers)
            .connect_timeout(settings.connect_timeout)
            .pool_max_idle_per_host(settings.idle_per_host)
            .pool_idle_timeout(settings.idle_timeout)
            .user_agent(&settings.user_agent)
            .build()
            .map_err(ClientError::Setup)?;
        Ok(Self { http, settings: Arc::new(settings) })
    }

    /// Where requests may go.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.settings.policy
    }

    /// Sends a request and says what became of it, before its deadline.
    pub async fn send(&self, request: Request<'_>) -> Outcome {
        let started = Instant::now();
        let mut status = None;
        match self.attempt(request, started, &mut status).await {
            Ok(answer) => Outcome::Answered(answer),
            Err((class, message)) => {
                Outcome::Failed(Failure { class, message, status, latency: started.elapsed() })
            }
        }
    }

    async fn attempt(
        &self,
        request: Request<'_>,
        started: Instant,
        status: &mut Option<StatusCode>,
    ) -> Result<Answer, (FailureClass, String)> {
        // Nobody is asked for the address of what is an address already; and a URL may have been
        // checked against other rules, long ago.
        let url = request.target.url();
        self.settings.policy.check(url).map_err(|refused| (FailureClass::Refused, refused.to_string()))?;

        let within = request.deadline;
        let deadline = started + within;
        let late = |what| (FailureClass::Timeout, format!("{what} within {within:?}"));

        let sending =
            self.http.request(request.method, url.clone()).headers(request.headers).body(request.body);
        let sent = timeout_at(deadline, sending.send()).await.map_err(|_| late("no answer"))?;
        let mut response = sent.map_err(describe)?;
        *status = Some(response.status());

        let reading = beginning(&mut response, self.settings.max_body_bytes);
        let read = timeout_at(deadline, reading).await.map_err(|_| late("the answer did not end"))?;
        let body = read.map_err(describe)?;
        Ok(Answer {
            status: response.status(),
            retry_after: text(response.headers(), header::RETRY_AFTER),
            headers: first_headers(response.headers(), self.settings.max_header_bytes),
            body,
            latency: started.elapsed(),
        })
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}
