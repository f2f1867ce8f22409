//! Finding and killing the processes of a run.

use std::time::Duration;
#[cfg(target_os = "linux")]
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Between two sweeps over a tree that is being killed.
pub(crate) const SWEEP: Duration = Duration::from_millis(5);

/// Without any death for this long, the rest of the tree is another user's or stuck in the kernel,
/// where the SIGKILL already sent takes effect as soon as it can.
pub(crate) const GIVE_UP: Duration = Duration::from_secs(5);

/// Kills everything below `root`, sparing `root`. One sweep: what is forked meanwhile is found by
/// the next, so repeat until nothing is left to wait for.
#[cfg(target_os = "linux")]
pub(crate) fn kill_below(root: Pid, _command: Pid) {
    use nix::sys::signal::killpg;

    let all = linux::processes();
    let own_group = all.iter().find(|process| process.pid == root).map(|process| process.group);
    for process in linux::descendants(&all, root) {
        // A process that keeps forking and exiting outruns a scan, but not a signal to its group,
        // which the kernel delivers atomically. Every group found here was made below `root`,
        // except root's own, which a descendant may have joined.
        if Some(process.group) != own_group {
            let _ = killpg(process.group, Signal::SIGKILL);
        }
        let _ = kill(process.pid, Signal::SIGKILL);
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn kill_below(_root: Pid, command: Pid) {
    let _ = nix::sys::signal::killpg(command, Signal::SIGKILL);
}

/// Kills all that has this entry in its environment, and what is below it, until nothing of it is found: the
/// owner's last resort when the supervising process itself is gone. Blocks.
#[cfg(target_os = "linux")]
pub(crate) fn kill_abandoned(_command: Pid, entry: &[u8]) {
    use nix::{sys::signal::killpg, unistd::getpgrp};

    let began = Instant::now();
    let mut clear = 0;
    // A process that is just becoming another program has no environment for an instant.
    while clear < 2 && began.elapsed() < GIVE_UP {
        let all = linux::processes();
        let named: Vec<_> = all.iter().filter(|process| linux::has_entry(process.pid, entry)).collect();
        clear = if named.is_empty() { clear + 1 } else { 0 };
        for root in named {
            for process in linux::descendants(&all, root.pid).iter().chain([root]) {
                if process.group != getpgrp() {
                    let _ = killpg(process.group, Signal::SIGKILL);
                }
                let _ = kill(process.pid, Signal::SIGKILL);
            }
        }
        std::thread::sleep(SWEEP);
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn kill_abandoned(command: Pid, _entry: &[u8]) {
    kill_below(command, command);
    let _ = kill(command, Signal::SIGKILL);
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashSet;

    use nix::unistd::Pid;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) struct Process {
        pub(super) pid: Pid,
        pub(super) parent: Pid,
        pub(super) group: Pid,
    }

    /// Every process we can see. Those that vanish while we look are left out.
    pub(super) fn processes() -> Vec<Process> {
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name();
                let pid: i32 = name.to_str()?.parse().ok()?;
                parse(&std::fs::read(format!("/proc/{pid}/stat")).ok()?)
            })
            .collect()
    }

    /// Whether a process began with this entry, `NAME=value`, in its environment. One that has ended has none.
    pub(super) fn has_entry(pid: Pid, entry: &[u8]) -> bool {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|one| one == entry)
    }

    /// `pid (name) state parent group …`; the name may hold spaces, parentheses and any byte.
    pub(super) fn parse(stat: &[u8]) -> Option<Process> {
        let stat = String::from_utf8_lossy(stat);
        let (head, tail) = stat.rsplit_once(')')?;
        let mut fields = tail.split_whitespace().skip(1);
        let next = |text: Option<&str>| text?.parse().ok().map(Pid::from_raw);
        Some(Process {
            pid: next(head.split_whitespace().next())?,
            parent: next(fields.next())?,
            group: next(fields.next())?,
        })
    }

    /// Everything below `root`, nearest first.
    pub(super) fn descendants(all: &[Process], root: Pid) -> Vec<Process> {
        let mut found: Vec<Process> = Vec::new();
        let mut seen = HashSet::from([root]);
        let mut level = vec![root];
        while !level.is_empty() {
            let next: Vec<Process> =
                all.iter().filter(|p| level.contains(&p.parent) && seen.insert(p.pid)).copied().collect();
            level = next.iter().map(|p| p.pid).collect();
            found.extend(next);
        }
        found
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn process(pid: i32, parent: i32) -> Process {
            Process { pid: Pid::from_raw(pid), parent: Pid::from_raw(parent), group: Pid::from_raw(pid) }
        }

        #[test]
        fn a_process_name_cannot_confuse_the_parser() {
            let stat = b"42 (a) R 1 (b\xff c) S 7 9 9 0 -1";
            let expected = Process { group: Pid::from_raw(9), ..process(42, 7) };
            assert_eq!(parse(stat), Some(expected));
            assert_eq!(parse(b"garbage"), None);
        }

        #[test]
        fn descendants_are_found_at_every_depth_and_strangers_are_not() {
            let all = [process(30, 20), process(20, 10), process(99, 1), process(21, 10), process(10, 1)];
            let pids: Vec<i32> =
                descendants(&all, Pid::from_raw(10)).iter().map(|p| p.pid.as_raw()).collect();
            assert_eq!(pids, [20, 21, 30]);
        }
    }
}
