//! Which rule and which turn answers.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use buildwright_scripted_model::{
    Action, Block, Conversation, Ending, Engine, Reply, STRUCTURED_OUTPUT, Script, ScriptError, StopReason,
    Usage,
};
use serde_json::{Value, json};
use std::{fs, io};

fn script(rules: &Value) -> Script {
    parse(&json!({ "rules": rules })).unwrap()
}

fn parse(script: &Value) -> Result<Script, ScriptError> {
    Script::parse(&script.to_string(), |path| {
        let source = io::Error::from(io::ErrorKind::NotFound);
        Err(ScriptError::Read { path: path.to_owned(), source })
    })
}

fn asking(prompt: &str) -> Conversation {
    let tools = ["Write", "Read", "Edit", "Bash"].map(str::to_owned).to_vec();
    Conversation {
        model: "claude-haiku".to_owned(),
        prompts: vec![prompt.to_owned()],
        tools,
        ..Default::default()
    }
}

fn after(replies: usize, conversation: &Conversation) -> Conversation {
    Conversation { replies, ..conversation.clone() }
}

fn reply(engine: &Engine, conversation: &Conversation) -> Reply {
    match engine.answer(conversation).action {
        Action::Reply(reply) => reply,
        other => panic!("no reply: {other:?}"),
    }
}

fn text(engine: &Engine, conversation: &Conversation) -> String {
    match &reply(engine, conversation).blocks[..] {
        [Block::Text(text)] => text.clone(),
        other => panic!("no single text: {other:?}"),
    }
}

#[test]
fn the_first_rule_whose_conditions_all_hold_answers() {
    let engine = Engine::new(script(&json!([
        {"name": "both", "when": {"contains": "red", "model": "opus"}, "reply": [{"text": "red opus"}]},
        {"name": "tool", "when": {"contains": "red", "tool": "Grep"}, "reply": [{"text": "red grep"}]},
        {"name": "plan", "when": {"structured": true}, "reply": [{"text": "a plan"}]},
        {"name": "system", "when": {"in": "system", "contains": "pirate"}, "reply": [{"text": "arr"}]},
        {"name": "last", "when": {"in": "lastPrompt", "pattern": "^again (?<what>\\w+)"}, "reply": [{"text": "again: ${what}"}]},
        {"name": "red", "when": {"contains": "red"}, "reply": [{"text": "red"}]},
    ])));
    assert_eq!(engine.answer(&asking("a red car")).rule, "red");
    let opus = Conversation { model: "claude-opus-4-8".into(), ..asking("a red car") };
    assert_eq!(engine.answer(&opus).rule, "both");
    let grep = Conversation { tools: vec!["Grep".into()], ..asking("a red car") };
    assert_eq!(engine.answer(&grep).rule, "tool");
    let plan = Conversation { tools: vec![STRUCTURED_OUTPUT.into()], ..asking("a blue car") };
    assert_eq!(engine.answer(&plan).rule, "plan");
    let pirate = Conversation { system: "you are a pirate".into(), ..asking("x") };
    assert_eq!(engine.answer(&pirate).rule, "system");
    let again = Conversation { prompts: vec!["red".into(), "again please".into()], ..asking("") };
    assert_eq!(text(&engine, &again), "again: please");
    assert_eq!(text(&engine, &asking("nothing")), "Done.");
}

#[test]
fn the_turn_is_the_number_of_answers_since_the_last_prompt() {
    let engine = Engine::new(script(&json!([
        {"name": "r", "reply": [{"text": "one"}, {"text": "two"}]},
    ])));
    let asked = asking("go");
    let heard: Vec<_> = (0..4).map(|replies| text(&engine, &after(replies, &asked))).collect();
    assert_eq!(heard, ["one", "two", "Done.", "Done."]);
    assert_eq!(text(&engine, &asked), "one", "asking again gives the same answer");
}

#[test]
fn a_turn_keeps_the_order_of_its_blocks_and_fills_in_the_captures() {
    let engine = Engine::new(script(&json!([{
        "name": "r",
        "when": {"pattern": "(?m)^Add: (?<file>.+)$"},
        "reply": [{
            "thinking": "hm", "text": "for ${prompt}",
            "tool": {"name": "Bash", "input": {"command": "ls", "nested": [{"deep": "<${file}>"}]}},
            "tools": [{"name": "Write", "input": {"file_path": "/w/${file}"}, "forEach": "file"}],
            "usage": {"inputTokens": 7}, "stopReason": "max_tokens",
        }],
    }])));
    let reply = reply(&engine, &asking("Add: a\nAdd: b"));
    let tool = |name: &str, input: Value| Block::ToolUse { name: name.to_owned(), input };
    assert_eq!(
        reply.blocks,
        [
            Block::Thinking("hm".into()),
            Block::Text("for Add: a\nAdd: b".into()),
            tool("Bash", json!({"command": "ls", "nested": [{"deep": "<a>"}]})),
            tool("Write", json!({"file_path": "/w/a"})),
            tool("Write", json!({"file_path": "/w/b"})),
        ]
    );
    assert_eq!(reply.usage, Usage { input_tokens: 7, ..Usage::default() });
    assert_eq!(reply.stop_reason, StopReason::MaxTokens);
}

#[test]
fn a_fault_with_times_stands_before_the_next_turn_and_then_lets_it_through() {
    let engine = Engine::new(script(&json!([{"name": "r", "reply": [
        {"text": "one"},
        {"error": {"status": 529}, "times": 2},
        {"cut": true, "text": "half", "times": 1},
        {"text": "two"},
    ]}])));
    let asked = asking("go");
    assert_eq!(text(&engine, &asked), "one");
    for _ in 0..2 {
        let Action::Error(error, _) = engine.answer(&after(1, &asked)).action else { panic!("no error") };
        assert_eq!((error.status.as_u16(), error.kind()), (529, "overloaded_error"));
    }
    assert_eq!(reply(&engine, &after(1, &asked)).ending, Ending::Cut);
    assert_eq!(text(&engine, &after(1, &asked)), "two");
    assert_eq!(text(&engine, &after(2, &asked)), "Done.");
}

#[test]
fn faults_that_come_with_a_prompt_are_counted_for_that_prompt() {
    let engine = Engine::new(Script::default());
    let steps = r#"SCRIPTED: [{"error":{"status":500},"times":1},{"text":"fine"}]"#;
    for prompt in ["first\n", "second\n"] {
        let asked = asking(&format!("{prompt}{steps}\nthanks"));
        assert!(matches!(engine.answer(&asked).action, Action::Error(..)), "{prompt}");
        assert_eq!(text(&engine, &asked), "fine");
    }
}

#[test]
fn steps_in_a_prompt_win_and_know_the_workspace() {
    let engine = Engine::new(Script::default());
    let asked = asking(
        "Task: readme\nTarget: README.md\nWorkspace: /w/s\n\
         SCRIPTED: [{\"tool\":{\"name\":\"Write\",\"input\":{\"file_path\":\"${workspace}/x\",\"content\":\"[]\"}}}]",
    );
    let Block::ToolUse { input, .. } = &reply(&engine, &asked).blocks[0] else { panic!("no call") };
    assert_eq!(input["file_path"], "/w/s/x");
    assert_eq!(text(&engine, &after(1, &asked)), "Done.");
}

#[test]
fn steps_for_a_plan_are_passed_over_by_a_request_that_cannot_take_them() {
    let engine = Engine::new(Script::default());
    let prompt = "SCRIPTED: [{\"structured\":{\"tasks\":[]}}]\nSCRIPTED: [{\"text\":\"the task's own\"}]";
    assert_eq!(text(&engine, &asking(prompt)), "the task's own");
    let planning = Conversation { tools: vec![STRUCTURED_OUTPUT.into()], ..asking(prompt) };
    let planned = Block::ToolUse { name: STRUCTURED_OUTPUT.into(), input: json!({"tasks": []}) };
    assert_eq!(reply(&engine, &planning).blocks, [planned]);
}

#[test]
fn wrong_steps_in_a_prompt_are_answered_with_the_place_that_is_wrong() {
    let engine = Engine::new(Script::default());
    let asked = asking(r#"SCRIPTED: [{"text":"a"},{"tool":{"nam":"Bash"}}]"#);
    let Action::Error(error, _) = engine.answer(&asked).action else { panic!("no error") };
    assert_eq!(error.status.as_u16(), 400);
    assert!(error.message.contains("[1].tool.nam: unknown field `nam`"), "{}", error.message);
}

#[test]
fn side_requests_get_short_words_and_no_tool_calls() {
    let engine = Engine::new(Script::default());
    let title = Conversation { tools: vec![], ..asking("Workspace: /w\nTask: a\nTarget: a.md") };
    let said = reply(&engine, &Conversation { tools: vec!["Write".into()], ..title.clone() });
    assert_eq!(said.stop_reason, StopReason::ToolUse);
    let only_steps = asking(r#"SCRIPTED: [{"tool":{"name":"Bash","input":{"command":"ls"}}}]"#);
    assert_eq!(text(&engine, &Conversation { tools: vec![], ..only_steps }), "Done.");
    let probe = reply(&engine, &Conversation { max_tokens: Some(1), ..title });
    assert_eq!((probe.stop_reason, probe.usage.output_tokens), (StopReason::MaxTokens, 1));
}

#[test]
fn a_wrong_script_is_refused_with_the_place_that_is_wrong() {
    let wrong = [
        (json!({"rules": [{"name": "r", "reply": [{"txt": "a"}]}]}), "rules[0].reply[0].txt: unknown field"),
        (json!({"rules": [{"name": "r", "when": {"pattern": "("}, "reply": []}]}), "rules[0].when.pattern: "),
        (
            json!({"rules": [{"name": "r", "reply": [{"error": {"status": 200}}]}]}),
            "error.status: 200 is no HTTP",
        ),
        (json!({"rules": [{"name": "r"}]}), "at rules[0]: give reply or stepsFrom"),
        (json!({"rules": [{"name": "r", "reply": [{}]}]}), "at rules[0].reply[0]: give thinking, text"),
        (json!({"rules": [{"name": "r", "reply": [{"text": "a", "times": 1}]}]}), "times goes with"),
        (json!({"rules": [{"name": "r", "reply": [{"hang": true, "cut": true}]}]}), "give one of"),
        (
            json!({"rules": [{"name": "r", "stepsFrom": "steps"}]}),
            "at rules[0].stepsFrom: the pattern has no group",
        ),
        (json!({"rules": [{"name": "r", "reply": [{"text": "${file:gone.txt}"}]}]}), "cannot read gone.txt"),
        (json!({"rules": [], "rulez": []}), "unknown field `rulez`"),
    ];
    for (text, expected) in wrong {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} lacks {expected}");
    }
}

#[test]
fn a_script_is_loaded_with_the_files_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.json");
    fs::write(folder.path().join("hi.sh"), "echo ${prompt}").unwrap();
    fs::write(&path, r#"{"rules":[{"name":"r","reply":[{"text":"${file:hi.sh} / ${prompt}"}]}]}"#).unwrap();
    let engine = Engine::new(Script::load(&path).unwrap());
    assert_eq!(text(&engine, &asking("hey")), "echo ${prompt} / hey");
    assert!(matches!(Script::load(&folder.path().join("none.json")), Err(ScriptError::Read { .. })));
}

#[test]
fn the_demo_script_is_also_a_file_that_can_be_loaded_and_changed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/demo/script.json");
    let loaded = Script::load(path.as_ref()).unwrap();
    assert_eq!(loaded.rules.len(), Script::default().rules.len());
}

#[test]
fn the_example_in_the_readme_is_a_script() {
    let readme = include_str!("../README.md");
    let json = readme.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let engine = Engine::new(parse(&serde_json::from_str(json).unwrap()).unwrap());
    let asked = asking("Please say hello to Ada.\nWorkspace: /w");
    assert!(matches!(engine.answer(&asked).action, Action::Error(..)));
    let Block::ToolUse { input, .. } = &reply(&engine, &asked).blocks[1] else { panic!("no call") };
    assert_eq!(*input, json!({"file_path": "/w/hello.txt", "content": "Hello Ada\n"}));
    assert_eq!(engine.answer(&asking("cut me off")).rule, "broken line");
}
