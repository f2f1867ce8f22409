//! From a draft to a plan, or to the list of all that is wrong with it.

use crate::{
    DependencyDraft, Plan, PlanDraft, PlannedTask, TaskDraft, TaskKey, TaskNumber, TaskType, graph::node,
};
use names::{ExecutorLabel, RelativePath};
use petgraph::{algo::kosaraju_scc, graph::DiGraph};
use std::{
    collections::{HashMap, HashSet},
    fmt,
};

/// Most labels that one task may ask for.
pub const MOST_LABELS: usize = 4;

/// How large a plan may be. Every bound is a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Most tasks.
    pub tasks: usize,
    /// Most dependencies (edges).
    pub dependencies: usize,
    /// Most targets of one task.
    pub targets: usize,
    /// Most characters of one text: summary, title, prompt, command or check.
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
    let PlanDraft { summary, tasks: drafts, dependencies } = draft;
    let mut problems = Problems::default();
    check_text("/summary", summary.as_deref(), bounds, &mut problems);
    if drafts.is_empty() {
        problems.add("/tasks", "a plan has at least one task");
    }
    if drafts.len() > bounds.tasks {
        problems.add("/tasks", format!("{} tasks, at most {} allowed", drafts.len(), bounds.tasks));
        return Err(InvalidPlan { problems: problems.0 });
    }
    let count = drafts.len();
    let mut numbers = HashMap::with_capacity(count);
    let mut tasks = Vec::with_capacity(count);
    for (number, draft) in (0u32..).map(TaskNumber).zip(drafts) {
        if let Some(first) = numbers.insert(draft.id.clone(), number) {
            let message = format!("{} is also the id of task {first}", quoted(&draft.id));
            problems.add(format!("/tasks/{number}/id"), message);
        }
        tasks.extend(check_task(number, draft, bounds, &mut problems));
    }
    let graph = connect(count, &dependencies, &numbers, bounds, &mut problems);
    if problems.0.is_empty() {
        find_cycles(&graph, &tasks, &mut problems);
    }
    if problems.0.is_empty() {
        Ok(Plan { summary, tasks, graph })
    } else {
        Err(InvalidPlan { problems: problems.0 })
    }
}

/// A text of the draft inside a message: quoted, and cut where it gets too long to be read.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn connect(
    tasks: usize,
    dependencies: &[DependencyDraft],
    numbers: &HashMap<String, TaskNumber>,
    bounds: &Bounds,
    problems: &mut Problems,
) -> DiGraph<(), ()> {
    let edges: usize = dependencies.iter().map(|d| d.depends_on.len()).sum();
    let mut graph = DiGraph::with_capacity(tasks, 0);
    if edges > bounds.dependencies {
        problems
            .add("/dependencies", format!("{edges} dependencies, at most {} allowed", bounds.dependencies));
        return graph;
    }
    for _ in 0..tasks {
        graph.add_node(());
    }
    let unknown = |id: &str| format!("no task of the plan has the id {}", quoted(id));
    let mut seen = HashSet::with_capacity(edges);
    for (at, dependency) in dependencies.iter().enumerate() {
        let Some(&task) = numbers.get(&dependency.task) else {
            problems.add(format!("/dependencies/{at}/task"), unknown(&dependency.task));
            continue;
        };
        for (place, before) in dependency.depends_on.iter().enumerate() {
            let pointer = || format!("/dependencies/{at}/dependsOn/{place}");
            match numbers.get(before) {
                None => problems.add(pointer(), unknown(before)),
                Some(&before) if before == task => {
                    problems.add(pointer(), format!("{} waits for itself", quoted(&dependency.task)));
                }
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
    number: TaskNumber,
    draft: TaskDraft,
    bounds: &Bounds,
    problems: &mut Problems,
) -> Option<PlannedTask> {
    let at = |field: &str| format!("/tasks/{number}/{field}");
    let key = TaskKey::try_from(draft.id).map_err(|error| problems.add(at("id"), error.to_string())).ok();
    let task_type = TaskType::parse(&draft.task_type);
    if task_type.is_none() {
        let known = TaskType::ALL.map(TaskType::as_str).join(", ");
        problems.add(at("type"), format!("{} is no task type; known are {known}", quoted(&draft.task_type)));
    }
    for (field, text) in [
        ("prompt", Some(&draft.prompt)),
        ("title", draft.title.as_ref()),
        ("command", draft.command.as_ref()),
        ("check", draft.check.as_ref()),
    ] {
        check_text(&at(field), text.map(String::as_str), bounds, problems);
    }
    if let Some(message) = draft.model.as_deref().and_then(names_no_model) {
        problems.add(at("model"), message);
    }
    if draft.timeout_seconds.is_some_and(|seconds| seconds == 0 || seconds > bounds.timeout_seconds) {
        problems.add(at("timeoutSeconds"), format!("must be 1 to {}", bounds.timeout_seconds));
    }
    // Models like to fill every field of a schema: an empty command is none.
    let command = draft.command.filter(|text| !text.trim().is_empty());
    let check = draft.check.filter(|text| !text.trim().is_empty());
    let names_targets = !draft.targets.is_empty();
    let targets = check_targets(number, draft.targets, bounds, problems);
    let requires = check_labels(&at("requires"), &draft.requires, problems);
    let task_type = task_type?;
    check_needs(number, task_type, &draft.prompt, command.as_deref(), names_targets, problems);
    let key = key?;
    Some(PlannedTask {
        title: draft.title.unwrap_or_else(|| key.to_string()),
        key,
        task_type,
        prompt: draft.prompt,
        targets,
        command,
        check,
        timeout_seconds: draft.timeout_seconds,
        model: draft.model,
        requires,
    })
}

fn check_labels(pointer: &str, labels: &[String], problems: &mut Problems) -> Vec<ExecutorLabel> {
    if labels.len() > MOST_LABELS {
        problems.add(pointer, format!("more than {MOST_LABELS} labels"));
        return Vec::new();
    }
    let mut checked = Vec::with_capacity(labels.len());
    for (place, label) in labels.iter().enumerate() {
        match label.parse::<ExecutorLabel>() {
            Ok(label) => checked.push(label),
            Err(error) => problems.add(format!("{pointer}/{place}"), error.to_string()),
        }
    }
    checked.sort_unstable();
    checked.dedup();
    checked
}

fn check_text(pointer: &str, text: Option<&str>, bounds: &Bounds, problems: &mut Problems) {
    let Some(text) = text else { return };
    if text.chars().count() > bounds.text_chars {
        problems.add(pointer, format!("longer than {} characters", bounds.text_chars));
    }
    if text.contains('\0') {
        problems.add(pointer, "contains a NUL character");
    }
}

/// What is wrong with a model's name, if anything is. It becomes an argument of the CLI: it must not look
/// like an option.
#[must_use]
pub fn names_no_model(model: &str) -> Option<&'static str> {
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
    number: TaskNumber,
    targets: Vec<String>,
    bounds: &Bounds,
    problems: &mut Problems,
) -> Vec<RelativePath> {
    if targets.len() > bounds.targets {
        problems
            .add(format!("/tasks/{number}/targets"), format!("at most {} targets allowed", bounds.targets));
        return Vec::new();
    }
    let mut checked = Vec::with_capacity(targets.len());
    for (place, target) in targets.into_iter().enumerate() {
        match RelativePath::try_from(target) {
            Ok(path) => checked.push(path),
            Err(error) => problems.add(format!("/tasks/{number}/targets/{place}"), error.to_string()),
        }
    }
    checked
}

fn check_needs(
    number: TaskNumber,
    task_type: TaskType,
    prompt: &str,
    command: Option<&str>,
    names_targets: bool,
    problems: &mut Problems,
) {
    if task_type == TaskType::Command && command.is_none() {
        problems.add(format!("/tasks/{number}/command"), "tasks of type command need a command");
    }
    if task_type != TaskType::Command && command.is_some() {
        problems
            .add(format!("/tasks/{number}/command"), format!("tasks of type {task_type} take no command"));
    }
    if task_type.uses_model() && prompt.trim().is_empty() {
        problems.add(format!("/tasks/{number}/prompt"), format!("tasks of type {task_type} need a prompt"));
    }
    if task_type.needs_targets() && !names_targets {
        problems.add(
            format!("/tasks/{number}/targets"),
            format!("tasks of type {task_type} name the files they will touch"),
        );
    }
}

fn find_cycles(graph: &DiGraph<(), ()>, tasks: &[PlannedTask], problems: &mut Problems) {
    const NAMED: usize = 10;
    // Not Tarjan's algorithm: petgraph's recurses, and a long chain of tasks would overflow the stack.
    let mut cycles: Vec<_> =
        kosaraju_scc(graph).into_iter().filter(|component| component.len() > 1).collect();
    for cycle in &mut cycles {
        cycle.sort_unstable();
    }
    cycles.sort_unstable();
    for cycle in cycles {
        let keys: Vec<&str> = cycle.iter().take(NAMED).map(|node| tasks[node.index()].key.as_str()).collect();
        let more = match cycle.len().saturating_sub(NAMED) {
            0 => String::new(),
            rest => format!(" and {rest} more"),
        };
        let message = format!("tasks wait for each other in a cycle: {}{more}", keys.join(", "));
        problems.add("/dependencies", message);
    }
}
