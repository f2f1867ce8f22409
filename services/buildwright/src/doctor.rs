//! `doctor`: what is missing, and the command that fixes it.

mod checks;
mod port;

use crate::{
    actions::json,
    cli::{DoctorArgs, Global, Output, SERVER_PORT},
    render::print,
};
use serde::Serialize;
use std::{fmt::Write as _, process::ExitCode};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    /// What.
    name: &'static str,
    /// How it stands.
    status: Status,
    /// What was found.
    found: String,
    /// The command that fixes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing depends on it.
    Note,
    /// Builds will fail.
    Missing,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, found: found.into(), fix: None }
    }

    fn note(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, status: Status::Note, found: found.into(), fix: None }
    }

    fn missing(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, status: Status::Missing, found: found.into(), fix: Some(fix.into()) }
    }

    fn fixed_by(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }
}

/// All that was looked at.
#[derive(Debug, Serialize)]
struct Findings {
    /// Whether builds can be made.
    ok: bool,
    /// One by one.
    checks: Vec<Check>,
}

impl Findings {
    fn of(checks: Vec<Check>) -> Self {
        Self { ok: checks.iter().all(|check| check.status != Status::Missing), checks }
    }
}

pub(crate) async fn doctor(global: &Global, args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let data_dir = global.data_dir();
    let mut checks = checks::claude(args.claude.as_deref(), &data_dir).await;
    checks.push(checks::credential());
    checks.push(checks::git().await);
    checks.push(port::port(global.listen(SERVER_PORT)).await);
    checks.push(checks::data_dir(&data_dir));
    checks.extend(checks::disk(&data_dir));
    checks.push(checks::sandbox());
    let findings = Findings::of(checks);
    print(&match args.output {
        Output::Json => json(&findings)?,
        Output::Text => text(&findings),
    })?;
    Ok(if findings.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(findings: &Findings) -> String {
    let mut text = String::new();
    for check in &findings.checks {
        let mark = match check.status {
            Status::Ok => '✓',
            Status::Note => '·',
            Status::Missing => '✗',
        };
        let _ = writeln!(text, "{mark} {:<15} {}", check.name, check.found);
        if let Some(fix) = &check.fix {
            let _ =
                writeln!(text, "  {:<15} {fix}", if check.status == Status::Missing { "fix:" } else { "" });
        }
    }
    text + match findings.ok {
        true => "Everything that builds need is here.",
        false => "Without what is marked ✗ builds will fail; `buildwright demo` may do all the same.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_stands_with_its_fix() {
        let findings = Findings::of(vec![
            Check::ok("git", "2.47.3"),
            Check::missing("claude", "not on PATH", "npm install"),
            Check::note("sandbox", "none"),
        ]);
        assert!(!findings.ok);
        let text = text(&findings);
        assert!(
            text.starts_with(
                "✓ git             2.47.3\n✗ claude          not on PATH\n  fix:            npm install\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn notes_are_no_reason_to_fail() {
        assert!(Findings::of(vec![Check::note("sandbox", "none"), Check::ok("git", "")]).ok);
    }
}
