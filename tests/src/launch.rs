//! How the product is started: as one process, or as a fleet of them.

use crate::{
    ScriptedModel, claude,
    instance::{Instance, Start},
    outside::{Outside, Postgres},
};
use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Child, Command},
};
use testkit::nats::Proxy;

/// Variables through which a developer's own account, or their settings, could reach a test.
const PREFIXES: [&str; 5] = ["ANTHROPIC_", "CLAUDE", "BUILDWRIGHT_", "DATABASE_URL", "NATS_URL"];
/// The key that all processes of a fleet seal secrets with: 32 bytes in base64.
const SECRET_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
/// Says whether `up` or a fleet is tested: `fleet`.
const STACK: &str = "BUILDWRIGHT_TEST_STACK";
/// So long an executor may be silent, unless a test says otherwise: long enough for a machine with other work.
const LEASE_SECONDS: u64 = 5;

/// How to start.
#[derive(Debug, Clone)]
pub struct Launch {
    executor: &'static str,
    slots: usize,
    environment: Vec<(String, String)>,
    listen: String,
    claude: Option<PathBuf>,
    pub(crate) stack: Stack,
}

/// Of which processes the product consists.
#[derive(Debug, Clone)]
pub(crate) enum Stack {
    /// `buildwright up`.
    Embedded,
    /// One process a role, over PostgreSQL and NATS.
    Fleet(Fleet),
}

#[derive(Debug, Clone)]
pub(crate) struct Fleet {
    apis: usize,
    drivers: usize,
    projectors: usize,
    /// When there are none, one like the launch says.
    executors: Vec<ExecutorLaunch>,
    lease_seconds: u64,
    pub(crate) postgres: Postgres,
}

/// How one executor of a fleet is started.
#[derive(Debug, Clone, Default)]
pub struct ExecutorLaunch {
    slots: Option<usize>,
    pool: Option<String>,
    labels: Vec<String>,
    grace_seconds: u64,
    data_dir: Option<PathBuf>,
    behind_a_wire: bool,
}

/// Who does the work.
#[derive(Debug, Clone, Copy)]
pub enum Hands<'m> {
    /// The real CLI, against this model.
    Claude(&'m ScriptedModel),
    /// The built-in agent.
    Scripted,
}

impl Launch {
    /// Five slots, in one process or in a fleet: as the environment says.
    #[must_use]
    pub fn with(hands: Hands<'_>) -> Self {
        let stack = match env::var(STACK).as_deref() {
            Ok("fleet") => Stack::Fleet(Fleet::small()),
            Ok("embedded" | "") | Err(_) => Stack::Embedded,
            Ok(other) => panic!("{STACK} is `fleet` or `embedded`, not {other:?}"),
        };
        Self::of(hands, stack)
    }

    /// A fleet: one process a role, and five slots.
    #[must_use]
    pub fn fleet(hands: Hands<'_>) -> Self {
        Self::of(hands, Stack::Fleet(Fleet::small()))
    }

    fn of(hands: Hands<'_>, stack: Stack) -> Self {
        let (executor, environment) = match hands {
            Hands::Scripted => ("scripted", Vec::new()),
            Hands::Claude(model) => {
                let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
                let key = set("ANTHROPIC_API_KEY", "sk-test-0000");
                ("claude", vec![key, set("ANTHROPIC_BASE_URL", model.base_url())])
            }
        };
        let listen = "127.0.0.1:0".to_owned();
        Self { executor, slots: 5, environment, listen, claude: None, stack }
    }

    /// The same with so many attempts at once; in a fleet, for each executor.
    #[must_use]
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = slots;
        self
    }

    /// The same with another environment variable: in a fleet, of who does the work, and of all when it is a setting
    /// of ours.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with another program in the place of the Claude CLI.
    #[must_use]
    pub fn claude(mut self, program: PathBuf) -> Self {
        self.claude = Some(program);
        self
    }

    /// The same at this address.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        address.clone_into(&mut self.listen);
        self
    }

    /// The same with so many processes that serve the API; no difference to one process.
    #[must_use]
    pub fn apis(self, apis: usize) -> Self {
        self.if_fleet(|fleet| fleet.apis = apis)
    }

    /// The same with so many drivers; no difference to one process.
    #[must_use]
    pub fn drivers(self, drivers: usize) -> Self {
        self.if_fleet(|fleet| fleet.drivers = drivers)
    }

    /// The same with so many projectors; no difference to one process.
    #[must_use]
    pub fn projectors(self, projectors: usize) -> Self {
        self.if_fleet(|fleet| fleet.projectors = projectors)
    }

    /// The same with one more executor, and none that a test did not name; no difference to one process.
    #[must_use]
    pub fn executor(self, executor: ExecutorLaunch) -> Self {
        self.if_fleet(|fleet| fleet.executors.push(executor))
    }

    /// The same with so short a lease: an executor that is silent for longer is given up.
    #[must_use]
    pub fn lease_seconds(self, seconds: u64) -> Self {
        self.if_fleet(|fleet| fleet.lease_seconds = seconds)
    }

    /// The same with a PostgreSQL server that the test may break.
    #[must_use]
    pub fn with_its_own_postgres(self) -> Self {
        self.if_fleet(|fleet| fleet.postgres = Postgres::Own)
    }

    fn if_fleet(mut self, change: impl FnOnce(&mut Fleet)) -> Self {
        if let Stack::Fleet(fleet) = &mut self.stack {
            change(fleet);
        }
        self
    }

    /// Starts `buildwright up`; everything it says goes to the log.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(&self, data_dir: &Path, log: &Path) -> Child {
        self.up(data_dir, log).spawn()
    }

    fn up(&self, data_dir: &Path, log: &Path) -> Start {
        let mut args = words(&["up", "--listen", &self.listen, "--slots", &self.slots.to_string()]);
        args.extend(self.hands());
        args.extend(["--data-dir".into(), data_dir.into()]);
        let environment = self.environment.clone();
        Start { args, environment, data_dir: data_dir.to_owned(), log: log.to_owned() }
    }

    fn hands(&self) -> Vec<OsString> {
        let mut args = words(&["--executor", self.executor]);
        if self.executor == "claude" {
            args.extend(["--claude".into(), self.claude.clone().unwrap_or_else(claude).into()]);
        }
        args
    }

    /// The one process of a server that is not a fleet.
    pub(crate) fn process(&self, home: &Path) -> Instance {
        Instance::new("up", self.up(&home.join("data"), &home.join("log")))
    }

    /// The processes of a fleet: those that serve the API first, the executors last; and the wires to NATS of those
    /// executors that hang on one.
    pub(crate) async fn processes(
        &self,
        fleet: &Fleet,
        home: &Path,
        outside: &Outside,
    ) -> (Vec<Instance>, BTreeMap<usize, Proxy>) {
        let mut processes = Vec::new();
        for (role, count) in [("api", fleet.apis), ("driver", fleet.drivers), ("projector", fleet.projectors)]
        {
            processes.extend((1..=count).map(|number| self.service(fleet, role, number, home, outside)));
        }
        let mut wires = BTreeMap::new();
        let one = [ExecutorLaunch::default()];
        let executors = if fleet.executors.is_empty() { &one[..] } else { &fleet.executors };
        for (index, executor) in executors.iter().enumerate() {
            let mut nats_url = outside.nats.url();
            if executor.behind_a_wire {
                let wire = Proxy::to(outside.nats.port()).await;
                nats_url = wire.url();
                wires.insert(index, wire);
            }
            let name = format!("executor-{}", index + 1);
            let mut start = start("executor", &name, fleet, home, &nats_url);
            if let Some(data_dir) = &executor.data_dir {
                data_dir.clone_into(&mut start.data_dir);
            }
            start.args.extend(executor.args(self.slots));
            start.args.extend(self.hands());
            start.args.extend(words(&["--health", "127.0.0.1:0", "--data-dir"]));
            start.args.push(start.data_dir.clone().into());
            start.environment.extend(self.environment.iter().cloned());
            processes.push(Instance::new(&name, start));
        }
        (processes, wires)
    }

    fn service(&self, fleet: &Fleet, role: &str, number: usize, home: &Path, outside: &Outside) -> Instance {
        let name = format!("{role}-{number}");
        let mut start = start(role, &name, fleet, home, &outside.nats.url());
        let door = if role == "api" { ["--listen", &self.listen] } else { ["--health", "127.0.0.1:0"] };
        start.args.extend(words(&door));
        start.environment.push(("DATABASE_URL".to_owned(), outside.database_url.clone()));
        // Who makes secrets of webhooks, and who signs with them.
        if ["api", "projector"].contains(&role) {
            start.environment.push(("BUILDWRIGHT_SECRET_KEY".to_owned(), SECRET_KEY.to_owned()));
        }
        start.args.push("--data-dir".into());
        start.args.push(start.data_dir.clone().into());
        let ours = self.environment.iter().filter(|(name, _)| name.starts_with("BUILDWRIGHT_"));
        start.environment.extend(ours.cloned());
        Instance::new(&name, start)
    }
}

/// What all roles are told.
fn start(role: &str, name: &str, fleet: &Fleet, home: &Path, nats_url: &str) -> Start {
    let lease = fleet.lease_seconds.to_string();
    Start {
        args: words(&[role, "--ack-wait-seconds", &lease]),
        environment: vec![("NATS_URL".to_owned(), nats_url.to_owned())],
        data_dir: home.join(name),
        log: home.join(format!("{name}.log")),
    }
}

impl Fleet {
    fn small() -> Self {
        Self {
            apis: 1,
            drivers: 1,
            projectors: 1,
            executors: Vec::new(),
            lease_seconds: LEASE_SECONDS,
            postgres: Postgres::Shared,
        }
    }
}

impl ExecutorLaunch {
    /// One of the default pool that, when it is told to stop, waits for nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with so many attempts at once.
    #[must_use]
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = Some(slots);
        self
    }

    /// The same in this pool.
    #[must_use]
    pub fn pool(mut self, pool: &str) -> Self {
        self.pool = Some(pool.to_owned());
        self
    }

    /// The same with another label.
    #[must_use]
    pub fn label(mut self, label: &str) -> Self {
        self.labels.push(label.to_owned());
        self
    }

    /// The same, letting its work go on for so long when it is told to stop.
    #[must_use]
    pub fn grace_seconds(mut self, seconds: u64) -> Self {
        self.grace_seconds = seconds;
        self
    }

    /// The same with its data elsewhere.
    #[must_use]
    pub fn data_dir(mut self, data_dir: PathBuf) -> Self {
        self.data_dir = Some(data_dir);
        self
    }

    /// The same on a wire to NATS that can be held.
    #[must_use]
    pub fn behind_a_wire(mut self) -> Self {
        self.behind_a_wire = true;
        self
    }

    fn args(&self, slots: usize) -> Vec<OsString> {
        let slots = self.slots.unwrap_or(slots).to_string();
        let mut args = words(&["--slots", &slots, "--grace-seconds", &self.grace_seconds.to_string()]);
        if let Some(pool) = &self.pool {
            args.extend(words(&["--pool", pool]));
        }
        for label in &self.labels {
            args.extend(words(&["--label", label]));
        }
        args
    }
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

/// Takes from a command what could reach the account of whoever runs the tests.
pub(crate) fn without_account(command: &mut Command) {
    for (name, _) in env::vars_os() {
        if PREFIXES.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
}
