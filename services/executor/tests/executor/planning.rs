//! From a prompt to a plan.

use crate::{orders::*, scene::*};
use domain::{FailureClass, build::Success};
use ports::OutputStream;
use serde_json::json;

#[tokio::test]
async fn a_prompt_becomes_a_plan() {
    let scene = Scene::new().await;
    let order = planning(1, "a to-do list");
    let outcome = scene.carry_out(&order).await;
    let Ok(Success::Plan(plan)) = outcome.result else { panic!("{:?}", outcome.result) };
    assert!(plan.tasks().iter().any(|task| task.key.as_str() == "verify"), "the built-in script's plan");
    assert!(scene.lines(&order).await.iter().any(|line| line.stream == OutputStream::Claude));
}

#[tokio::test]
async fn a_plan_that_makes_no_sense_is_told_what_is_wrong_with_it() {
    let scene = Scene::new().await;
    let task = |id: &str| json!({ "id": id, "type": "agent", "title": id, "prompt": "do it" });
    let circle = json!([{
        "structured": {
            "tasks": [task("a"), task("b")],
            "dependencies": [
                { "task": "a", "dependsOn": ["b"] },
                { "task": "b", "dependsOn": ["a"] },
            ],
        },
        "usage": { "outputTokens": 9 },
    }]);
    let outcome = scene.carry_out(&planning(1, &format!("SCRIPTED: {circle}"))).await;
    assert_eq!(outcome.usage.total().output_tokens, 9, "it was paid for all the same");
    let invalid = failure(outcome);
    assert_eq!(invalid.class, FailureClass::InvalidPlan);
    assert!(invalid.message.contains("a") && invalid.message.contains("b"), "{invalid}");

    let talk = json!([{ "text": "I would rather not." }]);
    let none = failure(scene.carry_out(&planning(2, &format!("SCRIPTED: {talk}"))).await);
    assert_eq!(none.class, FailureClass::InvalidPlan);
}
