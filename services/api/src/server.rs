use crate::{App, once, router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Answers requests until `stop` is cancelled, then lets open ones end, for as long as the settings say.
///
/// # Errors
/// If the listener fails.
pub async fn serve(listener: TcpListener, app: App, stop: CancellationToken) -> std::io::Result<()> {
    let drain = app.settings.drain;
    // Streams would keep the server waiting for ever: they end with the same token.
    let app = App { stop: stop.clone(), ..app };
    tokio::spawn(stop.clone().run_until_cancelled_owned(once::prune(app.clone())));
    let router = router(app);
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(drain).await;
    };
    tokio::select! {
        ended = serving.into_future() => ended,
        () = drained => {
            tracing::warn!(after_seconds = drain.as_secs(), "requests were still open when the time to stop was over");
            Ok(())
        }
    }
}
