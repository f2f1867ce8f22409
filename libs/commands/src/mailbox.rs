//! The commands that wait for one build, and their common way into the store.

use crate::{ExecuteError, Executed, Expected, Inner, Loaded, Writers, decided::Decided};
use domain::{
    BuildId,
    build::{BuildEvent, Command},
};
use futures::FutureExt as _;
use names::TenantName;
use ports::{
    Append, AppendError, Appended, Metadata, NewEvent, RecordedEvent, StoreError, StreamId, Version,
};
use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::oneshot, time::sleep};

/// Most commands that are decided together.
const MOST_TOGETHER: usize = 256;
/// So often a batch is decided, if somebody else changes the build each time.
const MOST_TRIES: u32 = 8;
/// For so many batches after one that met a conflict, somebody else is expected to want the build too.
const RIVALRY: u32 = 8;

type Answer = Result<Executed, ExecuteError>;

struct Letter {
    actor: Arc<str>,
    command: Command,
    expected: Expected,
    reply: oneshot::Sender<Answer>,
}

#[derive(Default)]
struct Waiting {
    letters: VecDeque<Letter>,
    served: bool,
    /// How many more batches leave a pause for others.
    rivalry: u32,
}

/// When a build was as it is known.
#[derive(PartialEq, Eq)]
enum Known {
    /// Once. An append proves that it still was.
    Once,
    /// When the command had been given already.
    Now,
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

    /// Folds an event, if it is the next of what is known.
    pub(crate) fn hear(&self, event: &RecordedEvent) {
        let Ok(mut held) = self.loaded.try_lock() else { return };
        if event.version == Version(1) && held.is_none() {
            *held = Some(Loaded::default());
        }
        let Some(loaded) = held.as_mut().filter(|loaded| loaded.version.0 + 1 == event.version.0) else {
            return;
        };
        // Whoever needs the build finds out that the event cannot be read.
        if loaded.fold(std::slice::from_ref(event)).is_err() {
            *held = None;
        }
    }

    pub(crate) fn post(
        &self,
        actor: Arc<str>,
        command: Command,
        expected: Expected,
    ) -> oneshot::Receiver<Answer> {
        let (reply, answer) = oneshot::channel();
        self.waiting().letters.push_back(Letter { actor, command, expected, reply });
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
                match AssertUnwindSafe(mailbox.carry_out(&inner, letters)).catch_unwind().await {
                    // Whoever was faster is faster the next time, too: somebody slower would never come through.
                    Ok(conflicts) if mailbox.makes_room(conflicts) => sleep(inner.pauses.courtesy()).await,
                    Ok(_) => {}
                    Err(_) => tracing::error!(build.id = %mailbox.id, "carrying commands out panicked"),
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

    /// Whether to leave a pause for others after a batch that met so many conflicts.
    fn makes_room(&self, conflicts: u32) -> bool {
        let mut waiting = self.waiting();
        waiting.rivalry = if conflicts > 0 { RIVALRY } else { waiting.rivalry.saturating_sub(1) };
        waiting.rivalry > 0
    }

    /// Carries letters out and answers them. Tells how often somebody else was faster.
    async fn carry_out(&self, inner: &Inner, letters: Vec<Letter>) -> u32 {
        let mut held = self.loaded.lock().await;
        let mut conflicts = 0;
        match self.settle(inner, held.take(), &letters, &mut conflicts).await {
            Ok((mut loaded, answers)) => {
                for (letter, answer) in letters.into_iter().zip(answers) {
                    // A caller who went away needs no answer.
                    let _ = letter.reply.send(answer);
                }
                inner.consider_snapshot(self.id, &mut loaded);
                *held = (loaded.version > Version(0)).then_some(loaded);
            }
            Err(error) => refuse(letters, &error),
        }
        conflicts
    }

    /// Decides and appends until nobody else is faster.
    async fn settle(
        &self,
        inner: &Inner,
        held: Option<Loaded>,
        letters: &[Letter],
        conflicts: &mut u32,
    ) -> Result<(Loaded, Vec<Answer>), ExecuteError> {
        let (mut loaded, mut known) = self.recall(inner, held, letters).await?;
        loop {
            // Deciding can take the state away.
            let owner = loaded.build.spec.as_ref().map(|spec| spec.tenant.clone());
            let commands = letters.iter().map(|letter| (&letter.command, &letter.expected));
            let decided = Decided::of(&mut loaded, commands, inner.writers);
            if decided.events.is_empty() {
                if known == Known::Now {
                    return Ok(answered(decided, loaded, None));
                }
                (loaded, known) = (inner.refresh(self.id, loaded).await?, Known::Now);
                continue;
            }
            let tenant = owner.or_else(|| tenant_of(&decided.events)).unwrap_or_default();
            match self.append(inner, loaded.version, &decided.events, letters, tenant).await {
                Ok(appended) => return Ok(answered(decided, loaded, Some(appended))),
                Err(AppendError::Store(error)) => return Err(error.into()),
                Err(AppendError::Conflict { expected, actual }) => {
                    tracing::debug!(build.id = %self.id, %expected, %actual, "decided on an old version, again");
                    *conflicts += 1;
                    if *conflicts == MOST_TRIES {
                        return Err(ExecuteError::Contended);
                    }
                    sleep(inner.pauses.after_conflicts(*conflicts)).await;
                    (loaded, known) = (inner.after_conflict(self.id, loaded, actual).await?, Known::Now);
                }
            }
        }
    }

    /// What to decide on first.
    async fn recall(
        &self,
        inner: &Inner,
        held: Option<Loaded>,
        letters: &[Letter],
    ) -> Result<(Loaded, Known), StoreError> {
        Ok(match held {
            Some(loaded) if inner.writers == Writers::OnlyThis => (loaded, Known::Now),
            Some(loaded) => (loaded, Known::Once),
            // Every build was new once; that it is not any more would come out.
            None if letters.iter().all(|letter| matches!(letter.command, Command::Submit { .. })) => {
                (Loaded::default(), Known::Once)
            }
            None => (inner.load(self.id).await?, Known::Now),
        })
    }

    async fn append(
        &self,
        inner: &Inner,
        expected: Version,
        events: &[BuildEvent],
        letters: &[Letter],
        tenant: TenantName,
    ) -> Result<Appended, AppendError> {
        let encode = |event| NewEvent::build(event).map_err(|error| StoreError::Corrupt(Box::new(error)));
        let events = events.iter().map(encode).collect::<Result<_, _>>()?;
        let actor = letters.first().map(|letter| Arc::clone(&letter.actor));
        let (stream, recorded_at) = (StreamId::Build(self.id), inner.clock.now());
        let append = Append { stream, expected, events, metadata: Metadata { actor, tenant }, recorded_at };
        inner.store.append(append).await
    }
}

/// Whose build begins with these events.
fn tenant_of(events: &[BuildEvent]) -> Option<TenantName> {
    events.iter().find_map(|event| match event {
        BuildEvent::BuildSubmitted(submitted) => Some(submitted.spec.tenant.clone()),
        _ => None,
    })
}

/// The build after all commands, and the answer to each.
fn answered(decided: Decided, mut loaded: Loaded, appended: Option<Appended>) -> (Loaded, Vec<Answer>) {
    let before = loaded.version;
    let answers = decided.come_true(&mut loaded);
    if let Some(Appended { version, position }) = appended {
        (loaded.version, loaded.position) = (version, position);
    }
    let position = loaded.position;
    let answer = |events| Executed { version: Version(before.0 + events), position };
    let answers = answers.into_iter().map(|one| one.map(answer)).collect();
    (loaded, answers)
}

fn refuse(letters: Vec<Letter>, error: &ExecuteError) {
    for letter in letters {
        let _ = letter.reply.send(Err(error.clone()));
    }
}
