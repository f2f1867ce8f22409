//! A client of WebSockets.

use super::{Api, SseEvent};
use futures::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _},
};

pub(crate) struct Socket {
    inner: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// What was answered to the request for it.
    pub(crate) headers: HeaderMap,
    pub(crate) pings: usize,
    /// The code and the reason with which it was closed.
    pub(crate) closed: Option<(u16, String)>,
}

/// The answer to a request for a socket that there will not be.
#[derive(Debug)]
pub(crate) struct NoSocket {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) problem: Value,
}

impl Socket {
    pub(crate) async fn open(api: &Api, path: &str) -> Self {
        Self::open_with(api, path, &[]).await.unwrap()
    }

    pub(crate) async fn open_with(
        api: &Api,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, NoSocket> {
        let mut request = format!("{}{path}", api.base.replace("http", "ws")).into_client_request().unwrap();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).unwrap();
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        let opened = tokio::time::timeout(Duration::from_secs(20), connect_async(request));
        match opened.await.expect("an answer within 20 seconds") {
            Ok((inner, answer)) => {
                Ok(Self { inner, headers: answer.headers().clone(), pings: 0, closed: None })
            }
            Err(Error::Http(answer)) => Err(NoSocket {
                status: answer.status().as_u16(),
                headers: answer.headers().clone(),
                problem: serde_json::from_slice(answer.body().as_deref().unwrap_or_default()).unwrap(),
            }),
            Err(error) => panic!("{path}: {error}"),
        }
    }

    /// What is told next; `None` once the socket is closed.
    pub(crate) async fn next(&mut self) -> Option<SseEvent> {
        loop {
            let heard = tokio::time::timeout(Duration::from_secs(30), self.inner.next());
            match heard.await.expect("the socket says something within 30 seconds")? {
                Ok(Message::Text(text)) => return Some(parse(&text)),
                Ok(Message::Ping(_)) => self.pings += 1,
                Ok(Message::Close(frame)) => {
                    self.closed = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                }
                Ok(other) => panic!("{other:?}"),
                Err(_) => return None,
            }
        }
    }

    pub(crate) async fn take(&mut self, count: usize) -> Vec<SseEvent> {
        let mut events = Vec::new();
        for _ in 0..count {
            events.push(self.next().await.expect("another event"));
        }
        events
    }

    pub(crate) async fn rest(&mut self) -> Vec<SseEvent> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }

    pub(crate) async fn say(&mut self, message: Message) {
        self.inner.send(message).await.unwrap();
    }

    pub(crate) fn closed_with(&self) -> Option<(u16, &str)> {
        self.closed.as_ref().map(|(code, reason)| (*code, reason.as_str()))
    }
}

fn parse(text: &str) -> SseEvent {
    let mut frame: Value = serde_json::from_str(text).unwrap();
    let event = SseEvent {
        id: frame.get("id").map(|id| id.as_str().unwrap().parse().unwrap()),
        event: frame["event"].as_str().unwrap().to_owned(),
        data: frame["data"].take(),
    };
    let known =
        frame.as_object().unwrap().keys().all(|name| ["id", "event", "data"].contains(&name.as_str()));
    assert!(known, "{text}");
    event
}
