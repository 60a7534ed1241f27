//! What is written into `template.yaml`: the properties of the gateway that follow from the contract.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::model::model;
use crate::refusals::responses;
use crate::services::Service;

const BEGIN: &str = "      # Made from the contract: `cargo xtask contract`.\n";
const END: &str = "      # The end of what is made from the contract.\n";

/// `template` with what the gateway checks, and what it answers.
///
/// # Errors
/// When it has no place for them.
pub(crate) fn write_into(template: &str, services: &[Service], document: &Value) -> Result<String> {
    let mut models = BTreeMap::new();
    for operation in services.iter().flat_map(|service| &service.operations) {
        if let Some(body) = operation.description().body {
            let schema = &document["components"]["schemas"][&body.name];
            models.insert(body.name, model(schema, document)?);
        }
    }
    let mut text = String::new();
    yaml(&mut text, &serde_json::json!({ "Models": models, "GatewayResponses": responses() }), 6)?;
    let place = "template.yaml has no place for what is made from the contract: it is between two comments";
    let (head, rest) = template.split_once(BEGIN).context(place)?;
    let (_, tail) = rest.split_once(END).context(place)?;
    Ok(format!("{head}{BEGIN}{text}{END}{tail}"))
}

/// The widest line.
const WIDTH: usize = 118;

/// Writes the fields of an object as YAML: objects as blocks, all else in the form that YAML shares with JSON.
fn yaml(text: &mut String, value: &Value, indent: usize) -> Result<()> {
    for (key, value) in value.as_object().into_iter().flatten() {
        let head = format!("{:indent$}{key}:", "");
        let flow = scalar(value);
        match value {
            Value::Object(fields) if fields.is_empty() => writeln!(text, "{head} {{}}")?,
            Value::Object(_) => {
                writeln!(text, "{head}")?;
                yaml(text, value, indent + 2)?;
            }
            Value::Array(items) if head.len() + flow.len() > WIDTH => {
                writeln!(text, "{head}")?;
                list(text, items, indent + 2)?;
            }
            _ => writeln!(text, "{head} {flow}")?,
        }
    }
    Ok(())
}

/// What needs no escapes in single quotes is written so.
fn scalar(value: &Value) -> String {
    match value.as_str() {
        Some(text)
            if text.contains(['"', '\\'])
                && !text.contains('\'')
                && text.chars().all(|c| !c.is_control()) =>
        {
            format!("'{text}'")
        }
        _ => value.to_string(),
    }
}

/// Writes a long list of short things, as many to a line as fit.
fn list(text: &mut String, items: &[Value], indent: usize) -> Result<()> {
    let mut line = format!("{:indent$}[", "");
    for (index, item) in items.iter().enumerate() {
        let end = if index + 1 == items.len() { "]" } else { "," };
        let item = format!("{item}{end}");
        if line.len() + 1 + item.len() > WIDTH {
            writeln!(text, "{}", line.trim_end())?;
            line = format!("{:width$}", "", width = indent + 1);
        }
        line.push_str(&item);
        line.push(' ');
    }
    writeln!(text, "{}", line.trim_end())?;
    Ok(())
}
