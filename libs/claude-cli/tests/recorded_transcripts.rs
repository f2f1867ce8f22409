//! What the real CLI printed, and what we make of it. See `transcripts/README.md` for the commands.
#![expect(clippy::unwrap_used, reason = "it also looks into the helpers of tests")]

use buildwright_claude_cli::{
    Block, DEFAULT_LINE_CAP, Ending, Event, Line, LineReader, Transcript, conclude,
};
use supervisor::Exit;

async fn lines(name: &str) -> Vec<Line> {
    let path = format!("{}/tests/transcripts/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let mut reader = LineReader::new(tokio::fs::File::open(path).await.unwrap(), DEFAULT_LINE_CAP);
    let mut lines = Vec::new();
    while let Some(line) = reader.next().await.unwrap() {
        lines.push(Line::read(line));
    }
    lines
}

async fn transcript(name: &str) -> Transcript {
    let mut transcript = Transcript::default();
    for line in lines(name).await {
        transcript.add(&line.event);
    }
    transcript
}

async fn ending(name: &str, code: i32) -> (Ending, Transcript) {
    let transcript = transcript(name).await;
    (conclude(&transcript, Some(Exit::Code(code)), None, "its stderr"), transcript)
}

/// Input tokens, output tokens, nano-dollars, turns, refused calls.
fn figures(seen: &Transcript) -> (u64, u64, u64, u64, usize) {
    let total = seen.last_result.as_ref().map(|result| result.usage.total()).unwrap_or_default();
    let denials = seen.permission_denials.len();
    (total.input_tokens, total.output_tokens, total.cost_nano_usd, seen.num_turns, denials)
}

#[tokio::test]
async fn a_success_with_tools_a_server_and_a_subagent() {
    let (ending, seen) = ending("01-tools-mcp-subagent-success", 0).await;
    assert_eq!(ending, Ending::Completed);
    assert_eq!(figures(&seen), (720, 180, 8_100_000, 4, 0));
    let result = seen.last_result.unwrap();
    assert_eq!(result.text.as_deref(), Some("All done."));
    assert_eq!(result.usage.by_model.keys().collect::<Vec<_>>(), ["claude-opus-4-8[1m]"]);
    assert_eq!(seen.claude_version.as_deref(), Some("2.1.197"));
    assert_eq!(seen.session_id.as_deref(), Some("f5ea9f20-d918-47d8-9079-095f624d865d"));
}

#[tokio::test]
async fn tool_calls_and_their_results_can_be_matched() {
    let mut calls = Vec::new();
    let mut answers = Vec::new();
    for line in lines("01-tools-mcp-subagent-success").await {
        match line.event {
            Event::Assistant(said) if said.parent_tool_use_id.is_none() => {
                for block in said.blocks {
                    if let Block::ToolUse { id, name, .. } = block {
                        calls.push((id, name));
                    }
                }
            }
            Event::User(user) if user.parent_tool_use_id.is_none() => {
                answers.extend(user.results.into_iter().map(|result| result.tool_use_id));
            }
            Event::Unparsed | Event::TooLong { .. } => panic!("{}", line.raw),
            _ => {}
        }
    }
    assert_eq!(
        calls.iter().map(|(_, name)| &name[..]).collect::<Vec<_>>(),
        ["Write", "mcp__tiny__echo", "Task"]
    );
    assert_eq!(calls.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), answers);
}

#[tokio::test]
async fn partial_messages_are_kept_without_being_understood() {
    let (ending, seen) = ending("02-partial-messages", 0).await;
    assert_eq!(ending, Ending::Completed);
    assert_eq!(figures(&seen), (120, 30, 1_350_000, 1, 0));
    let lines = lines("02-partial-messages").await;
    let partial =
        |line: &&Line| matches!(&line.event, Event::Other { kind: Some(kind), .. } if kind == "stream_event");
    assert!(lines.iter().filter(partial).all(|line| line.raw.contains("\"event\":")));
    assert!(lines.iter().filter(partial).count() > 20);
    let thoughts = lines.iter().filter(|line| {
        matches!(&line.event, Event::Assistant(said) if matches!(said.blocks[..], [Block::Thinking(_)]))
    });
    assert_eq!(thoughts.count(), 1);
}

#[tokio::test]
async fn a_rate_limit_after_its_retries() {
    let (ending, seen) = ending("03-api-429-retries-then-fails", 1).await;
    let Ending::RateLimited { resets_at: None, message } = ending else { panic!("{ending:?}") };
    assert!(message.starts_with("API Error: Request rejected (429)"), "{message}");
    assert_eq!(figures(&seen), (0, 0, 0, 1, 0));
    let retries: Vec<_> = lines("03-api-429-retries-then-fails")
        .await
        .into_iter()
        .filter_map(|line| match line.event {
            Event::Retry(retry) => Some((retry.attempt, retry.max_retries, retry.status, retry.error)),
            _ => None,
        })
        .collect();
    assert_eq!(retries, [(1, 2, Some(429), "rate_limit".into()), (2, 2, Some(429), "rate_limit".into())]);
}

#[tokio::test]
async fn too_many_turns() {
    let (ending, seen) = ending("04-max-turns", 1).await;
    assert_eq!(ending, Ending::MaxTurns);
    assert_eq!(figures(&seen), (240, 60, 2_700_000, 3, 0));
}

#[tokio::test]
async fn refused_tools_end_in_success_and_are_reported() {
    let (ending, seen) = ending("05-permission-denied", 0).await;
    assert_eq!(ending, Ending::Completed);
    assert_eq!(figures(&seen), (480, 120, 5_400_000, 4, 2));
    let names: Vec<_> = seen.permission_denials.iter().map(|denial| &denial.tool_name[..]).collect();
    assert_eq!(names, ["Write", "Bash"]);
    assert_eq!(seen.permission_denials[1].tool_input["command"], "rm -f p.txt");
}

#[tokio::test]
async fn structured_output_on_the_second_try() {
    let (ending, seen) = ending("06-structured-output-retry", 0).await;
    assert_eq!(ending, Ending::Completed);
    assert_eq!(figures(&seen), (240, 60, 2_700_000, 3, 0));
    assert_eq!(seen.structured_output.unwrap()["steps"][1]["deps"][0], "a");
}

#[tokio::test]
async fn an_interrupt_that_was_not_ours() {
    for code in [0, 1] {
        let (ending, seen) = ending("07-sigint-during-bash", code).await;
        assert!(matches!(ending, Ending::ExecutionError { .. }), "{ending:?}");
        assert_eq!(figures(&seen), (120, 30, 1_350_000, 3, 0));
    }
}

#[tokio::test]
async fn a_stream_that_just_ends() {
    let (ending, seen) = ending("08-sigterm-no-result", 143).await;
    assert_eq!(ending, Ending::NoResult { exit: Some(143), stderr: "its stderr".into() });
    assert_eq!(seen.session_id.as_deref(), Some("a10c038c-0206-423d-b85a-35f4cc7445eb"));
}

#[tokio::test]
async fn two_results_whose_last_usage_is_the_total() {
    let (ending, seen) = ending("09-background-task-two-results", 0).await;
    assert_eq!(ending, Ending::Completed);
    assert_eq!(figures(&seen), (360, 90, 4_050_000, 3, 0));
    let tasks: Vec<_> = lines("09-background-task-two-results")
        .await
        .into_iter()
        .filter_map(|line| match line.event {
            Event::Task(task) => Some((task.subtype, task.status)),
            _ => None,
        })
        .collect();
    let expected = [
        ("task_started", None),
        ("task_updated", Some("completed")),
        ("task_notification", Some("completed")),
    ];
    assert_eq!(tasks, expected.map(|(subtype, status)| (subtype.to_owned(), status.map(str::to_owned))));
}

#[tokio::test]
async fn several_turns_keep_the_refusals_of_each() {
    let (ending, seen) = ending("10-control-approval-interrupt", 0).await;
    assert_eq!(ending, Ending::Completed);
    assert_eq!(figures(&seen), (480, 120, 5_400_000, 6, 1));
}
