//! Leading, as often as it is this process's turn. Nothing is carried over from one term to the next.

use crate::{Courier, Pause, directory::Directory, facts::Facts, round::Shared, upkeep};
use ports::StoreError;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Delivers whenever this process leads, until told to stop.
pub(crate) async fn lead(courier: &Courier, stop: &CancellationToken) {
    let mut pause = Pause::FIRST;
    loop {
        let term = tokio::select! {
            () = stop.cancelled() => return,
            term = courier.leadership.lead() => term,
        };
        match term {
            Ok(term) => {
                tracing::info!("delivering webhooks");
                let served = serve(courier, term.over(), stop).await;
                drop(term);
                match served {
                    Err(StoreError::Closed) => return,
                    Err(error) => tracing::error!(%error, "webhooks stand still"),
                    Ok(()) => pause = Pause::FIRST,
                }
            }
            Err(StoreError::Closed) => return,
            Err(error) => tracing::error!(%error, "waiting to lead"),
        }
        if stop.is_cancelled() {
            return;
        }
        pause.wait(stop).await;
        if stop.is_cancelled() {
            return;
        }
    }
}

/// Delivers until the term is over.
async fn serve(
    courier: &Courier,
    term_over: &CancellationToken,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let over = stop.child_token();
    let shared = Arc::new(Shared {
        courier: courier.clone(),
        facts: Facts::new(Arc::clone(&courier.store), courier.settings.remembered_builds),
        slots: Arc::new(Semaphore::new(courier.settings.at_once.min(Semaphore::MAX_PERMITS))),
    });
    let mut directory = Directory::new(shared, over.clone());
    let follow = async {
        directory.open().await?;
        directory.follow().await
    };
    let served = tokio::select! {
        served = follow => served,
        () = upkeep::keep_up(courier, &over) => Ok(()),
        () = term_over.cancelled() => Ok(()),
    };
    directory.close().await;
    served
}
