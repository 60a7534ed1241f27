//! `cargo xtask invoke`

use std::net::{IpAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::deploy::local_sam;
use crate::instance::{Instance, repo_root};
use crate::stack::Stack;
use crate::tools::Tools;
use crate::{names, process, release, signals, ui};

use super::env;

/// Have `sam local invoke` call each function with its sample in `events/`, with the local stack behind it.
///
/// Needs Docker, and the image that SAM runs functions in. On Linux, containers reach this machine at the gateway of Docker's
/// bridge; this command passes on what they send there to the local stack, which listens to this machine alone.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these functions, such as `track-order`.
    #[arg(value_name = "FUNCTION")]
    functions: Vec<String>,
    /// How a container reaches this machine, where that is not by the gateway: `host.docker.internal` for Docker Desktop.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// The functions that `sam build --config-env local` made, and not those of the local stack.
    #[arg(long)]
    built: bool,
    /// Leave their variables out, as who types `sam local invoke` alone does. A function is to answer then, whatever it answers.
    #[arg(long)]
    without_variables: bool,
}

/// Asks the engine, with the library that SAM asks it with. A bridge that was not set up by hand may name its network alone:
/// the gateway is the first address of it then.
const GATEWAY: &str = "
import docker, ipaddress
config = docker.from_env().networks.get('bridge').attrs['IPAM']['Config'][0]
print(config.get('Gateway') or next(ipaddress.ip_network(config['Subnet']).hosts()))
";
/// What SAM says when the image, or the function, is for another kind of machine than this one.
const FOREIGN: &str = "exec format error";
/// How much of an answer is shown.
const SHOWN: usize = 100;

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    signals::catch()?;
    let instance = Instance::developer();
    let stack = Stack::local(instance.clone())?;
    let tools = Tools::ensure()?;
    let functions = functions(&stack, &args.functions)?;
    let template = if args.built { built_template()? } else { instance.build().join("template.yaml") };
    let host = match &args.host {
        Some(host) => host.clone(),
        None => {
            let gateway = gateway(&tools)?;
            let ports = [instance.emulator_port, instance.stand_in_port, instance.scanner_port];
            ports.into_iter().try_for_each(|port| pass_on(gateway, port))?;
            gateway.to_string()
        }
    };
    let variables = instance.run().join("variables.json");
    std::fs::write(&variables, env::of_functions(&stack, Some(&host))?)?;
    let mut failed = Vec::new();
    for (id, name) in &functions {
        let mut sam = local_sam(&instance, &tools)?;
        // The functions were built on this machine, for it.
        let architecture = format!("Architecture={}", release::ARCHITECTURE);
        sam.args(["local", "invoke", id, "--skip-pull-image", "--parameter-overrides", &architecture]);
        sam.arg("--template").arg(&template);
        if !args.without_variables {
            sam.arg("--env-vars").arg(&variables);
        }
        sam.arg("--event").arg(format!("events/{name}.json"));
        let started = Instant::now();
        let log = instance.log(&format!("invoke-{name}"));
        let answer = invoke(&mut sam, &log);
        let took = ui::seconds(started.elapsed());
        let judge = if args.without_variables { judge_any } else { judge };
        match answer.and_then(|answer| judge(&answer)) {
            Ok(said) => ui::success(&format!("{name:20} {took:>7}  {}", ui::cut(&said, SHOWN))),
            Err(error) => {
                ui::failure(&format!("{name}: {error:#}"));
                failed.push(name.as_str());
            }
        }
        signals::check()?;
    }
    ui::note(
        "The samples tell of orders that nobody placed: `cargo xtask audit` will say so. A stack without them: cargo xtask down, then up --fresh",
    );
    ensure!(failed.is_empty(), "{} of {} failed: {}", failed.len(), functions.len(), failed.join(", "));
    Ok(())
}

/// What `sam build` wrote.
fn built_template() -> anyhow::Result<PathBuf> {
    let template = repo_root().join(".aws-sam/build/template.yaml");
    ensure!(template.exists(), "nothing is built. Build it: sam build --config-env local");
    Ok(template)
}

/// The functions that are wanted: their names in the template, and their own.
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
        bail!("there is no function {unknown}. There are: {}", known.join(", "));
    }
    all.retain(|(_, name)| wanted.is_empty() || wanted.contains(name));
    Ok(all)
}

/// The address of this machine that containers see.
fn gateway(tools: &Tools) -> anyhow::Result<IpAddr> {
    let output = Command::new(tools.python()).args(["-c", GATEWAY]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().ok().filter(|_| output.status.success()).with_context(|| {
        let why = String::from_utf8_lossy(&output.stderr);
        format!(
            "no Docker engine answers, or it has no bridge: {}\nStart it, or set DOCKER_HOST to where it is; with Docker \
             Desktop, add --host host.docker.internal.",
            why.lines().last().unwrap_or("it said nothing")
        )
    })
}

/// Passes on what comes to a port of `address` to the same port of the loopback interface, as long as this program runs.
fn pass_on(address: IpAddr, port: u16) -> anyhow::Result<()> {
    let listener = TcpListener::bind((address, port))
        .with_context(|| format!("cannot listen on {address}:{port}, where containers reach this machine"))?;
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

/// Copies what one sends to the other, and tells it when that is all. Who breaks off has the other notice.
fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Write);
}

/// What the function answered: the last line of what SAM prints. What the function logs goes to `log`.
fn invoke(sam: &mut Command, log: &Path) -> anyhow::Result<String> {
    sam.stdin(Stdio::null()).stderr(std::fs::File::create(log)?);
    let output = sam.output().context("the SAM CLI could not be started")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let answer = text.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned);
    answer.filter(|_| output.status.success()).with_context(|| {
        let tail = process::tail(log);
        let advice = if tail.contains(FOREIGN) {
            "\nIt was built for another kind of machine. Build it for this one: sam build --config-env local"
        } else {
            ""
        };
        format!("it gave no answer. Its last words:\n{tail}{advice}")
    })
}

/// What is said of an answer.
///
/// # Errors
/// When it is none that whoever calls the function would take for an end.
fn judge(answer: &str) -> anyhow::Result<String> {
    let json: Value =
        serde_json::from_str(answer).with_context(|| format!("its answer is no JSON: {answer}"))?;
    let is_error = json.get("errorType").is_some() || json.get("errorMessage").is_some();
    ensure!(!is_error, "it failed: {answer}");
    if let Some(status) = json.get("statusCode").and_then(Value::as_u64) {
        let body = json.get("body").and_then(Value::as_str).unwrap_or_default();
        ensure!(status < 500, "it answered {status}: {body}");
        return Ok(format!("{status} {}", body.replace('\n', " ")));
    }
    if let Some(failures) = json.get("batchItemFailures").and_then(Value::as_array) {
        ensure!(failures.is_empty(), "it wants the message again: {answer}");
    }
    Ok(answer.to_owned())
}

/// What is said of an answer that may be an error, but one that the function says.
///
/// # Errors
/// When its process ended before it said anything.
fn judge_any(answer: &str) -> anyhow::Result<String> {
    let json: Value =
        serde_json::from_str(answer).with_context(|| format!("its answer is no JSON: {answer}"))?;
    let kind = json.get("errorType").and_then(Value::as_str).unwrap_or_default();
    let ended = ["Runtime.", "Sandbox."].iter().any(|prefix| kind.starts_with(prefix));
    ensure!(!ended, "its process ended: {answer}");
    Ok(answer.to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn an_answer_is_judged_as_its_caller_does() {
        assert_eq!(judge(r#"{"statusCode":404,"body":"{}"}"#).unwrap(), "404 {}");
        assert_eq!(judge("null").unwrap(), "null");
        assert_eq!(judge(r#"{"batchItemFailures":[]}"#).unwrap(), r#"{"batchItemFailures":[]}"#);
        for wrong in [
            r#"{"statusCode":502,"body":""}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"1"}]}"#,
            r#"{"errorType":"Runtime.ExitError","errorMessage":"…"}"#,
            "Function timed out",
        ] {
            assert!(judge(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn without_variables_an_error_is_an_answer_but_an_end_is_none() {
        for answer in [
            r#"{"statusCode":503,"body":""}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"1"}]}"#,
            r#"{"errorType":"Unavailable","errorMessage":"…"}"#,
            "null",
        ] {
            assert!(judge_any(answer).is_ok(), "{answer}");
        }
        for end in [
            r#"{"errorType":"Runtime.ExitError","errorMessage":"…"}"#,
            r#"{"errorType":"Sandbox.Timedout","errorMessage":"…"}"#,
            "Function timed out",
        ] {
            assert!(judge_any(end).is_err(), "{end}");
        }
    }

    #[test]
    fn what_comes_to_the_gateway_is_passed_on_and_answered() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        pass_on([127, 0, 0, 2].into(), port).unwrap();
        let mut client = TcpStream::connect(("127.0.0.2", port)).unwrap();
        client.write_all(b"ping").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let (mut served, _) = server.accept().unwrap();
        let mut text = String::new();
        served.read_to_string(&mut text).unwrap();
        served.write_all(b"pong").unwrap();
        drop(served);
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!((text.as_str(), answer.as_str()), ("ping", "pong"));
    }
}
