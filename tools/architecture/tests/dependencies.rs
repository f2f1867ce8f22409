//! Which crate may use which.

use buildwright_architecture::repository::{self, Dependency, DependencyKind, Package};
use buildwright_architecture::tiers::{Violation, violations};

#[test]
fn dependencies_point_one_way() {
    let packages = repository::packages().expect("cargo describes the workspace");
    assert!(
        packages.iter().any(|package| package.name == "buildwright"),
        "these are not our crates: {packages:?}"
    );
    let broken: Vec<String> = violations(&packages).iter().map(ToString::to_string).collect();
    assert!(broken.is_empty(), "\n  {}\n", broken.join("\n  "));
}

#[test]
fn an_unknown_crate_is_told_to_get_a_tier() {
    let found = violations(&[package("buildwright-utils", &[])]);
    assert_eq!(found, [Violation::NoTier("buildwright-utils".into())]);
    assert!(found[0].to_string().contains("give it a tier"));
}

#[test]
fn what_points_the_wrong_way_is_named_with_the_rule_it_breaks() {
    for (from, to) in [
        ("buildwright-names", "buildwright-plan"),
        ("buildwright-domain", "buildwright-ports"),
        ("buildwright-ports", "buildwright-commands"),
        ("buildwright-store-sqlite", "buildwright-bus-local"),
        ("buildwright-claude-cli", "buildwright-domain"),
        ("buildwright-supervisor", "buildwright-claude-cli"),
        ("buildwright-api", "buildwright-store-sqlite"),
        ("buildwright-api", "buildwright-driver"),
        ("buildwright-driver", "buildwright-claude-cli"),
        ("buildwright-executor", "buildwright-bus-local"),
        ("buildwright", "buildwright-testkit"),
    ] {
        let found = found(from, ours(to, DependencyKind::Normal));
        assert!(found.starts_with(&format!("{from} -> {to}: ")), "{found:?}");
    }
}

#[test]
fn what_points_the_right_way_is_let_through() {
    for (from, to) in [
        ("buildwright-commands", "buildwright-ports"),
        ("buildwright-bus-local", "buildwright-ports"),
        ("buildwright-claude-cli", "buildwright-supervisor"),
        ("buildwright-api", "buildwright-commands"),
        ("buildwright-executor", "buildwright-claude-cli"),
        ("buildwright", "buildwright-store-sqlite"),
        ("buildwright", "buildwright-api"),
    ] {
        assert_eq!(found(from, ours(to, DependencyKind::Normal)), "");
    }
}

#[test]
fn tests_may_use_an_adapter_and_the_testkit_but_not_another_service() {
    let in_tests = |to| found("buildwright-api", ours(to, DependencyKind::Development));
    assert_eq!(in_tests("buildwright-testkit"), "");
    assert_eq!(in_tests("buildwright-store-sqlite"), "");
    assert!(in_tests("buildwright-driver").contains("(in its tests)"));
}

#[test]
fn sql_is_known_to_the_stores_only_even_in_tests() {
    for kind in [DependencyKind::Normal, DependencyKind::Development] {
        assert_eq!(found("buildwright-store-sqlite", foreign("sqlx", kind)), "");
        assert!(found("buildwright-api", foreign("sqlx", kind)).contains("SQL lives"));
    }
}

#[test]
fn what_decides_has_no_runtime() {
    let runtime = |from| found(from, foreign("tokio", DependencyKind::Normal));
    assert!(runtime("buildwright-domain").contains("deciding is pure"));
    assert_eq!(runtime("buildwright-ports"), "");
}

/// What is said of a workspace in which `from` depends on `dependency` and nothing else.
fn found(from: &str, dependency: Dependency) -> String {
    violations(&[package(from, &[dependency])]).iter().map(ToString::to_string).collect()
}

fn package(name: &str, dependencies: &[Dependency]) -> Package {
    Package { name: name.into(), manifest_path: "Cargo.toml".into(), dependencies: dependencies.to_vec() }
}

fn ours(name: &str, kind: DependencyKind) -> Dependency {
    Dependency { name: name.into(), kind, path: Some("libs".into()) }
}

fn foreign(name: &str, kind: DependencyKind) -> Dependency {
    Dependency { name: name.into(), kind, path: None }
}
