use crate::{App, once, router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Answers requests until `stop` is cancelled, then lets open ones end, for as long as the settings say.
///
/// # Errors
/// If the listener fails.
pub async fn serve(listener: TcpListener, app: App, stop: CancellationToken) -> std::io::Result<()> {
    let bounds = app.settings.connections;
    // Streams would keep the server waiting for ever: they end with the same token.
    let app = App { stop: stop.clone(), ..app };
    tokio::spawn(stop.clone().run_until_cancelled_owned(once::prune(app.clone())));
    let router = router(app);
    connections::serve(listener, router, bounds, stop).await
}
