//! A client of server-sent events.

use futures::{StreamExt as _, stream::BoxStream};
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use std::time::Duration;

pub(crate) struct Sse {
    bytes: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    buffer: String,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SseEvent {
    pub(crate) id: Option<u64>,
    pub(crate) event: String,
    pub(crate) data: Value,
}

impl Sse {
    pub(crate) async fn open(request: RequestBuilder) -> Self {
        let response = request
            .header("accept", "text/event-stream")
            .header("accept-encoding", "gzip")
            .send()
            .await
            .unwrap();
        Self::of(response)
    }

    pub(crate) fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        assert!(!response.headers().contains_key("content-encoding"));
        Self { bytes: response.bytes_stream().boxed(), buffer: String::new() }
    }

    /// The next event; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<SseEvent> {
        while let Some(block) = self.block().await {
            if let Some(event) = parse(&block) {
                return Some(event);
            }
        }
        None
    }

    /// Waits for a comment, before any event.
    pub(crate) async fn comment(&mut self) {
        let block = self.block().await.expect("the stream is open");
        assert_eq!(parse(&block), None);
    }

    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let block = block.to_owned();
                self.buffer = rest.to_owned();
                return Some(block);
            }
            let chunk = tokio::time::timeout(Duration::from_secs(30), self.bytes.next());
            match chunk.await.expect("the stream says something within 30 seconds") {
                Some(bytes) => self.buffer.push_str(std::str::from_utf8(&bytes.unwrap()).unwrap()),
                None => return None,
            }
        }
    }

    /// So many events.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<SseEvent> {
        let mut events = Vec::new();
        for _ in 0..count {
            events.push(self.next().await.expect("another event"));
        }
        events
    }

    /// Everything up to the end of the stream.
    pub(crate) async fn rest(&mut self) -> Vec<SseEvent> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

fn parse(block: &str) -> Option<SseEvent> {
    let mut event = SseEvent::default();
    for line in block.lines().filter(|line| !line.starts_with(':')) {
        match line.split_once(": ")? {
            ("id", id) => event.id = Some(id.parse().unwrap()),
            ("event", name) => event.event = name.to_owned(),
            ("data", data) => event.data = serde_json::from_str(data).unwrap(),
            other => panic!("{other:?}"),
        }
    }
    (!event.event.is_empty()).then_some(event)
}
