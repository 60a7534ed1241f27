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

mod operations;
mod source;

use std::collections::{BTreeMap, BTreeSet};

use heck::ToKebabCase;
use serde_json::Value;

use crate::Violations;
use crate::template::{FUNCTION, Template, list};
use crate::workspace::Workspace;
use operations::actions_of;
use source::{Item, items, mentions};

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

#[cfg(test)]
mod tests;
