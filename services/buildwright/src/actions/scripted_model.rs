//! `scripted-model`.

use crate::{
    cli::{Global, SCRIPTED_MODEL_PORT, ScriptedModelArgs},
    hiring,
    interrupts::Interrupts,
    render::print,
};
use anyhow::Context as _;
use scripted_model::ScriptedModel;
use std::process::ExitCode;

pub(crate) async fn serve(global: &Global, args: ScriptedModelArgs) -> anyhow::Result<ExitCode> {
    let mut interrupts = Interrupts::listen()?;
    let script = hiring::script(args.script.as_deref())?;
    let address = global.listen(SCRIPTED_MODEL_PORT);
    let model =
        ScriptedModel::start(script, address).await.with_context(|| format!("cannot listen on {address}"))?;
    print(&format!("export ANTHROPIC_BASE_URL={} ANTHROPIC_API_KEY=any", model.base_url()))?;
    interrupts.next().await;
    model.shutdown().await?;
    Ok(ExitCode::SUCCESS)
}
