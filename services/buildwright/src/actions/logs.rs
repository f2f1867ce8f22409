//! `logs`.

use crate::{
    cli::{Global, LogsArgs},
    client::{segment, wire},
    interrupts::Interrupts,
    render::{print, transcript::transcript},
    session::{Purpose, Session},
};
use std::process::ExitCode;

pub(crate) async fn logs(global: &Global, args: LogsArgs) -> anyhow::Result<ExitCode> {
    let session = Box::pin(Session::open(global, Purpose::Looking)).await?;
    let path = match args.task.starts_with("bld_") {
        true => format!("/v1/builds/{}/plan/output", segment(&args.task)),
        false => format!("/v1/tasks/{}/output", segment(&args.task)),
    };
    let printed = match args.follow {
        true => follow(&session, path, args.raw).await,
        false => history(&session, &path, args.raw).await,
    };
    session.close().await;
    printed.map(|()| ExitCode::SUCCESS)
}

async fn history(session: &Session, path: &str, raw: bool) -> anyhow::Result<()> {
    let mut printer = Printer { raw, attempt: 1 };
    let mut after = 0;
    loop {
        let query = [("after", after.to_string()), ("limit", "1000".to_owned())];
        let page: wire::OutputList = session.client.get(path, &query).await?;
        for line in &page.lines {
            printer.print(line)?;
        }
        if page.lines.is_empty() || page.next <= after {
            return Ok(());
        }
        after = page.next;
    }
}

async fn follow(session: &Session, path: String, raw: bool) -> anyhow::Result<()> {
    let mut interrupts = Interrupts::listen()?;
    let mut printer = Printer { raw, attempt: 1 };
    let mut output = session.client.follow(path, None);
    loop {
        let event = tokio::select! {
            event = output.next() => event?,
            () = interrupts.next() => return Ok(()),
        };
        match event {
            Some(event) => printer.print(&serde_json::from_str(&event.data)?)?,
            None => return Ok(()),
        }
    }
}

struct Printer {
    raw: bool,
    attempt: u32,
}

impl Printer {
    fn print(&mut self, line: &wire::OutputLine) -> std::io::Result<()> {
        if self.raw {
            return print(&line.text);
        }
        if line.attempt != self.attempt {
            self.attempt = line.attempt;
            print(&format!("── try {} ──", line.attempt))?;
        }
        match transcript(line) {
            Some(text) => print(&text),
            None => Ok(()),
        }
    }
}
