//! From a prompt to a plan.

use super::{Account, Attempt, Workshop, failures::Step};
use crate::{
    agent::{Job, Tools},
    plan_schema, prompt,
};
use domain::{Failure, FailureClass};
use plan::{Plan, PlanDraft};
use ports::WorkOrder;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::Path;
use workspace::{AgentGit, AttemptWorkspace};

/// Most files of an existing repository that are listed to the planner.
const MOST_FILES: usize = 500;

impl Workshop {
    pub(super) async fn make_plan(
        &self,
        attempt: &Attempt<'_>,
        previous_failure: Option<&str>,
        account: &mut Account,
    ) -> Result<Plan, Failure> {
        let listed = attempt.project.files(&attempt.base).await.map_err(Step::from)?;
        let files: Vec<String> = listed.iter().take(MOST_FILES).map(|file| file.path.to_string()).collect();
        let workspace = self.prepare(attempt, attempt.base.clone(), AgentGit::Provided).await?;
        let planned = self.ask_for_plan(attempt, &workspace, &files, previous_failure, account).await;
        self.clear(workspace).await;
        planned
    }

    async fn ask_for_plan(
        &self,
        attempt: &Attempt<'_>,
        workspace: &AttemptWorkspace,
        files: &[String],
        previous_failure: Option<&str>,
        account: &mut Account,
    ) -> Result<Plan, Failure> {
        let (tree, private) = (workspace.tree(), workspace.private());
        let mut prompt = prompt::planning(attempt.order, &tree, files);
        if let Some(why) = previous_failure {
            prompt.push_str("\n\nAn earlier plan could not be used: ");
            prompt.push_str(why);
        }
        let schema = plan_schema::schema();
        let tools = if files.is_empty() { Tools::None } else { Tools::Read };
        let job = job(attempt, &tree, &private, prompt, tools, Some(&schema));
        let answer = attempt.ask(self.agent.as_ref(), job, account).await?;
        match (answer.data, answer.refused) {
            (Some(data), _) => read_plan(data, &self.plan_bounds),
            (None, Some(why)) => Err(invalid(&why)),
            (None, None) => {
                Err(Failure::new(FailureClass::InvalidPlan, "the model ended without giving a plan"))
            }
        }
    }
}

/// A job of an attempt, with all of its time.
pub(super) fn job<'a>(
    attempt: &'a Attempt<'_>,
    tree: &'a Path,
    private: &'a Path,
    prompt: String,
    tools: Tools,
    schema: Option<&'a Value>,
) -> Job<'a> {
    let model = &attempt.order.spec.model;
    let session = session(attempt.order);
    Job { tree, private, prompt, model, tools, schema, session, timeout: attempt.left() }
}

/// Bits that differ between attempts and are the same for the same one, so that a session can be found.
fn session(order: &WorkOrder) -> u128 {
    let name = format!("{}/{}/{}", order.build, order.work, order.attempt);
    let digest: [u8; 32] = Sha256::digest(name).into();
    digest.iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(*byte))
}

fn read_plan(data: Value, bounds: &plan::Bounds) -> Result<Plan, Failure> {
    let draft: PlanDraft = serde_json::from_value(data).map_err(|error| invalid(&error.to_string()))?;
    Plan::validate(draft, bounds).map_err(|error| invalid(&error.to_string()))
}

fn invalid(why: &str) -> Failure {
    Failure::new(FailureClass::InvalidPlan, format!("the plan is not valid: {why}"))
}
