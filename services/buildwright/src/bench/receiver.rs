//! A subscriber on this machine that says yes to everything and notes when what came.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::sync::{CancellationToken, DropGuard};

const HEAD_END: &[u8] = b"\r\n\r\n";
const YES: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// Listens until it is dropped.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    inbox: Arc<Inbox>,
    _stop: DropGuard,
}

struct Inbox {
    came: Mutex<HashMap<Box<str>, Instant>>,
    count: watch::Sender<usize>,
}

impl Receiver {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let inbox = Arc::new(Inbox { came: Mutex::default(), count: watch::Sender::new(0) });
        let stop = CancellationToken::new();
        let (to, until) = (Arc::clone(&inbox), stop.clone());
        tokio::spawn(until.run_until_cancelled_owned(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let to = Arc::clone(&to);
                tokio::spawn(async move { to.serve(socket).await });
            }
        }));
        Ok(Self { address, inbox, _stop: stop.drop_guard() })
    }

    /// Waits until so many different messages have come.
    pub(super) async fn wait_for(&self, messages: usize) -> anyhow::Result<()> {
        self.inbox.count.subscribe().wait_for(|count| *count >= messages).await?;
        Ok(())
    }

    /// When what came first, by the id of the message.
    pub(super) fn came(&self) -> HashMap<Box<str>, Instant> {
        self.inbox.came.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Inbox {
    async fn serve(&self, mut socket: TcpStream) {
        let _ = socket.set_nodelay(true);
        let mut buffer = Vec::with_capacity(8_192);
        loop {
            let Some(whole) = self.take(&buffer) else {
                match socket.read_buf(&mut buffer).await {
                    Ok(1..) => continue,
                    _ => return,
                }
            };
            buffer.drain(..whole);
            if socket.write_all(YES).await.is_err() {
                return;
            }
        }
    }

    /// Notes a request if all of it is there, and says how long it is.
    fn take(&self, buffer: &[u8]) -> Option<usize> {
        let head = buffer.windows(HEAD_END.len()).position(|part| part == HEAD_END)?;
        let text = std::str::from_utf8(&buffer[..head]).unwrap_or_default();
        let header = |name: &str| {
            let fields = text.lines().filter_map(|line| line.split_once(": "));
            fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
        };
        let length: usize = header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        let whole = head + HEAD_END.len() + length;
        if buffer.len() < whole {
            return None;
        }
        let now = Instant::now();
        let mut came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        came.entry(header("webhook-id").unwrap_or_default().into()).or_insert(now);
        self.count.send_replace(came.len());
        Some(whole)
    }
}
