//! Those who have keys.

use super::Api;
use domain::BuildId;
use names::{KeyId, Scope};
use ports::{ApiKey, ApiKeys as _, KeyChange, KeyLimits, KeyText};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use ulid::Ulid;

/// Somebody with a key.
pub(crate) struct Client<'a> {
    pub(crate) api: &'a Api,
    pub(crate) key: String,
    pub(crate) id: KeyId,
}

impl Client<'_> {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.api.request(method, path).bearer_auth(&self.key)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path).json(body).send().await.unwrap()
    }

    pub(crate) async fn submit(&self, order: &Value) -> BuildId {
        let response = self.post("/v1/builds", order).await;
        assert_eq!(response.status(), 202);
        response.json::<Value>().await.unwrap()["id"].as_str().unwrap().parse().unwrap()
    }
}

/// A key that was just made; `change` says what is particular about it.
pub(crate) async fn key(
    api: &Api,
    n: u8,
    tenant: &str,
    scopes: &[Scope],
    change: impl FnOnce(&mut ApiKey),
) -> KeyText {
    let text = KeyText::from_random(&[n; 8], &[n; 32]);
    let mut key = ApiKey {
        id: KeyId::new(Ulid(n.into())),
        prefix: text.prefix().clone(),
        digest: text.digest(),
        name: "a test".parse().unwrap(),
        tenant: tenant.parse().unwrap(),
        scopes: scopes.iter().copied().collect(),
        limits: KeyLimits::default(),
        created: KeyChange { at: api.app.clock.now(), by: "cli:ann".into() },
        expires_at: None,
        revoked: None,
        last_used_at: None,
    };
    change(&mut key);
    api.keys.create_key(&key).await.unwrap();
    text
}

pub(crate) async fn client<'a>(api: &'a Api, n: u8, tenant: &str, scopes: &[Scope]) -> Client<'a> {
    let key = key(api, n, tenant, scopes, |_| {}).await.expose().to_owned();
    Client { api, key, id: KeyId::new(Ulid(n.into())) }
}
