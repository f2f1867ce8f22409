//! What a leader knows of attempts that are not over, and which of them it lets into the queue next.
//!
//! It is told by the log and by recovery, in any order and more than once: of an attempt that is older than one
//! it knows it takes no notice. Nothing here is the truth; before an attempt is offered its build is asked.

use crate::{Settings, line::Line};
use domain::{
    BuildId,
    build::{Attempt, BuildSpec, Priority, Work},
};
use names::{ExecutorLabel, PoolName, TenantName};
use plan::{Plan, TaskNumber};
use ports::Version;
use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroU32,
    sync::Arc,
};

/// So many lanes are remembered whether they are empty or not.
const REMEMBERED: usize = 64;

/// One try of one piece of work.
pub(crate) type Key = (BuildId, Work, Attempt);

/// Where a build stands in line.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) pool: PoolName,
    pub(crate) tenant: TenantName,
    pub(crate) priority: Priority,
}

impl Place {
    pub(crate) fn of(spec: &BuildSpec) -> Self {
        Self { pool: spec.pool.clone(), tenant: spec.tenant.clone(), priority: spec.priority }
    }
}

/// What the tasks of a build ask of their executor; those that ask for nothing are left out.
pub(crate) type Requirements = BTreeMap<TaskNumber, Vec<ExecutorLabel>>;

pub(crate) fn requirements(plan: &Plan) -> Requirements {
    let asking = plan.numbers().zip(plan.tasks()).filter(|(_, task)| !task.requires.is_empty());
    asking.map(|(number, task)| (number, task.requires.clone())).collect()
}

/// Executors that can take the same work. Each lane has its own window: work that nobody is there for does not
/// stand in the way of other work.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Lane {
    pool: PoolName,
    requires: Vec<ExecutorLabel>,
}

/// What an attempt is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It waits here.
    Waiting,
    /// It is being offered, or the queue would not have it yet.
    Admitted,
    /// The queue has it.
    Offered,
    /// An executor has started it.
    Running,
}

/// Attempts by what they are doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that could be given out and wait for their turn in the driver.
    pub waiting: usize,
    /// Those that are in the queue, or on their way into it, and that nobody has started. Merges say no start:
    /// they stay among these until they end.
    pub admitted: usize,
    /// Those that executors are at.
    pub running: usize,
}

impl Counts {
    fn of(&mut self, stage: Stage) -> &mut usize {
        match stage {
            Stage::Waiting => &mut self.waiting,
            Stage::Admitted | Stage::Offered => &mut self.admitted,
            Stage::Running => &mut self.running,
        }
    }

    fn is_zero(self) -> bool {
        self == Self::default()
    }
}

#[derive(Debug)]
struct LaneState {
    line: Line,
    counts: Counts,
    window: usize,
}

/// What some executors of one pool have to offer.
#[derive(Debug, Clone)]
pub(crate) struct Capacity {
    pub(crate) pool: PoolName,
    pub(crate) labels: Vec<ExecutorLabel>,
    pub(crate) slots: usize,
}

#[derive(Debug)]
struct OpenBuild {
    place: Place,
    requires: Requirements,
    work: BTreeMap<Work, Entry>,
    /// The version of the stream that was heard of last.
    heard: Version,
}

#[derive(Debug, Clone)]
struct Entry {
    attempt: Attempt,
    stage: Stage,
    lane: Arc<Lane>,
}

/// Every attempt that is not over.
#[derive(Debug)]
pub(crate) struct Admission {
    window: crate::Window,
    weights: HashMap<TenantName, NonZeroU32>,
    fleet: Vec<Capacity>,
    builds: HashMap<BuildId, OpenBuild>,
    lanes: HashMap<Arc<Lane>, LaneState>,
    /// Attempts that the queue would not have when they were offered last.
    refused: Vec<Key>,
    /// Attempts to be offered again.
    again: Vec<Key>,
}

/// The build of an attempt is not known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownBuild;

impl Admission {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            window: settings.window,
            weights: settings.weights.clone(),
            fleet: Vec::new(),
            builds: HashMap::new(),
            lanes: HashMap::new(),
            refused: Vec::new(),
            again: Vec::new(),
        }
    }

    /// A build that is not over. Heard again, it changes nothing.
    pub(crate) fn open(&mut self, build: BuildId, place: Place, requires: Requirements) {
        self.builds.entry(build).or_insert_with(|| OpenBuild {
            place,
            requires,
            work: BTreeMap::new(),
            heard: Version::default(),
        });
    }

    /// A build's stream has come so far.
    pub(crate) fn hear(&mut self, build: BuildId, version: Version) {
        if let Some(open) = self.builds.get_mut(&build) {
            open.heard = open.heard.max(version);
        }
    }

    /// How far a build's stream had come when it was heard of last, if it was.
    pub(crate) fn heard(&self, build: BuildId) -> Option<Version> {
        self.builds.get(&build).map(|open| open.heard).filter(|heard| *heard > Version::default())
    }

    /// A build has a plan now, and planning is over.
    pub(crate) fn planned(&mut self, build: BuildId, requires: Requirements) {
        self.leave(build, Work::Plan);
        if let Some(open) = self.builds.get_mut(&build) {
            open.requires = requires;
        }
    }

    /// An attempt could be given out now.
    pub(crate) fn schedule(&mut self, key: Key) -> Result<(), UnknownBuild> {
        let (build, work, attempt) = key;
        let open = self.builds.get(&build).ok_or(UnknownBuild)?;
        if open.work.get(&work).is_some_and(|known| known.attempt >= attempt) {
            return Ok(());
        }
        let Place { tenant, priority, .. } = open.place.clone();
        let lane = self.enter(key, Stage::Waiting);
        if let Some(state) = lane.and_then(|lane| self.lanes.get_mut(&lane)) {
            state.line.push(&tenant, priority, build, (work, attempt));
        }
        Ok(())
    }

    /// An executor has started an attempt.
    pub(crate) fn start(&mut self, key: Key) {
        let (build, work, attempt) = key;
        let known = self.builds.get(&build).and_then(|open| open.work.get(&work));
        if known.is_none_or(|known| known.attempt <= attempt) {
            self.enter(key, Stage::Running);
        }
    }

    /// An attempt is over, or is not what it was taken for.
    pub(crate) fn end(&mut self, (build, work, attempt): Key) {
        let known = self.builds.get(&build).and_then(|open| open.work.get(&work));
        if known.is_some_and(|known| known.attempt <= attempt) {
            self.leave(build, work);
        }
    }

    /// A build is over.
    pub(crate) fn close(&mut self, build: BuildId) {
        let Some(OpenBuild { place, work, .. }) = self.builds.remove(&build) else { return };
        for entry in work.into_values() {
            let Some(state) = self.lanes.get_mut(&entry.lane) else { continue };
            *state.counts.of(entry.stage) -= 1;
            state.line.remove_build(&place.tenant, place.priority, build);
        }
    }

    /// Lets attempts into the queue, at most `most`, by build: first those to be offered again, then as many as
    /// the windows have room for.
    pub(crate) fn admit(&mut self, most: usize) -> Vec<(BuildId, Vec<(Work, Attempt)>)> {
        let mut admitted = Batch::default();
        while admitted.len < most
            && let Some(key) = self.again.pop()
        {
            if self.stage(key) == Some(Stage::Admitted) {
                admitted.push(key);
            }
        }
        let weights = &self.weights;
        for state in self.lanes.values_mut() {
            while admitted.len < most
                && state.counts.waiting > 0
                && state.counts.admitted < state.window
                && let Some((build, (work, attempt))) =
                    state.line.pop(|tenant| weights.get(tenant).copied().unwrap_or(NonZeroU32::MIN))
            {
                let entry = self.builds.get_mut(&build).and_then(|open| open.work.get_mut(&work));
                if let Some(entry) = entry {
                    entry.stage = Stage::Admitted;
                }
                state.counts.waiting -= 1;
                state.counts.admitted += 1;
                admitted.push((build, work, attempt));
            }
        }
        admitted.by_build
    }

    /// The queue has an attempt.
    pub(crate) fn offered(&mut self, key: Key) {
        if self.stage(key) == Some(Stage::Admitted)
            && let Some(entry) = self.builds.get_mut(&key.0).and_then(|open| open.work.get_mut(&key.1))
        {
            entry.stage = Stage::Offered;
        }
    }

    /// The queue would not have an attempt now. Returns whether it is the first since [`Admission::try_again`].
    pub(crate) fn refused(&mut self, key: Key) -> bool {
        self.refused.push(key);
        self.refused.len() == 1
    }

    /// The queue has been left alone long enough.
    pub(crate) fn try_again(&mut self) {
        // Taken from the end.
        self.again.extend(self.refused.drain(..).rev());
    }

    /// What is known of an attempt.
    pub(crate) fn stage(&self, (build, work, attempt): Key) -> Option<Stage> {
        let entry = self.builds.get(&build)?.work.get(&work)?;
        (entry.attempt == attempt).then_some(entry.stage)
    }

    /// What the executors have to offer.
    pub(crate) fn set_fleet(&mut self, fleet: Vec<Capacity>) {
        self.fleet = fleet;
        for (lane, state) in &mut self.lanes {
            state.window = window(self.window, &self.fleet, lane);
        }
    }

    /// How many attempts each pool has.
    pub(crate) fn counts(&self) -> BTreeMap<PoolName, Counts> {
        let mut pools: BTreeMap<PoolName, Counts> = BTreeMap::new();
        for (lane, LaneState { counts, .. }) in &self.lanes {
            let pool = pools.entry(lane.pool.clone()).or_default();
            pool.waiting += counts.waiting;
            pool.admitted += counts.admitted;
            pool.running += counts.running;
        }
        pools
    }

    /// Notes what an attempt is doing, in place of what was known of its work.
    fn enter(&mut self, (build, work, attempt): Key, stage: Stage) -> Option<Arc<Lane>> {
        self.leave(build, work);
        let open = self.builds.get_mut(&build)?;
        let requires = match work {
            Work::Task(number) => open.requires.get(&number).cloned().unwrap_or_default(),
            Work::Plan | Work::Merge => Vec::new(),
        };
        let lane = Lane { pool: open.place.pool.clone(), requires };
        let lane = match self.lanes.get_key_value(&lane) {
            Some((known, _)) => Arc::clone(known),
            None => {
                if self.lanes.len() >= REMEMBERED {
                    self.lanes.retain(|_, state| !state.counts.is_zero());
                }
                Arc::new(lane)
            }
        };
        let state = self.lanes.entry(Arc::clone(&lane)).or_insert_with_key(|lane| LaneState {
            line: Line::default(),
            counts: Counts::default(),
            window: window(self.window, &self.fleet, lane),
        });
        *state.counts.of(stage) += 1;
        open.work.insert(work, Entry { attempt, stage, lane: Arc::clone(&lane) });
        Some(lane)
    }

    fn leave(&mut self, build: BuildId, work: Work) {
        let Some(open) = self.builds.get_mut(&build) else { return };
        let Some(entry) = open.work.remove(&work) else { return };
        let Some(state) = self.lanes.get_mut(&entry.lane) else { return };
        *state.counts.of(entry.stage) -= 1;
        if entry.stage == Stage::Waiting {
            state.line.remove(&open.place.tenant, open.place.priority, build, (work, entry.attempt));
        }
    }
}

/// The window before the executors that can take what is in a lane.
fn window(window: crate::Window, fleet: &[Capacity], lane: &Lane) -> usize {
    let able = fleet.iter().filter(|executor| {
        executor.pool == lane.pool && lane.requires.iter().all(|label| executor.labels.contains(label))
    });
    window.size(able.map(|executor| executor.slots).fold(0, usize::saturating_add))
}

/// Attempts by build, in the order in which the builds had their turns.
#[derive(Default)]
struct Batch {
    by_build: Vec<(BuildId, Vec<(Work, Attempt)>)>,
    places: HashMap<BuildId, usize>,
    len: usize,
}

impl Batch {
    fn push(&mut self, (build, work, attempt): Key) {
        let place = *self.places.entry(build).or_insert(self.by_build.len());
        match self.by_build.get_mut(place) {
            Some((_, attempts)) => attempts.push((work, attempt)),
            None => self.by_build.push((build, vec![(work, attempt)])),
        }
        self.len += 1;
    }
}

#[cfg(test)]
mod tests;
