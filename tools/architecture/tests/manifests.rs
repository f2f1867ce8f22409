//! The bans hold in every crate.

use std::error::Error;
use std::fs;
use std::path::Path;

use buildwright_architecture::repository;
use toml::{Table, Value};

/// What must not be called where deciding happens: the clock, randomness, the environment.
const BANNED: [&str; 7] = [
    "std::time::SystemTime::now",
    "chrono::Utc::now",
    "ulid::Ulid::generate",
    "ulid::Generator::generate",
    "std::env::var",
    "std::env::var_os",
    "std::env::vars",
];

#[test]
fn the_clock_randomness_and_the_environment_stay_banned() {
    let clippy = read(&repository::root().join("clippy.toml")).expect("TOML");
    let methods = clippy["disallowed-methods"].as_array().expect("a list");
    for banned in BANNED {
        assert!(
            methods.iter().any(|method| path_of(method) == banned),
            "clippy.toml no longer bans {banned}"
        );
    }
}

#[test]
fn the_lints_that_carry_the_bans_stay_on() {
    let manifest = read(&repository::root().join("Cargo.toml")).expect("TOML");
    let lints = &manifest["workspace"]["lints"];
    for (tool, lint) in [
        ("rust", "unsafe_code"),
        ("clippy", "disallowed_methods"),
        ("clippy", "unwrap_used"),
        ("clippy", "expect_used"),
        ("clippy", "panic"),
    ] {
        let level = lints[tool].get(lint).and_then(Value::as_str);
        assert!(matches!(level, Some("warn" | "deny" | "forbid")), "{tool}::{lint} is {level:?}");
    }
}

#[test]
fn every_crate_obeys_the_lints_of_the_workspace() {
    for package in repository::packages().expect("cargo describes the workspace") {
        let manifest = read(&package.manifest_path).expect("TOML");
        let inherited = manifest.get("lints").and_then(|lints| lints.get("workspace")?.as_bool());
        assert_eq!(inherited, Some(true), "{} lacks `[lints] workspace = true`", package.name);
    }
}

fn read(path: &Path) -> Result<Table, Box<dyn Error>> {
    Ok(fs::read_to_string(path)?.parse()?)
}

/// A ban is a path, or a table that has one.
fn path_of(method: &Value) -> &str {
    method.as_str().or_else(|| method.get("path")?.as_str()).unwrap_or_default()
}
