//! A wire between a client and a server, that can be cut or held.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Passes,
    Holds,
}

/// What a client says at which the wire is held.
type Trap = Arc<Mutex<Option<Vec<u8>>>>;

/// A wire to a server. While it is held, nothing passes in either direction and no connection is closed: each
/// side believes that the other is there and silent, as when the process or its machine stands still.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    wire: watch::Sender<Wire>,
    trap: Trap,
    _connections: JoinSet<()>,
}

impl Proxy {
    /// A wire to a port of this machine.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (wire, trap) = (watch::Sender::new(Wire::Passes), Trap::default());
        let mut connections = JoinSet::new();
        connections.spawn(accept(listener, port, wire.clone(), Arc::clone(&trap)));
        Self { address, wire, trap, _connections: connections }
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Lets nothing pass.
    pub fn hold(&self) {
        self.wire.send_replace(Wire::Holds);
    }

    /// Lets nothing pass from the moment at which a client is about to say this.
    pub fn hold_at(&self, words: &str) {
        *self.trap.lock().unwrap_or_else(PoisonError::into_inner) = Some(words.into());
    }

    /// Waits until nothing passes.
    ///
    /// # Panics
    /// Never while it exists.
    pub async fn held(&self) {
        self.wire.subscribe().wait_for(|wire| *wire == Wire::Holds).await.expect("the wire is here");
    }

    /// Lets everything pass again, what was held first.
    pub fn release(&self) {
        self.wire.send_replace(Wire::Passes);
    }
}

async fn accept(listener: TcpListener, port: u16, wire: watch::Sender<Wire>, trap: Trap) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (wire, trap) = (wire.clone(), Arc::clone(&trap));
        connections.spawn(async move {
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::select! {
                () = pass(from_client, to_server, &wire, Some(trap)) => {}
                () = pass(from_server, to_client, &wire, None) => {}
            }
        });
    }
}

async fn pass(
    mut from: impl tokio::io::AsyncRead + Unpin,
    mut to: impl tokio::io::AsyncWrite + Unpin,
    wire: &watch::Sender<Wire>,
    trap: Option<Trap>,
) {
    let mut held = wire.subscribe();
    let mut bytes = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let Some(read) = bytes.get(..count) else { return };
        if trap.as_ref().is_some_and(|trap| snaps(trap, read)) {
            wire.send_replace(Wire::Holds);
        }
        if held.wait_for(|wire| *wire == Wire::Passes).await.is_err() {
            return;
        }
        if to.write_all(read).await.is_err() {
            return;
        }
    }
}

/// Whether this is what was waited for; it is waited for once.
fn snaps(trap: &Trap, said: &[u8]) -> bool {
    let mut trap = trap.lock().unwrap_or_else(PoisonError::into_inner);
    let heard = trap.as_ref().is_some_and(|words| said.windows(words.len()).any(|part| part == words));
    if heard {
        *trap = None;
    }
    heard
}
