//! A running API and what moves its builds on.

mod clients;
mod deliveries;
mod endpoints;
mod memory;
mod socket;
mod sse;

pub(crate) use clients::{Client, client, key};
pub(crate) use deliveries::{MemoryDeliveries, answered};
pub(crate) use memory::COMMIT;
pub(crate) use socket::Socket;
pub(crate) use sse::{Sse, SseEvent};

use ::endpoints::{Endpoints, Vault};
use buildwright_api::{Access, Anonymous, ApiSettings, App, AppParts, Delivering, Figures};
use commands::{Builds, Writers};
use domain::{
    BuildId, ModelUsage, Usage,
    build::{Attempt, Command, MergeResult, Outcome, Success, TaskResult, Work},
};
use endpoints::{Dice, MemorySecrets};
use memory::{
    Counter, MemoryIdempotency, MemoryKeys, MemoryModels, MemoryOutput, MemoryResults, MemoryRoster,
    MemoryStore, Ticking,
};
use names::{KeyId, Scope};
use plan::TaskNumber;
use ports::{
    ApiKey, ApiKeys as _, EventStore as _, KeyChange, KeyLimits, KeyText, OutputChunk, OutputLog as _,
    OutputStream,
};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::{CancellationToken, DropGuard};
use ulid::Ulid;
use vitals::{Metrics, ReadyChecks};

pub(crate) struct Api {
    pub(crate) base: String,
    pub(crate) app: App,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) models: Arc<MemoryModels>,
    pub(crate) idempotency: Arc<MemoryIdempotency>,
    pub(crate) output: Arc<MemoryOutput>,
    pub(crate) results: Arc<MemoryResults>,
    pub(crate) roster: Arc<MemoryRoster>,
    pub(crate) keys: Arc<MemoryKeys>,
    pub(crate) secrets: Arc<MemorySecrets>,
    pub(crate) deliveries: Arc<MemoryDeliveries>,
    pub(crate) stop: CancellationToken,
    client: reqwest::Client,
    _stop: DropGuard,
}

impl Api {
    pub(crate) async fn start() -> Self {
        Self::with(ApiSettings::default()).await
    }

    pub(crate) async fn with(settings: ApiSettings) -> Self {
        Self::of(settings, Writers::OnlyThis).await
    }

    /// One of several processes over a store: it looks there before it answers.
    pub(crate) async fn among_several(settings: ApiSettings) -> Self {
        Self::of(settings, Writers::Several).await
    }

    /// Which nobody enters without a key.
    pub(crate) async fn behind_keys(settings: ApiSettings) -> Self {
        let api = Self::with(settings).await;
        let settings = api.app.settings.keys.clone();
        let access = Access::new(api.keys.clone(), settings, Anonymous::Refused, Figures::Admin);
        let app = App::new(AppParts { access: Arc::new(access), ..AppParts::clone(&api.app) });
        api.serving(app).await
    }

    async fn of(settings: ApiSettings, writers: Writers) -> Self {
        // A second test of the process finds it installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let store = Arc::new(MemoryStore::default());
        let models = MemoryModels::over(&store);
        let idempotency = Arc::new(MemoryIdempotency::default());
        let output = Arc::new(MemoryOutput::default());
        let results = Arc::new(MemoryResults::default());
        let roster = Arc::new(MemoryRoster::default());
        let keys = Arc::new(MemoryKeys::default());
        let access = Access::new(keys.clone(), settings.keys.clone(), Anonymous::Local, Figures::Open);
        let clock = Arc::new(Ticking::default());
        let stop = CancellationToken::new();
        let secrets = Arc::new(MemorySecrets::default());
        let deliveries = Arc::new(MemoryDeliveries::default());
        let seal = seal::Seal::new(seal::MasterKey::from_bytes(&[42; 32]));
        let vault = Vault::new(secrets.clone(), seal, Arc::new(Dice::default()));
        let app = App::new(AppParts {
            builds: Arc::new(Builds::new(store.clone(), clock.clone(), writers, 100)),
            endpoints: Some(Arc::new(Endpoints::new(store.clone(), vault, clock.clone()))),
            delivering: Some(Delivering { deliveries: deliveries.clone(), pings: deliveries.clone() }),
            endpoint_list: models.clone(),
            access: Arc::new(access),
            store: store.clone(),
            read_models: models.clone(),
            idempotency: idempotency.clone(),
            output: output.clone(),
            results: results.clone(),
            roster: roster.clone(),
            clock,
            ids: Arc::new(Counter::default()),
            settings: Arc::new(settings),
            ready: ReadyChecks::default(),
            metrics: Arc::new(Metrics::new("api", "0.0.0")),
            stop: stop.clone(),
        });
        let base = serve(&app).await;
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        Self {
            base,
            app,
            store,
            models,
            idempotency,
            output,
            results,
            roster,
            keys,
            secrets,
            deliveries,
            _stop: stop.clone().drop_guard(),
            stop,
            client,
        }
    }

    /// The same, with something else behind it.
    pub(crate) async fn serving(self, app: App) -> Self {
        Self { base: serve(&app).await, app, ..self }
    }

    /// Another process over the same stores.
    pub(crate) async fn replica(&self) -> Self {
        let builds = Builds::new(self.store.clone(), self.app.clock.clone(), Writers::Several, 100);
        let stop = CancellationToken::new();
        let app =
            App::new(AppParts { builds: Arc::new(builds), stop: stop.clone(), ..AppParts::clone(&self.app) });
        Self {
            base: serve(&app).await,
            app,
            store: self.store.clone(),
            models: self.models.clone(),
            idempotency: self.idempotency.clone(),
            output: self.output.clone(),
            results: self.results.clone(),
            roster: self.roster.clone(),
            keys: self.keys.clone(),
            secrets: self.secrets.clone(),
            deliveries: self.deliveries.clone(),
            _stop: stop.clone().drop_guard(),
            stop,
            client: self.client.clone(),
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// The JSON of an answer that is expected to be a success.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path).json(body).send().await.unwrap()
    }

    /// The text of a new key.
    pub(crate) async fn key(&self, n: u8, tenant: &str, scopes: &[Scope], limits: KeyLimits) -> String {
        let text = KeyText::from_random(&[n; 8], &[n; 32]);
        let key = ApiKey {
            id: KeyId::new(Ulid(n.into())),
            prefix: text.prefix().clone(),
            digest: text.digest(),
            name: "a test".parse().unwrap(),
            tenant: tenant.parse().unwrap(),
            scopes: scopes.iter().copied().collect(),
            limits,
            created: KeyChange { at: self.app.clock.now(), by: "cli:ann".into() },
            expires_at: None,
            revoked: None,
            last_used_at: None,
        };
        self.keys.create_key(&key).await.unwrap();
        text.expose().to_owned()
    }

    /// Submits a build whose plan is a chain of so many tasks.
    pub(crate) async fn submit_chain(&self, tasks: u32) -> BuildId {
        let one = |n: u32| json!({"id": format!("t{n}"), "type": "agent", "prompt": "work"});
        let after = |n: u32| json!({"task": format!("t{n}"), "dependsOn": [format!("t{}", n - 1)]});
        let plan = json!({
            "tasks": (0..tasks).map(one).collect::<Vec<_>>(),
            "dependencies": (1..tasks).map(after).collect::<Vec<_>>(),
        });
        self.submit(&json!({"prompt": "a chain", "plan": plan})).await
    }

    pub(crate) async fn submit(&self, body: &Value) -> BuildId {
        let response = self.post("/v1/builds", body).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        response.json::<Value>().await.unwrap()["id"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) async fn command(&self, id: BuildId, command: Command) {
        self.app.builds.execute(id, "driver".into(), command).await.unwrap();
    }

    pub(crate) async fn start_work(&self, id: BuildId, work: Work) {
        let at = self.app.clock.now();
        let executor = "executor-1".to_owned();
        self.command(id, Command::Start { work, attempt: Attempt::FIRST, executor, at }).await;
    }

    pub(crate) async fn finish(&self, id: BuildId, work: Work, result: Result<Success, domain::Failure>) {
        let tokens = ModelUsage {
            input_tokens: 100,
            output_tokens: 7,
            cost_nano_usd: 1_500_000,
            ..ModelUsage::default()
        };
        let usage = if work == Work::Merge {
            Usage::default()
        } else {
            Usage { by_model: [("haiku".to_owned(), tokens)].into() }
        };
        let outcome = Outcome { result, usage, session_id: Some("session-1".to_owned()), duration_ms: 5 };
        let at = self.app.clock.now();
        self.command(id, Command::Finish { work, attempt: Attempt::FIRST, outcome, at }).await;
    }

    pub(crate) async fn complete_task(&self, id: BuildId, number: u32) {
        let work = Work::Task(TaskNumber(number));
        self.start_work(id, work).await;
        let result = TaskResult {
            commit: COMMIT.parse().unwrap(),
            bundle: None,
            files_changed: 1,
            summary: "done".to_owned(),
        };
        self.finish(id, work, Ok(Success::Task(result))).await;
    }

    pub(crate) async fn merge(&self, id: BuildId) {
        self.start_work(id, Work::Merge).await;
        let result = MergeResult {
            base: "b".repeat(40).parse().unwrap(),
            commit: COMMIT.parse().unwrap(),
            branch: "main".to_owned(),
            files_changed: 2,
        };
        self.finish(id, Work::Merge, Ok(Success::Merge(result))).await;
    }

    /// Carries a chain to its end.
    pub(crate) async fn complete(&self, id: BuildId, tasks: u32) {
        for number in 0..tasks {
            self.complete_task(id, number).await;
        }
        self.merge(id).await;
    }

    pub(crate) async fn write_output(&self, id: BuildId, work: Work, text: &str) {
        let line = (OutputStream::Stdout, self.app.clock.now(), text.to_owned());
        let chunk = OutputChunk { build: id, work, attempt: Attempt::FIRST, lines: vec![line] };
        self.output.write(chunk).await;
    }

    pub(crate) fn stored_events(&self) -> u64 {
        self.store.head().borrow().0
    }
}

async fn serve(app: &App) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(buildwright_api::serve(listener, app.clone(), app.stop.clone()));
    base
}

/// Checks that an answer is a problem document of this kind, and hands it over.
pub(crate) async fn problem(response: Response, status: u16, code: &str) -> Value {
    assert_eq!(response.status().as_u16(), status, "{}", response.url());
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["type"], format!("urn:buildwright:problem:{code}"), "{problem}");
    assert_eq!(problem["status"], status);
    assert!(problem["title"].is_string());
    problem
}

/// The pointers of a problem document.
pub(crate) fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}
