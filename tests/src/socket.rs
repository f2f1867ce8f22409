//! Streams by WebSocket.

use crate::{Api, SseEvent};
use futures::StreamExt;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

/// A stream of events over a WebSocket.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Api {
    /// Follows a stream by WebSocket.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn follow_by_socket(&self, path: &str) -> Socket {
        let url = format!("ws://{}{path}", self.address());
        Socket(connect_async(url).await.expect("a socket").0)
    }
}

impl Socket {
    /// The next event; `None` when the socket is closed.
    ///
    /// # Panics
    /// When the connection breaks.
    pub async fn next(&mut self) -> Option<SseEvent> {
        loop {
            match self.0.next().await?.expect("the socket stays") {
                Message::Text(text) => return Some(parse(&text)),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }
}

fn parse(text: &str) -> SseEvent {
    let frame: Value = serde_json::from_str(text).expect("JSON");
    let text = |name: &str| frame[name].as_str().unwrap_or_default().to_owned();
    SseEvent { id: text("id"), kind: text("event"), data: frame["data"].to_string() }
}
