use super::*;
use crate::render::progress::tests::{at, story};
use axum::{
    Router,
    http::{HeaderMap, header},
    response::IntoResponse,
    routing::get,
};
use serde_json::json;
use std::ops::Range;

/// Remembers what it was told.
#[derive(Default)]
struct Recorder(Vec<String>);

impl Display for Recorder {
    fn event(&mut self, event: &BuildEvent, progress: &Progress) {
        self.0.push(format!("{} {}", event.kind(), progress.completed));
    }

    fn note(&mut self, text: &str) {
        self.0.push(text.to_owned());
    }
}

/// Events of the story as a server sends them; the position is ten times the place in the story.
fn sent(range: Range<usize>) -> String {
    let story = story();
    let one = |place: usize| {
        let (event, recorded_at) = &story[place];
        let data: serde_json::Value = serde_json::from_str(&event.encode().unwrap()).unwrap();
        let view = json!({ "type": event.kind(), "buildId": "bld_1", "sequence": place * 10, "version": place + 1,
            "schemaVersion": 1, "timestamp": recorded_at, "data": data });
        format!("id: {}\nevent: {}\ndata: {view}\n\n", place * 10, event.kind())
    };
    range.map(one).collect()
}

/// A server that sends the story from where it is asked to, and up to a place; there it dies.
async fn server(until: usize, ends: bool) -> Client {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stop = std::sync::Arc::new(std::sync::Mutex::new(Some(stop)));
    let events = move |headers: HeaderMap| async move {
        let after =
            headers.get("last-event-id").map(|id| id.to_str().unwrap().parse::<usize>().unwrap() / 10);
        // One more than was asked for: what was seen must not be shown again.
        let mut text = sent(after.unwrap_or(0)..until);
        if ends {
            text += "event: end\ndata: {}\n\n";
        } else if let Some(stop) = stop.lock().unwrap().take() {
            let _ = stop.send(());
        }
        ([(header::CONTENT_TYPE, "text/event-stream"), (header::CONNECTION, "close")], text).into_response()
    };
    let router = Router::new().route("/v1/builds/bld_1/events", get(events));
    tokio::spawn(async move {
        let stopping = async {
            let _ = stopped.await;
        };
        axum::serve(listener, router).with_graceful_shutdown(stopping).await
    });
    Client::new(&format!("http://{address}")).unwrap()
}

#[tokio::test]
async fn a_build_that_outlives_its_server_is_watched_to_its_end() {
    let (first, second) = (server(6, false).await, server(14, true).await);
    let (mut recorder, mut interrupts) = (Recorder::default(), Interrupts::listen().unwrap());
    let mut watch = Watch::new("bld_1");
    let lost = watch.run(&first, &mut recorder, &mut interrupts, OnInterrupt::Leave).await.unwrap_err();
    assert!(matches!(lost, ClientError::Unreachable { .. }), "{lost}");
    assert_eq!(recorder.0.len(), 6);

    let ended = watch.run(&second, &mut recorder, &mut interrupts, OnInterrupt::Leave).await.unwrap();
    assert_eq!(ended, Watched::Ended);
    let kinds: Vec<String> = story().iter().map(|(event, _)| event.kind().to_owned()).collect();
    let shown: Vec<&str> = recorder.0.iter().filter_map(|text| text.split(' ').next()).collect();
    assert_eq!(shown, kinds, "each once, and in order");
    assert_eq!(watch.progress.completed, 2);
    assert_eq!(watch.progress.attempts.last().map(|attempt| attempt.to), Some(at(2_000)));
}
