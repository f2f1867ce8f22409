use crate::{App, router};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Answers requests until `stop` is cancelled, then lets open ones end, for as long as the settings say.
///
/// # Errors
/// If the listener fails.
pub async fn serve(listener: TcpListener, app: App, stop: CancellationToken) -> std::io::Result<()> {
    let drain = app.settings.drain;
    let noting = Arc::clone(&app.access);
    let noting = tokio::spawn({
        let stop = stop.clone();
        async move { noting.note_uses(stop).await }
    });
    // Streams would keep the server waiting for ever: they end with the same token.
    let router = router(App { stop: stop.clone(), ..app });
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(drain).await;
    };
    let served = tokio::select! {
        ended = serving.into_future() => ended,
        () = drained => {
            tracing::warn!(after_seconds = drain.as_secs(), "requests were still open when the time to stop was over");
            Ok(())
        }
    };
    // Without a signal to stop it goes on as long as the process.
    if stop.is_cancelled() {
        let _ = noting.await;
    }
    served
}
