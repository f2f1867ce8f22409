//! For any acyclic plan, in any order of completion, the frontier releases each task once and in time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use buildwright_plan::{Bounds, DependencyDraft, Frontier, Plan, PlanDraft, TaskDraft, TaskNumber};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A graph without cycles: its edges run from the earlier to the later task of a hidden order.
#[derive(Debug, Clone)]
struct Dag {
    order: Vec<usize>,
    edges: Vec<(usize, usize)>,
}

impl Dag {
    fn draft(&self) -> PlanDraft {
        let id = |task: usize| format!("t{task}");
        let task = |number| TaskDraft {
            id: id(number),
            task_type: "agent".into(),
            prompt: "p".into(),
            ..TaskDraft::default()
        };
        let dependencies = self
            .edges
            .iter()
            .map(|&(before, after)| DependencyDraft { task: id(after), depends_on: vec![id(before)] });
        PlanDraft {
            summary: None,
            tasks: (0..self.order.len()).map(task).collect(),
            dependencies: dependencies.collect(),
        }
    }
}

fn dags() -> impl Strategy<Value = Dag> {
    (1..=200usize).prop_flat_map(|count| {
        let order = Just((0..count).collect::<Vec<_>>()).prop_shuffle();
        let pairs = prop::collection::vec((0..count, 0..count), 0..3 * count);
        (order, pairs).prop_map(|(order, pairs)| {
            let edges = pairs
                .into_iter()
                .filter(|(a, b)| a != b)
                .map(|(a, b)| (order[a.min(b)], order[a.max(b)]))
                .collect();
            Dag { order, edges }
        })
    })
}

fn number(task: usize) -> TaskNumber {
    TaskNumber(u32::try_from(task).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_task_is_released_once_and_after_all_it_waits_for(
        dag in dags(),
        choices in prop::collection::vec(any::<prop::sample::Index>(), 200),
    ) {
        let plan = Plan::validate(dag.draft(), &Bounds::default()).unwrap();
        let mut frontier = Frontier::of(&plan);
        let (mut taken, mut done) = (BTreeSet::new(), BTreeSet::new());
        let mut running: Vec<TaskNumber> = Vec::new();
        let mut choices = choices.iter();
        loop {
            let ready: Vec<TaskNumber> = frontier.ready().collect();
            prop_assert!(ready.is_sorted());
            for task in ready {
                prop_assert!(taken.insert(task), "task {} was released twice", task);
                prop_assert!(plan.predecessors(task).all(|before| done.contains(&before)));
                frontier.take(task);
                running.push(task);
            }
            if running.is_empty() {
                break;
            }
            let ended = running.swap_remove(choices.next().unwrap().index(running.len()));
            let foreseen: Vec<TaskNumber> = frontier.released_by(&plan, ended).collect();
            done.insert(ended);
            frontier.complete(&plan, ended);
            prop_assert_eq!(frontier.ready().collect::<Vec<_>>(), foreseen);
        }
        prop_assert_eq!(done.len(), plan.tasks().len(), "every task comes to its turn");
    }

    #[test]
    fn the_graph_is_what_the_draft_says(dag in dags()) {
        let plan = Plan::validate(dag.draft(), &Bounds::default()).unwrap();
        let wanted: BTreeSet<_> = dag.edges.iter().map(|&(a, b)| (number(a), number(b))).collect();
        let forward: BTreeSet<_> =
            plan.numbers().flat_map(|a| plan.successors(a).map(move |b| (a, b))).collect();
        let backward: BTreeSet<_> =
            plan.numbers().flat_map(|b| plan.predecessors(b).map(move |a| (a, b))).collect();
        prop_assert_eq!(&forward, &wanted);
        prop_assert_eq!(&backward, &wanted);
        let json = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    }

    #[test]
    fn an_edge_back_is_refused_and_the_cycle_named(
        mut dag in dags().prop_filter("has an edge", |dag| !dag.edges.is_empty()),
        which in any::<prop::sample::Index>(),
    ) {
        let (before, after) = dag.edges[which.index(dag.edges.len())];
        dag.edges.push((after, before));
        let invalid = Plan::validate(dag.draft(), &Bounds::default()).unwrap_err();
        prop_assert_eq!(invalid.problems.len(), 1);
        let message = &invalid.problems[0].message;
        let named = message.strip_prefix("tasks wait for each other in a cycle: ").unwrap();
        let all_named = !named.contains(" more");
        for end in [before, after] {
            let key = format!("t{end}");
            prop_assert!(!all_named || named.split(", ").any(|name| name == key), "{key}: {message}");
        }
    }
}
