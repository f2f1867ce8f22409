use futures::future::{BoxFuture, FutureExt as _, join_all};
use std::{error::Error, fmt, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Why a part is not ready. It is logged and never sent.
pub type CheckError = Box<dyn Error + Send + Sync>;

type Ask = Arc<dyn Fn() -> BoxFuture<'static, Result<(), CheckError>> + Send + Sync>;

/// Why a process is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReady {
    /// It is about to end.
    Stopping,
    /// These parts do not work.
    Parts(Vec<&'static str>),
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopping => f.write_str("the process is stopping"),
            Self::Parts(parts) => write!(f, "not ready: {}", parts.join(", ")),
        }
    }
}

/// The parts that must work for a process to be ready.
#[derive(Clone)]
pub struct ReadyChecks {
    parts: Vec<(&'static str, Ask)>,
    stopping: CancellationToken,
    patience: Duration,
}

impl Default for ReadyChecks {
    fn default() -> Self {
        Self { parts: Vec::new(), stopping: CancellationToken::new(), patience: Duration::from_secs(2) }
    }
}

impl ReadyChecks {
    /// One more part. Its name, such as `store` or `bus`, is told when it does not work.
    #[must_use]
    pub fn with<F: Future<Output = Result<(), CheckError>> + Send + 'static>(
        mut self,
        part: &'static str,
        ask: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        self.parts.push((part, Arc::new(move || ask().boxed())));
        self
    }

    /// Once this is cancelled the process is not ready any more: what it is at it ends.
    #[must_use]
    pub fn until(self, stopping: CancellationToken) -> Self {
        Self { stopping, ..self }
    }

    /// A part that says nothing for so long does not work. 2 s if not set.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Asks all parts at once.
    ///
    /// # Errors
    /// What does not work.
    pub async fn check(&self) -> Result<(), NotReady> {
        if self.stopping.is_cancelled() {
            return Err(NotReady::Stopping);
        }
        let asked = self.parts.iter().map(|(part, ask)| async move {
            let works = self.works(part, ask()).await;
            (!works).then_some(*part)
        });
        let failed: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
        if failed.is_empty() { Ok(()) } else { Err(NotReady::Parts(failed)) }
    }

    async fn works(&self, part: &str, asked: impl Future<Output = Result<(), CheckError>>) -> bool {
        match tokio::time::timeout(self.patience, asked).await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => tracing::warn!(part, error = error.as_ref(), "not ready"),
            Err(_) => tracing::warn!(part, "not ready: no answer in time"),
        }
        false
    }
}

impl fmt::Debug for ReadyChecks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.parts.iter().map(|(part, _)| part)).finish()
    }
}
