//! That each function has every permission that its adapters need, and none that they do not.
//!
//! What a function needs is read from the source: its `main` in `src/bin/` names adapters (`DynamoDbOrders`),
//! constructors (`arbiter(`, `aws.event_bridge(`) and its host (`host::queue::run`); these name others; and what is
//! reached calls operations of the SDK, which `OPERATIONS` translates to the actions of IAM.
//!
//! The grain is one top-level item of an adapter's file: a type with all of its `impl`s, a function, or a method of
//! `Aws`. A function that builds an adapter counts as calling all that this adapter calls, on whichever table. So
//! - an action that no adapter of the function calls is unneeded,
//! - an operation that all of the functions that build the adapter are denied is missing, and so is the permission of
//!   a function that is denied all that one of its adapters calls.
//!
//! The source is read as text, as rustfmt leaves it: tests are not read, names are taken to mean the same in all of a
//! service's adapters and the platform's, what `Aws` makes is made of a variable `aws`, and a client is what a field of
//! the type `Client` of a struct holds. A name that is not followed shows as a permission that nothing calls for;
//! [`operations_are_known`] tells of calls that are not understood. Resources and conditions are for
//! [`permissions`](crate::permissions).

use std::collections::{BTreeMap, BTreeSet};

use heck::ToKebabCase;
use serde_json::Value;

use crate::Violations;
use crate::template::{FUNCTION, Template, list};
use crate::workspace::Workspace;

/// What the SDK calls an operation, and the actions of IAM that it takes. What a transaction does to its items stands
/// for itself (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html>), and so do
/// the parts of a file (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>).
const OPERATIONS: &[(&str, &[&str])] = &[
    ("get_item", &["dynamodb:GetItem"]),
    ("put_item", &["dynamodb:PutItem"]),
    ("update_item", &["dynamodb:UpdateItem"]),
    ("delete_item", &["dynamodb:DeleteItem"]),
    ("query", &["dynamodb:Query"]),
    ("scan", &["dynamodb:Scan"]),
    ("batch_get_item", &["dynamodb:BatchGetItem"]),
    ("batch_write_item", &["dynamodb:BatchWriteItem"]),
    ("transact_write_items", &[]),
    ("TransactWriteItem::put", &["dynamodb:PutItem"]),
    ("TransactWriteItem::update", &["dynamodb:UpdateItem"]),
    ("TransactWriteItem::delete", &["dynamodb:DeleteItem"]),
    ("TransactWriteItem::condition_check", &["dynamodb:ConditionCheckItem"]),
    ("get_object", &["s3:GetObject"]),
    ("head_object", &["s3:GetObject"]),
    (VERSION, &["s3:GetObjectVersion"]),
    ("put_object", &["s3:PutObject"]),
    ("delete_object", &["s3:DeleteObject"]),
    ("create_multipart_upload", &["s3:PutObject"]),
    ("upload_part", &["s3:PutObject"]),
    ("complete_multipart_upload", &["s3:PutObject"]),
    ("abort_multipart_upload", &["s3:AbortMultipartUpload"]),
    (FORM, &["s3:PutObject"]),
    ("send_message", &["sqs:SendMessage"]),
    ("change_message_visibility", &["sqs:ChangeMessageVisibility"]),
    ("get_queue_attributes", &["sqs:GetQueueAttributes"]),
    ("put_events", &["events:PutEvents"]),
    ("get_secret_value", &["secretsmanager:GetSecretValue"]),
    ("send_email", &["ses:SendEmail"]),
    ("get_metric_data", &["cloudwatch:GetMetricData"]),
    (SIGNED, &["execute-api:Invoke"]),
];

/// A version of a file is asked for.
const VERSION: &str = ".set_version_id(";
/// A form is signed by hand, with which a client uploads a file: the SDK makes none.
const FORM: &str = "generate_signing_key(";
/// Requests to the gateway are signed.
const SIGNED: &str = "aws.signed_client(\"execute-api\"";
/// Calls that no receiver announces: they are operations wherever they stand.
const ANYWHERE: &[&str] = &[VERSION, FORM, SIGNED];

/// What is granted for somebody else's calls: where a function needs `with`, it may have `actions`.
struct Beside {
    with: &'static str,
    actions: &'static [&'static str],
    _reason: &'static str,
}

const BESIDE: &[Beside] = &[
    Beside {
        with: "",
        actions: &["logs:CreateLogStream", "logs:PutLogEvents"],
        _reason: "Lambda writes what a function prints, with its role",
    },
    Beside {
        with: "host::queue::run",
        actions: &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        _reason: "Lambda polls the queue with the function's role",
    },
    Beside {
        with: "host::stream::run",
        actions: &[
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
            "dynamodb:ListStreams",
        ],
        _reason: "Lambda reads the stream with the function's role",
    },
    Beside {
        with: "host::schedule::run",
        actions: &["sqs:SendMessage"],
        _reason: "Lambda sends runs that it gives up to the destination, with the function's role",
    },
    Beside {
        with: "s3:GetObject",
        actions: &["s3:ListBucket"],
        _reason: "without it, a file that is not there is forbidden (403) in place of missing (404)",
    },
    Beside {
        with: "s3:GetObjectVersion",
        actions: &["s3:ListBucketVersions"],
        _reason: "likewise a version",
    },
];

/// What an adapter calls and no function is granted.
struct Ungranted {
    file: &'static str,
    action: &'static str,
    reason: &'static str,
}

const UNGRANTED: &[Ungranted] = &[
    Ungranted {
        file: "lambdas/search/src/adapters/rows.rs",
        action: "dynamodb:Scan",
        reason: "only an operator rebuilds the index, with credentials of their own",
    },
    Ungranted {
        file: "lambdas/search/src/bin/index-order.rs",
        action: "execute-api:Invoke",
        reason: "the inventory shows its products to everybody",
    },
    Ungranted {
        file: "lambdas/documents/src/adapters/invoices.rs",
        action: "execute-api:Invoke",
        reason: "the inventory shows its products to everybody",
    },
    Ungranted {
        file: "shared/aws_objects/src/lib.rs",
        action: "s3:AbortMultipartUpload",
        reason: "whoever began an upload may give it up",
    },
];

/// No function has a permission that none of its adapters calls for.
pub fn no_permission_is_unneeded(template: &Template, workspace: &Workspace) -> Violations {
    let mut found = Violations::new();
    for (id, function) in functions(template, workspace) {
        let mut needed: BTreeSet<&str> = function.iter().map(|item| item.name.as_str()).collect();
        needed.extend(function.iter().flat_map(|item| item.actions()));
        let beside = BESIDE.iter().filter(|it| it.with.is_empty() || needed.contains(it.with));
        let allowed: BTreeSet<&str> = beside.flat_map(|it| it.actions.iter().copied()).collect();
        for action in granted(template, id) {
            if !needed.contains(action) && !allowed.contains(action) {
                found.push(format!("{id}: take {action} away: none of its adapters calls for it"));
            }
        }
    }
    found
}

/// What adapters call is granted to the functions that build them.
pub fn no_permission_is_missing(template: &Template, workspace: &Workspace) -> Violations {
    let mut found = Violations::new();
    // Who has what an item calls for, by the item's file and the action; nobody, to begin with.
    let mut holders: BTreeMap<(String, &str), BTreeSet<&str>> = BTreeMap::new();
    for (id, items) in functions(template, workspace) {
        let granted = granted(template, id);
        for item in items {
            let actions = item.actions();
            for action in &actions {
                let holders = holders.entry((item.file.clone(), action)).or_default();
                holders.extend(granted.contains(action).then_some(id));
            }
            let excepted = actions.iter().all(|action| exception(&item.file, action).is_some());
            if !excepted && actions.is_disjoint(&granted) {
                let Item { file, name, .. } = item;
                found
                    .push(format!("{id}: grant it what it needs of {actions:?}: it builds {name} of {file}"));
            }
        }
    }
    let missing: BTreeSet<(&str, &str)> = holders
        .iter()
        .filter(|(_, ids)| ids.is_empty())
        .map(|((file, action), _)| (file.as_str(), *action))
        .collect();
    for (file, action) in missing.iter().filter(|(file, action)| exception(file, action).is_none()) {
        found.push(format!(
            "{file}: grant {action} to the function that calls for it here, or add it to the exceptions with a reason: \
             none has it"
        ));
    }
    for Ungranted { file, action, reason } in
        UNGRANTED.iter().filter(|it| !missing.contains(&(it.file, it.action)))
    {
        found.push(format!("{file}: remove the exception for {action} ({reason}), which nothing needs"));
    }
    found
}

/// Each operation that an adapter calls has its actions in the table here.
pub fn operations_are_known(workspace: &Workspace) -> Violations {
    let files = workspace.sources.iter().filter(|(path, _)| is_adapter(path));
    let mut found = Violations::new();
    for item in files.flat_map(|(path, text)| items(path, text)) {
        for name in item.operations.iter().filter(|name| actions_of(name).is_none()) {
            found.push(format!("{}: say in OPERATIONS which actions of IAM {name} takes", item.file));
        }
        let sends = item.text.contains(".send().await") || item.text.contains(".presigned(");
        if sends && item.operations.is_empty() {
            found.push(format!(
                "{}: call operations on a field of the type Client: what {} sends is not understood",
                item.file, item.name
            ));
        }
    }
    found
}

/// A part of the source that can be named, and what it calls.
#[derive(Debug, Clone)]
struct Item {
    file: String,
    /// A type, or a function as it is called: `arbiter(`, `aws.bucket(`, `host::queue::run`.
    name: String,
    /// Its code, with chains of calls in one line.
    text: String,
    operations: BTreeSet<String>,
}

impl Item {
    fn actions(&self) -> BTreeSet<&'static str> {
        self.operations.iter().filter_map(|name| actions_of(name)).flatten().copied().collect()
    }
}

fn actions_of(operation: &str) -> Option<&'static [&'static str]> {
    OPERATIONS.iter().find(|(name, _)| *name == operation).map(|(_, actions)| *actions)
}

fn exception(file: &str, action: &str) -> Option<&'static Ungranted> {
    UNGRANTED.iter().find(|it| it.file == file && it.action == action)
}

/// The actions that the role of a function allows.
fn granted<'a>(template: &'a Template, id: &str) -> BTreeSet<&'a str> {
    let statements = template.statements(id).into_iter().filter(|statement| statement["Effect"] != "Deny");
    statements.flat_map(|statement| list(&statement["Action"])).filter_map(Value::as_str).collect()
}

/// What each function is made of: its `main`, and what that reaches of the adapters.
fn functions<'a>(template: &'a Template, workspace: &Workspace) -> BTreeMap<&'a str, Vec<Item>> {
    let read = |folder: &str| -> Vec<Item> {
        let files = workspace.sources.iter().filter(|(path, _)| path.starts_with(folder) && is_adapter(path));
        files.flat_map(|(path, text)| items(path, text)).collect()
    };
    let shared = read("shared/");
    let reached = |folder: &str, id: &str| {
        let main = format!("{folder}/src/bin/{}.rs", id.to_kebab_case());
        let text = workspace.sources.get(&main).map_or("", String::as_str);
        let mut left: Vec<Item> = read(&format!("{folder}/src/adapters"));
        left.extend(shared.iter().cloned());
        let mut reached = items(&main, text);
        let mut next = 0;
        while let Some(text) = reached.get(next).map(|item| item.text.clone()) {
            let (named, rest) = left.into_iter().partition(|item: &Item| names(&text, &item.name));
            reached.extend::<Vec<Item>>(named);
            left = rest;
            next += 1;
        }
        reached
    };
    let functions = template.all(FUNCTION).into_iter();
    functions
        .map(|(id, function)| (id, reached(function.property("/CodeUri").as_str().unwrap_or_default(), id)))
        .collect()
}

/// Whether a file is read for what it calls.
fn is_adapter(path: &str) -> bool {
    let inside = ["/src/adapters", "shared/aws", "shared/platform/src/host/"];
    path.ends_with(".rs")
        && inside.iter().any(|part| path.contains(part))
        && !["/memory.rs", "/tests.rs"].iter().any(|end| path.ends_with(end))
}

/// Whether `text` has `name`, and not as a part of a longer one.
fn names(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back().is_some_and(|c| part(c) || c == '.');
        let after = text[at + name.len()..].chars().next().is_some_and(part);
        !before && (name.ends_with('(') || !after)
    })
}

/// The top-level items of a file with code; those of `impl Aws` are its methods.
fn items(file: &str, text: &str) -> Vec<Item> {
    let clients = clients(text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let mut found: Vec<Item> = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let Some(name) = item_name(file, line) else {
            at += 1;
            continue;
        };
        let (end, own) = if line.starts_with(' ') { ("    }", "aws.") } else { ("}", "self.") };
        let in_one_line = line.ends_with(';') || line.ends_with('}');
        let rest = &lines[at..];
        let length = if in_one_line { 0 } else { rest.iter().position(|it| *it == end).unwrap_or_default() };
        let mut text = String::new();
        for line in rest.iter().take(length + 1).map(|line| line.trim()) {
            let separator = if line.starts_with('.') { "" } else { " " };
            text.extend([separator, line]);
        }
        let text = text.replace("Aws::from_env()?.", "aws.").replace("self.", own);
        let operations = operations(&text, &clients);
        match found.iter_mut().find(|item| item.name == name) {
            Some(item) => {
                item.text.push_str(&text);
                item.operations.extend(operations);
            }
            None => found.push(Item { file: file.to_owned(), name, text, operations }),
        }
        at += length + 1;
    }
    found
}

/// What the item that begins with `line` is called.
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

/// The fields that hold a client of the SDK.
fn clients(text: &str) -> BTreeSet<&str> {
    let sdk = text.contains("aws_sdk_");
    let fields = text.lines().filter_map(|line| line.trim().strip_suffix(',')?.split_once(": "));
    fields
        .filter(|(_, kind)| {
            let last = kind.trim_end_matches('>').rsplit(|c: char| !c.is_alphanumeric()).next();
            sdk && last == Some("Client")
        })
        .map(|(name, _)| name.trim_start_matches("pub "))
        .collect()
}

/// The operations that `text` calls: what takes nothing and is called on a client, and what a transaction is made of.
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
    let written = called("TransactWriteItem::builder().", "(");
    found.extend(written.into_iter().map(|name| format!("TransactWriteItem::{name}")));
    found.extend(ANYWHERE.iter().filter(|call| text.contains(**call)).map(|call| (*call).to_owned()));
    found
}

#[cfg(test)]
mod tests;
