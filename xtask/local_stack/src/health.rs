//! The health check after a deployment, which an event of CloudFormation starts on AWS. The emulator has no such
//! events.

use anyhow::Context as _;
use serde_json::json;
use shopctl::Stack;
use shopctl::http::Http;
use terminal::ui;

use crate::instance::Instance;

/// Runs `check-health`, whose result `GET /health` then returns. An unhealthy shop is only reported.
pub(crate) fn check(stack: &Stack, instance: &Instance) -> anyhow::Result<()> {
    let function = stack.resources()?.into_iter().find(|resource| resource.logical_id == "CheckHealth");
    let function = function.context("the stack has no function CheckHealth")?.physical_id;
    let url = format!("{}/2015-03-31/functions/{function}/invocations", instance.endpoint());
    match Http::default().post_signed("lambda", &url, &json!({})) {
        Ok(response) if response.body["healthy"] == true => ui::success("the shop is healthy"),
        Ok(response) => ui::note(&format!("the health check found problems: {}", response.body)),
        Err(error) => ui::note(&format!("the health check failed: {error:#}")),
    }
    Ok(())
}
