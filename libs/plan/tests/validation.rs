//! What makes a draft a plan, and how each fault is named.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use buildwright_plan::{
    Bounds, DependencyDraft, InvalidPlan, Plan, PlanDraft, TaskDraft, TaskNumber, TaskType,
};
use serde_json::{Value, json};

/// A draft of `agent` tasks with these ids and dependencies (`task`, `dependsOn`).
fn agents(ids: &[&str], dependencies: &[(&str, &[&str])]) -> Value {
    let tasks: Vec<Value> =
        ids.iter().map(|id| json!({"id": id, "type": "agent", "prompt": "do it"})).collect();
    let dependencies: Vec<Value> = dependencies
        .iter()
        .map(|(task, depends_on)| json!({"task": task, "dependsOn": depends_on}))
        .collect();
    json!({"tasks": tasks, "dependencies": dependencies})
}

/// A draft of one task: a valid one of that type, with these fields instead.
fn one(task_type: &str, fields: &Value) -> Value {
    let mut task = match task_type {
        "command" => json!({"id": "t", "type": "command", "command": "make"}),
        "agent" | "install_deps" => json!({"id": "t", "type": task_type, "prompt": "do it"}),
        _ => json!({"id": "t", "type": task_type, "prompt": "do it", "targets": ["src/a.rs"]}),
    };
    for (name, value) in fields.as_object().unwrap() {
        task[name] = value.clone();
    }
    json!({"tasks": [task]})
}

fn validate(draft: Value, bounds: &Bounds) -> Result<Plan, InvalidPlan> {
    Plan::validate(serde_json::from_value(draft).unwrap(), bounds)
}

/// The problems of a draft, under the usual bounds.
fn problems(draft: Value) -> Vec<(String, String)> {
    problems_within(draft, &Bounds::default())
}

fn problems_within(draft: Value, bounds: &Bounds) -> Vec<(String, String)> {
    let text = draft.to_string();
    let Err(invalid) = validate(draft, bounds) else { panic!("accepted: {text:.300}") };
    invalid.problems.into_iter().map(|problem| (problem.pointer, problem.message)).collect()
}

/// Every row: a draft, and the pointer and a part of the message of each of its problems, in order.
fn expect(rows: Vec<(Value, &[(&str, &str)])>) {
    for (draft, expected) in rows {
        let text = draft.to_string();
        let found = problems(draft);
        assert_eq!(found.len(), expected.len(), "{text:.300}\n{found:?}");
        for ((pointer, message), (expected_pointer, part)) in found.iter().zip(expected) {
            assert_eq!(pointer, expected_pointer, "{text:.300}\n{found:?}");
            assert!(message.contains(part), "{message:?} does not say {part:?}\n{text:.300}");
        }
    }
}

#[test]
fn every_type_of_task_is_accepted_with_what_it_needs() {
    for task_type in TaskType::ALL {
        let plan = validate(one(task_type.as_str(), &json!({})), &Bounds::default()).unwrap();
        assert_eq!(plan.tasks()[0].task_type, task_type);
        assert_eq!(plan.tasks()[0].title, "t", "the id stands in for a title");
    }
}

#[test]
fn ids_and_dependencies_that_do_not_fit_together_are_named_where_they_stand() {
    expect(vec![
        (json!({"tasks": []}), &[("/tasks", "at least one task")]),
        (
            agents(&["a", "b", "a", "a"], &[]),
            &[
                ("/tasks/2/id", r#""a" is also the id of task 0"#),
                ("/tasks/3/id", r#""a" is also the id of task 2"#),
            ],
        ),
        (agents(&["a", "a", "b"], &[("b", &["a"])]), &[("/tasks/1/id", r#""a" is also the id of task 0"#)]),
        (
            agents(&["a", "b"], &[("b", &["a", "ghost"]), ("phantom", &["a"])]),
            &[
                ("/dependencies/0/dependsOn/1", r#"no task of the plan has the id "ghost""#),
                ("/dependencies/1/task", r#"no task of the plan has the id "phantom""#),
            ],
        ),
        (agents(&[""], &[]), &[("/tasks/0/id", "1 to 64 letters")]),
        (agents(&["-rf"], &[]), &[("/tasks/0/id", "starting with a letter or digit")]),
        (agents(&["../a"], &[]), &[("/tasks/0/id", "1 to 64 letters")]),
        (agents(&[&"a".repeat(65)], &[]), &[("/tasks/0/id", "1 to 64 letters")]),
    ]);
}

#[test]
fn a_cycle_is_named_by_its_tasks() {
    expect(vec![
        (agents(&["a"], &[("a", &["a"])]), &[("/dependencies/0/dependsOn/0", r#""a" waits for itself"#)]),
        (
            agents(&["a", "b", "c"], &[("a", &["b"]), ("b", &["a"]), ("c", &["a"])]),
            &[("/dependencies", "tasks wait for each other in a cycle: a, b")],
        ),
        (
            agents(&["z", "a", "m", "free"], &[("z", &["a"]), ("a", &["m"]), ("m", &["z"])]),
            &[("/dependencies", "tasks wait for each other in a cycle: z, a, m")],
        ),
        (
            agents(&["a", "b", "c", "d"], &[("d", &["c"]), ("c", &["d"]), ("b", &["a"]), ("a", &["b"])]),
            &[("/dependencies", "cycle: a, b"), ("/dependencies", "cycle: c, d")],
        ),
    ]);
}

#[test]
fn of_a_long_cycle_the_first_tasks_are_named_and_the_rest_counted() {
    let ids: Vec<String> = (0..15).map(|n| format!("t{n}")).collect();
    let ring: Vec<Value> =
        (0..15).map(|n| json!({"task": ids[n], "dependsOn": [ids[(n + 1) % 15]]})).collect();
    let mut draft = agents(&ids.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    draft["dependencies"] = Value::Array(ring);
    let found = problems(draft);
    assert_eq!(found.len(), 1);
    assert!(found[0].1.ends_with("cycle: t0, t1, t2, t3, t4, t5, t6, t7, t8, t9 and 5 more"), "{found:?}");
}

#[test]
fn the_fields_of_a_task_are_checked_by_its_type() {
    expect(vec![
        (one("agent", &json!({"type": "destroy"})), &[("/tasks/0/type", r#""destroy" is no task type"#)]),
        (one("agent", &json!({"type": "Agent"})), &[("/tasks/0/type", "known are create_file,")]),
        (
            one("agent", &json!({"prompt": " \n"})),
            &[("/tasks/0/prompt", "tasks of type agent need a prompt")],
        ),
        (
            one("create_file", &json!({"prompt": ""})),
            &[("/tasks/0/prompt", "tasks of type create_file need a prompt")],
        ),
        (
            one("create_file", &json!({"targets": []})),
            &[("/tasks/0/targets", "tasks of type create_file name the files")],
        ),
        (
            one("modify_file", &json!({"targets": []})),
            &[("/tasks/0/targets", "tasks of type modify_file name the files")],
        ),
        (
            one("create_component", &json!({"targets": []})),
            &[("/tasks/0/targets", "of type create_component name the files")],
        ),
        (
            one("setup_config", &json!({"targets": []})),
            &[("/tasks/0/targets", "of type setup_config name the files")],
        ),
        (
            one("command", &json!({"command": "  "})),
            &[("/tasks/0/command", "tasks of type command need a command")],
        ),
        (
            one("agent", &json!({"command": "ls"})),
            &[("/tasks/0/command", "tasks of type agent take no command")],
        ),
    ]);
}

#[test]
fn a_target_outside_the_workspace_or_inside_its_repository_is_refused() {
    let rows = [
        ("/etc/passwd", "relative to the workspace"),
        ("..", "`..` component"),
        ("a/../../b", "`..` component"),
        ("a\0b", "control characters"),
        (".git/hooks/pre-commit", "`.git` directory"),
        ("vendor/x/.GIT/config", "`.git` directory"),
        ("", "must not be empty"),
    ];
    for (target, rule) in rows {
        let draft = one("create_file", &json!({"targets": ["ok.txt", target]}));
        expect(vec![(draft, &[("/tasks/0/targets/1", rule)])]);
    }
    // Of a single bad target both is true: it is bad, and without it the task has none.
    let draft = one("create_file", &json!({"targets": ["/x"]}));
    assert_eq!(problems(draft)[0].0, "/tasks/0/targets/0");
}

#[test]
fn a_model_name_that_could_be_read_as_an_option_is_refused() {
    for name in ["--dangerously-skip-permissions", "-p", "", " opus", "a b", "opus\n", "$(id)", "модель"]
    {
        let draft = one("agent", &json!({"model": name}));
        expect(vec![(draft, &[("/tasks/0/model", "starting with a letter or digit")])]);
    }
    for name in ["opus", "claude-sonnet-4-5-20250929", "us.anthropic/claude:1", "sonnet[1m]", "claude@2025"] {
        assert!(validate(one("agent", &json!({"model": name})), &Bounds::default()).is_ok(), "{name}");
    }
}

#[test]
fn no_text_of_a_plan_holds_a_nul() {
    for (task_type, field) in
        [("agent", "prompt"), ("agent", "title"), ("agent", "check"), ("command", "command")]
    {
        let draft = one(task_type, &json!({field: "a\0b"}));
        expect(vec![(draft, &[(&format!("/tasks/0/{field}"), "NUL")])]);
    }
    let mut draft = one("agent", &json!({}));
    draft["summary"] = json!("a\0b");
    expect(vec![(draft, &[("/summary", "NUL")])]);
}

#[test]
fn every_bound_holds_at_its_value_and_fails_just_past_it() {
    let bounds = Bounds { tasks: 3, dependencies: 2, targets: 1, text_chars: 4, timeout_seconds: 10 };
    let short = |draft: Value| {
        let mut draft = draft;
        for task in draft["tasks"].as_array_mut().unwrap() {
            task["prompt"] = json!("žžžž");
        }
        draft
    };
    let rows = [
        (short(agents(&["a", "b", "c"], &[])), short(agents(&["a", "b", "c", "d"], &[])), "/tasks"),
        (
            short(agents(&["a", "b", "c"], &[("c", &["a", "b"])])),
            short(agents(&["a", "b", "c"], &[("c", &["a", "b"]), ("b", &["a"])])),
            "/dependencies",
        ),
        (
            short(one("create_file", &json!({"targets": ["a"]}))),
            short(one("agent", &json!({"targets": ["a", "b"]}))),
            "/tasks/0/targets",
        ),
        (
            one("agent", &json!({"prompt": "1234"})),
            one("agent", &json!({"prompt": "12345"})),
            "/tasks/0/prompt",
        ),
        (
            short(one("agent", &json!({"check": "1234"}))),
            short(one("agent", &json!({"check": "12345"}))),
            "/tasks/0/check",
        ),
        (
            short(one("agent", &json!({"timeoutSeconds": 10}))),
            short(one("agent", &json!({"timeoutSeconds": 11}))),
            "/tasks/0/timeoutSeconds",
        ),
        (
            short(one("agent", &json!({"timeoutSeconds": 1}))),
            short(one("agent", &json!({"timeoutSeconds": 0}))),
            "/tasks/0/timeoutSeconds",
        ),
    ];
    for (within, past, pointer) in rows {
        assert_eq!(validate(within, &bounds).map(|_| ()), Ok(()), "{pointer}");
        let found = problems_within(past, &bounds);
        assert_eq!(
            found.iter().map(|(pointer, _)| pointer.as_str()).collect::<Vec<_>>(),
            [pointer],
            "{found:?}"
        );
    }
}

#[test]
fn problems_come_in_the_order_of_the_draft_and_end_at_a_bound() {
    let draft = json!({
        "summary": "\0",
        "tasks": [
            {"id": "a", "type": "agent"},
            {"id": "a", "type": "agent", "prompt": "p"},
            {"id": "b", "type": "?", "prompt": "p"},
        ],
        "dependencies": [{"task": "b", "dependsOn": ["ghost"]}],
    });
    let pointers: Vec<String> = problems(draft).into_iter().map(|(pointer, _)| pointer).collect();
    assert_eq!(
        pointers,
        ["/summary", "/tasks/0/prompt", "/tasks/1/id", "/tasks/2/type", "/dependencies/0/dependsOn/0"]
    );

    let ids: Vec<String> = (0..50).map(|n| format!("-{n}")).collect();
    let draft = agents(&ids.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    assert_eq!(problems(draft).len(), InvalidPlan::MOST);
}

#[test]
fn a_message_does_not_repeat_an_endless_text() {
    let endless = "x".repeat(1_000_000);
    let draft = json!({
        "tasks": [
            {"id": endless, "type": "agent", "prompt": "p"},
            {"id": endless, "type": endless, "prompt": "p"},
        ],
        "dependencies": [{"task": "?", "dependsOn": []}, {"task": format!("?{endless}"), "dependsOn": []}],
    });
    for (pointer, message) in problems(draft) {
        assert!(message.chars().count() < 300, "{pointer}: {} characters", message.chars().count());
    }
}

#[test]
fn a_misspelt_field_is_an_error_of_the_json() {
    let error = serde_json::from_value::<PlanDraft>(json!({"tasks": [], "dependancies": []})).unwrap_err();
    assert!(error.to_string().contains("unknown field `dependancies`"), "{error}");
}

#[test]
fn a_plan_reads_back_from_its_json_as_itself() {
    let draft = json!({
        "summary": "A page",
        "tasks": [
            {"id": "style", "type": "create_file", "title": "Colours", "prompt": "css", "targets": ["./a.css"],
             "model": "opus", "timeoutSeconds": 30, "check": "test -s a.css"},
            {"id": "page", "type": "agent", "title": "page", "prompt": "html"},
            {"id": "lint", "type": "command", "command": "make lint"},
        ],
        "dependencies": [
            {"task": "style", "dependsOn": []},
            {"task": "page", "dependsOn": ["style"]},
            {"task": "lint", "dependsOn": ["page", "style", "page"]},
        ],
    });
    let plan = validate(draft, &Bounds::default()).unwrap();
    let json = serde_json::to_string(&plan).unwrap();
    let again: Plan = serde_json::from_str(&json).unwrap();
    assert_eq!(again, plan);
    assert_eq!(serde_json::to_string(&again).unwrap(), json);
    assert_eq!(again.tasks(), plan.tasks());
    assert_eq!(again.predecessors(TaskNumber(2)).collect::<Vec<_>>(), [TaskNumber(0), TaskNumber(1)]);
}

#[test]
fn plans_that_differ_in_an_edge_are_not_equal() {
    let with = validate(agents(&["a", "b"], &[("b", &["a"])]), &Bounds::default()).unwrap();
    let without = validate(agents(&["a", "b"], &[]), &Bounds::default()).unwrap();
    assert_ne!(with, without);
}

#[test]
fn a_stored_plan_that_is_invalid_cannot_be_read() {
    for (draft, why) in [
        (agents(&["a", "b"], &[("a", &["b"]), ("b", &["a"])]), "in a cycle: a, b"),
        (agents(&["a", "a"], &[]), "/tasks/1/id"),
        (one("create_file", &json!({"targets": ["../x"]})), "/tasks/0/targets/0"),
        (json!({"tasks": []}), "at least one task"),
    ] {
        let error = serde_json::from_value::<Plan>(draft).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_stored_plan_is_not_held_to_the_bounds_of_today() {
    let long = one("agent", &json!({"prompt": "x".repeat(Bounds::default().text_chars + 1)}));
    assert_eq!(problems(long.clone())[0].0, "/tasks/0/prompt");
    assert!(serde_json::from_value::<Plan>(long).is_ok());
}

fn task(number: usize) -> TaskDraft {
    TaskDraft {
        id: format!("t{number}"),
        task_type: "agent".into(),
        prompt: "p".into(),
        ..TaskDraft::default()
    }
}

/// As many tasks as are allowed, each waiting for those of its `steps` before it.
fn huge(steps: std::ops::RangeInclusive<usize>) -> PlanDraft {
    let dependency = |number: usize| DependencyDraft {
        task: format!("t{number}"),
        depends_on: steps
            .clone()
            .filter(|step| *step <= number)
            .map(|step| format!("t{}", number - step))
            .collect(),
    };
    PlanDraft {
        summary: None,
        tasks: (0..10_000).map(task).collect(),
        dependencies: (0..10_000).map(dependency).collect(),
    }
}

#[test]
fn the_largest_plan_allowed_is_validated_without_deep_recursion() {
    // Both one long chain and as many edges as are allowed; a test's thread has a stack of 2 MiB.
    for draft in [huge(1..=1), huge(1..=10)] {
        let plan = Plan::validate(draft.clone(), &Bounds::default()).unwrap();
        assert_eq!(plan.sinks().collect::<Vec<_>>(), [TaskNumber(9_999)]);

        let mut ring = draft;
        ring.dependencies[0].depends_on = vec!["t9999".into()];
        let invalid = Plan::validate(ring, &Bounds::default()).unwrap_err();
        assert_eq!(invalid.problems.len(), 1);
        assert!(invalid.problems[0].message.contains("cycle: t0, t1,"), "{invalid}");
    }
}
