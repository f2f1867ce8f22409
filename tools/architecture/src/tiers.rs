//! Which crate may use which. Dependencies point one way:
//!
//! ```text
//! names <- plan <- domain <- ports <- commands, adapters <- services <- buildwright
//! ```
//!
//! and the libraries that know the outside world know nothing of builds.

use crate::repository::{Dependency, DependencyKind, Package};

/// Every crate of ours has one. A new crate fails the check until it stands here.
const CRATES: &[(&str, Tier)] = &[
    ("buildwright-names", Tier::Names),
    ("buildwright-plan", Tier::Plan),
    ("buildwright-domain", Tier::Domain),
    ("buildwright-ports", Tier::Ports),
    ("buildwright-commands", Tier::Commands),
    ("buildwright-store-sqlite", Tier::Store),
    ("buildwright-store-postgres", Tier::Store),
    ("buildwright-bus-local", Tier::Bus),
    ("buildwright-bus-nats", Tier::Bus),
    ("buildwright-problem", Tier::Problem),
    ("buildwright-connections", Tier::Connections),
    ("buildwright-vitals", Tier::Vitals),
    ("buildwright-artifacts", Tier::Bus),
    ("buildwright-supervisor", Tier::Supervisor),
    ("buildwright-claude-cli", Tier::Outside),
    ("buildwright-workspace", Tier::Outside),
    ("buildwright-bundles", Tier::Travel),
    ("buildwright-sandbox", Tier::Outside),
    ("buildwright-webhooks", Tier::Webhooks),
    ("buildwright-egress", Tier::Egress),
    ("buildwright-seal", Tier::Seal),
    ("buildwright-endpoints", Tier::Endpoints),
    ("buildwright-scripted-model", Tier::ScriptedModel),
    ("buildwright-testkit", Tier::Testkit),
    ("buildwright-api", Tier::Service),
    ("buildwright-driver", Tier::Service),
    ("buildwright-projector", Tier::Service),
    ("buildwright-courier", Tier::Service),
    ("buildwright-executor", Tier::Executor),
    ("buildwright", Tier::Root),
    ("buildwright-blackbox", Tier::BlackBox),
    ("buildwright-architecture", Tier::Tool),
];

/// What a crate is for, and so what it may know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Values that cross a trust boundary.
    Names,
    /// The graph of tasks.
    Plan,
    /// The aggregates.
    Domain,
    /// What the services need of the world.
    Ports,
    /// How a command reaches an aggregate.
    Commands,
    /// An adapter of the event store and the read models.
    Store,
    /// An adapter of the bus and the artifact store.
    Bus,
    /// How an HTTP answer tells an error.
    Problem,
    /// How HTTP connections are accepted.
    Connections,
    /// What any process tells those who operate it.
    Vitals,
    /// Process trees.
    Supervisor,
    /// Knows one thing outside: the CLI, git, the sandbox.
    Outside,
    /// How commits travel: git over the artifact store.
    Travel,
    /// Signing and verifying, of use to others on its own.
    Webhooks,
    /// Requests to addresses that strangers chose.
    Egress,
    /// Encryption of what is kept.
    Seal,
    /// How commands reach webhook endpoints, and how their secrets are kept.
    Endpoints,
    /// The stand-in for the model, which is part of the product and of many tests.
    ScriptedModel,
    /// Conformance suites and fixtures.
    Testkit,
    /// One role of the product: api, driver, projector.
    Service,
    /// The role that runs what a model wrote.
    Executor,
    /// The composition root.
    Root,
    /// Tests against the binary.
    BlackBox,
    /// Serves the repository, not the product.
    Tool,
}

impl Tier {
    /// The tier of a crate of ours, if it has been given one.
    #[must_use]
    pub fn of(package: &str) -> Option<Self> {
        CRATES.iter().find_map(|(name, tier)| (*name == package).then_some(*tier))
    }

    /// Whether a crate of this tier may use one of `other` in the product.
    #[must_use]
    pub fn may_use(self, other: Self) -> bool {
        let allowed: &[Self] = match self {
            Self::Names
            | Self::Problem
            | Self::Connections
            | Self::Webhooks
            | Self::Egress
            | Self::Seal
            | Self::Tool => &[],
            Self::Vitals => &[Self::Problem, Self::Connections],
            Self::Endpoints => &[
                Self::Names,
                Self::Plan,
                Self::Domain,
                Self::Ports,
                Self::Commands,
                Self::Webhooks,
                Self::Seal,
            ],
            Self::Plan | Self::Supervisor => &[Self::Names],
            Self::Outside | Self::ScriptedModel => &[Self::Names, Self::Supervisor],
            Self::Domain => &[Self::Names, Self::Plan],
            Self::Ports => &[Self::Names, Self::Plan, Self::Domain],
            Self::Commands | Self::Store | Self::Bus | Self::Testkit => {
                &[Self::Names, Self::Plan, Self::Domain, Self::Ports]
            }
            Self::Travel => {
                &[Self::Names, Self::Plan, Self::Domain, Self::Ports, Self::Supervisor, Self::Outside]
            }
            Self::Service => &[
                Self::Names,
                Self::Plan,
                Self::Domain,
                Self::Ports,
                Self::Commands,
                Self::Problem,
                Self::Connections,
                Self::Vitals,
                Self::Webhooks,
                Self::Egress,
                Self::Endpoints,
            ],
            Self::Executor => &[
                Self::Names,
                Self::Plan,
                Self::Domain,
                Self::Ports,
                Self::Commands,
                Self::Supervisor,
                Self::Outside,
                Self::Travel,
                Self::ScriptedModel,
            ],
            // All of it is tests: so the servers to run the binary against are no development dependency.
            Self::BlackBox => {
                &[Self::Names, Self::Supervisor, Self::Webhooks, Self::ScriptedModel, Self::Testkit]
            }
            Self::Root => {
                return !matches!(other, Self::Root | Self::Testkit | Self::BlackBox | Self::Tool);
            }
        };
        allowed.contains(&other)
    }

    /// The same in a sentence, for whoever broke it.
    #[must_use]
    pub fn rule(self) -> &'static str {
        match self {
            Self::Names => "names stands at the bottom and uses nothing of ours",
            Self::Problem => "a problem document is of HTTP, not of builds: nothing of ours",
            Self::Connections => "connections are of HTTP, not of builds: nothing of ours",
            Self::Vitals => {
                "figures and checks are handed in as closures: vitals uses problem and connections only"
            }
            Self::Webhooks => "webhooks must be of use on its own, with nothing of ours",
            Self::Egress => "egress knows addresses, nothing of builds: nothing of ours",
            Self::Seal => "sealing is of bytes, not of builds: nothing of ours",
            Self::Endpoints => "endpoints uses commands, ports and below, webhooks and seal only",
            Self::Plan => "plan uses names only",
            Self::Supervisor => "supervisor knows processes, nothing of builds: names only",
            Self::Outside | Self::ScriptedModel => {
                "a library for the world outside knows nothing of builds: names and supervisor only"
            }
            Self::Domain => "deciding is pure: domain uses names and plan only",
            Self::Ports => "ports uses domain, plan and names only",
            Self::Commands => "commands reaches aggregates through ports: ports and below only",
            Self::Store | Self::Bus => "an adapter implements ports: ports and below only",
            Self::Travel => "bundles brings git and ports together, and uses nothing above them",
            Self::Testkit => "testkit tests against ports: ports and below only",
            Self::Service => {
                "a service uses commands, endpoints, ports and below, problem, connections, vitals, webhooks and \
                 egress; adapters are \
                 named in services/buildwright only, and services never use each other"
            }
            Self::Executor => {
                "the executor uses commands, ports and below, and the libraries for the world \
                 outside; adapters are named in services/buildwright only, and services never use \
                 each other"
            }
            Self::Root => "the binary contains no test code and no tools",
            Self::BlackBox => "black-box tests know the binary, not what is inside",
            Self::Tool => "a tool for the repository uses nothing of the product",
        }
    }

    /// What the tests of any crate may use beside that: they need something real to run against.
    fn serves_tests(self) -> bool {
        matches!(self, Self::Testkit | Self::Store | Self::Bus | Self::ScriptedModel | Self::Seal)
    }

    /// Whether a crate of this tier may depend on a crate that isn't ours.
    fn may_use_foreign(self, name: &str, kind: DependencyKind) -> Result<(), &'static str> {
        let decides = matches!(self, Self::Names | Self::Plan | Self::Domain);
        match name {
            "sqlx" | "sqlx-core" | "sqlx-sqlite" | "sqlx-postgres" | "rusqlite" | "libsqlite3-sys"
            | "tokio-postgres" | "diesel" | "sea-orm"
                if self != Self::Store =>
            {
                Err("SQL lives in the store crates only")
            }
            "async-nats" if self != Self::Bus => Err("NATS is known to bus-nats only"),
            "tokio" | "async-std" | "smol" | "nix" | "reqwest" | "hyper" | "axum" | "rand" | "getrandom"
                if decides && kind != DependencyKind::Development =>
            {
                Err("deciding is pure: no runtime, no I/O, no randomness")
            }
            _ => Ok(()),
        }
    }
}

/// An edge between crates that must not be there.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A crate of ours that the table doesn't know.
    #[error("{0}: give it a tier, in tools/architecture/src/tiers.rs")]
    NoTier(String),
    /// A dependency on a crate that a tier may not use.
    #[error("{from} -> {to}{}: {rule}", if *.test { " (in its tests)" } else { "" })]
    Edge {
        /// The crate that depends.
        from: String,
        /// The crate that it depends on.
        to: String,
        /// Whether only its tests do.
        test: bool,
        /// What that breaks.
        rule: &'static str,
    },
}

/// Everything in the workspace that the rules forbid.
#[must_use]
pub fn violations(packages: &[Package]) -> Vec<Violation> {
    packages.iter().flat_map(of_package).collect()
}

fn of_package(package: &Package) -> Vec<Violation> {
    let Some(tier) = Tier::of(&package.name) else {
        return vec![Violation::NoTier(package.name.clone())];
    };
    package
        .dependencies
        .iter()
        .filter_map(|dependency| {
            let rule = broken_rule(tier, dependency)?;
            Some(Violation::Edge {
                from: package.name.clone(),
                to: dependency.name.clone(),
                test: dependency.kind == DependencyKind::Development,
                rule,
            })
        })
        .collect()
}

fn broken_rule(tier: Tier, dependency: &Dependency) -> Option<&'static str> {
    if !dependency.is_ours() {
        return tier.may_use_foreign(&dependency.name, dependency.kind).err();
    }
    // One without a tier is reported once, where it is a package itself.
    let used = Tier::of(&dependency.name)?;
    let for_tests = dependency.kind == DependencyKind::Development && used.serves_tests();
    (!for_tests && !tier.may_use(used)).then(|| tier.rule())
}
