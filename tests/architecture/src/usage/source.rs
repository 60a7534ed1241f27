//! Reads the items of an adapter, and the operations that each calls, from source text in the format of rustfmt.

use std::collections::BTreeSet;

use super::operations::{ANY_RECEIVER, actions_of};

/// A named part of the source, and the operations that it calls.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) file: String,
    /// A type, or a function in the form of its calls: `arbiter(`, `aws.bucket(`, `host::queue::run`.
    pub(super) name: String,
    /// Its code, with method chains on one line.
    pub(super) text: String,
    pub(super) operations: BTreeSet<String>,
}

impl Item {
    /// The IAM actions that its operations require.
    pub(super) fn actions(&self) -> BTreeSet<&'static str> {
        self.operations.iter().filter_map(|name| actions_of(name)).flatten().copied().collect()
    }
}

/// Whether `text` contains `name`, and not only as a part of a longer name.
pub(super) fn mentions(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back().is_some_and(|c| is_word(c) || c == '.');
        let after = text[at + name.len()..].chars().next().is_some_and(is_word);
        !before && (name.ends_with('(') || !after)
    })
}

/// The top-level items of a file; for `impl Aws`, each method is an item.
pub(super) fn items(file: &str, text: &str) -> Vec<Item> {
    let clients = clients(text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let mut found: Vec<Item> = Vec::new();
    let mut index = 0;
    while let Some(line) = lines.get(index) {
        let Some(name) = item_name(file, line) else {
            index += 1;
            continue;
        };
        let (end, self_prefix) = if line.starts_with(' ') { ("    }", "aws.") } else { ("}", "self.") };
        let is_one_line = line.ends_with(';') || line.ends_with('}');
        let rest = &lines[index..];
        let length = if is_one_line { 0 } else { rest.iter().position(|it| *it == end).unwrap_or_default() };
        let mut text = String::new();
        for line in rest.iter().take(length + 1).map(|line| line.trim()) {
            let separator = if line.starts_with('.') { "" } else { " " };
            text.extend([separator, line]);
        }
        let text = text.replace("Aws::from_env()?.", "aws.").replace("self.", self_prefix);
        let operations = operations(&text, &clients);
        match found.iter_mut().find(|item| item.name == name) {
            Some(item) => {
                item.text.push_str(&text);
                item.operations.extend(operations);
            }
            None => found.push(Item { file: file.to_owned(), name, text, operations }),
        }
        index += length + 1;
    }
    found
}

/// The name of the item that begins with `line`.
fn item_name(file: &str, line: &str) -> Option<String> {
    if file == "shared/aws/src/lib.rs" {
        if let Some((name, _)) = line.strip_prefix("    pub fn ").and_then(|rest| rest.split_once("(&self")) {
            return Some(format!("aws.{name}("));
        }
        if line == "impl Aws {" {
            return None;
        }
    }
    let line = line.strip_prefix("pub ").or_else(|| line.strip_prefix("pub(super) ")).unwrap_or(line);
    let (kind, rest) = line.strip_prefix("async ").unwrap_or(line).split_once([' ', '<'])?;
    let rest = match kind {
        "struct" | "enum" | "type" | "trait" | "fn" => rest,
        "impl" if line.starts_with("impl<") => rest.split_once("> ")?.1,
        "impl" => rest,
        _ => return None,
    };
    let rest = rest.split_once(" for ").filter(|_| kind == "impl").map_or(rest, |(_, owner)| owner);
    let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let host = file.strip_prefix("shared/platform/src/host/").and_then(|file| file.strip_suffix(".rs"));
    match (kind, host) {
        ("fn", Some(host)) if name == "run" => Some(format!("host::{host}::run")),
        ("fn", _) => Some(format!("{name}(")),
        _ => Some(name),
    }
}

/// The names of the fields that hold an SDK client.
fn clients(text: &str) -> BTreeSet<&str> {
    let uses_sdk = text.contains("aws_sdk_");
    let fields = text.lines().filter_map(|line| line.trim().strip_suffix(',')?.split_once(": "));
    fields
        .filter(|(_, kind)| {
            let last = kind.trim_end_matches('>').rsplit(|c: char| !c.is_alphanumeric()).next();
            uses_sdk && last == Some("Client")
        })
        .map(|(name, _)| name.trim_start_matches("pub "))
        .collect()
}

/// The operations that `text` calls: methods without arguments of a client, and the items of transactions.
fn operations(text: &str, clients: &BTreeSet<&str>) -> BTreeSet<String> {
    let called = |receiver: &str, end: &str| -> BTreeSet<String> {
        let calls = text.split(receiver).skip(1).filter_map(|rest| rest.split_once(end));
        calls
            .map(|(name, _)| name.to_owned())
            .filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
            .collect()
    };
    let mut found = BTreeSet::new();
    for client in clients {
        found.extend(called(&format!("{client}."), "()"));
        found.extend(called(&format!("{client}()."), "()"));
    }
    found.retain(|name| name != "clone" && name != "as_ref");
    let items = called("TransactWriteItem::builder().", "(");
    found.extend(items.into_iter().map(|name| format!("TransactWriteItem::{name}")));
    found.extend(ANY_RECEIVER.iter().filter(|call| text.contains(**call)).map(|call| (*call).to_owned()));
    found
}
