//! What is said without waiting for it, and that it has been said.

use crate::NatsBus;
use async_nats::{Client, Subject};
use bytes::Bytes;
use futures::StreamExt;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

impl NatsBus {
    /// Says something without waiting for it: in the order of these calls, and before the bus is closed. It may
    /// not arrive.
    pub(crate) fn say(&self, subject: Subject, payload: Bytes) {
        let _ = self.words.send(Word::Say(subject, payload));
    }

    /// Waits until everything is said that is to be.
    pub(crate) async fn all_said(&self) {
        let (said, all_said) = oneshot::channel();
        let _ = self.words.send(Word::Mark(said));
        let _ = all_said.await;
    }

    /// Waits until the server has seen everything that was sent before.
    pub(crate) async fn round_trip(&self) {
        if !self.is_connected() {
            return;
        }
        let inbox = self.client.new_inbox();
        if let Ok(mut echo) = self.client.subscribe(inbox.clone()).await
            && self.client.publish(inbox, Bytes::new()).await.is_ok()
        {
            let _ = timeout(self.options.request_timeout, echo.next()).await;
        }
    }
}

/// What is said without being awaited.
pub(super) enum Word {
    Say(Subject, Bytes),
    /// Everything before it has been said.
    Mark(oneshot::Sender<()>),
}

pub(super) fn speak(client: Client) -> mpsc::UnboundedSender<Word> {
    let (words, mut said) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(word) = said.recv().await {
            match word {
                Word::Say(subject, payload) => {
                    let _ = client.publish(subject, payload).await;
                }
                Word::Mark(mark) => {
                    let _ = mark.send(());
                }
            }
        }
    });
    words
}
