use crate::CopyBounds;
use names::{ExecutorLabel, PoolName};
use std::{path::PathBuf, time::Duration};

/// How to connect, and the bounds of what is kept. Processes of one fleet use the same bounds: whoever starts
/// last sets them.
#[derive(Debug, Clone)]
pub struct NatsOptions {
    /// `nats://host:port` or `tls://host:port`, of one server or of several of one cluster.
    pub urls: Vec<String>,
    /// What the server calls this connection in its logs.
    pub name: String,
    /// A `.creds` file: user JWT and nkey seed.
    pub credentials: Option<PathBuf>,
    /// Encryption.
    pub tls: Tls,
    /// Whose work an executor takes. Offered is to every pool, as the orders say.
    pub pool: PoolName,
    /// What an executor has: it takes orders that ask for nothing else.
    pub labels: Vec<ExecutorLabel>,
    /// How often an executor with labels looks which combinations of labels have been asked for since.
    pub lanes_every: Duration,
    /// How long a free slot waits for orders of one combination of labels, where there are several.
    pub lane_turn: Duration,
    /// How long an order stays with an executor that gives no sign of life, from 1 s. Executors renew their
    /// leases every third of it.
    pub ack_wait: Duration,
    /// How often an order is handed out before it counts as undoable.
    pub max_deliver: u32,
    /// Copies of every message, in a cluster: 1, 3 or 5.
    pub replicas: usize,
    /// Most orders of a pool that wait or are held; more are refused as unavailable.
    pub queue_capacity: u32,
    /// How long one answer of the server is waited for.
    pub request_timeout: Duration,
    /// How long a stream that went while the connection stood stays away before it is made again: the server may
    /// still be removing it.
    pub removal_pause: Duration,
    /// How long a queue answers no publish, while the server answers, before it is made anew.
    pub mute_after: Duration,
    /// How often orders are looked for that were handed out too often, whose advisory got lost.
    pub sweep_every: Duration,
    /// How long output is kept.
    pub output_age: Duration,
    /// Most bytes of output, of all builds together; the oldest goes first. The server must have room for all of
    /// it from the beginning, or refuses the stream.
    pub output_bytes: u64,
    /// How long events are kept for consumers outside.
    pub events_age: Duration,
    /// Most bytes of events for consumers outside; the oldest goes first. Room is needed as for output.
    pub events_bytes: u64,
    /// How long artifacts are kept: longer than any build takes. Those of projects stay for ever.
    pub artifacts_age: Duration,
    /// Of the copies that executors keep of artifacts.
    pub copies: CopyBounds,
}

impl NatsOptions {
    /// The defaults, for a server at this address.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        const DAY: Duration = Duration::from_hours(24);
        Self {
            urls: vec![url.into()],
            name: "buildwright".to_owned(),
            credentials: None,
            tls: Tls::default(),
            pool: PoolName::default(),
            labels: Vec::new(),
            lanes_every: Duration::from_secs(2),
            lane_turn: Duration::from_millis(250),
            ack_wait: Duration::from_secs(30),
            max_deliver: 10,
            replicas: 1,
            queue_capacity: 100_000,
            request_timeout: Duration::from_secs(5),
            removal_pause: Duration::from_secs(1),
            mute_after: Duration::from_secs(15),
            sweep_every: Duration::from_mins(1),
            output_age: 7 * DAY,
            output_bytes: 2 << 30,
            events_age: 7 * DAY,
            events_bytes: 1 << 30,
            artifacts_age: 30 * DAY,
            copies: CopyBounds::default(),
        }
    }
}

/// Encryption, by rustls with ring.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Refuse a connection without it. A `tls://` address does too.
    pub required: bool,
    /// Certificates (PEM) of authorities to trust beside the system's.
    pub root_certificates: Option<PathBuf>,
    /// Our own certificate and its key (PEM), where the server asks for one.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
}
