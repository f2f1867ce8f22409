//! The product as it runs, and what may not be left of it.

use crate::{Api, Instance, Launch, Process, launch::Stack, mentioning, outside::Outside, processes, until};
use nix::sys::signal::Signal;
use std::{
    collections::BTreeMap,
    ops::Deref,
    path::PathBuf,
    process::ExitStatus,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use testkit::nats::Proxy;

const STARTS_WITHIN: Duration = Duration::from_secs(20);
/// So long may what was started outlive its end, on a machine with more to do: what is not ended goes on.
pub const CLEARED_WITHIN: Duration = Duration::from_secs(10);

/// Buildwright in a directory of its own: one process, or a fleet of them. It is spoken to by its API.
#[derive(Debug)]
pub struct Server {
    instances: Vec<Instance>,
    wires: BTreeMap<usize, Proxy>,
    outside: Option<Outside>,
    home: TempDir,
}

/// What a process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Serves the API.
    Api,
    /// Turns events into orders and reports into events.
    Driver,
    /// Keeps the read models.
    Projector,
    /// Does the work.
    Executor,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Driver => "driver",
            Self::Projector => "projector",
            Self::Executor => "executor",
        }
    }
}

impl Deref for Server {
    type Target = Api;

    fn deref(&self) -> &Api {
        self.instances[0].api()
    }
}

impl Server {
    /// Starts one; when this returns, it answers.
    pub async fn start(launch: Launch) -> Self {
        let home = tempfile::Builder::new().prefix("buildwright-blackbox-").tempdir().expect("a directory");
        Self::start_in(home, launch).await
    }

    /// Starts one in a directory; its data is kept there.
    pub async fn start_in(home: TempDir, launch: Launch) -> Self {
        let mut server = match &launch.stack {
            Stack::Embedded => Self {
                instances: vec![launch.process(home.path())],
                wires: BTreeMap::new(),
                outside: None,
                home,
            },
            Stack::Fleet(fleet) => {
                let postgres = fleet.postgres;
                let outside = tokio::task::spawn_blocking(move || Outside::new(postgres));
                let outside = outside.await.expect("PostgreSQL and NATS");
                let (instances, wires) = launch.processes(fleet, home.path(), &outside).await;
                Self { instances, wires, outside: Some(outside), home }
            }
        };
        server.restart().await;
        server
    }

    /// Starts whatever of it does not live.
    pub async fn restart(&mut self) {
        let mut dead: Vec<_> = self.instances.iter_mut().filter(|one| one.pid().is_none()).collect();
        dead.iter_mut().for_each(|instance| instance.spawn());
        for instance in dead {
            instance.wait_until_ready().await;
        }
        assert_eq!(self.get("/healthz").await.status, 200);
        if !self.is_fleet() {
            // It looks for programs before it greets: no process that it starts after that has to do with its start.
            let greeting = format!("http://{}", self.address());
            until(STARTS_WITHIN, "the greeting", || async { self.log().contains(&greeting).then_some(()) })
                .await;
        }
    }

    /// A place beside the data, for the files of a test.
    #[must_use]
    pub fn beside(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Where the data of who serves the API is.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.instances[0].data_dir().to_owned()
    }

    /// Where the data of who does the work is: of the first executor.
    #[must_use]
    pub fn work_dir(&self) -> PathBuf {
        let executor = self.instances.iter().find(|instance| instance.name() == "executor-1");
        executor.unwrap_or(&self.instances[0]).data_dir().to_owned()
    }

    /// Whether it is a fleet.
    #[must_use]
    pub fn is_fleet(&self) -> bool {
        self.outside.is_some()
    }

    /// All of its processes.
    #[must_use]
    pub fn instances(&self) -> &[Instance] {
        &self.instances
    }

    /// A process of a fleet, from 1 on.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn instance(&self, role: Role, number: usize) -> &Instance {
        let name = format!("{}-{number}", role.word());
        let found = self.instances.iter().find(|instance| instance.name() == name);
        found.unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// The same, to end it or to start it.
    ///
    /// # Panics
    /// When there is none.
    pub fn role(&mut self, role: Role, number: usize) -> &mut Instance {
        let name = format!("{}-{number}", role.word());
        let found = self.instances.iter_mut().find(|instance| instance.name() == name);
        found.unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// Another process that serves the API, from 1 on.
    #[must_use]
    pub fn door(&self, number: usize) -> Api {
        self.instance(Role::Api, number).api().clone()
    }

    /// The numbers of the executors that are at an attempt at a task.
    #[must_use]
    pub fn executors_at(&self, build: &str, task: usize, attempt: usize) -> Vec<usize> {
        let executors = self.instances.iter().filter_map(|instance| {
            Some((instance.name().strip_prefix("executor-")?.parse().ok()?, instance))
        });
        executors.filter(|(_, one)| one.is_at(build, task, attempt)).map(|(number, _)| number).collect()
    }

    /// The wire of an executor to NATS, from 1 on.
    ///
    /// # Panics
    /// When it hangs on none.
    #[must_use]
    pub fn wire(&self, executor: usize) -> &Proxy {
        self.wires.get(&(executor - 1)).expect("ExecutorLaunch::behind_a_wire")
    }

    /// The PostgreSQL server of a fleet that may break it.
    #[must_use]
    pub fn postgres(&self) -> &testkit::postgres::Server {
        self.outside.as_ref().expect("a fleet").postgres()
    }

    /// The nats-server of a fleet.
    pub fn nats(&mut self) -> &mut testkit::nats::Server {
        &mut self.outside.as_mut().expect("a fleet").nats
    }

    /// The database of a fleet.
    #[must_use]
    pub fn database_url(&self) -> &str {
        &self.outside.as_ref().expect("a fleet").database_url
    }

    /// Everything it has said.
    #[must_use]
    pub fn log(&self) -> String {
        match &self.instances[..] {
            [one] => one.log(),
            many => many.iter().map(|one| format!("---- {}\n{}", one.name(), one.log())).collect(),
        }
    }

    /// The ids of its processes that live.
    #[must_use]
    pub fn pids(&self) -> Vec<i32> {
        self.instances.iter().filter_map(Instance::pid).collect()
    }

    /// Processor time it has used.
    #[must_use]
    pub fn processor_time(&self) -> Duration {
        self.pids().into_iter().map(processes::processor_time).sum()
    }

    /// Memory that the largest of its processes holds, in KiB: all of it, and without the pages of files.
    #[must_use]
    pub fn memory_kib(&self) -> (u64, u64) {
        self.pids().into_iter().map(processes::memory_kib).max().unwrap_or_default()
    }

    /// The processes it has started, directly or not, that still live.
    #[must_use]
    pub fn workers(&self) -> Vec<Process> {
        let elsewhere = self.instances.iter().map(Instance::data_dir);
        let elsewhere = elsewhere.filter(|data_dir| !data_dir.starts_with(self.home.path()));
        let mut workers: Vec<Process> = [self.home.path()]
            .into_iter()
            .chain(elsewhere)
            .flat_map(|place| mentioning(&place.display().to_string()))
            .collect();
        let own = self.pids();
        workers.retain(|process| !own.contains(&process.pid));
        workers
    }

    /// Rises with every process that it started and that has ended.
    #[must_use]
    pub fn pages_of_ended_children(&self) -> u64 {
        self.pids().into_iter().map(processes::pages_of_ended_children).sum()
    }

    /// Waits until nothing that it started lives, and returns how long that took.
    pub async fn wait_until_nothing_works(&self, limit: Duration) -> Duration {
        let begun = Instant::now();
        loop {
            let left = self.workers();
            if left.is_empty() {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < limit, "still alive after {limit:?}: {left:#?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends all of it as a power failure would.
    pub fn cut_power(&mut self) {
        let alive = self.instances.iter_mut().filter(|instance| instance.pid().is_some());
        alive.for_each(Instance::kill9);
    }

    /// Ends all of it as a power failure would, and returns how long what it had started outlived it.
    pub async fn kill9(&mut self) -> Duration {
        self.cut_power();
        self.wait_until_nothing_works(CLEARED_WITHIN).await
    }

    /// Asks all of it to stop at once, waits until it has, and returns how: the first that went wrong, if any did.
    ///
    /// # Panics
    /// When it does not.
    pub fn stop(&mut self, signal: Signal) -> ExitStatus {
        let mut alive = Vec::new();
        let mut ended = Vec::new();
        for instance in &mut self.instances {
            match instance.has_ended() {
                Some(status) => ended.push(status),
                None if instance.pid().is_some() => alive.push(instance),
                None => {}
            }
        }
        for instance in &alive {
            instance.tell(signal);
            instance.resume();
        }
        ended.extend(alive.into_iter().map(Instance::wait));
        ended.into_iter().max_by_key(|status| !status.success()).unwrap_or_default()
    }

    fn assert_nothing_is_left(&self) {
        let asked = Instant::now();
        loop {
            let left = self.workers();
            if left.is_empty() {
                break;
            }
            assert!(asked.elapsed() < CLEARED_WITHIN, "processes are left: {left:#?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Workspaces that exist.
    #[must_use]
    pub fn workspaces(&self) -> Vec<PathBuf> {
        self.instances.iter().flat_map(Instance::workspaces).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("---- what the server said\n{}----", self.log());
            return; // Every process is killed as it is dropped.
        }
        // What a test has killed and not started again leaves what a power failure leaves.
        let dead = self.instances.iter().filter(|one| one.pid().is_none()).map(Instance::workspaces);
        let left_by_the_dead: Vec<PathBuf> = dead.flatten().collect();
        let status = self.stop(Signal::SIGTERM);
        let log = self.log();
        assert!(status.success(), "it ended with {status}\n{log}");
        self.assert_nothing_is_left();
        let mut left = self.workspaces();
        left.retain(|workspace| !left_by_the_dead.contains(workspace));
        assert!(left.is_empty(), "workspaces are left: {left:?}");
        assert!(!log.contains("panicked at"), "{log}");
    }
}
