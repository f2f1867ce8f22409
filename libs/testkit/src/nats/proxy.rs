//! A wire between a client and a server, that can be cut or held.

use std::net::SocketAddr;
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

/// A wire to a server. While it is held, nothing passes in either direction and no connection is closed: each
/// side believes that the other is there and silent, as when the process or its machine stands still.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    wire: watch::Sender<Wire>,
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
        let (wire, held) = watch::channel(Wire::Passes);
        let mut connections = JoinSet::new();
        connections.spawn(accept(listener, port, held));
        Self { address, wire, _connections: connections }
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

    /// Lets everything pass again, what was held first.
    pub fn release(&self) {
        self.wire.send_replace(Wire::Passes);
    }
}

async fn accept(listener: TcpListener, port: u16, wire: watch::Receiver<Wire>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let wire = wire.clone();
        connections.spawn(async move {
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::select! {
                () = pass(from_client, to_server, wire.clone()) => {}
                () = pass(from_server, to_client, wire) => {}
            }
        });
    }
}

async fn pass(
    mut from: impl tokio::io::AsyncRead + Unpin,
    mut to: impl tokio::io::AsyncWrite + Unpin,
    mut wire: watch::Receiver<Wire>,
) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if wire.wait_for(|wire| *wire == Wire::Passes).await.is_err() {
            return;
        }
        let Some(read) = bytes.get(..count) else { return };
        if to.write_all(read).await.is_err() {
            return;
        }
    }
}
