//! `builds`, `show` and `cancel`.

use super::{
    carry::{Telling, report},
    json,
};
use crate::{
    cli::{BuildsArgs, CancelArgs, Global, Output, ShowArgs, What},
    client::wire,
    render::{
        amounts, print,
        progress::Progress,
        sentence::sentence,
        table::table,
        text::{clean, clean_lines, cut},
    },
    session::{Purpose, Session},
};
use serde_json::Value;
use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
};

pub(crate) async fn builds(global: &Global, args: BuildsArgs) -> anyhow::Result<ExitCode> {
    let session = Box::pin(Session::open(global, Purpose::Looking)).await?;
    let listed = list(&session, &args).await;
    session.close().await;
    listed.map(|()| ExitCode::SUCCESS)
}

async fn list(session: &Session, args: &BuildsArgs) -> anyhow::Result<()> {
    let mut query = vec![("limit", args.limit.to_string())];
    query.extend(args.status.clone().map(|status| ("status", status)));
    query.extend(args.project.clone().map(|project| ("project", project)));
    let document: Value = session.client.get("/v1/builds", &query).await?;
    if args.output == Output::Json {
        return Ok(print(&json(&document)?)?);
    }
    let list: wire::BuildList = serde_json::from_value(document)?;
    let row = |build: &wire::BuildSummary| {
        [
            build.id.clone(),
            build.status.to_string(),
            format!("{}/{}", build.tasks.completed, build.tasks.total),
            amounts::dollars(build.cost_usd),
            build.submitted_at.format("%Y-%m-%d %H:%M").to_string(),
            build.project.clone(),
            cut(&clean(&build.title), 60),
        ]
    };
    let rows: Vec<_> = list.builds.iter().map(row).collect();
    let heading = ["BUILD", "STATUS", "TASKS", "COST", "SUBMITTED (UTC)", "PROJECT", "PROMPT"];
    print(&table(heading, &rows))?;
    if list.next_cursor.is_some() {
        eprintln!("there are more: --limit N");
    }
    Ok(())
}

pub(crate) async fn show(global: &Global, args: ShowArgs) -> anyhow::Result<ExitCode> {
    let session = Box::pin(Session::open(global, Purpose::Looking)).await?;
    let shown = show_in(&session, &args).await;
    session.close().await;
    shown.map(|()| ExitCode::SUCCESS)
}

async fn show_in(session: &Session, args: &ShowArgs) -> anyhow::Result<()> {
    let (client, id) = (&session.client, args.id.as_str());
    let text = match args.what() {
        What::Summary => {
            report(session, id, None, Telling::Details, args.output).await?;
            return Ok(());
        }
        What::Tasks => {
            let document: Value = client.part(id, "tasks").await?;
            match args.output {
                Output::Json => json(&document)?,
                Output::Text => tasks(&serde_json::from_value(document)?),
            }
        }
        // What `build --plan` takes, for people and machines alike.
        What::Plan => json(&client.part::<Value>(id, "plan").await?)?,
        What::Diff => {
            let diff = client.diff(id).await?;
            match args.output {
                Output::Json => json(&serde_json::json!({ "diff": diff }))?,
                // Piped on, it must stay what it is.
                Output::Text if io::stdout().is_terminal() => clean_lines(&diff),
                Output::Text => diff.strip_suffix('\n').unwrap_or(&diff).to_owned(),
            }
        }
        What::Events => events(session, id, args.output).await?,
    };
    Ok(print(&text)?)
}

fn tasks(list: &wire::TaskList) -> String {
    let row = |task: &wire::Task| {
        let took = task.started_at.zip(task.ended_at).map(|(from, to)| (to - from).num_milliseconds());
        let outcome = match (&task.failure, task.files_changed) {
            (Some(failure), _) if task.status != "completed" => cut(&clean(&failure.message), 100),
            (_, Some(files)) => format!("{} ({})", clean(&task.title), amounts::of(files.into(), "file")),
            _ => clean(&task.title),
        };
        [
            task.id.clone(),
            task.key.clone(),
            task.kind.clone(),
            task.status.clone(),
            task.attempt.to_string(),
            took.map(amounts::duration).unwrap_or_default(),
            amounts::dollars(task.usage.cost_usd),
            outcome,
        ]
    };
    let rows: Vec<_> = list.tasks.iter().map(row).collect();
    table(["TASK", "NAME", "TYPE", "STATUS", "TRIES", "TOOK", "COST", "WHAT"], &rows)
}

/// All of them, page by page.
async fn events(session: &Session, id: &str, output: Output) -> anyhow::Result<String> {
    const PAGE: usize = 1_000;
    let path = format!("/v1/builds/{}/events", crate::client::segment(id));
    let (mut documents, mut after) = (Vec::new(), 0);
    loop {
        let query = [("after", after.to_string()), ("limit", PAGE.to_string())];
        let page: Value = session.client.get(&path, &query).await?;
        let next = page.get("next").and_then(Value::as_u64);
        let Some(Value::Array(events)) = page.get("events") else { break };
        documents.extend(events.iter().cloned());
        match next {
            Some(next) if events.len() == PAGE && next > after => after = next,
            _ => break,
        }
    }
    if output == Output::Json {
        return json(&serde_json::json!({ "events": documents, "next": after }));
    }
    let mut progress = Progress::default();
    let mut lines = Vec::new();
    for document in documents {
        let event: wire::Event = serde_json::from_str(&document.to_string())?;
        let told = event.happening().map(|happening| {
            progress.apply(&happening, event.timestamp);
            sentence(&happening, &progress).unwrap_or_default()
        });
        let time = event.timestamp.format("%H:%M:%S%.3f");
        let line =
            format!("{:>4}  {time}  {:<18}  {}", event.version, clean(&event.kind), told.unwrap_or_default());
        lines.push(line.trim_end().to_owned());
    }
    Ok(lines.join("\n"))
}

pub(crate) async fn cancel(global: &Global, args: CancelArgs) -> anyhow::Result<ExitCode> {
    let session = Box::pin(Session::open(global, Purpose::Looking)).await?;
    let cancelled: Result<Value, _> = session.client.cancel(&args.id, args.reason.as_deref()).await;
    session.close().await;
    let document = cancelled?;
    print(&match args.output {
        Output::Json => json(&document)?,
        Output::Text => format!("{} is cancelled", clean(&args.id)),
    })?;
    Ok(ExitCode::SUCCESS)
}
