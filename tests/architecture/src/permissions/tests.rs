//! Tests that the checks find the faults that they are for.

use serde_json::json;

use super::*;
use crate::mutant::{assert_reports, with};

const STATEMENT: &str = "TrackOrderRole/Properties/Policies/0/PolicyDocument/Statement/0";

#[test]
fn a_shared_role() {
    let shared = with("TrackOrder/Properties/Role", json!({ "Fn::GetAtt": ["SharedRole", "Arn"] }));
    assert_reports(&roles_are_not_shared(&shared), &["TrackOrder", "Role"]);
}

#[test]
fn a_trigger_that_widens_the_role() {
    let event = json!({ "FromQueue": { "Type": "SQS", "Properties": {} } });
    let wide = with("TrackOrder/Properties/Events", event);
    assert_reports(&are_not_widened_by_triggers(&wide), &["TrackOrder", "FromQueue", "SQS"]);
}

#[test]
fn a_wildcard() {
    for action in [json!("dynamodb:*"), json!(["dynamodb:GetItem", "dynamodb:Batch*"]), json!("*")] {
        let wide = with(&format!("{STATEMENT}/Action"), action);
        assert_reports(&are_least_privilege(&wide), &["TrackOrder", "actions", "*"]);
    }
    let everywhere = json!([{ "Fn::GetAtt": ["OrdersTable", "Arn"] }, { "Fn::Sub": "${OrdersTable.Arn}/*" }]);
    for resource in [json!("*"), everywhere, json!({ "Fn::If": ["IsLocal", "*", "arn"] })] {
        let wide = with(&format!("{STATEMENT}/Resource"), resource);
        assert_reports(&are_least_privilege(&wide), &["TrackOrder", "resources", "*"]);
    }
    let negated = with(&format!("{STATEMENT}/NotResource"), json!("arn"));
    assert_reports(&are_least_privilege(&negated), &["TrackOrder", "NotResource"]);
}

#[test]
fn a_managed_policy() {
    let managed = json!(["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]);
    let wide = with("TrackOrderRole/Properties/ManagedPolicyArns", managed);
    assert_reports(&write_only_own_logs(&wide), &["TrackOrderRole", "ManagedPolicyArns"]);
}

#[test]
fn the_log_group_of_another_function() {
    let last = "SendEmailRole/Properties/Policies/0/PolicyDocument/Statement/4";
    for resource in [json!("*"), json!({ "Fn::GetAtt": ["TrackOrderLogGroup", "Arn"] })] {
        let wide = with(&format!("{last}/Resource"), resource);
        assert_reports(&write_only_own_logs(&wide), &["SendEmail", "SendEmailLogGroup"]);
    }
    let none = with(&format!("{last}/Action"), json!("sqs:SendMessage"));
    assert_reports(&write_only_own_logs(&none), &["SendEmail", "SendEmailLogGroup"]);
}

#[test]
fn an_event_with_the_source_of_another_service() {
    let put = "StripeWebhookRole/Properties/Policies/0/PolicyDocument/Statement/1";
    let any = with(&format!("{put}/Condition"), Value::Null);
    assert_reports(&publish_only_declared_events(&any), &["StripeWebhook", "events:detail-type"]);
    let other = with(
        &format!("{put}/Condition/ForAllValues:StringEquals/events:source"),
        json!(["payments", "orders"]),
    );
    assert_reports(&publish_only_declared_events(&other), &["StripeWebhook", "payments"]);
    let absent = with(&format!("{put}/Condition/Null"), json!({}));
    assert_reports(&publish_only_declared_events(&absent), &["StripeWebhook", "events:detail-type"]);
}

#[test]
fn an_email_from_any_address() {
    let any = with("SendEmailRole/Properties/Policies/0/PolicyDocument/Statement/1/Condition", Value::Null);
    assert_reports(&send_from_one_address(&any), &["SendEmail", "ses:FromAddress"]);
}

#[test]
fn a_missing_object_that_seems_forbidden() {
    let at =
        |path: &str| format!("RenderInvoiceRole/Properties/Policies/0/PolicyDocument/Statement/2/{path}");
    let prefix = json!({ "StringLike": { "s3:prefix": "invoices/*" } });
    for (path, value) in [("Condition", prefix), ("Action", json!("s3:GetBucketTagging"))] {
        let unlisted = with(&at(path), value);
        assert_reports(&can_list_the_buckets_they_read(&unlisted), &["RenderInvoice", "DocumentsBucket"]);
    }
}

#[test]
fn an_exception_applies_to_one_function_only() {
    let path = json!({ "Fn::Sub": "arn:x:${Gateway}/v1/PUT/reservations/*" });
    let wide = with(&format!("{STATEMENT}/Resource"), path);
    assert_reports(&are_least_privilege(&wide), &["TrackOrder", "reservations"]);
}

#[test]
fn an_exception_that_is_not_needed() {
    let narrower =
        with("ReserveInventoryRole/Properties/Policies/0/PolicyDocument/Statement/0/Resource", json!("arn"));
    assert_reports(&exceptions_are_needed(&narrower), &["ReserveInventory", "reservations"]);
}
