//! Leadership that a story gives and takes.

use async_trait::async_trait;
use ports::{Leadership, StoreError, Term};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// One seat for any number of processes.
#[derive(Clone)]
pub(crate) struct Throne {
    seat: Arc<Semaphore>,
    sitting: Arc<Mutex<CancellationToken>>,
}

impl Throne {
    pub(crate) fn new() -> Self {
        Self { seat: Arc::new(Semaphore::new(1)), sitting: Arc::default() }
    }

    /// Takes leadership from whoever has it; somebody is next.
    pub(crate) fn topple(&self) {
        self.sitting.lock().expect("a token").cancel();
    }
}

#[async_trait]
impl Leadership for Throne {
    async fn lead(&self) -> Result<Term, StoreError> {
        let seat = Arc::clone(&self.seat).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let over = CancellationToken::new();
        *self.sitting.lock().expect("a token") = over.clone();
        Ok(Term::new(over, Box::new(seat)))
    }
}
