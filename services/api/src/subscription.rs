//! From a request to what is asked of a webhook endpoint: the meaning of fields whose types already fit.

use crate::{
    ApiSettings, WebhookSettings,
    order::labels,
    read::{Fields, FromJson, Problems},
    wire::BuildWebhook,
};
use domain::{
    BuildId,
    build::BuildEvent,
    endpoint::{DeliveryOrder, EndpointSpec, PayloadKind, Signatures},
};
use endpoints::{Change, Given};
use names::ProjectName;
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};
use webhooks::{EventFilter, Secret};

/// What a request says of an endpoint. What it does not say stays, or has a default.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    url: Option<String>,
    description: Option<String>,
    events: Option<Vec<String>>,
    projects: Option<Vec<ProjectName>>,
    labels: Option<BTreeMap<String, String>>,
    payload: Option<PayloadKind>,
    headers: Option<BTreeMap<String, String>>,
    order: Option<DeliveryOrder>,
    rate: Rate,
    concurrency: Option<u32>,
    timeout_seconds: Option<u32>,
    signatures: Option<Signatures>,
}

/// What a request says of how many deliveries may be begun within a second.
#[derive(Debug, Clone, Copy, Default)]
enum Rate {
    #[default]
    Unsaid,
    /// As many as there are: `null`.
    Unbounded,
    Most(u32),
}

/// An endpoint that may be made.
pub(crate) struct NewEndpoint {
    wanted: Wanted,
    secret: Option<Secret>,
}

/// A change that may be made.
pub(crate) struct EndpointUpdate(Wanted);

/// How a secret is to be rotated.
#[derive(Debug, Default)]
pub(crate) struct Rotation {
    /// The client's own new secret.
    pub(crate) secret: Option<Secret>,
    /// How long the old ones stay valid.
    pub(crate) grace: Option<Duration>,
}

/// An endpoint for one build.
pub(crate) struct OneOff {
    url: String,
    /// The client's own secret.
    pub(crate) secret: Option<Secret>,
}

impl NewEndpoint {
    /// What is asked for, and what is kept apart from it.
    pub(crate) fn place(self, settings: &WebhookSettings) -> (EndpointSpec, Given) {
        let headers = self.wanted.headers.clone().unwrap_or_default();
        let mut spec = self.wanted.over(plain(String::new(), settings));
        spec.header_names = headers.keys().cloned().collect();
        (spec, Given { secret: self.secret, headers })
    }
}

impl EndpointUpdate {
    /// The change that it means to an endpoint.
    pub(crate) fn of(&self, spec: &EndpointSpec) -> Change {
        Change { spec: self.0.clone().over(spec.clone()), headers: self.0.headers.clone() }
    }
}

impl OneOff {
    /// What is asked for.
    pub(crate) fn spec(&self, build: BuildId, settings: &WebhookSettings) -> EndpointSpec {
        EndpointSpec { build: Some(build), ..plain(self.url.clone(), settings) }
    }

    /// The one that a request means.
    pub(crate) fn of(
        draft: BuildWebhook,
        settings: &WebhookSettings,
        problems: &mut Problems,
    ) -> Option<Self> {
        let url = target(draft.url, settings).map_err(|message| problems.add("/webhook/url", message));
        let secret = draft.secret.as_deref().map(own_secret).transpose();
        let secret = secret.map_err(|message| problems.add("/webhook/secret", message));
        Some(Self { url: url.ok()?, secret: secret.ok()? })
    }
}

/// An endpoint of which nothing is said but its address.
fn plain(url: String, settings: &WebhookSettings) -> EndpointSpec {
    EndpointSpec {
        url,
        description: String::new(),
        events: vec!["*".to_owned()],
        projects: Vec::new(),
        labels: BTreeMap::new(),
        payload: PayloadKind::default(),
        header_names: Vec::new(),
        order: DeliveryOrder::default(),
        rate_per_second: None,
        concurrency: settings.default_concurrency,
        timeout_seconds: settings.default_timeout_seconds,
        signatures: Signatures::default(),
        build: None,
    }
}

impl Clone for Wanted {
    fn clone(&self) -> Self {
        Self {
            url: self.url.clone(),
            description: self.description.clone(),
            events: self.events.clone(),
            projects: self.projects.clone(),
            labels: self.labels.clone(),
            headers: self.headers.clone(),
            ..*self
        }
    }
}

impl Wanted {
    /// What is asked for, where that was asked for before.
    fn over(self, before: EndpointSpec) -> EndpointSpec {
        EndpointSpec {
            url: self.url.unwrap_or(before.url),
            description: self.description.unwrap_or(before.description),
            events: self.events.unwrap_or(before.events),
            projects: self.projects.unwrap_or(before.projects),
            labels: self.labels.unwrap_or(before.labels),
            payload: self.payload.unwrap_or(before.payload),
            header_names: before.header_names,
            order: self.order.unwrap_or(before.order),
            rate_per_second: match self.rate {
                Rate::Unsaid => before.rate_per_second,
                Rate::Unbounded => None,
                Rate::Most(most) => Some(most),
            },
            concurrency: self.concurrency.unwrap_or(before.concurrency),
            timeout_seconds: self.timeout_seconds.unwrap_or(before.timeout_seconds),
            signatures: self.signatures.unwrap_or(before.signatures),
            build: before.build,
        }
    }

    fn read(fields: &mut Fields<'_>, settings: &ApiSettings) -> Self {
        let webhooks = &settings.webhooks;
        Self {
            url: url(fields, webhooks),
            description: description(fields, webhooks),
            events: events(fields),
            projects: projects(fields, webhooks),
            labels: fields.object("labels", |mut fields| {
                let given = fields.rest().into_iter().collect();
                labels(given, settings, fields.problems())
            }),
            payload: choice(fields, "payload", &[("full", PayloadKind::Full), ("thin", PayloadKind::Thin)]),
            headers: headers(fields, webhooks),
            order: choice(
                fields,
                "order",
                &[("any", DeliveryOrder::Any), ("per_build", DeliveryOrder::PerBuild)],
            ),
            rate: if fields.is_null("ratePerSecond") {
                Rate::Unbounded
            } else {
                whole(fields, "ratePerSecond", webhooks.max_rate_per_second).map_or(Rate::Unsaid, Rate::Most)
            },
            concurrency: whole(fields, "concurrency", webhooks.max_concurrency),
            timeout_seconds: whole(fields, "timeoutSeconds", webhooks.max_timeout_seconds),
            signatures: choice(
                fields,
                "signatures",
                &[("hmac", Signatures::Hmac), ("hmac_and_ed25519", Signatures::HmacAndEd25519)],
            ),
        }
    }
}

impl FromJson for NewEndpoint {
    fn from_json(value: Value, settings: &ApiSettings, problems: &mut Problems) -> Self {
        let mut fields = Fields::of(value, "", problems);
        if !fields.has("url") {
            fields.problem("url", "is required");
        }
        let wanted = Wanted::read(&mut fields, settings);
        let secret = secret(&mut fields);
        fields.finish();
        Self { wanted, secret }
    }
}

impl FromJson for EndpointUpdate {
    fn from_json(value: Value, settings: &ApiSettings, problems: &mut Problems) -> Self {
        let mut fields = Fields::of(value, "", problems);
        let wanted = Wanted::read(&mut fields, settings);
        fields.finish();
        Self(wanted)
    }
}

impl FromJson for Rotation {
    fn from_json(value: Value, settings: &ApiSettings, problems: &mut Problems) -> Self {
        let mut fields = Fields::of(value, "", problems);
        let most = settings.webhooks.max_rotation_grace.as_secs();
        let grace = fields.whole("graceSeconds").map(u64::from);
        if grace.is_some_and(|grace| grace > most) {
            fields.problem("graceSeconds", format!("must be at most {most}"));
        }
        let rotation = Self { secret: secret(&mut fields), grace: grace.map(Duration::from_secs) };
        fields.finish();
        rotation
    }
}

/// The one place that says where messages may go, as far as can be said without asking for addresses.
fn target(text: String, settings: &WebhookSettings) -> Result<String, String> {
    match egress::TargetUrl::parse(&text, &settings.targets) {
        Ok(_) => Ok(text),
        Err(error) => Err(error.to_string()),
    }
}

/// What is wrong with a secret never holds it.
fn own_secret(text: &str) -> Result<Secret, String> {
    match text.parse::<Secret>() {
        Ok(secret) if text.starts_with(Secret::PREFIX) => Ok(secret),
        Ok(_) => Err("must begin with `whsec_`".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn url(fields: &mut Fields<'_>, settings: &WebhookSettings) -> Option<String> {
    let url = target(fields.text("url")?, settings);
    url.map_err(|message| fields.problem("url", message)).ok()
}

fn secret(fields: &mut Fields<'_>) -> Option<Secret> {
    let secret = own_secret(&fields.text("secret")?);
    secret.map_err(|message| fields.problem("secret", message)).ok()
}

fn description(fields: &mut Fields<'_>, settings: &WebhookSettings) -> Option<String> {
    let (text, most) = (fields.text("description")?, settings.max_description_chars);
    if text.chars().count() > most || text.chars().any(char::is_control) {
        let message = format!("must have at most {most} characters, none of them a control character");
        fields.problem("description", message);
    }
    Some(text)
}

fn events(fields: &mut Fields<'_>) -> Option<Vec<String>> {
    let globs = fields.texts("events", EventFilter::MAX_GLOBS)?;
    if let Err(error) = EventFilter::parse(&globs, BuildEvent::KINDS) {
        fields.problem("events", error.to_string());
    }
    Some(if globs.is_empty() { vec!["*".to_owned()] } else { globs })
}

fn projects(fields: &mut Fields<'_>, settings: &WebhookSettings) -> Option<Vec<ProjectName>> {
    let pointer = fields.pointer("projects");
    let names = fields.texts("projects", settings.max_projects)?;
    let mut read = |(index, name): (usize, &String)| match name.parse::<ProjectName>() {
        Ok(name) => Some(name),
        Err(error) => {
            fields.problems().add(&format!("{pointer}/{index}"), error.to_string());
            None
        }
    };
    Some(names.iter().enumerate().filter_map(&mut read).collect())
}

fn headers(fields: &mut Fields<'_>, settings: &WebhookSettings) -> Option<BTreeMap<String, String>> {
    let given = fields.object("headers", |mut fields| fields.rest())?;
    let mut texts = Vec::with_capacity(given.len().min(settings.headers.max_headers));
    for (name, value) in given {
        let Value::String(value) = value else {
            fields.problem("headers", "must hold texts only");
            return None;
        };
        texts.push((name, value));
    }
    match settings.headers.check(texts) {
        Ok(headers) => {
            Some(headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
        }
        Err(error) => {
            fields.problem("headers", error.to_string());
            None
        }
    }
}

fn choice<T: Copy>(fields: &mut Fields<'_>, name: &str, choices: &[(&str, T)]) -> Option<T> {
    let text = fields.text(name)?;
    let found = choices.iter().find(|(choice, _)| *choice == text);
    if found.is_none() {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        fields.problem(name, format!("must be of {}", names.join(", ")));
    }
    found.map(|(_, choice)| *choice)
}

fn whole(fields: &mut Fields<'_>, name: &str, most: u32) -> Option<u32> {
    let number = fields.whole(name)?;
    if !(1..=most).contains(&number) {
        fields.problem(name, format!("must be from 1 to {most}"));
    }
    Some(number)
}
