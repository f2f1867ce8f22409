//! Stores that forget everything at the end of a test.

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::{
    Build, BuildId, EndpointId,
    build::{BuildStatus, Work},
};
use futures::{StreamExt as _, stream::BoxStream};
use names::{Commit, KeyId, KeyPrefix, OwnedProject, TenantName};
use ports::*;
use std::time::Duration;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};
use tokio::sync::watch;
use ulid::Ulid;

/// The commit that all results here end in.
pub(crate) const COMMIT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[derive(Default)]
pub(crate) struct MemoryStore {
    events: Mutex<Vec<RecordedEvent>>,
    head: watch::Sender<Position>,
    reads: AtomicU64,
    /// Whether it is told of events later than they can be read.
    pub(crate) tells_late: AtomicBool,
    pub(crate) down: AtomicBool,
    /// Whether reading never comes to an end.
    pub(crate) hangs: AtomicBool,
    /// Whether somebody else is always faster.
    pub(crate) contended: AtomicBool,
}

impl MemoryStore {
    fn check(&self) -> Result<(), StoreError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the disk at secret.example is gone".into()));
        }
        Ok(())
    }

    async fn linger(&self) {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }

    /// How often something was read.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }

    /// Waits until nobody reads for a moment.
    pub(crate) async fn reads_settled(&self) {
        let mut before = None;
        while before != Some(self.reads()) {
            before = Some(self.reads());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Makes readers look again.
    pub(crate) fn wake(&self) {
        self.head.send_modify(|_| {});
    }

    /// Waits until so many more than the projector watch the head.
    pub(crate) async fn watched_by(&self, more: usize) {
        while self.head.receiver_count() < 1 + more {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn of_stream(events: &[RecordedEvent], stream: StreamId) -> impl Iterator<Item = &RecordedEvent> {
        events.iter().filter(move |event| event.stream == stream)
    }
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.check()?;
        let mut events = self.events.lock().unwrap();
        let actual = Version(Self::of_stream(&events, append.stream).count() as u64);
        if actual != append.expected || self.contended.load(Ordering::SeqCst) {
            return Err(AppendError::Conflict { expected: append.expected, actual });
        }
        let mut appended = Appended { position: Position(events.len() as u64), version: actual };
        for event in append.events {
            appended.position.0 += 1;
            appended.version.0 += 1;
            events.push(RecordedEvent {
                position: appended.position,
                stream: append.stream,
                version: appended.version,
                kind: event.kind.into(),
                schema_version: event.schema_version,
                payload: event.payload.into(),
                metadata: append.metadata.clone(),
                recorded_at: append.recorded_at,
            });
        }
        drop(events);
        if self.tells_late.load(Ordering::SeqCst) {
            let (head, position) = (self.head.clone(), appended.position);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(2)).await;
                head.send_if_modified(|head| position > std::mem::replace(head, position.max(*head)));
            });
        } else {
            self.head.send_replace(appended.position);
        }
        Ok(appended)
    }

    async fn read_stream(
        &self,
        stream: StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.check()?;
        self.linger().await;
        let events = self.events.lock().unwrap();
        Ok(Self::of_stream(&events, stream).filter(|e| e.version > after).take(limit).cloned().collect())
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.check()?;
        self.linger().await;
        let events = self.events.lock().unwrap();
        Ok(events.iter().filter(|event| event.position > after).take(limit).cloned().collect())
    }

    async fn read_tenant(
        &self,
        tenant: &TenantName,
        after: Position,
        limit: usize,
    ) -> Result<TenantPage, StoreError> {
        let head = *self.head.borrow();
        let all = self.read_all(after, usize::MAX).await?;
        let own = all.into_iter().filter(|event| event.metadata.tenant == *tenant);
        let events: Vec<_> = own.take(limit).collect();
        let last = events.last().map_or(after, |event| event.position);
        Ok(TenantPage { upto: if events.len() == limit { last } else { last.max(head) }, events })
    }

    fn head(&self) -> watch::Receiver<Position> {
        self.head.subscribe()
    }
}

/// Lists, folded from the store up to where a task of its own has come.
pub(crate) struct MemoryModels {
    store: Arc<MemoryStore>,
    projected: watch::Sender<Position>,
    pub(crate) down: AtomicBool,
    pub(crate) held: watch::Sender<bool>,
}

impl MemoryModels {
    pub(crate) fn over(store: &Arc<MemoryStore>) -> Arc<Self> {
        let projected = watch::Sender::new(Position(0));
        let models = Arc::new(Self {
            store: store.clone(),
            projected,
            down: AtomicBool::default(),
            held: watch::Sender::new(false),
        });
        let (mut head, mut held) = (store.head(), models.held.subscribe());
        let projector = models.clone();
        tokio::spawn(async move {
            loop {
                held.wait_for(|held| !held).await.unwrap();
                let position = *head.borrow_and_update();
                projector.projected.send_replace(position);
                tokio::select! {
                    changed = head.changed() => changed.unwrap(),
                    changed = held.changed() => changed.unwrap(),
                }
            }
        });
        models
    }

    /// Waits until somebody waits for the projector.
    pub(crate) async fn awaited(&self) {
        while self.projected.receiver_count() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The events that are folded.
    pub(super) fn events(&self) -> Vec<RecordedEvent> {
        let upto = *self.projected.borrow();
        self.store.events.lock().unwrap().iter().filter(|event| event.position <= upto).cloned().collect()
    }

    fn fold(&self) -> BTreeMap<BuildId, Build> {
        let mut builds: BTreeMap<BuildId, Build> = BTreeMap::new();
        for event in self.events() {
            let Some(build) = event.stream.build() else { continue };
            builds.entry(build).or_default().apply(&event.build_event().unwrap());
        }
        builds
    }
}

fn summary(id: BuildId, build: &Build) -> BuildSummary {
    let spec = build.spec.clone().unwrap();
    let total = u32::try_from(build.tasks.len()).unwrap();
    BuildSummary {
        id,
        tenant: spec.tenant.clone(),
        submitted_by: None,
        status: build.status,
        title: spec.prompt.chars().take(200).collect(),
        project: spec.project.clone(),
        labels: spec.labels.clone(),
        tasks: TaskCounts { total, completed: build.completed },
        cost_nano_usd: build.usage.total().cost_nano_usd,
        submitted_at: build.submitted_at.unwrap(),
        ended_at: build.ended_at,
    }
}

#[async_trait]
impl ReadModels for MemoryModels {
    fn projected(&self) -> watch::Receiver<Position> {
        self.projected.subscribe()
    }

    async fn summaries(&self, ids: &[BuildId]) -> Result<Vec<BuildSummary>, StoreError> {
        Ok(self.fold().iter().filter(|(id, _)| ids.contains(id)).map(|(id, b)| summary(*id, b)).collect())
    }

    async fn project(&self, _: Vec<BuildSummary>, _: Position) -> Result<(), StoreError> {
        Ok(())
    }

    async fn builds(&self, filter: &BuildFilter) -> Result<BuildPage, StoreError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the tables at secret.example are gone".into()));
        }
        let all = self.fold();
        let mut builds: Vec<BuildSummary> = all
            .iter()
            .rev()
            .map(|(id, build)| summary(*id, build))
            .filter(|row| row.tenant == filter.tenant)
            .filter(|row| filter.before.is_none_or(|before| row.id < before))
            .filter(|row| filter.status.is_empty() || filter.status.contains(&row.status))
            .filter(|row| filter.project.as_ref().is_none_or(|project| *project == row.project))
            .filter(|row| filter.labels.iter().all(|(k, v)| row.labels.get(k) == Some(v)))
            .take(filter.limit + 1)
            .collect();
        let more = builds.len() > filter.limit;
        builds.truncate(filter.limit);
        Ok(BuildPage { builds, more })
    }

    async fn open_builds(&self, _: Option<BuildId>, _: usize) -> Result<Vec<BuildId>, StoreError> {
        let open = |(id, build): (BuildId, Build)| (!BuildStatus::is_terminal(build.status)).then_some(id);
        Ok(self.fold().into_iter().filter_map(open).collect())
    }

    async fn count_open(&self, submitted_by: &str, most: usize) -> Result<usize, StoreError> {
        let submitter = |id: &BuildId| {
            let events = self.store.events.lock().unwrap();
            let first = events.iter().find(|event| event.stream.build() == Some(*id));
            first.and_then(|event| event.metadata.actor.clone())
        };
        let open = self.fold().into_iter().filter(|(_, build)| !BuildStatus::is_terminal(build.status));
        Ok(open.filter(|(id, _)| submitter(id).as_deref() == Some(submitted_by)).take(most).count())
    }

    async fn reset(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

type Log = (Vec<OutputLine>, watch::Sender<u64>);

#[derive(Default)]
pub(crate) struct MemoryOutput {
    logs: Mutex<HashMap<(BuildId, Work), Log>>,
    reads: AtomicU64,
    pub(crate) down: AtomicBool,
}

impl MemoryOutput {
    /// How often something was read.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl OutputLog for MemoryOutput {
    async fn write(&self, chunk: OutputChunk) {
        let mut logs = self.logs.lock().unwrap();
        let (lines, written) = logs.entry((chunk.build, chunk.work)).or_default();
        for (stream, at, text) in chunk.lines {
            let seq = lines.len() as u64 + 1;
            lines.push(OutputLine { seq, attempt: chunk.attempt, stream, at, text });
        }
        written.send_replace(lines.len() as u64);
    }

    async fn read(
        &self,
        build: BuildId,
        work: Work,
        after: u64,
        limit: usize,
    ) -> Result<Vec<OutputLine>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the log at secret.example is gone".into()));
        }
        let mut logs = self.logs.lock().unwrap();
        let (lines, _) = logs.entry((build, work)).or_default();
        Ok(lines.iter().filter(|line| line.seq > after).take(limit).cloned().collect())
    }

    fn follow(&self, build: BuildId, work: Work) -> watch::Receiver<u64> {
        self.logs.lock().unwrap().entry((build, work)).or_default().1.subscribe()
    }
}

#[derive(Default)]
pub(crate) struct MemoryResults {
    pub(crate) down: AtomicBool,
}

impl MemoryResults {
    fn check(&self) -> Result<(), ResultError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(ResultError::Unavailable("the store at secret.example is gone".into()));
        }
        Ok(())
    }
}

#[async_trait]
impl Results for MemoryResults {
    async fn files(&self, _: &OwnedProject, commit: &Commit) -> Result<Vec<FileEntry>, ResultError> {
        self.check()?;
        if commit.as_str() != COMMIT {
            return Err(ResultError::NotFound);
        }
        Ok(vec![FileEntry { path: "src/main.rs".into(), mode: "100644".into(), size: 12 }])
    }

    async fn diff(
        &self,
        _: &OwnedProject,
        base: &Commit,
        commit: &Commit,
        max_bytes: usize,
    ) -> Result<DiffText, ResultError> {
        self.check()?;
        let mut text = format!("diff {base} {commit}\n+line\n");
        let truncated = text.len() > max_bytes;
        text.truncate(max_bytes);
        Ok(DiffText { text, truncated })
    }

    async fn archive(
        &self,
        _: &OwnedProject,
        _: &Commit,
    ) -> Result<BoxStream<'static, std::io::Result<Bytes>>, ResultError> {
        self.check()?;
        let chunks = ["\u{1}chunk one, ", "chunk two"].map(|chunk| Ok(Bytes::from_static(chunk.as_bytes())));
        Ok(futures::stream::iter(chunks).boxed())
    }
}

/// Who announced itself, unless nobody can be asked.
#[derive(Default)]
pub(crate) struct MemoryRoster {
    executors: Mutex<BTreeMap<String, ExecutorStatus>>,
    pub(crate) down: AtomicBool,
}

#[async_trait]
impl Roster for MemoryRoster {
    async fn announce(&self, status: &ExecutorStatus) {
        self.executors.lock().unwrap().insert(status.name.to_string(), status.clone());
    }

    async fn leave(&self, name: &ExecutorName) {
        self.executors.lock().unwrap().remove(&*name.0);
    }

    async fn executors(&self) -> Result<Vec<ExecutorStatus>, BusError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(BusError::Unavailable("the server at secret.example is gone".into()));
        }
        Ok(self.executors.lock().unwrap().values().cloned().collect())
    }
}

/// A clock that moves on by a millisecond whenever somebody looks.
#[derive(Default)]
pub(crate) struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> DateTime<Utc> {
        let tick = self.0.fetch_add(1, Ordering::SeqCst);
        DateTime::from_timestamp_millis(1_790_000_000_000 + tick).unwrap()
    }
}

#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    fn next(&self) -> Ulid {
        Ulid(u128::from(self.0.fetch_add(1, Ordering::SeqCst)) + (1 << 100))
    }
}

impl Ids for Counter {
    fn build(&self) -> BuildId {
        BuildId::new(self.next())
    }

    fn endpoint(&self) -> EndpointId {
        EndpointId::new(self.next())
    }
}

/// API keys, and how often somebody asked for one.
#[derive(Default)]
pub(crate) struct MemoryKeys {
    keys: Mutex<Vec<ApiKey>>,
    pub(crate) asked: AtomicU64,
    pub(crate) noted: AtomicU64,
    pub(crate) down: AtomicBool,
}

impl MemoryKeys {
    fn check(&self) -> Result<(), StoreError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the keys at secret.example are gone".into()));
        }
        Ok(())
    }

    pub(crate) fn last_used(&self, id: KeyId) -> Option<DateTime<Utc>> {
        self.keys.lock().unwrap().iter().find(|key| key.id == id)?.last_used_at
    }
}

#[async_trait]
impl ApiKeys for MemoryKeys {
    async fn create_key(&self, key: &ApiKey) -> Result<Created, StoreError> {
        self.keys.lock().unwrap().push(key.clone());
        Ok(Created::Stored)
    }

    async fn find_key(&self, prefix: &KeyPrefix) -> Result<Option<ApiKey>, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.check()?;
        Ok(self.keys.lock().unwrap().iter().find(|key| key.prefix == *prefix).cloned())
    }

    async fn keys(&self, _: &KeyFilter) -> Result<KeyPage, StoreError> {
        Err(StoreError::Closed)
    }

    async fn revoke_key(&self, id: KeyId, change: &KeyChange) -> Result<Option<ApiKey>, StoreError> {
        let mut keys = self.keys.lock().unwrap();
        let key = keys.iter_mut().find(|key| key.id == id);
        Ok(key.map(|key| {
            key.revoked.get_or_insert_with(|| change.clone());
            key.clone()
        }))
    }

    async fn note_used(&self, uses: &[(KeyId, DateTime<Utc>)]) -> Result<(), StoreError> {
        self.check()?;
        self.noted.fetch_add(1, Ordering::SeqCst);
        for key in self.keys.lock().unwrap().iter_mut() {
            if let Some((_, at)) = uses.iter().find(|(id, _)| *id == key.id) {
                key.last_used_at = Some(*at);
            }
        }
        Ok(())
    }

    async fn any_usable_key(&self, now: DateTime<Utc>) -> Result<bool, StoreError> {
        Ok(self.keys.lock().unwrap().iter().any(|key| key.state(now) == KeyState::Usable))
    }
}

/// Keys of requests, and what became of those.
#[derive(Default)]
pub(crate) struct MemoryIdempotency {
    records: Mutex<HashMap<IdempotencyKey, Record>>,
    /// Whether it takes no answers any more, as after the sudden death of who would bring them.
    pub(crate) deaf: AtomicBool,
    pub(crate) down: AtomicBool,
}

struct Record {
    request: BeginRequest,
    reserved: Ulid,
    answer: Option<KeptAnswer>,
}

impl MemoryIdempotency {
    fn check(&self) -> Result<(), StoreError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the keys at secret.example are gone".into()));
        }
        Ok(())
    }

    fn check_hearing(&self) -> Result<(), StoreError> {
        if self.deaf.load(Ordering::SeqCst) { Err(StoreError::Closed) } else { Ok(()) }
    }
}

#[async_trait]
impl Idempotency for MemoryIdempotency {
    async fn begin(&self, request: BeginRequest) -> Result<Begun, StoreError> {
        self.check()?;
        let mut records = self.records.lock().unwrap();
        let mut reserved = request.proposed;
        if let Some(known) = records.get(&request.key).filter(|known| known.request.kept_until > request.now)
        {
            if known.request.fingerprint != request.fingerprint {
                return Ok(Begun::Mismatch);
            }
            if let Some(answer) = &known.answer {
                return Ok(Begun::Replay(answer.clone()));
            }
            if known.request.held_until > request.now {
                return Ok(Begun::InFlight);
            }
            reserved = known.reserved;
        }
        records.insert(request.key.clone(), Record { request, reserved, answer: None });
        Ok(Begun::New { reserved })
    }

    async fn finish(
        &self,
        claim: &Claim,
        answer: KeptAnswer,
        kept_until: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.check_hearing()?;
        let mut records = self.records.lock().unwrap();
        if let Some(mine) = records.get_mut(&claim.key).filter(|known| known.request.proposed == claim.holder)
        {
            mine.answer = Some(answer);
            mine.request.kept_until = kept_until;
        }
        Ok(())
    }

    async fn abandon(&self, claim: &Claim, abandoned: Abandoned) -> Result<(), StoreError> {
        self.check_hearing()?;
        let mut records = self.records.lock().unwrap();
        let mine = records.get_mut(&claim.key).filter(|known| known.request.proposed == claim.holder);
        let Some(mine) = mine else { return Ok(()) };
        mine.request.held_until = DateTime::<Utc>::MIN_UTC;
        if abandoned == Abandoned::WithoutEffect && mine.reserved == claim.holder {
            records.remove(&claim.key);
        }
        Ok(())
    }

    async fn prune(&self, _: DateTime<Utc>, _: usize) -> Result<usize, StoreError> {
        Ok(0)
    }
}
