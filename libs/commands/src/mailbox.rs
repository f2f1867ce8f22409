//! The commands that wait for one build, and their common way into the store.

use crate::{ExecuteError, Executed, Inner, Loaded};
use domain::{
    BuildId,
    build::{BuildEvent, Command, Rejection},
};
use futures::FutureExt as _;
use ports::{Append, AppendError, Metadata, NewEvent, StoreError, StreamId, Version};
use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// Most commands that are decided together.
const MOST_TOGETHER: usize = 256;
/// So often a batch is decided again after somebody else changed the build.
const MOST_TRIES: usize = 8;

type Answer = Result<Executed, ExecuteError>;

struct Letter {
    actor: Arc<str>,
    command: Command,
    reply: oneshot::Sender<Answer>,
}

#[derive(Default)]
struct Waiting {
    letters: VecDeque<Letter>,
    served: bool,
}

pub(crate) struct Mailbox {
    id: BuildId,
    waiting: Mutex<Waiting>,
    loaded: tokio::sync::Mutex<Option<Loaded>>,
}

impl Mailbox {
    pub(crate) fn new(id: BuildId) -> Self {
        Self { id, waiting: Mutex::default(), loaded: tokio::sync::Mutex::default() }
    }

    pub(crate) async fn lock(&self) -> tokio::sync::MutexGuard<'_, Option<Loaded>> {
        self.loaded.lock().await
    }

    pub(crate) fn post(&self, actor: Arc<str>, command: Command) -> oneshot::Receiver<Answer> {
        let (reply, answer) = oneshot::channel();
        self.waiting().letters.push_back(Letter { actor, command, reply });
        answer
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that what waits is carried out: by the task that is at it already, or by a new one. A task
    /// of its own, so that a caller who goes away cannot leave a batch half done.
    pub(crate) fn serve(mailbox: Arc<Self>, inner: Arc<Inner>) {
        if std::mem::replace(&mut mailbox.waiting().served, true) {
            return;
        }
        tokio::spawn(async move {
            while let Some(letters) = mailbox.collect() {
                // A panic costs its own batch the answers; what was held of the build is gone with it, and
                // the letters behind find it read anew.
                let carried_out = AssertUnwindSafe(mailbox.carry_out(&inner, letters)).catch_unwind();
                if carried_out.await.is_err() {
                    tracing::error!(build.id = %mailbox.id, "carrying commands out panicked");
                }
            }
        });
    }

    /// The next letters of one actor, or none: then nobody serves any more.
    fn collect(&self) -> Option<Vec<Letter>> {
        let mut waiting = self.waiting();
        let Some(actor) = waiting.letters.front().map(|letter| Arc::clone(&letter.actor)) else {
            waiting.served = false;
            return None;
        };
        let same = waiting.letters.iter().take(MOST_TOGETHER).take_while(|l| l.actor == actor).count();
        Some(waiting.letters.drain(..same).collect())
    }

    async fn carry_out(&self, inner: &Inner, letters: Vec<Letter>) {
        let mut held = self.loaded.lock().await;
        for _ in 0..MOST_TRIES {
            let loaded = match inner.current(self.id, held.take()).await {
                Ok(loaded) => loaded,
                Err(error) => return refuse(letters, &ExecuteError::from(error)),
            };
            match self.try_once(inner, loaded, &letters).await {
                Ok((loaded, answers)) => {
                    *held = (loaded.version > Version(0)).then_some(loaded);
                    drop(held);
                    for (letter, answer) in letters.into_iter().zip(answers) {
                        // A caller who went away needs no answer.
                        let _ = letter.reply.send(answer);
                    }
                    return;
                }
                Err(AppendError::Conflict { expected, actual }) => {
                    tracing::debug!(build.id = %self.id, %expected, %actual, "decided on an old version, again");
                }
                Err(AppendError::Store(error)) => return refuse(letters, &ExecuteError::from(error)),
            }
        }
        refuse(letters, &ExecuteError::Contended);
    }

    /// Decides all letters on one state, each seeing what those before it led to, and appends at once.
    async fn try_once(
        &self,
        inner: &Inner,
        mut loaded: Loaded,
        letters: &[Letter],
    ) -> Result<(Loaded, Vec<Answer>), AppendError> {
        let expected = loaded.version;
        let mut decided: Vec<Result<u64, Rejection>> = Vec::with_capacity(letters.len());
        let mut events: Vec<NewEvent> = Vec::new();
        for letter in letters {
            decided.push(match loaded.build.decide(letter.command.clone()) {
                Ok(new) => {
                    for event in &new {
                        events.push(encode(event)?);
                        loaded.build.apply(event);
                    }
                    Ok(expected.0 + events.len() as u64)
                }
                Err(rejection) => Err(rejection),
            });
        }
        if let Some(metadata) = letters.first().filter(|_| !events.is_empty()).map(metadata) {
            let stream = StreamId::Build(self.id);
            let recorded_at = inner.clock.now();
            let appended =
                inner.store.append(Append { stream, expected, events, metadata, recorded_at }).await?;
            loaded.version = appended.version;
            loaded.position = appended.position;
        }
        let position = loaded.position;
        let answer = |version| Executed { version: Version(version), position };
        let answers = decided.into_iter().map(|one| one.map(answer).map_err(ExecuteError::from)).collect();
        Ok((loaded, answers))
    }
}

fn metadata(letter: &Letter) -> Metadata {
    Metadata { actor: Some(Arc::clone(&letter.actor)) }
}

fn encode(event: &BuildEvent) -> Result<NewEvent, AppendError> {
    NewEvent::build(event).map_err(|error| StoreError::Corrupt(Box::new(error)).into())
}

fn refuse(letters: Vec<Letter>, error: &ExecuteError) {
    for letter in letters {
        let _ = letter.reply.send(Err(error.clone()));
    }
}
