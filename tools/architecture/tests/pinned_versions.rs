//! Versions that stand in several places are the same everywhere.

use std::fs;

use buildwright_architecture::repository;
use toml::Table;

#[test]
fn what_is_tested_and_what_is_shipped_is_the_claude_cli_that_the_code_was_written_against() {
    let known = after("libs/claude-cli/src/install.rs", "pub const PINNED_VERSION: &str = ");
    assert_eq!(known.split('.').count(), 3, "no version: {known}");
    assert_eq!(after("scripts/fetch-claude", "version="), known);
    assert_eq!(after("deploy/Dockerfile", "ARG CLAUDE_VERSION="), known);
}

#[test]
fn the_images_are_built_with_the_compiler_that_the_manifest_names() {
    let manifest: Table = read("Cargo.toml").parse().expect("TOML");
    let named = manifest["workspace"]["package"]["rust-version"].as_str().expect("a version");
    assert_eq!(after("deploy/Dockerfile", "ARG RUST_VERSION="), named);
}

/// What follows on the first line of a file that begins so, without quotes.
fn after(file: &str, beginning: &str) -> String {
    let text = read(file);
    let found = text.lines().find_map(|line| line.strip_prefix(beginning));
    let found = found.unwrap_or_else(|| panic!("{file} has no line that begins with {beginning:?}"));
    found.trim_matches(['"', ';']).to_owned()
}

fn read(file: &str) -> String {
    fs::read_to_string(repository::root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}
