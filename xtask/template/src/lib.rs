//! Assembles `template.yaml`, which is what SAM reads, from what people write: the frame (`lambdas/template.yaml`), a part
//! for each service (`lambdas/<service>/template.yaml`), and the routes (`platform::http::Operation`).
//!
//! A block of a part says what a function, a table or a bucket has of its own; what all of their kind have is added here,
//! in one place. `cargo xtask template` writes the file; a test fails where it is not what the sources give.
//! Why so: docs/decisions/0022-template-sources.md.

mod function;
mod queue;
mod source;
mod store;
mod write;
mod yaml;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use openapi::gateway::{self, Wiring};

use function::Surroundings;
use source::{Service, Trigger};
use yaml::{Content, Node};

/// The frame, from the root of the repository.
pub const FRAME: &str = "lambdas/template.yaml";

const HEAD: &str = "\
# Made by `cargo xtask template`, and checked to be what its sources give. Change those:
#   lambdas/template.yaml             parameters, rules, conditions, and what all services share
#   lambdas/<service>/template.yaml   a service's tables, buckets and functions
#   the routes                        the gateway's definition (lambdas/<service>/src/api.rs)
#
# Every function that takes events has the same shape:
#
#   XRule -> XQueue -> XMapping -> X (+ XRole, XLogGroup)      XDeadLetters (+ XDeadLettersAlarm)
#
# X is the binary's name (lambdas/*/src/bin/x.rs) in PascalCase.

";

/// The sections of the template, in their order.
const SECTIONS: [&str; 9] = [
    "AWSTemplateFormatVersion",
    "Transform",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Conditions",
    "Globals",
    "Resources",
];

/// The template of the repository at `root`.
///
/// # Errors
/// Says in which file and which block there is something that is not understood.
pub fn assemble(root: &Path) -> Result<String> {
    let frame = read(root, FRAME, Node::parse)?;
    let services = parts(root)?;
    let body = gateway_body(&services)?;
    let queues: Vec<String> =
        services.iter().flat_map(|it| &it.functions).flat_map(source::Function::queues).collect();
    let values = frame.get("Values").cloned().unwrap_or_default();
    let fill = |node: &Node| -> Result<Option<Node>> {
        match (node.tag.as_deref(), node.as_text_under_tag()) {
            (Some("Value"), Some(name)) => {
                let value = values.get(name);
                value
                    .cloned()
                    .map(Some)
                    .with_context(|| format!("line {}: there is no value {name}", node.line))
            }
            (Some("FromRoutes"), _) => Ok(Some(body.clone())),
            _ => Ok(None),
        }
    };
    let mut text = HEAD.to_owned();
    for section in SECTIONS {
        let mut node = frame.get(section).with_context(|| format!("{FRAME} has no {section}"))?.clone();
        node.replace(&fill)?;
        if section == "Resources" {
            text.push_str("Resources:\n");
            text.push_str(&banner("shared", frame.get("Shared").and_then(Node::as_text).unwrap_or_default()));
            text.push_str(&resources(&entries(node)));
        } else {
            text.push_str(&write::entry(section, &node, 0));
            text.push('\n');
        }
    }
    let mut outputs = entries(frame.get("Outputs").cloned().unwrap_or_default());
    for service in &services {
        let around = Surroundings { service: &service.name, queues: &queues, source_of: &source_of };
        let mut made = Vec::new();
        made.extend(service.tables.iter().map(|table| (table.id.clone(), table.resource())));
        made.extend(service.buckets.iter().flat_map(source::Bucket::resources));
        made.extend(service.resources.iter().cloned());
        for function in &service.functions {
            let more = function.resources(&around);
            made.extend(more.with_context(|| format!("lambdas/{}/template.yaml", service.name))?);
        }
        for (_, node) in &mut made {
            node.replace(&fill).with_context(|| format!("in the part of {}", service.name))?;
        }
        text.push_str(&banner(&service.name, &service.about));
        text.push_str(&resources(&made));
        let holders = service.tables.iter().map(|it| (&it.id, &it.holds));
        for (id, holds) in holders.chain(service.buckets.iter().map(|it| (&it.id, &it.holds))) {
            let output = [("Description", Node::text(holds)), ("Value", Node::reference(id))];
            outputs.push((format!("{id}Name"), Node::map(output)));
        }
        outputs.extend(service.outputs.iter().cloned());
    }
    text.push_str("Outputs:\n");
    for (name, mut node) in outputs {
        node.replace(&fill)?;
        text.push_str(&write::entry(&name, &node, 2));
    }
    Ok(text)
}

/// The parts of the services, by the names of their folders.
fn parts(root: &Path) -> Result<Vec<Service>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root.join("lambdas")).context("reading lambdas/")? {
        let entry = entry?;
        if entry.path().join("template.yaml").exists() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    ensure!(!names.is_empty(), "no service has a template.yaml");
    let path = |name: &str| format!("lambdas/{name}/template.yaml");
    names.iter().map(|name| read(root, &path(name), |text| Service::read(name, text))).collect()
}

fn read<T>(root: &Path, path: &str, parse: impl FnOnce(&str) -> Result<T>) -> Result<T> {
    let text = std::fs::read_to_string(root.join(path)).with_context(|| format!("reading {path}"))?;
    parse(&text).with_context(|| path.to_owned())
}

/// The gateway's definition, with the functions that the parts name for the routes.
fn gateway_body(services: &[Service]) -> Result<Node> {
    let mut wiring = BTreeMap::new();
    for function in services.iter().flat_map(|service| &service.functions) {
        if let Trigger::Api { container } = &function.trigger {
            let cross_origin = function.environment.iter().any(|(name, _)| name == "ALLOWED_ORIGINS");
            wiring.insert(function.binary(), Wiring { cross_origin, container: container.clone() });
        }
    }
    let routes = openapi::services();
    let document = openapi::document(&routes)?;
    let body = gateway::definition(&routes, &document, &wiring)?;
    let mut node = Node::from_json(&body);
    as_blocks(&mut node, 4);
    Ok(node)
}

/// Writes the outer levels of a mapping an entry a line.
fn as_blocks(node: &mut Node, depth: usize) {
    if let Content::Mapping { entries, flow } = &mut node.content
        && depth > 0
    {
        *flow = false;
        entries.iter_mut().for_each(|(_, value)| as_blocks(value, depth - 1));
    }
}

/// The service that publishes events of a type.
fn source_of(event: &str) -> Result<&'static str> {
    ensure!(
        architecture::events::known().contains(event),
        "there is no event {event}: the types stand in domain::Fact"
    );
    domain::event::source_of(event).with_context(|| format!("nobody publishes {event}"))
}

fn entries(node: Node) -> Vec<(String, Node)> {
    match node.content {
        Content::Mapping { entries, .. } => entries,
        _ => Vec::new(),
    }
}

fn banner(name: &str, about: &str) -> String {
    let line = format!("  # {}\n", "-".repeat(100));
    format!("{line}  # {name}: {about}\n{line}\n")
}

fn resources(all: &[(String, Node)]) -> String {
    all.iter().map(|(id, node)| write::entry(id, node, 2) + "\n").collect()
}
