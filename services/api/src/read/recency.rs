use crate::App;

/// The lists are behind what has happened.
#[derive(Debug)]
pub(crate) struct Behind;

/// Waits until lists show everything that was answered before.
pub(crate) async fn catch_up(app: &App) -> Result<(), Behind> {
    let asked_at = *app.store.head().borrow();
    let mut projected = app.read_models.projected();
    let caught_up = projected.wait_for(|position| *position >= asked_at);
    match tokio::time::timeout(app.settings.read_your_writes, caught_up).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Behind),
    }
}
