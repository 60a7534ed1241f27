//! Stripe's webhooks: accepted only from Stripe. The outcome of a payment does not depend on whether the
//! webhook or `process-payment` is first.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use end_to_end::{ApiResponse, NewOrder, Requirement, Stack, WAIT_TIMEOUT, wait_for};
use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use payments::webhook::signature::sign;
use platform::Clock;
use platform::clock::SystemClock;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::failures::kill_functions;
use crate::{exclusive_with, shared, shared_with};

/// Returns an event in Stripe's format about the PaymentIntent of an order.
fn event(order: &str) -> String {
    json!({
        "id": format!("evt_{}", Uuid::new_v4().simple()), "object": "event", "api_version": "2024-06-20",
        "created": SystemClock.now().as_second(), "livemode": false, "type": "payment_intent.succeeded",
        "data": { "object": { "id": "pi_of_nobody", "object": "payment_intent", "metadata": { "order_id": order } } },
    })
    .to_string()
}

async fn signature(stack: &Stack, at: Timestamp, body: &str) -> String {
    sign(stack.webhook_secret().await.unwrap().expose_secret(), at, body.as_bytes())
}

async fn post(stack: &Stack, signature: Option<&str>, body: &str) -> ApiResponse {
    let mut headers = vec![("x-correlation-id", "webhook-test")];
    headers.extend(signature.map(|signature| ("stripe-signature", signature)));
    stack.send_raw(Method::POST, "/webhooks/stripe", &headers, Bytes::from(body.to_owned())).await.unwrap()
}

fn assert_signature_rejected(response: &ApiResponse, why: &str) {
    assert_eq!(response.status, StatusCode::BAD_REQUEST, "{why}: {response:?}");
    assert_eq!(response.headers["content-type"], "application/problem+json", "{why}");
    let problem = json!({
        "type": "urn:serverless-orders:problem:invalid-request",
        "title": "The request is not valid",
        "status": 400,
        "detail": "The request has 1 error: see errors.",
        "errors": [{
            "header": "Stripe-Signature",
            "detail": "must be Stripe's signature of this body, made within the last five minutes",
        }],
        "correlation_id": "webhook-test",
    });
    assert_eq!(response.body, problem, "{why}");
}

#[tokio::test]
async fn only_webhooks_signed_by_stripe_are_accepted() {
    let (stack, _guard) = shared().await;
    let order = Uuid::new_v4().to_string();
    let (body, now) = (event(&order), SystemClock.now());
    let good = signature(&stack, now, &body).await;
    assert_eq!(post(&stack, Some(&good), &body).await.status, StatusCode::NO_CONTENT);
    assert_eq!(post(&stack, Some(&good), &body).await.status, StatusCode::NO_CONTENT, "a repeated event");

    let old = signature(&stack, now - SignedDuration::from_secs(400), &body).await;
    let ahead = signature(&stack, now + SignedDuration::from_secs(400), &body).await;
    let other = sign("whsec_of_somebody_else", now, body.as_bytes());
    let v0 = good.replace("v1=", "v0=");
    for (why, signature, body) in [
        ("tampered with", Some(good.as_str()), &body.replace("pi_of_nobody", "pi_of_somebody")),
        ("replayed", Some(old.as_str()), &body),
        ("signed in the future", Some(ahead.as_str()), &body),
        ("signed with another secret", Some(other.as_str()), &body),
        ("only a v0 signature", Some(v0.as_str()), &body),
    ] {
        assert_signature_rejected(&post(&stack, signature, body).await, why);
    }
    // The gateway requires the header.
    let unsigned = post(&stack, None, &body).await;
    assert_eq!(unsigned.status, StatusCode::BAD_REQUEST, "{unsigned:?}");
    assert!(unsigned.body["detail"].as_str().unwrap().contains("Stripe-Signature"), "{unsigned:?}");

    // The payment service does not know the order: it ignores the event, without a dead-letter message.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(stack.dead_letters("ProcessPaymentDeadLetters", &order).await.unwrap().is_empty());
    assert_eq!(payment_record(&stack, &order).await, None);
}

/// Returns the stored payment record of an order.
async fn payment_record(stack: &Stack, order: &str) -> Option<HashMap<String, AttributeValue>> {
    let table = stack.table_name("PaymentsTable").await.unwrap();
    let key = AttributeValue::S(order.to_owned());
    let read = stack.aws.dynamodb().get_item().table_name(table).key("order_id", key).consistent_read(true);
    read.send().await.unwrap().item
}

/// Waits until the provider has `count` webhooks about an order, all in this state.
async fn wait_for_webhooks(stack: &Stack, order: &str, count: usize, state: &str) -> Vec<Value> {
    wait_for(&format!("{count} webhooks of {order} to be {state}"), WAIT_TIMEOUT, async || {
        let all = stack.webhook_deliveries(order).await?;
        Ok((all.len() == count && all.iter().all(|webhook| webhook["state"] == state)).then_some(all))
    })
    .await
}

fn ids(webhooks: &[Value]) -> Vec<String> {
    webhooks.iter().filter_map(|webhook| webhook["event"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_webhook_after_the_outcome_changes_nothing() {
    let Some((stack, _guard)) = shared_with(&[Requirement::StripeStandIn]).await else { return };
    let cases = [("pm_card_visa", "paid", 1, 1), ("pm_card_visa_chargeDeclined", "payment_failed", 2, 0)];
    let orders = cases.map(async |(card, status, webhooks, captures)| {
        let product = stack.create_product(900, 1).await.unwrap();
        let order = NewOrder::new(&product, 1, card);
        let id = stack.place_order(&order).await.unwrap();
        stack.set_webhook_mode(&id, "off").await.unwrap();
        stack.wait_for_status(&id, status).await;
        stack.wait_for_mail(&order.email).await;
        let before = payment_record(&stack, &id).await;
        let held = wait_for_webhooks(&stack, &id, webhooks, "held").await;
        // Each event twice, and out of order.
        for event in ids(&held).iter().rev().chain(&ids(&held)) {
            stack.resend_webhook(event).await.unwrap();
        }
        wait_for_webhooks(&stack, &id, webhooks, "delivered").await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(payment_record(&stack, &id).await, before, "{card}");
        assert_eq!(stack.order_status(&id).await.unwrap(), status);
        assert_eq!(stack.captures(&id).await.unwrap().len(), captures, "{card}");
        assert_eq!(stack.mails(&order.email).await.unwrap().len(), 1, "{card}");
        assert!(stack.dead_letters("ProcessPaymentDeadLetters", &id).await.unwrap().is_empty());
    });
    futures::future::join_all(orders).await;
}

/// The response is delayed, and the webhook arrives before it, twice.
#[tokio::test]
async fn a_webhook_before_the_outcome_does_not_charge_twice() {
    let Some((stack, _guard)) = shared_with(&[Requirement::StripeStandIn]).await else { return };
    let product = stack.create_product(700, 1).await.unwrap();
    let order = NewOrder::new(&product, 1, "pm_card_visa");
    let id = stack.place_order(&order).await.unwrap();
    let delayed =
        json!({ "operation": "confirm", "effect": "after", "kind": "slow", "times": 1, "delay_ms": 4000 });
    stack.inject_fault(Some(&id), delayed).await.unwrap();
    stack.set_webhook_mode(&id, "twice").await.unwrap();
    wait_for_webhooks(&stack, &id, 1, "delivered").await;
    stack.wait_for_status(&id, "paid").await;
    stack.wait_for_stock(&product, (0, 0, 1)).await;
    assert_eq!(stack.captures(&id).await.unwrap(), [700]);
    let (subject, _) = stack.wait_for_mail(&order.email).await;
    assert!(subject.starts_with("Your order is confirmed"), "{subject}");
}

/// `process-payment` is killed after the provider has captured the money. The webhook completes the payment
/// as soon as the lease expires, long before the queue redelivers the message.
#[tokio::test]
async fn a_webhook_completes_the_payment_of_a_killed_function() {
    // Exclusive until the kill: it must not interrupt the charge of another test.
    let Some((stack, guard)) = exclusive_with(&[Requirement::StripeStandIn]).await else { return };
    let product = stack.create_product(4300, 1).await.unwrap();
    let order = NewOrder::new(&product, 1, "pm_card_visa");
    let id = stack.place_order(&order).await.unwrap();
    let delayed =
        json!({ "operation": "confirm", "effect": "after", "kind": "slow", "times": 1, "delay_ms": 7000 });
    stack.inject_fault(Some(&id), delayed).await.unwrap();
    stack.set_webhook_mode(&id, "off").await.unwrap();
    let held = wait_for_webhooks(&stack, &id, 1, "held").await;
    assert_ne!(stack.order_status(&id).await.unwrap(), "paid", "the outcome is not recorded yet");
    assert!(kill_functions("-ProcessPayment-") > 0, "no process was found to kill");
    drop(guard);
    stack.resend_webhook(&ids(&held)[0]).await.unwrap();
    // The lease lasts 45 seconds; the visibility timeout is 180.
    wait_for("the order to be paid because of the webhook", Duration::from_secs(140), async || {
        Ok((stack.order_status(&id).await? == "paid").then_some(()))
    })
    .await;
    assert_eq!(stack.captures(&id).await.unwrap(), [4300]);
    stack.wait_for_stock(&product, (0, 0, 1)).await;
    let (subject, _) = stack.wait_for_mail(&order.email).await;
    assert!(subject.starts_with("Your order is confirmed"), "{subject}");
}
