//! `remove`

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use aws_sdk_cloudformation::error::DisplayErrorContext;
use serde_json::Value;
use terminal::{signals, ui};

use crate::stack::Resource;
use crate::verify::deployed_template;
use crate::{Exit, Stack, Target, buckets};

/// The polling interval while a stack is being deleted.
const POLL_INTERVAL: Duration = Duration::from_secs(3);

/// Delete a stack and its data: empty its buckets, delete it, and wait until it is gone.
///
/// Permanently deletes tables, buckets, users and secrets. In production, the buckets that the template
/// retains are kept, and tables cannot be deleted until their deletion protection is switched off.
#[derive(clap::Args)]
pub struct Args {
    /// Required to delete a stack whose Environment is production: its name again.
    #[arg(long, value_name = "NAME")]
    yes_production: Option<String>,
}

pub(super) fn run(target: Target, args: &Args) -> anyhow::Result<Exit> {
    let stack = Stack::open(target)?;
    signals::catch()?;
    let Some(status) = stack.status()? else {
        ui::note(&format!("there is no stack {} in this account and region", stack.name()));
        return Ok(Exit::Success);
    };
    let environment = stack.parameter("Environment")?;
    let environment = environment.with_context(|| {
        format!(
            "stack {} has no parameter Environment, so it is not from this project and is not deleted",
            stack.name()
        )
    })?;
    let is_production = environment == "production";
    ensure!(
        !is_production || args.yes_production.as_deref() == Some(stack.name()),
        "stack {0} is a production stack. To delete it with its data: {1} remove --yes-production {0}",
        stack.name(),
        stack.target.program
    );
    ui::heading(&format!("Remove {} ({environment}, {status})", stack.name()));
    let buckets = buckets::all(&stack)?;
    let retained = retained(&stack)?;
    let is_retained = |bucket: &Resource| retained.contains(&bucket.logical_id);
    for bucket in &buckets {
        if is_production && is_retained(bucket) {
            ui::note(&format!("{} is retained: {}", bucket.logical_id, bucket.physical_id));
            continue;
        }
        let progress = ui::Progress::start(&format!("emptying {}", bucket.logical_id));
        let deleted = buckets::delete(&stack, &bucket.physical_id, |_| true)?;
        progress.done(&format!("emptied {}: {deleted} object versions deleted", bucket.logical_id));
    }
    delete(&stack)?;
    for bucket in buckets.iter().filter(|bucket| !is_production && is_retained(bucket)) {
        // Objects may have arrived since it was emptied.
        buckets::delete(&stack, &bucket.physical_id, |_| true)?;
        buckets::remove(&stack, &bucket.physical_id)?;
        ui::success(&format!("deleted {}, which the stack retained", bucket.logical_id));
    }
    Ok(Exit::Success)
}

/// The logical ids of resources with the deletion policy Retain.
fn retained(stack: &Stack) -> anyhow::Result<BTreeSet<String>> {
    let template = deployed_template(stack)?;
    let resources = template.get("Resources").and_then(Value::as_object).into_iter().flatten();
    let is_retained = |resource: &Value| {
        resource
            .get("DeletionPolicy")
            .and_then(Value::as_str)
            .is_some_and(|policy| policy.starts_with("Retain"))
    };
    Ok(resources.filter(|(_, resource)| is_retained(resource)).map(|(name, _)| name.clone()).collect())
}

/// Deletes the stack, and waits until it is gone.
fn delete(stack: &Stack) -> anyhow::Result<()> {
    let progress = ui::Progress::start(&format!("deleting {}", stack.name()));
    let response = stack.aws.wait(stack.aws.cloudformation.delete_stack().stack_name(stack.name()).send());
    response.map_err(|error| {
        anyhow::anyhow!("cannot delete {}: {}", stack.name(), DisplayErrorContext(&error))
    })?;
    loop {
        signals::sleep(POLL_INTERVAL).context("CloudFormation continues the deletion")?;
        match stack.status()?.as_deref() {
            None | Some("DELETE_COMPLETE") => break,
            Some("DELETE_IN_PROGRESS") => {}
            Some(status) => bail!(
                "stack {} is {status}:\n{}\nFix that and run the same command again",
                stack.name(),
                reasons(stack)?
            ),
        }
        progress.detail("this takes a few minutes");
    }
    progress.done(&format!("deleted {}", stack.name()));
    Ok(())
}

/// Why resources could not be deleted, the most recent first.
fn reasons(stack: &Stack) -> anyhow::Result<String> {
    let response =
        stack.aws.wait(stack.aws.cloudformation.describe_stack_events().stack_name(stack.name()).send());
    let response = response.map_err(|error| {
        anyhow::anyhow!("cannot read the events of {}: {}", stack.name(), DisplayErrorContext(&error))
    })?;
    let failed = response
        .stack_events()
        .iter()
        .filter(|event| event.resource_status().is_some_and(|status| status.as_str() == "DELETE_FAILED"));
    let lines = failed.map(|event| {
        let reason = event.resource_status_reason().unwrap_or("no reason given");
        format!("  {}: {reason}", event.logical_resource_id().unwrap_or_default())
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}
