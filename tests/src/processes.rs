//! The processes of this machine, as `/proc` shows them.

use std::{fs, path::PathBuf, time::Duration};

/// A process that mentions something we look for.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its command line.
    pub command: String,
}

/// Every living process whose command line, environment or working directory mentions the text. Everything that an
/// executor starts has its home below the data directory, so the path of that finds them all.
#[must_use]
pub fn mentioning(text: &str) -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != own)
        .filter_map(|pid| Process::if_mentioning(pid, text))
        .collect()
}

impl Process {
    fn if_mentioning(pid: i32, text: &str) -> Option<Self> {
        let at = PathBuf::from(format!("/proc/{pid}"));
        let command = fs::read(at.join("cmdline")).ok()?;
        let mentions = |bytes: &[u8]| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        let found = mentions(&command)
            || fs::read(at.join("environ")).is_ok_and(|environment| mentions(&environment))
            || fs::read_link(at.join("cwd")).is_ok_and(|cwd| cwd.starts_with(text));
        found.then(|| Self { pid, command: String::from_utf8_lossy(&command).replace('\0', " ") })
    }
}

/// Pages that the ended children of a process had touched: it rises with every child, however short its life.
#[must_use]
pub(crate) fn pages_of_ended_children(pid: i32) -> u64 {
    stat_fields(pid)[8].parse().expect("a number")
}

/// Processor time that a process has used.
#[must_use]
pub(crate) fn processor_time(pid: i32) -> Duration {
    // utime and stime, in 1/100 s.
    let ticks: u64 = stat_fields(pid)[11..13].iter().map(|n| n.parse::<u64>().expect("ticks")).sum();
    Duration::from_millis(ticks * 10)
}

/// Fields of `/proc/PID/stat` from the third on: the second, in brackets, may hold anything.
fn stat_fields(pid: i32) -> Vec<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process lives");
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    fields.split_whitespace().map(str::to_owned).collect()
}

/// Memory that a process holds, in KiB: all of it, and without the pages of files.
#[must_use]
pub(crate) fn memory_kib(pid: i32) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).expect("a figure");
        line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
    };
    (field("VmRSS:"), field("RssAnon:"))
}
