//! Generates `docs/API.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use serde_json::Value;

use crate::fields::{Entry, problem_kinds, sections};

/// Renders the document as one Markdown page.
pub(crate) fn page(document: &Value) -> Result<String> {
    let mut page = String::from(
        "# API\n\nGenerated from the routes of the services by `cargo xtask contract`, like [`openapi.json`](openapi.json). A deployed\nstack serves the same reference at `/v1/reference`.\n\n",
    );
    writeln!(page, "{}", document["info"]["description"].as_str().unwrap_or_default().trim_end())?;
    writeln!(
        page,
        "\n## Problems\n\n`type` is `urn:serverless-orders:problem:` followed by the name.\n\n| status | name | description |\n|---|---|---|"
    )?;
    for kind in problem_kinds(document) {
        writeln!(page, "| {} | `{}` | {} |", kind.status, kind.name, kind.description)?;
    }
    let mut types = BTreeMap::new();
    for section in sections(document) {
        writeln!(page, "\n## {}\n\n{}", section.name, section.description)?;
        for entry in section.entries {
            operation(&mut page, &entry)?;
            let responses = entry.responses.into_iter().filter(|response| !response.body.is_empty());
            types.extend(responses.map(|response| (response.body, response.fields)));
        }
    }
    writeln!(page, "\n## Response bodies")?;
    for (name, fields) in types {
        writeln!(page, "\n### `{name}`\n\n| field | type | description |\n|---|---|---|")?;
        for it in fields {
            writeln!(
                page,
                "| `{}`{} | {} | {} |",
                it.name,
                optional_mark(it.required),
                it.kind,
                it.description
            )?;
        }
    }
    Ok(page)
}

fn operation(page: &mut String, entry: &Entry) -> Result<()> {
    let description = format!("{}. {}", entry.summary, entry.detail);
    writeln!(
        page,
        "\n### `{} {}`\n\n{}\n\nAccess: {}.",
        entry.method,
        entry.path,
        description.trim_end(),
        entry.access
    )?;
    if !entry.parameters.is_empty() {
        writeln!(page, "\n| parameter | in | type | description |\n|---|---|---|---|")?;
    }
    for it in &entry.parameters {
        writeln!(
            page,
            "| `{}`{} | {} | {} | {} |",
            it.name,
            optional_mark(it.required),
            it.location,
            it.kind,
            it.description
        )?;
    }
    if !entry.body.is_empty() {
        writeln!(page, "\n| body | type | description |\n|---|---|---|")?;
    }
    for it in &entry.body {
        writeln!(page, "| `{}`{} | {} | {} |", it.name, optional_mark(it.required), it.kind, it.description)?;
    }
    writeln!(page, "\n| response | description |\n|---|---|")?;
    for response in &entry.responses {
        let headers: Vec<String> = response.headers.iter().map(|name| format!(", `{name}`")).collect();
        let body = if response.body.is_empty() {
            String::new()
        } else {
            format!(" [`{0}`](#{1})", response.body, response.body.to_lowercase())
        };
        writeln!(page, "| {}{body}{} | {} |", response.status, headers.concat(), response.description)?;
    }
    let problems: Vec<String> =
        entry.problems.iter().map(|(status, name)| format!("{status} `{name}`")).collect();
    writeln!(page, "\nProblems: {}.", problems.join(", "))?;
    Ok(())
}

fn optional_mark(required: bool) -> &'static str {
    if required { "" } else { " (optional)" }
}
