//! HEAD and OPTIONS on every path, and the trace of a request.

use crate::support::Api;
use reqwest::Method;

async fn paths(api: &Api) -> Vec<(String, bool)> {
    let document = api.json("/openapi.json").await;
    let id = api.submit_chain(1).await;
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .map(|(path, operations)| {
            let task = id.task(plan::TaskNumber(0)).to_string();
            let named = if path.starts_with("/v1/tasks") { task } else { id.to_string() };
            let concrete = path.replace("{id}", &named);
            (concrete, operations.get("get").is_some())
        })
        .collect()
}

#[tokio::test]
async fn options_tells_the_methods_of_a_path() {
    let api = Api::start().await;
    for (path, reads) in paths(&api).await {
        let response = api.request(Method::OPTIONS, &path).send().await.unwrap();
        assert_eq!(response.status(), 204, "{path}");
        let allow = response.headers()["allow"].to_str().unwrap().to_owned();
        assert!(allow.contains("OPTIONS"), "{path}: {allow}");
        assert_eq!(allow.contains("GET, HEAD"), reads, "{path}: {allow}");
        assert!(response.bytes().await.unwrap().is_empty());

        let refused = api.request(Method::PATCH, &path).send().await.unwrap();
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["allow"]),
            (405, &allow.parse().unwrap()),
            "{path}"
        );
    }
    assert_eq!(api.request(Method::OPTIONS, "/v1/nothing").send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn head_is_get_without_its_body_on_every_path() {
    let api = Api::start().await;
    for (path, _) in paths(&api).await.into_iter().filter(|(path, reads)| *reads && path != "/metrics") {
        let get = api.get(&path).await;
        let head = api.request(Method::HEAD, &path).send().await.unwrap();
        assert_eq!(head.status(), get.status(), "{path}");
        for name in ["content-type", "content-length", "etag", "link", "vary"] {
            assert_eq!(head.headers().get(name), get.headers().get(name), "{name} of {path}");
        }
        assert!(head.headers().contains_key("content-length"), "{path}");
        assert!(head.bytes().await.unwrap().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_request_goes_on_with_the_trace_of_its_client() {
    let api = Api::start().await;
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let ask = async |traceparent: String| {
        let request = api.request(Method::GET, "/v1/nothing").header("traceparent", traceparent);
        let response = request.send().await.unwrap();
        let parts: Vec<String> =
            response.headers()["traceparent"].to_str().unwrap().split('-').map(str::to_owned).collect();
        let [version, trace, span, flags] = parts.try_into().unwrap();
        assert_eq!((version.as_str(), trace.len(), span.len()), ("00", 32, 16));
        (trace, span, flags)
    };
    let (answered, span, flags) = ask(format!("00-{trace}-{parent}-01")).await;
    assert_eq!((answered.as_str(), flags.as_str()), (trace, "01"));
    assert_ne!(span, parent);

    let (fresh, ..) = ask(format!("00-{trace}-{parent}")).await;
    assert_ne!(fresh, trace, "what is malformed counts as nothing");
    assert_ne!(fresh, ask(String::new()).await.0, "each has its own");
}
