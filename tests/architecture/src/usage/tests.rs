//! Tests that the checks find the faults that they are for.

use serde_json::json;

use super::*;
use crate::mutant::{assert_reports, repository, with, workspace};

const TRACK_ORDER: &str = "TrackOrderRole/Properties/Policies/0/PolicyDocument/Statement";

/// The repository with `from` replaced by `to` in a file.
fn edited(file: &str, from: &str, to: &str) -> Workspace {
    let mut workspace = workspace();
    let text = workspace.sources.get_mut(file).unwrap();
    assert!(text.contains(from), "{file} has no {from:?}");
    *text = text.replace(from, to);
    workspace
}

/// The actions that a function's adapters need.
fn needed(id: &str) -> BTreeSet<&'static str> {
    let template = repository();
    reachable_items(&template, &workspace())[id].iter().flat_map(Item::actions).collect()
}

#[test]
fn a_function_needs_what_its_adapters_and_its_host_call() {
    let relay = ["dynamodb:DeleteItem", "dynamodb:Scan", "events:PutEvents", "sqs:SendMessage"];
    assert_eq!(needed("RelayOutbox"), relay.into());
    // Through a constructor in adapters/mod.rs, and not through the one next to it.
    let stripe = ["events:PutEvents", "secretsmanager:GetSecretValue"];
    assert_eq!(needed("StripeWebhook"), stripe.into());
    assert!(needed("VoidPayment").is_superset(&["dynamodb:PutItem", "sqs:ChangeMessageVisibility"].into()));
    assert_eq!(needed("ServeReference"), BTreeSet::new());
    assert!(needed("MediaApi").contains("s3:PutObject"));
    assert!(needed("IndexOrder").is_superset(&["dynamodb:ConditionCheckItem", "execute-api:Invoke"].into()));
}

#[test]
fn a_superfluous_permission() {
    let first = format!("{TRACK_ORDER}/0/Action");
    for action in ["dynamodb:DeleteItem", "s3:GetObject", "events:PutEvents", "dynamodb:GetRecords"] {
        let wide = with(&first, json!(["dynamodb:GetItem", "dynamodb:PutItem", action]));
        assert_reports(&no_permission_is_unused(&wide, &workspace()), &["TrackOrder", action]);
    }
}

#[test]
fn a_permission_that_is_no_longer_needed() {
    let file = "lambdas/operations/src/adapters/queues.rs";
    let fewer = edited(file, ".get_metric_data()", ".list_metrics()");
    let found = no_permission_is_unused(&repository(), &fewer);
    assert_reports(&found, &["CheckHealth", "cloudwatch:GetMetricData"]);
    let main = "lambdas/inventory/src/bin/settle-reservation.rs";
    let silent = edited(main, "EventBridge::publisher(aws.sdk_config())?", "NoPublisher");
    let found = no_permission_is_unused(&repository(), &silent);
    assert_reports(&found, &["SettleReservation", "events:PutEvents"]);
}

#[test]
fn an_operation_that_no_function_may_call() {
    let file = "lambdas/partners/src/adapters/partners.rs";
    let more = edited(file, ".get_item()", ".delete_item()");
    assert_reports(&no_permission_is_missing(&repository(), &more), &[file, "dynamodb:DeleteItem"]);
    let file = "lambdas/inventory/src/adapters/stock.rs";
    let more = edited(file, "builder().update(", "builder().delete(");
    assert_reports(&no_permission_is_missing(&repository(), &more), &[file, "dynamodb:DeleteItem"]);
}

#[test]
fn a_function_without_permissions_for_its_adapter() {
    let put = "StripeWebhookRole/Properties/Policies/0/PolicyDocument/Statement/1/Action";
    let denied = with(put, json!("events:DescribeEventBus"));
    let found = no_permission_is_missing(&denied, &workspace());
    assert_reports(&found, &["StripeWebhook", "events:PutEvents", "EventBridge"]);
    let queue = format!("{TRACK_ORDER}/1/Action");
    let denied = with(&queue, json!(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]));
    let found = no_permission_is_missing(&denied, &workspace());
    assert_reports(&found, &["TrackOrder", "sqs:ChangeMessageVisibility"]);
}

#[test]
fn an_exception_that_is_not_needed() {
    let file = "lambdas/search/src/adapters/rows.rs";
    let fewer = edited(file, ".scan()", ".query()");
    assert_reports(&no_permission_is_missing(&repository(), &fewer), &[file, "dynamodb:Scan"]);
}

#[test]
fn an_operation_without_actions() {
    let file = "lambdas/accounts/src/adapters/profiles.rs";
    let other = edited(file, ".get_item()", ".execute_statement()");
    assert_reports(&operations_are_mapped(&other), &[file, "execute_statement"]);
    let file = "lambdas/orders/src/adapters/orders.rs";
    let other = edited(file, "builder().put(put)", "builder().get(put)");
    assert_reports(&operations_are_mapped(&other), &[file, "TransactWriteItem::get"]);
}

#[test]
fn a_client_that_is_not_recognised() {
    let file = "lambdas/accounts/src/adapters/profiles.rs";
    let hidden = edited(file, "    client: Client,", "    client: Connection,");
    assert_reports(&operations_are_mapped(&hidden), &[file, "DynamoDbProfiles"]);
}
