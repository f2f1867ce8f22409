//! WebSockets: what server-sent events tell, a text each; pings as heartbeats; a close frame after the end.

use super::{
    EndReason, Message,
    follower::{Break, Follower, Turn},
};
use crate::StreamSettings;
use axum::{
    extract::{
        WebSocketUpgrade,
        ws::{self, CloseCode, CloseFrame, Utf8Bytes, WebSocket, close_code},
    },
    response::Response,
};
use bytes::Bytes;
use connections::Hold;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::Instrument as _;

/// The protocol that is spoken to clients that ask for one.
pub(crate) const PROTOCOL: &str = "buildwright.v1";

/// Clients have nothing to say, so a little will do: of what they send at once, and to read it.
const MOST_HEARD: usize = 4 << 10;

pub(super) fn respond(
    upgrade: WebSocketUpgrade,
    follower: Follower,
    settings: StreamSettings,
    hold: Option<Hold>,
) -> Response {
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .max_message_size(MOST_HEARD)
        .max_frame_size(MOST_HEARD)
        .read_buffer_size(MOST_HEARD)
        .write_buffer_size(0);
    let span = tracing::Span::current();
    upgrade.on_upgrade(move |socket| {
        async move {
            serve(socket, follower, &settings).await;
            drop(hold);
        }
        .instrument(span)
    })
}

/// Why a connection is over.
enum Over {
    /// The client has gone, or takes nothing.
    Gone,
    /// The client closes it.
    Closing,
    /// We do, saying why.
    Close(CloseCode, &'static str),
}

async fn serve(mut socket: WebSocket, follower: Follower, settings: &StreamSettings) {
    let close = match converse(&mut socket, follower, settings).await {
        Over::Gone => return,
        Over::Closing => None,
        Over::Close(code, reason) => Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }),
    };
    let farewell = async {
        if let Some(close) = close {
            socket.send(ws::Message::Close(Some(close))).await?;
        }
        while socket.recv().await.transpose()?.is_some() {}
        Ok::<_, axum::Error>(())
    };
    // Whoever does not answer in time has had his chance.
    let _ = timeout(settings.close_timeout, farewell).await;
}

/// The follower is let go of when this is over: who only waits for a close frame follows nothing.
async fn converse(socket: &mut WebSocket, mut follower: Follower, settings: &StreamSettings) -> Over {
    let mut pinged: Option<Instant> = None;
    loop {
        let patience = pinged.map(|at| at + settings.pong_timeout);
        let sent = tokio::select! {
            turn = follower.next() => match turn {
                Turn::Message(message) => socket.send(ws::Message::Text(message.as_frame())).await,
                Turn::Heartbeat => {
                    pinged.get_or_insert_with(Instant::now);
                    socket.send(ws::Message::Ping(Bytes::new())).await
                }
                Turn::End(reason) => return end(socket, reason).await,
                Turn::Break(broken) => return broken.into(),
            },
            heard = socket.recv() => match heard {
                Some(Ok(ws::Message::Pong(_))) => {
                    pinged = None;
                    Ok(())
                }
                // It is answered below us.
                Some(Ok(ws::Message::Ping(_))) => Ok(()),
                Some(Ok(ws::Message::Text(_) | ws::Message::Binary(_))) => {
                    return Over::Close(close_code::UNSUPPORTED, "a stream takes no messages");
                }
                Some(Ok(ws::Message::Close(_))) => return Over::Closing,
                Some(Err(_)) | None => return Over::Gone,
            },
            () = sleep_until(patience.unwrap_or_else(Instant::now)), if patience.is_some() => {
                return Over::Close(close_code::POLICY, "no pong");
            }
        };
        if sent.is_err() {
            return Over::Gone;
        }
    }
}

/// The last text, and the code that goes with it.
async fn end(socket: &mut WebSocket, reason: EndReason) -> Over {
    let Ok(last) = Message::end(reason) else { return Break::Internal.into() };
    if socket.send(ws::Message::Text(last.as_frame())).await.is_err() {
        return Over::Gone;
    }
    match reason {
        EndReason::Ended => Over::Close(close_code::NORMAL, "ended"),
        EndReason::Head => Over::Close(close_code::NORMAL, "head"),
        EndReason::KeyRevoked => Over::Close(close_code::POLICY, "key_revoked"),
        EndReason::KeyExpired => Over::Close(close_code::POLICY, "key_expired"),
    }
}

impl From<Break> for Over {
    fn from(broken: Break) -> Self {
        match broken {
            Break::Stopping => Self::Close(close_code::AWAY, "the server stops, come back"),
            Break::Unavailable => Self::Close(close_code::AGAIN, "not available at the moment, come back"),
            Break::Internal => Self::Close(close_code::ERROR, "an internal error"),
        }
    }
}
