//! From a draft to a plan, or to the list of all that is wrong with it.

use crate::{Plan, PlanDraft, PlannedTask, TaskDraft, TaskKey, TaskNumber, TaskType, graph::node};
use names::RelativePath;
use petgraph::{algo::tarjan_scc, graph::DiGraph};
use std::{collections::HashMap, fmt};

/// How large a plan may be. Every bound is a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Most tasks.
    pub tasks: usize,
    /// Most dependencies (edges).
    pub dependencies: usize,
    /// Most targets of one task.
    pub targets: usize,
    /// Most characters of one prompt, command or check.
    pub text_chars: usize,
    /// Most seconds a task may be given.
    pub timeout_seconds: u32,
}

impl Bounds {
    /// No bound at all: for plans that were accepted before.
    pub const NONE: Self = Self {
        tasks: usize::MAX,
        dependencies: usize::MAX,
        targets: usize::MAX,
        text_chars: usize::MAX,
        timeout_seconds: u32::MAX,
    };
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            tasks: 10_000,
            dependencies: 100_000,
            targets: 100,
            text_chars: 100_000,
            timeout_seconds: 24 * 3600,
        }
    }
}

/// One thing wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// JSON pointer (RFC 6901) into the draft.
    pub pointer: String,
    /// What is wrong and what would be right, for people.
    pub message: String,
}

/// Why a draft is no plan: at least one problem, at most [`InvalidPlan::MOST`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidPlan {
    /// The problems in the order of the draft.
    pub problems: Vec<Problem>,
}

impl InvalidPlan {
    /// Past so many problems no more are looked for.
    pub const MOST: usize = 20;
}

impl fmt::Display for InvalidPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{}: {}", problem.pointer, problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for InvalidPlan {}

#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        if self.0.len() < InvalidPlan::MOST {
            self.0.push(Problem { pointer: pointer.into(), message: message.into() });
        }
    }
}

pub(crate) fn validate(draft: PlanDraft, bounds: &Bounds) -> Result<Plan, InvalidPlan> {
    let mut problems = Problems::default();
    if draft.tasks.is_empty() {
        problems.add("/tasks", "a plan has at least one task");
    }
    if draft.tasks.len() > bounds.tasks {
        problems.add("/tasks", format!("{} tasks, at most {} allowed", draft.tasks.len(), bounds.tasks));
        return Err(InvalidPlan { problems: problems.0 });
    }
    if draft.summary.as_ref().is_some_and(|text| text.chars().count() > bounds.text_chars) {
        problems.add("/summary", format!("longer than {} characters", bounds.text_chars));
    }
    let numbers = number_ids(&draft, &mut problems);
    let graph = connect(&draft, &numbers, bounds, &mut problems);
    let tasks: Vec<PlannedTask> = draft
        .tasks
        .into_iter()
        .enumerate()
        .filter_map(|(index, task)| check_task(index, task, bounds, &mut problems))
        .collect();
    if problems.0.is_empty() {
        find_cycles(&graph, &tasks, &mut problems);
    }
    if problems.0.is_empty() {
        Ok(Plan { summary: draft.summary, tasks, graph })
    } else {
        Err(InvalidPlan { problems: problems.0 })
    }
}

fn number_ids(draft: &PlanDraft, problems: &mut Problems) -> HashMap<String, TaskNumber> {
    let mut numbers = HashMap::with_capacity(draft.tasks.len());
    for (number, task) in (0u32..).zip(&draft.tasks) {
        if let Some(first) = numbers.insert(task.id.clone(), TaskNumber(number)) {
            problems
                .add(format!("/tasks/{number}/id"), format!("{:?} is also the id of task {first}", task.id));
        }
    }
    numbers
}

fn connect(
    draft: &PlanDraft,
    numbers: &HashMap<String, TaskNumber>,
    bounds: &Bounds,
    problems: &mut Problems,
) -> DiGraph<(), ()> {
    let mut graph = DiGraph::with_capacity(draft.tasks.len(), draft.dependencies.len());
    for _ in &draft.tasks {
        graph.add_node(());
    }
    let edges: usize = draft.dependencies.iter().map(|d| d.depends_on.len()).sum();
    if edges > bounds.dependencies {
        problems
            .add("/dependencies", format!("{edges} dependencies, at most {} allowed", bounds.dependencies));
        return graph;
    }
    let mut seen = std::collections::HashSet::with_capacity(edges);
    for (at, dependency) in draft.dependencies.iter().enumerate() {
        let Some(&task) = numbers.get(&dependency.task) else {
            problems.add(
                format!("/dependencies/{at}/task"),
                format!("no task of the plan has the id {:?}", dependency.task),
            );
            continue;
        };
        for (place, before) in dependency.depends_on.iter().enumerate() {
            match numbers.get(before) {
                None => problems.add(
                    format!("/dependencies/{at}/dependsOn/{place}"),
                    format!("no task of the plan has the id {before:?}"),
                ),
                // A repeated dependency says nothing new; an edge twice would be counted twice.
                Some(&before) if seen.insert((before, task)) => {
                    graph.add_edge(node(before), node(task), ());
                }
                Some(_) => {}
            }
        }
    }
    graph
}

fn check_task(
    index: usize,
    draft: TaskDraft,
    bounds: &Bounds,
    problems: &mut Problems,
) -> Option<PlannedTask> {
    let at = |field: &str| format!("/tasks/{index}/{field}");
    let key = TaskKey::try_from(draft.id).map_err(|error| problems.add(at("id"), error.to_string())).ok();
    let task_type = TaskType::parse(&draft.task_type);
    if task_type.is_none() {
        let known = TaskType::ALL.map(TaskType::as_str).join(", ");
        problems.add(at("type"), format!("{:?} is no task type; known are {known}", draft.task_type));
    }
    for (field, text) in [
        ("prompt", Some(&draft.prompt)),
        ("title", draft.title.as_ref()),
        ("command", draft.command.as_ref()),
        ("check", draft.check.as_ref()),
        ("model", draft.model.as_ref()),
    ] {
        if text.is_some_and(|text| text.chars().count() > bounds.text_chars) {
            problems.add(at(field), format!("longer than {} characters", bounds.text_chars));
        }
        if text.is_some_and(|text| text.contains('\0')) {
            problems.add(at(field), "contains a NUL character");
        }
    }
    if let Some(message) = draft.model.as_deref().and_then(names_no_model) {
        problems.add(at("model"), message);
    }
    if draft.timeout_seconds.is_some_and(|seconds| seconds == 0 || seconds > bounds.timeout_seconds) {
        problems.add(at("timeoutSeconds"), format!("must be 1 to {}", bounds.timeout_seconds));
    }
    let targets = check_targets(index, draft.targets, bounds, problems);
    let task_type = task_type?;
    check_needs(index, task_type, &draft.prompt, draft.command.as_deref(), &targets, problems);
    let key = key?;
    Some(PlannedTask {
        title: draft.title.unwrap_or_else(|| key.to_string()),
        key,
        task_type,
        prompt: draft.prompt,
        targets,
        command: draft.command,
        check: draft.check,
        timeout_seconds: draft.timeout_seconds,
        model: draft.model,
    })
}

/// A model name becomes an argument of the CLI: it must not look like an option.
fn names_no_model(model: &str) -> Option<&'static str> {
    let plain = |b: u8| {
        b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'/' | b'[' | b']' | b'@')
    };
    let valid = model.len() <= 128
        && model.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && model.bytes().all(plain);
    (!valid).then_some(
        "a model name is 1 to 128 of letters, digits and -_.:/[]@, starting with a letter or digit",
    )
}

fn check_targets(
    index: usize,
    targets: Vec<String>,
    bounds: &Bounds,
    problems: &mut Problems,
) -> Vec<RelativePath> {
    if targets.len() > bounds.targets {
        problems
            .add(format!("/tasks/{index}/targets"), format!("at most {} targets allowed", bounds.targets));
        return Vec::new();
    }
    let mut checked = Vec::with_capacity(targets.len());
    for (place, target) in targets.into_iter().enumerate() {
        match RelativePath::try_from(target) {
            Ok(path) => checked.push(path),
            Err(error) => problems.add(format!("/tasks/{index}/targets/{place}"), error.to_string()),
        }
    }
    checked
}

fn check_needs(
    index: usize,
    task_type: TaskType,
    prompt: &str,
    command: Option<&str>,
    targets: &[RelativePath],
    problems: &mut Problems,
) {
    let command_given = command.is_some_and(|text| !text.trim().is_empty());
    if task_type == TaskType::Command && !command_given {
        problems.add(format!("/tasks/{index}/command"), "a command task needs a command");
    }
    if task_type != TaskType::Command && command.is_some() {
        problems.add(format!("/tasks/{index}/command"), format!("a {task_type} task takes no command"));
    }
    if task_type.uses_model() && prompt.trim().is_empty() {
        problems.add(format!("/tasks/{index}/prompt"), format!("a {task_type} task needs a prompt"));
    }
    if task_type.needs_targets() && targets.is_empty() {
        problems.add(
            format!("/tasks/{index}/targets"),
            format!("a {task_type} task names the files it will touch"),
        );
    }
}

fn find_cycles(graph: &DiGraph<(), ()>, tasks: &[PlannedTask], problems: &mut Problems) {
    for component in tarjan_scc(graph) {
        let cyclic = component.len() > 1 || graph.contains_edge(component[0], component[0]);
        if !cyclic {
            continue;
        }
        let mut keys: Vec<&str> = component.iter().map(|node| tasks[node.index()].key.as_str()).collect();
        keys.sort_unstable();
        let shown = keys.iter().take(10).copied().collect::<Vec<_>>().join(", ");
        problems.add("/dependencies", format!("tasks wait for each other in a cycle: {shown}"));
    }
}
