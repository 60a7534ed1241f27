//! Checks that each function has every permission that its adapters need, and no other.
//!
//! The needed permissions are derived from the source code: the `main` of a function in `src/bin/` mentions adapters
//! (`DynamoDbOrders`), constructors (`arbiter(`, `aws.signed_client(`) and its host (`host::queue::run`); these mention
//! others; and the reachable items call operations of the SDK, which `OPERATIONS` maps to IAM actions.
//!
//! The unit of the analysis is one top-level item of an adapter's file: a type with all of its `impl`s, a function, or a
//! method of `Aws`. A function that builds an adapter is assumed to call everything that this adapter calls, on any
//! table. Therefore
//! - an action is unused if no adapter of the function needs it,
//! - an action is missing if none of the functions that build the adapter has it, or if a function has no action at all
//!   of those that one of its adapters needs.
//!
//! The source is read as text, in the format of rustfmt. Tests are ignored. A name is assumed to mean the same in all
//! adapters of a service and in the shared crates, methods of `Aws` are called on a variable `aws`, and a client is the
//! value of a struct's field with the type `Client`. A reference that is not recognised shows up as an unused permission;
//! [`operations_are_mapped`] reports calls that are not recognised. Resources and conditions are checked in
//! [`permissions`](crate::permissions).

use std::collections::{BTreeMap, BTreeSet};

use heck::ToKebabCase;
use serde_json::Value;

use crate::Violations;
use crate::template::{FUNCTION, Template, list};
use crate::workspace::Workspace;

/// Operations of the SDK, and the IAM actions that they require. A transaction requires the actions of its items
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html>), and so do the steps
/// of a multipart upload (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>).
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
    (OBJECT_VERSION, &["s3:GetObjectVersion"]),
    ("put_object", &["s3:PutObject"]),
    ("delete_object", &["s3:DeleteObject"]),
    ("create_multipart_upload", &["s3:PutObject"]),
    ("upload_part", &["s3:PutObject"]),
    ("complete_multipart_upload", &["s3:PutObject"]),
    ("abort_multipart_upload", &["s3:AbortMultipartUpload"]),
    (PRESIGNED_POST, &["s3:PutObject"]),
    ("send_message", &["sqs:SendMessage"]),
    ("change_message_visibility", &["sqs:ChangeMessageVisibility"]),
    ("get_queue_attributes", &["sqs:GetQueueAttributes"]),
    ("put_events", &["events:PutEvents"]),
    ("get_secret_value", &["secretsmanager:GetSecretValue"]),
    ("send_email", &["ses:SendEmail"]),
    ("get_metric_data", &["cloudwatch:GetMetricData"]),
    (SIGNED_REQUEST, &["execute-api:Invoke"]),
];

/// Requests a version of an object.
const OBJECT_VERSION: &str = ".set_version_id(";
/// Signs a form with which a client uploads a file (presigned POST), which the SDK does not support.
const PRESIGNED_POST: &str = "generate_signing_key(";
/// Signs requests to the gateway.
const SIGNED_REQUEST: &str = "aws.signed_client(\"execute-api\"";
/// Calls that count as operations on any receiver.
const ANY_RECEIVER: &[&str] = &[OBJECT_VERSION, PRESIGNED_POST, SIGNED_REQUEST];

/// Permissions that a function needs for calls that are not in its own code: a function that uses `with` may have
/// `actions`. An empty `with` applies to every function.
struct ImpliedGrant {
    with: &'static str,
    actions: &'static [&'static str],
    _reason: &'static str,
}

const IMPLIED_GRANTS: &[ImpliedGrant] = &[
    ImpliedGrant {
        with: "",
        actions: &["logs:CreateLogStream", "logs:PutLogEvents"],
        _reason: "Lambda writes the function's output to the log with the function's role",
    },
    ImpliedGrant {
        with: "host::queue::run",
        actions: &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        _reason: "Lambda polls the queue with the function's role",
    },
    ImpliedGrant {
        with: "host::stream::run",
        actions: &[
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
            "dynamodb:ListStreams",
        ],
        _reason: "Lambda reads the stream with the function's role",
    },
    ImpliedGrant {
        with: "host::schedule::run",
        actions: &["sqs:SendMessage"],
        _reason: "Lambda sends failed invocations to the destination with the function's role",
    },
    ImpliedGrant {
        with: "s3:GetObject",
        actions: &["s3:ListBucket"],
        _reason: "without it, S3 responds to a request for a missing object with 403 instead of 404",
    },
    ImpliedGrant {
        with: "s3:GetObjectVersion",
        actions: &["s3:ListBucketVersions"],
        _reason: "the same for a version of an object",
    },
];

/// An action that an adapter needs and no function has, for a reason.
struct Ungranted {
    file: &'static str,
    action: &'static str,
    reason: &'static str,
}

const UNGRANTED: &[Ungranted] = &[
    Ungranted {
        file: "lambdas/search/src/adapters/rows.rs",
        action: "dynamodb:Scan",
        reason: "only an operator rebuilds the index, with their own credentials",
    },
    Ungranted {
        file: "lambdas/search/src/bin/index-order.rs",
        action: "execute-api:Invoke",
        reason: "products of the inventory are public",
    },
    Ungranted {
        file: "lambdas/invoices/src/bin/issue-invoice.rs",
        action: "execute-api:Invoke",
        reason: "products of the inventory are public",
    },
    Ungranted {
        file: "lambdas/notifications/src/bin/send-email.rs",
        action: "execute-api:Invoke",
        reason: "products of the inventory are public",
    },
    Ungranted {
        file: "shared/aws_objects/src/lib.rs",
        action: "s3:AbortMultipartUpload",
        reason: "the initiator of a multipart upload may always abort it",
    },
];

/// No function has a permission that none of its adapters needs.
pub fn no_permission_is_unused(template: &Template, workspace: &Workspace) -> Violations {
    let mut found = Violations::new();
    for (id, items) in reachable_items(template, workspace) {
        let mut needed: BTreeSet<&str> = items.iter().map(|item| item.name.as_str()).collect();
        needed.extend(items.iter().flat_map(|item| item.actions()));
        let implied = IMPLIED_GRANTS.iter().filter(|it| it.with.is_empty() || needed.contains(it.with));
        let allowed: BTreeSet<&str> = implied.flat_map(|it| it.actions.iter().copied()).collect();
        for action in granted(template, id) {
            if !needed.contains(action) && !allowed.contains(action) {
                found.push(format!("{id}: revoke {action}: none of its adapters needs it"));
            }
        }
    }
    found
}

/// The permissions that adapters need are granted to the functions that build them.
pub fn no_permission_is_missing(template: &Template, workspace: &Workspace) -> Violations {
    let mut found = Violations::new();
    // The functions that have an action that an item needs, by the item's file and the action.
    let mut holders: BTreeMap<(String, &str), BTreeSet<&str>> = BTreeMap::new();
    for (id, items) in reachable_items(template, workspace) {
        let granted = granted(template, id);
        for item in items {
            let actions = item.actions();
            for action in &actions {
                let holders = holders.entry((item.file.clone(), action)).or_default();
                holders.extend(granted.contains(action).then_some(id));
            }
            let is_excepted = actions.iter().all(|action| exception(&item.file, action).is_some());
            if !is_excepted && actions.is_disjoint(&granted) {
                let Item { file, name, .. } = item;
                found.push(format!(
                    "{id}: grant it those of {actions:?} that it needs: it builds {name} of {file}"
                ));
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
            "{file}: grant {action} to the function that needs it, or add it to UNGRANTED with a reason: no function \
             has it"
        ));
    }
    for Ungranted { file, action, reason } in
        UNGRANTED.iter().filter(|it| !missing.contains(&(it.file, it.action)))
    {
        found.push(format!("{file}: remove the exception for {action} ({reason}): it is not needed"));
    }
    found
}

/// `OPERATIONS` contains each operation that an adapter calls.
pub fn operations_are_mapped(workspace: &Workspace) -> Violations {
    let files = workspace.sources.iter().filter(|(path, _)| is_adapter(path));
    let mut found = Violations::new();
    for item in files.flat_map(|(path, text)| items(path, text)) {
        for name in item.operations.iter().filter(|name| actions_of(name).is_none()) {
            found.push(format!("{}: add the IAM actions of {name} to OPERATIONS", item.file));
        }
        let sends = item.text.contains(".send().await") || item.text.contains(".presigned(");
        // Its caller, which passes the request, called the operation.
        let is_passed = item.text.contains("FluentBuilder)");
        if sends && !is_passed && item.operations.is_empty() {
            found.push(format!(
                "{}: call operations on a field of the type Client: the request of {} is not recognised",
                item.file, item.name
            ));
        }
    }
    found
}

/// A named part of the source, and the operations that it calls.
#[derive(Debug, Clone)]
struct Item {
    file: String,
    /// A type, or a function in the form of its calls: `arbiter(`, `aws.bucket(`, `host::queue::run`.
    name: String,
    /// Its code, with method chains on one line.
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

/// The items of each function: its `main`, and the adapters that are reachable from it.
fn reachable_items<'a>(template: &'a Template, workspace: &Workspace) -> BTreeMap<&'a str, Vec<Item>> {
    let read = |folder: &str| -> Vec<Item> {
        let files = workspace.sources.iter().filter(|(path, _)| path.starts_with(folder) && is_adapter(path));
        files.flat_map(|(path, text)| items(path, text)).collect()
    };
    let shared = read("shared/");
    let reachable = |folder: &str, id: &str| {
        let main = format!("{folder}/src/bin/{}.rs", id.to_kebab_case());
        let text = workspace.sources.get(&main).map_or("", String::as_str);
        let mut left: Vec<Item> = read(&format!("{folder}/src/adapters"));
        left.extend(shared.iter().cloned());
        let mut reachable = items(&main, text);
        let mut next = 0;
        while let Some(text) = reachable.get(next).map(|item| item.text.clone()) {
            let (named, rest) = left.into_iter().partition(|item: &Item| mentions(&text, &item.name));
            reachable.extend::<Vec<Item>>(named);
            left = rest;
            next += 1;
        }
        reachable
    };
    let functions = template.all(FUNCTION).into_iter();
    functions
        .map(|(id, function)| (id, reachable(function.property("/CodeUri").as_str().unwrap_or_default(), id)))
        .collect()
}

/// Whether the calls of a file are analysed.
fn is_adapter(path: &str) -> bool {
    let inside = ["/src/adapters", "shared/aws", "shared/platform/src/host/"];
    path.ends_with(".rs")
        && inside.iter().any(|part| path.contains(part))
        && !["/memory.rs", "/tests.rs"].iter().any(|end| path.ends_with(end))
}

/// Whether `text` contains `name`, and not only as a part of a longer name.
fn mentions(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back().is_some_and(|c| is_word(c) || c == '.');
        let after = text[at + name.len()..].chars().next().is_some_and(is_word);
        !before && (name.ends_with('(') || !after)
    })
}

/// The top-level items of a file; for `impl Aws`, each method is an item.
fn items(file: &str, text: &str) -> Vec<Item> {
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

#[cfg(test)]
mod tests;
