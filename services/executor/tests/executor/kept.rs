//! What lies in the folder of a spool.

use crate::orders::soon;
use ports::OutcomeReport;
use std::{collections::BTreeMap, fs, path::Path, time::Duration};

/// The names of what is in it.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The files that hold reports.
pub(crate) fn segments(folder: &Path) -> Vec<String> {
    let mut names = files(folder);
    names.retain(|name| name.starts_with("outcomes-") && name.ends_with(".log"));
    names
}

/// A line of such a file, as every version of the executor can read it.
pub(crate) fn line(said: &str) -> String {
    format!("{:08x} {said}\n", crc32fast::hash(said.as_bytes()))
}

/// The reports that nobody confirmed yet, the oldest first.
pub(crate) fn kept(folder: &Path) -> Vec<OutcomeReport> {
    let mut kept = Vec::new();
    for name in segments(folder) {
        // It may go meanwhile.
        let text = fs::read_to_string(folder.join(name)).unwrap_or_default();
        let mut of_it = BTreeMap::new();
        for whole in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let (_, said) = whole.trim_end().split_once(' ').unwrap();
            assert_eq!(whole, line(said));
            match said.splitn(3, ' ').collect::<Vec<_>>()[..] {
                ["report", number, body] => {
                    let report = OutcomeReport::decode(body.as_bytes()).unwrap();
                    of_it.insert(number.parse::<u64>().unwrap(), report);
                }
                ["done", number] => drop(of_it.remove(&number.parse().unwrap())),
                _ => panic!("{whole}"),
            }
        }
        kept.extend(of_it.into_values());
    }
    kept
}

pub(crate) async fn until_it_keeps(count: usize, folder: &Path) {
    until(|| kept(folder).len() == count).await;
}

pub(crate) async fn until(it_is_so: impl Fn() -> bool) {
    soon(async {
        while !it_is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
