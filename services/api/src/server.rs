use crate::{App, AppParts, once, router};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Answers requests until `stop` is cancelled, then lets open ones end, for as long as the settings say.
///
/// # Errors
/// If the listener fails.
pub async fn serve(listener: TcpListener, app: App, stop: CancellationToken) -> std::io::Result<()> {
    let bounds = app.settings.connections;
    // Streams would keep the server waiting for ever: they end with the same token.
    let app = App::new(AppParts { stop: stop.clone(), ..AppParts::clone(&app) });
    tokio::spawn(stop.clone().run_until_cancelled_owned(once::prune(app.clone())));
    let noting = Arc::clone(&app.access);
    let noting = tokio::spawn({
        let stop = stop.clone();
        async move { noting.note_uses(stop).await }
    });
    let served = connections::serve(listener, router(app), bounds, stop.clone()).await;
    // Without a signal to stop it goes on as long as the process.
    if stop.is_cancelled() {
        let _ = noting.await;
    }
    served
}
