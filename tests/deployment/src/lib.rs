//! `template.yaml` as it is deployed: transformed by the translator of the SAM CLI, and with parameters and conditions
//! applied as CloudFormation does.
//!
//! The tests check the result instead of the source: a model that the transformation drops is missing in the deployment.
//! They need the Python of the tools in `SAM_PYTHON`; `cargo xtask test template` sets it.

pub mod limits;
pub mod resolve;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use architecture::workspace::root;
use serde_json::{Value, json};

pub use resolve::Deployed;

/// The parameters of a deployment, by name.
pub type Parameters = BTreeMap<String, String>;

/// The parameters of an environment in `samconfig.toml`.
///
/// # Errors
/// If the environment is missing.
pub fn environment(name: &str) -> Result<Parameters> {
    let text = std::fs::read_to_string(root().join("samconfig.toml")).context("reading samconfig.toml")?;
    let section = format!("[{name}.global.parameters]");
    let (_, rest) = text.split_once(&section).with_context(|| format!("samconfig.toml has no {section}"))?;
    let (_, list) = rest.split_once("parameter_overrides = [").context("no parameter_overrides")?;
    let (list, _) = list.split_once("\n]").context("parameter_overrides is not closed")?;
    let pairs = list.lines().filter_map(|line| {
        line.trim().trim_end_matches(',').strip_prefix('"')?.strip_suffix('"')?.split_once('=')
    });
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// The parameters of the environment `production`, with those that a shop has to add before it serves customers.
///
/// # Errors
/// If `samconfig.toml` does not have the environment.
pub fn production() -> Result<Parameters> {
    let mut parameters = environment("production")?;
    for (name, value) in [
        ("SenderAddress", "orders@shop.test"),
        ("SenderIdentity", "shop.test"),
        ("AlarmEmail", "night@shop.test"),
        ("ShopUrl", "https://shop.test/"),
        ("ShopAddress", "Tea Street 1|12345 Teatown"),
        ("ShopTaxId", "DE123456789"),
    ] {
        parameters.insert(name.to_owned(), value.to_owned());
    }
    Ok(parameters)
}

/// Transforms the template of the repository with SAM's translator, once for each of `cases`.
///
/// # Errors
/// If `SAM_PYTHON` is not set, or the translator rejects the template.
pub fn transform(cases: &BTreeMap<&str, Parameters>) -> Result<BTreeMap<String, Value>> {
    let python = std::env::var("SAM_PYTHON").context(
        "SAM_PYTHON is not set. These tests need the SAM CLI's translator: run them with `cargo xtask test template`",
    )?;
    let request = json!({ "template": root().join("template.yaml"), "cases": cases });
    let mut child = Command::new(&python)
        .arg(root().join("xtask/src/python/transform_template.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {python}"))?;
    child.stdin.take().context("no standard input")?.write_all(request.to_string().as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "SAM rejects the template: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Transforms the template and applies these parameters.
///
/// # Errors
/// Those of [`transform`] and [`Deployed::new`].
pub fn deployment_with(parameters: &Parameters) -> Result<Deployed> {
    let transformed =
        transform(&BTreeMap::from([("it", parameters.clone())]))?.remove("it").unwrap_or_default();
    Deployed::new(transformed, parameters)
}
