//! How HTTP connections are accepted: a bounded number of them, headers in time, and an orderly end.
//!
//! `axum::serve` waits for ever for the head of a request and takes as many connections as come; so a client that
//! sends a byte now and then could use up all there are.

use axum::{Router, body::Body, serve::Listener};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Most connections at the same time. More wait to be accepted.
    pub connections: usize,
    /// So long may the head of a request take to arrive; a connection without requests is closed after it, too.
    pub head_timeout: Duration,
    /// So long may open requests take to end once the server stops.
    pub drain: Duration,
}

/// Who is at the other end of the connection. Among the extensions of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Where the connection was accepted. Among the extensions of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local(pub SocketAddr);

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
            let place = Arc::clone(&places).acquire_owned().await.ok();
            // Whatever goes wrong with accepting one is waited out.
            (place, Listener::accept(&mut listener).await)
        };
        let (place, (stream, peer)) = tokio::select! {
            accepted = accepted => accepted,
            () = stop.cancelled() => break,
        };
        let ends = (Peer(peer), local);
        open.spawn(converse(stream, ends, router.clone(), bounds, stop.clone(), place));
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
    (peer, local): (Peer, Local),
    router: Router,
    bounds: Bounds,
    stop: CancellationToken,
    place: Option<OwnedSemaphorePermit>,
) {
    // Events are small and should not wait for each other.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router.map_request(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(local);
        request
    }));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(bounds.head_timeout);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
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
    drop(place);
}
