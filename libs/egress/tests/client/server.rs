//! Servers that behave as badly as a test needs, on free ports of this machine.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// It ends with this value.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// How often somebody connected.
    pub(crate) connections: Arc<AtomicUsize>,
    _accepting: JoinSet<()>,
}

type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Server {
    /// Whoever connects is served so.
    pub(crate) async fn start<F, S>(serve: F) -> Self
    where
        F: Fn(TcpStream) -> S + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut serving: JoinSet<()> = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let served: Serving = Box::pin(serve(stream));
                serving.spawn(served);
            }
        });
        Self { address, connections, _accepting: accepting }
    }

    /// Whoever sends a request gets this, and may send the next.
    pub(crate) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<[u8]> = answer.into().into();
        Self::start(move |mut stream| {
            let answer = answer.clone();
            async move {
                while request(&mut stream).await.is_some() {
                    if stream.write_all(&answer).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A URL at which nobody listens.
pub(crate) fn nobody(path: &str) -> String {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    format!("http://{}{path}", listener.local_addr().expect("an address"))
}

/// Reads a request of which the length of the body is told, or nothing at the end.
pub(crate) async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().expect("a length")) {
                return Some(text.into_owned());
            }
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}

/// What somebody took of what a server had to say, and whether they hung up before it was done.
#[derive(Clone, Default)]
pub(crate) struct Taken {
    bytes: Arc<AtomicU64>,
    hung_up: Arc<AtomicBool>,
}

impl Taken {
    /// Writes this again and again, up to ten gigabytes.
    pub(crate) async fn from(&self, stream: &mut TcpStream, chunk: &[u8], pause: Duration) {
        while self.bytes() < 10_000_000_000 {
            if stream.write_all(chunk).await.is_err() {
                self.hung_up.store(true, Ordering::SeqCst);
                return;
            }
            self.bytes.fetch_add(chunk.len() as u64, Ordering::SeqCst);
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }

    pub(crate) fn hung_up(&self) -> bool {
        self.hung_up.load(Ordering::SeqCst)
    }
}

impl Server {
    /// Whoever sends a request gets this, and then the chunk for ever.
    pub(crate) async fn endless(head: &'static str, chunk: &'static [u8], pause: Duration) -> (Self, Taken) {
        let taken = Taken::default();
        let counted = taken.clone();
        let server = Self::start(move |mut stream| {
            let taken = counted.clone();
            async move {
                if request(&mut stream).await.is_some() && stream.write_all(head.as_bytes()).await.is_ok() {
                    taken.from(&mut stream, chunk, pause).await;
                }
            }
        })
        .await;
        (server, taken)
    }
}
