//! The task that appends.

use crate::{
    batch::{self, Outcome, Waiting, recorded},
    dice::Dice,
    failure::{Failure, Meaning},
    link::Link,
    progress::{Progress, Shared},
};
use ports::StoreError;
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};

/// Most appends that are held here; more wait for a place.
const WAITING: usize = 1024;
/// So often a statement is sent again that others were in the way of.
const MOST_TRIES: u32 = 8;

/// What the appender can be asked.
#[derive(Debug)]
pub(crate) enum Request {
    Append(Waiting),
    Close(oneshot::Sender<()>),
}

/// The only one in this process who appends.
pub(crate) struct Appender {
    link: Link,
    patience: Duration,
    shared: Arc<Shared>,
    dice: Dice,
    waiting: VecDeque<Waiting>,
}

impl Appender {
    pub(crate) fn new(link: Link, patience: Duration, shared: Arc<Shared>) -> Self {
        Self { link, patience, shared, dice: Dice::default(), waiting: VecDeque::new() }
    }

    /// Appends until the store is closed or dropped.
    pub(crate) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut closing = Vec::new();
        let mut accept =
            |request, waiting: &mut VecDeque<Waiting>, requests: &mut mpsc::Receiver<_>| match request {
                Request::Append(one) => waiting.push_back(one),
                Request::Close(answer) => {
                    closing.push(answer);
                    requests.close();
                }
            };
        loop {
            // Those who were just answered get to ask again before the next statement is made up: otherwise
            // the first of them would have one to itself and the rest would wait for the one after.
            tokio::task::yield_now().await;
            if self.waiting.is_empty() {
                let Some(request) = requests.recv().await else { break };
                accept(request, &mut self.waiting, &mut requests);
            }
            while self.waiting.len() < WAITING
                && let Ok(request) = requests.try_recv()
            {
                accept(request, &mut self.waiting, &mut requests);
            }
            let batch = batch::take(&mut self.waiting);
            if !batch.is_empty() {
                self.serve(batch).await;
            }
        }
        self.link.close().await;
        for answer in closing {
            let _ = answer.send(());
        }
    }

    /// Stores a batch and answers it. Whoever stopped waiting for an answer is not told.
    async fn serve(&mut self, batch: Vec<Waiting>) {
        match self.store(&batch).await {
            Ok(outcomes) => self.answer(batch, outcomes),
            // One of them spoils it for all: each on its own, then.
            Err(error) if Meaning::of(&error) == Meaning::Unfit && batch.len() > 1 => {
                for one in batch {
                    Box::pin(self.serve(vec![one])).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, appends = batch.len(), "nothing could be appended to the event store");
                let failure = Failure::from(error);
                for one in batch {
                    let _ = one.answer.send(Err(StoreError::from(failure.clone()).into()));
                }
            }
        }
    }

    async fn store(&mut self, batch: &[Waiting]) -> Result<Vec<Outcome>, sqlx::Error> {
        let number = self.dice.roll();
        let began = Instant::now();
        // While the server is known to be away, nobody waits to hear so.
        let patience = if self.link.is_up() { self.patience } else { Duration::ZERO };
        let mut tries = 0;
        loop {
            let error = match self.link.append(batch, number).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(error) => error,
            };
            tries += 1;
            let again = match Meaning::of(&error) {
                Meaning::InTheWay => tries < MOST_TRIES,
                Meaning::Lost => began.elapsed() < patience,
                Meaning::Unfit | Meaning::Refused => false,
            };
            if !again {
                return Err(error);
            }
            tracing::debug!(%error, tries, "an append is sent again");
            tokio::time::sleep(self.dice.pause(tries)).await;
        }
    }

    /// After commit: lets everybody see it.
    fn answer(&self, batch: Vec<Waiting>, outcomes: Vec<Outcome>) {
        let mut known = self.shared.known();
        let mut answers = Vec::with_capacity(batch.len());
        let mut stored = Vec::with_capacity(batch.len());
        for (Waiting { append, answer }, outcome) in batch.into_iter().zip(outcomes) {
            answers.push((answer, outcome.of(&append)));
            if let Outcome::Stored(position) = outcome {
                known.head = known.head.max(position);
                stored.push((append, position));
            }
        }
        if !stored.is_empty() {
            self.publish(stored, known);
        }
        for (answer, result) in answers {
            let _ = answer.send(result);
        }
    }

    fn publish(&self, mut stored: Vec<(ports::Append, ports::Position)>, known: Progress) {
        stored.sort_unstable_by_key(|(_, position)| *position);
        let mut tail = self.shared.tail();
        for event in stored.into_iter().flat_map(|(append, position)| recorded(append, position)) {
            tail.stored(event);
        }
        drop(tail);
        self.shared.learn(known);
    }
}
