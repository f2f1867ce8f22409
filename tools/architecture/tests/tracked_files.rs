//! What is committed works on every machine.

use std::fs;
use std::path::Path;

use buildwright_architecture::machine_paths::machine_path;
use buildwright_architecture::repository;

#[test]
fn no_file_names_a_path_of_one_machine() {
    let files = repository::tracked_files().expect("git lists the files");
    assert!(files.iter().any(|file| file == Path::new("Cargo.toml")), "these are not our files: {files:?}");
    let found: Vec<String> = files.iter().flat_map(|file| machine_paths(file)).collect();
    assert!(found.is_empty(), "\n  {}\n", found.join("\n  "));
}

fn machine_paths(file: &Path) -> Vec<String> {
    // Deleted but not yet committed, or a link into nowhere: nothing to read.
    let Ok(bytes) = fs::read(repository::root().join(file)) else {
        return Vec::new();
    };
    String::from_utf8_lossy(&bytes)
        .lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let path = machine_path(line)?;
            Some(format!("{}:{}: {path}", file.display(), index + 1))
        })
        .collect()
}
