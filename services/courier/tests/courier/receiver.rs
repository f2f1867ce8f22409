//! Receivers of webhooks, well-behaved and otherwise: HTTP by hand over real sockets.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What a receiver does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Behaviour {
    /// Answers with a status, and headers that end with line breaks.
    Answer(u16, &'static str),
    /// Answers so after a while.
    After(Duration, u16),
    /// Never answers.
    Hang,
    /// Hangs up, rudely.
    Reset,
    /// Sends a byte of its answer from time to time, for ever.
    Drip,
    /// Sends an answer without end as fast as it can.
    Flood,
}

/// A request as it was received.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn id(&self) -> &str {
        self.headers.get("webhook-id").map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// A receiver on a port of its own.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    behaviour: Arc<Mutex<Behaviour>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    pub(crate) async fn begin(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let this = Self {
            address: listener.local_addr().expect("an address"),
            behaviour: Arc::new(Mutex::new(behaviour)),
            requests: Arc::default(),
        };
        let receiver = this.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let receiver = receiver.clone();
                tokio::spawn(async move { receiver.serve(socket).await });
            }
        });
        this
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The ids in the order in which they came first, without repetitions.
    pub(crate) fn distinct(&self) -> Vec<String> {
        let mut seen = std::collections::HashSet::new();
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let ids = requests.iter().map(|request| request.id().to_owned());
        ids.filter(|id| seen.insert(id.clone())).collect()
    }

    async fn serve(&self, mut socket: TcpStream) {
        let _ = socket.set_nodelay(true);
        let mut buffer = Vec::new();
        while let Some(request) = read(&mut socket, &mut buffer).await {
            self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
            let behaviour = self.behaviour.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if !behaviour.answer(&mut socket).await {
                return;
            }
        }
    }
}

impl Behaviour {
    /// Says whether the connection goes on.
    async fn answer(&self, socket: &mut TcpStream) -> bool {
        match self {
            Self::Answer(status, headers) => plain(socket, *status, headers).await,
            Self::After(wait, status) => {
                tokio::time::sleep(*wait).await;
                plain(socket, *status, "").await
            }
            Self::Hang => std::future::pending().await,
            Self::Reset => {
                #[expect(deprecated, reason = "not waiting is the point: the other side gets a reset")]
                let _ = socket.set_linger(Some(Duration::ZERO));
                false
            }
            Self::Drip => {
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await;
                while socket.write_all(b".").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                false
            }
            Self::Flood => {
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n").await;
                let lump = vec![b'x'; 65_536];
                while socket.write_all(&lump).await.is_ok() {}
                false
            }
        }
    }
}

async fn plain(socket: &mut TcpStream, status: u16, headers: &str) -> bool {
    let answer = format!("HTTP/1.1 {status} Whatever\r\n{headers}content-length: 2\r\n\r\nok");
    socket.write_all(answer.as_bytes()).await.is_ok()
}

async fn read(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|part| part == b"\r\n\r\n") {
            break end;
        }
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers: HashMap<String, String> =
        lines.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let length: usize = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let whole = end + 4 + length;
    while buffer.len() < whole {
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8_lossy(&buffer[end + 4..whole]).into_owned();
    buffer.drain(..whole);
    Some(Request { headers, body })
}
