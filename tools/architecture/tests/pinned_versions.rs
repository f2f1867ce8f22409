//! Versions that stand in several places are the same everywhere.

use std::fs;
use std::io;

use buildwright_architecture::repository;
use toml::Table;

#[test]
fn what_is_tested_and_what_is_shipped_is_the_claude_cli_that_the_code_was_written_against() {
    let known = after("libs/claude-cli/src/install.rs", "pub const PINNED_VERSION: &str = ").expect("a line");
    assert_eq!(known.split('.').count(), 3, "no version: {known}");
    assert_eq!(after("scripts/fetch-claude", "version=").expect("a line"), known);
    assert_eq!(after("deploy/Dockerfile", "ARG CLAUDE_VERSION=").expect("a line"), known);
}

#[test]
fn the_images_are_built_with_the_compiler_that_the_manifest_names() {
    let manifest: Table = read("Cargo.toml").expect("a manifest").parse().expect("TOML");
    let named = manifest["workspace"]["package"]["rust-version"].as_str().expect("a version");
    assert_eq!(after("deploy/Dockerfile", "ARG RUST_VERSION=").expect("a line"), named);
}

/// What follows on the first line of a file that begins so, without quotes.
fn after(file: &str, beginning: &str) -> io::Result<String> {
    let text = read(file)?;
    let found = text.lines().find_map(|line| line.strip_prefix(beginning));
    let missing = || io::Error::other(format!("{file} has no line that begins with {beginning:?}"));
    Ok(found.ok_or_else(missing)?.trim_matches(['"', ';']).to_owned())
}

fn read(file: &str) -> io::Result<String> {
    fs::read_to_string(repository::root().join(file))
}
