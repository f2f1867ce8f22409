//! How HTTP connections are accepted: a bounded number of them, headers in time, and an orderly end.
//!
//! `axum::serve` waits for ever for the head of a request and takes as many connections as come; so a client that
//! sends a byte now and then could use up all there are; and it keeps what a client does not take for as long as the
//! client likes.

mod stall;

use axum::{Router, body::Body, serve::Listener};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use stall::Stalling;
use std::{fmt, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};
use tower::ServiceExt as _;

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Most connections at the same time. More wait to be accepted.
    pub connections: usize,
    /// So long may the head of a request take to arrive; a connection without requests is closed after it, too.
    pub head_timeout: Duration,
    /// A client that takes nothing of what is sent to it for so long is cut off.
    pub stall_timeout: Duration,
    /// So long may open requests take to end once the server stops.
    pub drain: Duration,
}

/// Who is at the other end of the connection. Among the extensions of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Where the connection was accepted. Among the extensions of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local(pub SocketAddr);

/// A connection's place among those that may be open. Among the extensions of every request: whoever takes a connection
/// over, by an upgrade, keeps this for as long, so that it still counts and the end of the server waits for it.
#[derive(Clone)]
pub struct Hold {
    _place: Arc<Place>,
}

/// One of those that may be open, and one of those that are.
struct Place {
    _permit: Option<OwnedSemaphorePermit>,
    _open: TaskTrackerToken,
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hold")
    }
}

/// Answers requests until `stop` is cancelled, then lets open ones end, for as long as the bounds say.
///
/// # Errors
/// If the listener has no address.
pub async fn serve(
    mut listener: TcpListener,
    router: Router,
    bounds: Bounds,
    stop: CancellationToken,
) -> io::Result<()> {
    let local = Local(TcpListener::local_addr(&listener)?);
    let places = Arc::new(Semaphore::new(bounds.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let open = TaskTracker::new();
    loop {
        let accepted = async {
            let permit = Arc::clone(&places).acquire_owned().await.ok();
            // Whatever goes wrong with accepting one is waited out.
            (permit, Listener::accept(&mut listener).await)
        };
        let (permit, (stream, peer)) = tokio::select! {
            accepted = accepted => accepted,
            () = stop.cancelled() => break,
        };
        let place = Place { _permit: permit, _open: open.token() };
        let known = (Peer(peer), local, Hold { _place: Arc::new(place) });
        tokio::spawn(converse(stream, known, router.clone(), bounds, stop.clone()));
    }
    drop(listener);
    open.close();
    if tokio::time::timeout(bounds.drain, open.wait()).await.is_err() {
        let seconds = bounds.drain.as_secs();
        tracing::warn!(after_seconds = seconds, "requests were still open when the time to stop was over");
    }
    Ok(())
}

/// One connection, request by request.
async fn converse(
    stream: TcpStream,
    (peer, local, hold): (Peer, Local, Hold),
    router: Router,
    bounds: Bounds,
    stop: CancellationToken,
) {
    // Events are small and should not wait for each other.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router.map_request(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(local);
        request.extensions_mut().insert(hold.clone());
        request
    }));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(bounds.head_timeout);
    let io = TokioIo::new(Stalling::new(stream, bounds.stall_timeout));
    let mut connection = pin!(http.serve_connection(io, service).with_upgrades());
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
