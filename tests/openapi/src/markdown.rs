//! `docs/API.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use serde_json::Value;

use crate::fields::{Entry, problem_kinds, sections};

/// The page.
pub(crate) fn page(document: &Value) -> Result<String> {
    let mut page = String::from(
        "# API\n\nMade from the routes of the services by `cargo xtask contract`, as [`openapi.json`](openapi.json) is. On a stack, the\nsame is at `/v1/reference`.\n\n",
    );
    writeln!(page, "{}", document["info"]["description"].as_str().unwrap_or_default().trim_end())?;
    writeln!(
        page,
        "\n## Problems\n\n`type` is `urn:serverless-orders:problem:` and the name.\n\n| status | name | when |\n|---|---|---|"
    )?;
    for kind in problem_kinds(document) {
        writeln!(page, "| {} | `{}` | {} |", kind.status, kind.name, kind.about)?;
    }
    let mut types = BTreeMap::new();
    for section in sections(document) {
        writeln!(page, "\n## {}\n\n{}", section.name, section.about)?;
        for entry in section.entries {
            operation(&mut page, &entry)?;
            let answers = entry.answers.into_iter().filter(|answer| !answer.body.is_empty());
            types.extend(answers.map(|answer| (answer.body, answer.fields)));
        }
    }
    writeln!(page, "\n## Answers")?;
    for (name, fields) in types {
        writeln!(page, "\n### `{name}`\n\n| field | is | |\n|---|---|---|")?;
        for it in fields {
            writeln!(page, "| `{}`{} | {} | {} |", it.name, needed(it.required), it.kind, it.about)?;
        }
    }
    Ok(page)
}

fn operation(page: &mut String, entry: &Entry) -> Result<()> {
    let about = format!("{}. {}", entry.summary, entry.detail);
    writeln!(page, "\n### `{} {}`\n\n{}\n\nFor: {}.", entry.method, entry.path, about.trim_end(), entry.who)?;
    if !entry.parameters.is_empty() {
        writeln!(page, "\n| parameter | in | is | |\n|---|---|---|---|")?;
    }
    for it in &entry.parameters {
        writeln!(
            page,
            "| `{}`{} | {} | {} | {} |",
            it.name,
            needed(it.required),
            it.place,
            it.kind,
            it.about
        )?;
    }
    if !entry.body.is_empty() {
        writeln!(page, "\n| body | is | |\n|---|---|---|")?;
    }
    for it in &entry.body {
        writeln!(page, "| `{}`{} | {} | {} |", it.name, needed(it.required), it.kind, it.about)?;
    }
    writeln!(page, "\n| answer | |\n|---|---|")?;
    for answer in &entry.answers {
        let headers: Vec<String> = answer.headers.iter().map(|name| format!(", `{name}`")).collect();
        let body = if answer.body.is_empty() {
            String::new()
        } else {
            format!(" [`{0}`](#{1})", answer.body, answer.body.to_lowercase())
        };
        writeln!(page, "| {}{body}{} | {} |", answer.status, headers.concat(), answer.about)?;
    }
    let problems: Vec<String> =
        entry.problems.iter().map(|(status, name)| format!("{status} `{name}`")).collect();
    writeln!(page, "\nProblems: {}.", problems.join(", "))?;
    Ok(())
}

fn needed(required: bool) -> &'static str {
    if required { "" } else { " (optional)" }
}
