//! `sam deploy` of `template.yaml` to a local stack: with the same template and the same SAM CLI as on AWS,
//! but with the functions' code from the fast build.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};
use shopctl::aws::{LOCAL_KEY, LOCAL_REGION};
use terminal::ui;
use xtask::paths::{display_path, repo_root};
use xtask::process;
use xtask::tools::Tools;

use crate::binaries::Binaries;
use crate::commands::up::OrdersHost;
use crate::instance::{EMULATOR_PORT, Instance, LOCAL_STACK, RECEIVER_PORT, SCANNER_PORT, STAND_IN_PORT};

const PREPARE: &str = include_str!("python/prepare_template.py");
const COMPLETE: &str = include_str!("python/complete_gateway.py");

/// Deploys the changes since the last deployment, if there are any.
pub(crate) fn deploy(
    instance: &Instance,
    tools: &Tools,
    binaries: &Binaries,
    orders: OrdersHost,
) -> anyhow::Result<()> {
    let plan = Plan::prepare(instance, tools, binaries, orders)?;
    let stack = instance.open()?;
    let status = stack.status()?.unwrap_or_default();
    let healthy = matches!(status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE");
    let deployed = std::fs::read_to_string(instance.deployed_stamp()).unwrap_or_default();
    if healthy && deployed == plan.stamp {
        ui::success("nothing to deploy: the template and the functions have not changed");
        return Ok(());
    }
    // CloudFormation cannot update a stack whose creation failed. It has no data to lose.
    if matches!(status.as_str(), "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED") {
        delete(instance, tools)?;
    }
    let progress = ui::Progress::start("deploying template.yaml with SAM");
    let log = instance.log("sam-deploy");
    let mut sam = local_sam(instance, tools)?;
    sam.args(["deploy", "--config-env", "local", "--stack-name", LOCAL_STACK, "--no-confirm-changeset"]);
    sam.arg("--template-file").arg(&plan.template).arg("--config-file").arg(&plan.config);
    process::run_logged(&mut sam, &log).context("the deployment to the local stack failed")?;
    complete_gateway(instance, tools)?;
    std::fs::write(instance.deployed_stamp(), &plan.stamp)?;
    progress.done(&format!("stack {LOCAL_STACK} deployed"));
    Ok(())
}

/// Configures the parts of the gateway that the emulator ignores when it deploys the template.
fn complete_gateway(instance: &Instance, tools: &Tools) -> anyhow::Result<()> {
    let script = instance.build().join("complete_gateway.py");
    std::fs::write(&script, COMPLETE)?;
    let mut python = Command::new(tools.python());
    local_aws(&mut python, instance).arg(script).arg(LOCAL_STACK);
    process::run_logged(&mut python, &instance.log("complete-gateway"))
        .context("the gateway of the local stack could not be configured completely")
}

/// The SAM CLI, configured to call the emulator only.
pub(crate) fn local_sam(instance: &Instance, tools: &Tools) -> anyhow::Result<Command> {
    let mut sam = tools.sam()?;
    local_aws(&mut sam, instance);
    Ok(sam)
}

/// Configures an AWS tool to call the emulator.
fn local_aws<'a>(command: &'a mut Command, instance: &Instance) -> &'a mut Command {
    for name in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"] {
        command.env_remove(name);
    }
    command
        .env("AWS_ENDPOINT_URL", instance.endpoint())
        .env("AWS_ACCESS_KEY_ID", LOCAL_KEY)
        .env("AWS_SECRET_ACCESS_KEY", LOCAL_KEY)
        .env("AWS_REGION", LOCAL_REGION)
        .env("AWS_DEFAULT_REGION", LOCAL_REGION)
        .env("NO_PROXY", "127.0.0.1,localhost")
}

fn delete(instance: &Instance, tools: &Tools) -> anyhow::Result<()> {
    let progress = ui::Progress::start("deleting the stack whose creation failed");
    let mut sam = local_sam(instance, tools)?;
    sam.args(["delete", "--no-prompts", "--stack-name", LOCAL_STACK, "--region", LOCAL_REGION]);
    process::run_logged(&mut sam, &instance.log("sam-delete"))?;
    progress.done("deleted the stack whose creation failed");
    Ok(())
}

/// A deployment to make.
struct Plan {
    template: PathBuf,
    config: PathBuf,
    /// A hash of everything that is deployed.
    stamp: String,
}

impl Plan {
    fn prepare(
        instance: &Instance,
        tools: &Tools,
        binaries: &Binaries,
        orders: OrdersHost,
    ) -> anyhow::Result<Self> {
        let functions_dir = instance.build().join("functions");
        let template = instance.build().join("template.yaml");
        let versions = binaries.package(tools, &functions_dir)?;
        prepare_template(instance, tools, &template, &functions_dir)?;
        let config = instance.build().join("samconfig.toml");
        let original = std::fs::read_to_string(repo_root().join("samconfig.toml"))
            .context("cannot read samconfig.toml at the root of the repository")?;
        // Always passed: a parameter that is left out keeps its deployed value.
        let url = if orders == OrdersHost::Container { instance.container_url() } else { String::new() };
        let text = with_parameter(&with_ports(&original, instance)?, "OrdersServiceUrl", &url)?;
        std::fs::write(&config, &text)?;
        let mut hash = Sha256::new();
        hash.update(std::fs::read(&template)?);
        hash.update(text);
        hash.update(COMPLETE);
        hash.update(versions.join("\n"));
        Ok(Self { template, config, stamp: hex::encode(hash.finalize()) })
    }
}

/// Writes a copy of the template whose functions take their code from `functions_dir` and have the local AWS
/// endpoint.
fn prepare_template(
    instance: &Instance,
    tools: &Tools,
    copy: &Path,
    functions_dir: &Path,
) -> anyhow::Result<()> {
    let template = repo_root().join("template.yaml");
    let script = instance.build().join("prepare_template.py");
    std::fs::write(&script, PREPARE)?;
    let mut prepare = Command::new(tools.python());
    prepare.arg(script).arg(&template).arg(copy).arg(functions_dir).arg(instance.functions_endpoint());
    let output = prepare.output()?;
    if !output.status.success() {
        bail!("cannot prepare {}:\n{}", display_path(&template), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// The repository's `samconfig.toml` with this stack's ports instead of the developer stack's. For the
/// developer's own stack it is unchanged, and may for example name another `StripeApiBase` than the stand-in.
fn with_ports(original: &str, instance: &Instance) -> anyhow::Result<String> {
    let mut text = original.to_owned();
    for (default, own) in [
        (EMULATOR_PORT, instance.emulator_port),
        (STAND_IN_PORT, instance.stand_in_port),
        (RECEIVER_PORT, instance.receiver_port),
        (SCANNER_PORT, instance.scanner_port),
    ] {
        if default == own {
            continue;
        }
        let address = format!("127.0.0.1:{default}");
        anyhow::ensure!(
            original.contains(&address),
            "samconfig.toml must contain {address} in the parameters of [local]"
        );
        text = text.replace(&address, &format!("127.0.0.1:{own}"));
    }
    Ok(text)
}

/// The `samconfig.toml` with an additional parameter for the local stack.
fn with_parameter(original: &str, name: &str, value: &str) -> anyhow::Result<String> {
    let first = "    \"Environment=local\",\n";
    anyhow::ensure!(
        original.contains(first),
        "samconfig.toml must contain \"Environment=local\" on a line of its own"
    );
    Ok(original.replacen(first, &format!("{first}    '{name}=\"{value}\"',\n"), 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_stack_has_its_own_ports() {
        let original = "LocalEndpoint=http://127.0.0.1:4577 StripeApiBase=http://127.0.0.1:4578 \
                        WebhookTestReceiver=127.0.0.1:4579 ClamdAddress=127.0.0.1:4576";
        let expected = "LocalEndpoint=http://127.0.0.1:4587 StripeApiBase=http://127.0.0.1:4588 \
                        WebhookTestReceiver=127.0.0.1:4589 ClamdAddress=127.0.0.1:4586";
        assert_eq!(with_ports(original, &Instance::test()).unwrap(), expected);
        assert_eq!(with_ports(original, &Instance::developer()).unwrap(), original);
        assert!(with_ports("StripeApiBase=http://127.0.0.1:4578", &Instance::test()).is_err());
        let real = "StripeApiBase=https://api.stripe.com";
        assert_eq!(with_ports(real, &Instance::developer()).unwrap(), real);
    }
}
