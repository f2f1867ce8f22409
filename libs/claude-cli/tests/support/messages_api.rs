//! As much of the Messages API as the CLI needs to work: HTTP/1.1, one request a connection.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What the model says next.
#[derive(Clone)]
pub(crate) enum Reply {
    Text(&'static str),
    Tool(&'static str, Value),
    Failure(u16, &'static str),
}

/// Tokens that every successful reply reports.
pub(crate) const INPUT_TOKENS: u64 = 100;
pub(crate) const OUTPUT_TOKENS: u64 = 20;

pub(crate) struct MessagesApi {
    pub(crate) url: String,
    /// Bodies of the requests for messages so far.
    pub(crate) requests: Arc<Mutex<Vec<Value>>>,
}

impl MessagesApi {
    /// Gives `replies` in order, then the last one again and again.
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(replies.into_iter().collect::<VecDeque<_>>()));
        let api = Self { url, requests: requests.clone() };
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, script.clone(), requests.clone()));
            }
        });
        api
    }

    /// The text of the prompt in the first request.
    pub(crate) fn first_prompt(&self) -> String {
        let requests = self.requests.lock().unwrap();
        let content = &requests[0]["messages"][0]["content"];
        match content.as_array() {
            None => content.as_str().unwrap().to_owned(),
            Some(blocks) => blocks.last().unwrap()["text"].as_str().unwrap().to_owned(),
        }
    }
}

async fn serve(
    mut connection: TcpStream,
    script: Arc<Mutex<VecDeque<Reply>>>,
    requests: Arc<Mutex<Vec<Value>>>,
) {
    let (first, body) = read_request(&mut connection).await;
    let answer = if first.starts_with("POST /v1/messages?") {
        let number = {
            let mut requests = requests.lock().unwrap();
            requests.push(serde_json::from_slice(&body).unwrap());
            requests.len()
        };
        let mut script = script.lock().unwrap();
        let reply = if script.len() > 1 { script.pop_front() } else { script.front().cloned() };
        drop(script);
        respond(number, &reply.unwrap())
    } else {
        http(404, "application/json", "{}")
    };
    // A client that is gone is none of our business.
    let _ = connection.write_all(answer.as_bytes()).await;
}

async fn read_request(connection: &mut TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(connection);
    let mut first = String::new();
    reader.read_line(&mut first).await.unwrap();
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).await.unwrap() <= 2 {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.unwrap();
    (first, body)
}

fn respond(number: usize, reply: &Reply) -> String {
    let (block, delta, reason) = match reply {
        Reply::Failure(status, kind) => {
            let error = json!({"type": "error", "error": {"type": kind, "message": "scripted"}});
            return http(*status, "application/json", &error.to_string());
        }
        Reply::Text(text) => {
            (json!({"type": "text", "text": ""}), json!({"type": "text_delta", "text": text}), "end_turn")
        }
        Reply::Tool(name, input) => (
            json!({"type": "tool_use", "id": format!("toolu_{number}"), "name": name, "input": {}}),
            json!({"type": "input_json_delta", "partial_json": input.to_string()}),
            "tool_use",
        ),
    };
    let message = json!({"id": format!("msg_{number}"), "type": "message", "role": "assistant",
        "model": super::MODEL, "content": [], "stop_reason": null,
        "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": 1}});
    let events = [
        json!({"type": "message_start", "message": message}),
        json!({"type": "content_block_start", "index": 0, "content_block": block}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": OUTPUT_TOKENS}}),
        json!({"type": "message_stop"}),
    ];
    let stream: String =
        events.iter().map(|e| format!("event: {}\ndata: {e}\n\n", e["type"].as_str().unwrap())).collect();
    http(200, "text/event-stream", &stream)
}

fn http(status: u16, kind: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} Scripted\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
