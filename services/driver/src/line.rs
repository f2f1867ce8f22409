//! Whose turn it is: weighted fair between tenants, priority within one, builds of a priority in turns.
//!
//! Tenants are served by stride scheduling. Each has a pass that grows, with every attempt it is given, by the
//! inverse of its weight; the lowest pass is next. Who comes back after a pause starts where the others are, so
//! nobody saves up turns.

use domain::{
    BuildId,
    build::{Attempt, Priority, Work},
};
use names::TenantName;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    num::NonZeroU32,
};

/// By how much a pass of weight 1 grows.
const STRIDE: u64 = 1 << 20;
/// So many tenants are remembered whether they wait or not.
const REMEMBERED: usize = 1_024;

/// Attempts that wait to be given out.
#[derive(Debug, Default)]
pub(crate) struct Line {
    tenants: HashMap<TenantName, Tenant>,
    /// Those for whom something waits, the next first.
    next: BTreeSet<(u64, TenantName)>,
    /// The pass of the tenant that was served last.
    pass: u64,
    /// With so many tenants it is time to forget some.
    forget_at: usize,
}

#[derive(Debug, Default)]
struct Tenant {
    pass: u64,
    levels: BTreeMap<Reverse<Priority>, Level>,
}

/// The builds of one priority.
#[derive(Debug, Default)]
struct Level {
    /// Each build for which something waits, once.
    turns: VecDeque<BuildId>,
    waiting: HashMap<BuildId, VecDeque<(Work, Attempt)>>,
}

impl Line {
    /// Puts an attempt at the end of its build's.
    pub(crate) fn push(
        &mut self,
        tenant: &TenantName,
        priority: Priority,
        build: BuildId,
        what: (Work, Attempt),
    ) {
        if !self.tenants.contains_key(tenant) {
            self.forget_idle();
            self.tenants.insert(tenant.clone(), Tenant::default());
        }
        let Some(of_tenant) = self.tenants.get_mut(tenant) else { return };
        if of_tenant.levels.is_empty() {
            of_tenant.pass = of_tenant.pass.max(self.pass);
            self.next.insert((of_tenant.pass, tenant.clone()));
        }
        of_tenant.levels.entry(Reverse(priority)).or_default().push(build, what);
    }

    /// Takes out the next attempt and charges its tenant.
    pub(crate) fn pop(
        &mut self,
        weight: impl Fn(&TenantName) -> NonZeroU32,
    ) -> Option<(BuildId, (Work, Attempt))> {
        let (pass, name) = self.next.pop_first()?;
        let tenant = self.tenants.get_mut(&name)?;
        let mut level = tenant.levels.first_entry()?;
        let next = level.get_mut().pop();
        if level.get().turns.is_empty() {
            level.remove();
        }
        self.pass = pass;
        tenant.pass = pass + (STRIDE / u64::from(weight(&name).get())).max(1);
        if !tenant.levels.is_empty() {
            self.next.insert((tenant.pass, name));
        }
        next
    }

    /// Takes out an attempt out of turn, because it doesn't wait any more.
    pub(crate) fn remove(
        &mut self,
        tenant: &TenantName,
        priority: Priority,
        build: BuildId,
        what: (Work, Attempt),
    ) {
        self.take_out(tenant, priority, build, |other| *other == what);
    }

    /// Takes out all of a build.
    pub(crate) fn remove_build(&mut self, tenant: &TenantName, priority: Priority, build: BuildId) {
        self.take_out(tenant, priority, build, |_| true);
    }

    fn take_out(
        &mut self,
        tenant: &TenantName,
        priority: Priority,
        build: BuildId,
        unwanted: impl Fn(&(Work, Attempt)) -> bool,
    ) {
        let Some(of_tenant) = self.tenants.get_mut(tenant) else { return };
        let Some(level) = of_tenant.levels.get_mut(&Reverse(priority)) else { return };
        level.remove(build, unwanted);
        if level.turns.is_empty() {
            of_tenant.levels.remove(&Reverse(priority));
        }
        if of_tenant.levels.is_empty() {
            self.next.remove(&(of_tenant.pass, tenant.clone()));
        }
    }

    /// Whoever waits for nothing and is ahead of nobody is as good as new.
    fn forget_idle(&mut self) {
        if self.tenants.len() >= self.forget_at.max(REMEMBERED) {
            let (pass, nobody_waits) = (self.pass, self.next.is_empty());
            self.tenants
                .retain(|_, tenant| !nobody_waits && (!tenant.levels.is_empty() || tenant.pass > pass));
            self.forget_at = self.tenants.len() * 2;
        }
    }
}

impl Level {
    fn push(&mut self, build: BuildId, what: (Work, Attempt)) {
        let waiting = self.waiting.entry(build).or_default();
        if waiting.is_empty() {
            self.turns.push_back(build);
        }
        waiting.push_back(what);
    }

    fn pop(&mut self) -> Option<(BuildId, (Work, Attempt))> {
        let build = self.turns.pop_front()?;
        let waiting = self.waiting.get_mut(&build)?;
        let next = waiting.pop_front()?;
        if waiting.is_empty() {
            self.waiting.remove(&build);
        } else {
            self.turns.push_back(build);
        }
        Some((build, next))
    }

    fn remove(&mut self, build: BuildId, unwanted: impl Fn(&(Work, Attempt)) -> bool) {
        let Some(waiting) = self.waiting.get_mut(&build) else { return };
        waiting.retain(|other| !unwanted(other));
        if waiting.is_empty() {
            self.waiting.remove(&build);
            self.turns.retain(|other| *other != build);
        }
    }
}

#[cfg(test)]
mod tests;
