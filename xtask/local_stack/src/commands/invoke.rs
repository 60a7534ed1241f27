//! `cargo xtask invoke`

use std::net::{IpAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use shopctl::Stack;
use shopctl::commands::env;
use shopctl::names;
use terminal::{signals, ui};
use xtask::paths::repo_root;
use xtask::process;
use xtask::release;
use xtask::tools::Tools;

use crate::deploy::local_sam;
use crate::instance::Instance;

/// Invoke each function with its sample event in `events/`, with `sam local invoke` and the local stack.
///
/// Requires Docker, and the image in which SAM runs functions. On Linux, containers reach this machine at the
/// gateway of Docker's bridge network; the command forwards connections there to the local stack, which
/// listens on the loopback interface only.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these functions, such as `track-order`.
    #[arg(value_name = "FUNCTION")]
    functions: Vec<String>,
    /// The host name at which a container reaches this machine, if it is not the gateway:
    /// `host.docker.internal` for Docker Desktop.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Invoke the functions that `sam build --config-env local` built, instead of those of the local stack.
    #[arg(long)]
    built: bool,
    /// Invoke without environment variables, like a plain `sam local invoke`. The function must respond, even
    /// if with an error.
    #[arg(long)]
    without_variables: bool,
}

/// Prints the gateway of Docker's bridge network, with the library that SAM uses. The configuration of a
/// default bridge may contain only the subnet; the gateway is then its first address.
const GATEWAY_SCRIPT: &str = "
import docker, ipaddress
config = docker.from_env().networks.get('bridge').attrs['IPAM']['Config'][0]
print(config.get('Gateway') or next(ipaddress.ip_network(config['Subnet']).hosts()))
";
/// SAM's error if the image or the function was built for another architecture.
const WRONG_ARCHITECTURE: &str = "exec format error";
/// How many characters of a response are printed.
const MAX_PRINTED: usize = 100;

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    signals::catch()?;
    let instance = Instance::developer();
    let stack = instance.open()?;
    let tools = Tools::ensure()?;
    let functions = functions(&stack, &args.functions)?;
    let template =
        if args.built { built_template(&instance)? } else { instance.build().join("template.yaml") };
    let host = match &args.host {
        Some(host) => host.clone(),
        None => {
            let gateway = gateway(&tools)?;
            let ports = [instance.emulator_port, instance.stand_in_port, instance.scanner_port];
            ports.into_iter().try_for_each(|port| forward_port(gateway, port))?;
            gateway.to_string()
        }
    };
    let variables = instance.run().join("variables.json");
    std::fs::write(&variables, env::function_variables(&stack, Some(&host))?)?;
    let mut failed = Vec::new();
    for (id, name) in &functions {
        let mut sam = local_sam(&instance, &tools)?;
        // The functions were built for this machine's architecture.
        let architecture = format!("Architecture={}", release::ARCHITECTURE);
        sam.args(["local", "invoke", id, "--skip-pull-image", "--parameter-overrides", &architecture]);
        sam.arg("--template").arg(&template);
        if !args.without_variables {
            sam.arg("--env-vars").arg(&variables);
        }
        sam.arg("--event").arg(format!("events/{name}.json"));
        let started = Instant::now();
        let log = instance.log(&format!("invoke-{name}"));
        let response = invoke(&mut sam, &log);
        let duration = ui::seconds(started.elapsed());
        let check = if args.without_variables { check_any_response } else { check_response };
        match response.and_then(|response| check(&response)) {
            Ok(text) => {
                ui::success(&format!("{name:20} {duration:>7}  {}", ui::truncate(&text, MAX_PRINTED)));
            }
            Err(error) => {
                ui::failure(&format!("{name}: {error:#}"));
                failed.push(name.as_str());
            }
        }
        signals::check()?;
    }
    ui::note(
        "The sample events are about orders that do not exist, which `cargo xtask audit` will report. For a clean stack: cargo xtask down, then up --fresh",
    );
    ensure!(failed.is_empty(), "{} of {} failed: {}", failed.len(), functions.len(), failed.join(", "));
    Ok(())
}

/// The local stack's template with the functions that `sam build` built. SAM's own copy in `.aws-sam` does not declare
/// `AWS_ENDPOINT_URL`, and `sam local invoke` only sets variables that are declared.
fn built_template(instance: &Instance) -> anyhow::Result<PathBuf> {
    let build = repo_root().join(".aws-sam/build");
    ensure!(build.join("template.yaml").exists(), "there is no build: run sam build --config-env local");
    let prepared = std::fs::read_to_string(instance.build().join("template.yaml"))
        .context("the local stack has not been deployed: run cargo xtask up")?;
    let template = instance.build().join("built.yaml");
    std::fs::write(&template, with_code_from(&build, &prepared))?;
    Ok(template)
}

/// The template with the code of each function in the folder of its logical id in `build`, in place of its package.
fn with_code_from(build: &Path, template: &str) -> String {
    let mut id = "";
    let lines = template.lines().map(|line| {
        let key = line.strip_prefix("  ").filter(|line| !line.starts_with(' '));
        id = key.and_then(|key| key.strip_suffix(':')).unwrap_or(id);
        match line.split_once("CodeUri: ") {
            Some((indent, _)) => format!("{indent}CodeUri: {}\n", build.join(id).display()),
            None => format!("{line}\n"),
        }
    });
    lines.collect()
}

/// The selected functions: their logical ids and names.
fn functions(stack: &Stack, wanted: &[String]) -> anyhow::Result<Vec<(String, String)>> {
    let mut all: Vec<(String, String)> = stack
        .functions()?
        .into_iter()
        .map(|function| {
            let name = names::kebab_case(&function.logical_id);
            (function.logical_id, name)
        })
        .collect();
    all.sort();
    if let Some(unknown) = wanted.iter().find(|wanted| !all.iter().any(|(_, name)| name == *wanted)) {
        let known: Vec<&str> = all.iter().map(|(_, name)| name.as_str()).collect();
        bail!("there is no function {unknown}. The stack has: {}", known.join(", "));
    }
    all.retain(|(_, name)| wanted.is_empty() || wanted.contains(name));
    Ok(all)
}

/// The address at which containers reach this machine.
fn gateway(tools: &Tools) -> anyhow::Result<IpAddr> {
    let output = Command::new(tools.python()).args(["-c", GATEWAY_SCRIPT]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().ok().filter(|_| output.status.success()).with_context(|| {
        let why = String::from_utf8_lossy(&output.stderr);
        format!(
            "Docker is unavailable, or has no bridge network: {}\nStart it, or set DOCKER_HOST; with Docker Desktop, add \
             --host host.docker.internal.",
            why.lines().last().unwrap_or("no error message")
        )
    })
}

/// Forwards connections from a port of `address` to the same port of the loopback interface, while this
/// program runs.
fn forward_port(address: IpAddr, port: u16) -> anyhow::Result<()> {
    let listener = TcpListener::bind((address, port)).with_context(|| {
        format!("cannot listen on {address}:{port}, where containers connect to this machine")
    })?;
    std::thread::spawn(move || {
        for outer in listener.incoming().flatten() {
            let Ok(inner) = TcpStream::connect(("127.0.0.1", port)) else { continue };
            let (Ok(outer_too), Ok(inner_too)) = (outer.try_clone(), inner.try_clone()) else { continue };
            std::thread::spawn(move || copy(outer, inner));
            std::thread::spawn(move || copy(inner_too, outer_too));
        }
    });
    Ok(())
}

/// Copies bytes from one connection to the other, until the sender closes its side or breaks the connection.
fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Write);
}

/// The function's response: the last line that SAM prints. The function's log is written to `log`.
fn invoke(sam: &mut Command, log: &Path) -> anyhow::Result<String> {
    sam.stdin(Stdio::null()).stderr(std::fs::File::create(log)?);
    let output = sam.output().context("the SAM CLI could not be started")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let response = text.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned);
    response.filter(|_| output.status.success()).with_context(|| {
        let tail = process::log_tail(log);
        let advice = if tail.contains(WRONG_ARCHITECTURE) {
            "\nIt was built for another architecture. Build it for this machine: sam build --config-env local"
        } else {
            ""
        };
        format!("there is no response. The end of its log:\n{tail}{advice}")
    })
}

/// Checks a response, and returns the text to print.
///
/// # Errors
/// When the caller of the function would treat the response as a failure.
fn check_response(response: &str) -> anyhow::Result<String> {
    let json: Value =
        serde_json::from_str(response).with_context(|| format!("the response is not JSON: {response}"))?;
    let is_error = json.get("errorType").is_some() || json.get("errorMessage").is_some();
    ensure!(!is_error, "the function failed: {response}");
    if let Some(status) = json.get("statusCode").and_then(Value::as_u64) {
        let body = json.get("body").and_then(Value::as_str).unwrap_or_default();
        ensure!(status < 500, "the response has status {status}: {body}");
        return Ok(format!("{status} {}", body.replace('\n', " ")));
    }
    if let Some(failures) = json.get("batchItemFailures").and_then(Value::as_array) {
        ensure!(failures.is_empty(), "the message would be retried: {response}");
    }
    Ok(response.to_owned())
}

/// Accepts any response of the function, even an error, and returns the text to print.
///
/// # Errors
/// When the function's process ended without a response.
fn check_any_response(response: &str) -> anyhow::Result<String> {
    let json: Value =
        serde_json::from_str(response).with_context(|| format!("the response is not JSON: {response}"))?;
    let kind = json.get("errorType").and_then(Value::as_str).unwrap_or_default();
    let ended = ["Runtime.", "Sandbox."].iter().any(|prefix| kind.starts_with(prefix));
    ensure!(!ended, "the function's process ended: {response}");
    Ok(response.to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn a_response_is_checked_as_its_caller_does() {
        assert_eq!(check_response(r#"{"statusCode":404,"body":"{}"}"#).unwrap(), "404 {}");
        assert_eq!(check_response("null").unwrap(), "null");
        assert_eq!(check_response(r#"{"batchItemFailures":[]}"#).unwrap(), r#"{"batchItemFailures":[]}"#);
        for wrong in [
            r#"{"statusCode":502,"body":""}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"1"}]}"#,
            r#"{"errorType":"Runtime.ExitError","errorMessage":"…"}"#,
            "Function timed out",
        ] {
            assert!(check_response(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_code_is_taken_from_the_build() {
        let package =
            |name: &str| format!("      CodeUri: /x/functions/{name}.zip\n      Handler: bootstrap\n");
        let prepared =
            format!("  OrdersApi:\n{}  SendEmail:\n{}", package("orders-api"), package("not-built"));
        let built = with_code_from(Path::new("/b"), &prepared);
        let code: Vec<&str> = built.lines().filter(|line| line.contains("CodeUri")).collect();
        assert_eq!(code, ["      CodeUri: /b/OrdersApi", "      CodeUri: /b/SendEmail"]);
    }

    #[test]
    fn without_variables_an_error_is_accepted_but_the_end_of_the_process_is_not() {
        for response in [
            r#"{"statusCode":503,"body":""}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"1"}]}"#,
            r#"{"errorType":"Unavailable","errorMessage":"…"}"#,
            "null",
        ] {
            assert!(check_any_response(response).is_ok(), "{response}");
        }
        for end in [
            r#"{"errorType":"Runtime.ExitError","errorMessage":"…"}"#,
            r#"{"errorType":"Sandbox.Timedout","errorMessage":"…"}"#,
            "Function timed out",
        ] {
            assert!(check_any_response(end).is_err(), "{end}");
        }
    }

    #[test]
    fn connections_to_the_gateway_are_forwarded() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        forward_port([127, 0, 0, 2].into(), port).unwrap();
        let mut client = TcpStream::connect(("127.0.0.2", port)).unwrap();
        client.write_all(b"ping").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let (mut served, _) = server.accept().unwrap();
        let mut text = String::new();
        served.read_to_string(&mut text).unwrap();
        served.write_all(b"pong").unwrap();
        drop(served);
        let mut response = String::new();
        client.read_to_string(&mut response).unwrap();
        assert_eq!((text.as_str(), response.as_str()), ("ping", "pong"));
    }
}
