//! Invalid messages, killed functions and missed stream records: nothing is lost.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use end_to_end::{NewOrder, Requirement, Stack, WAIT_TIMEOUT, unique_name, wait_for};
use http::{Method, StatusCode};
use platform::Clock;
use platform::clock::SystemClock;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{exclusive_with, shared, shared_with};

fn created(id: &str, order: &NewOrder, total: u32) -> Value {
    created_at(id, order, total, SystemClock.now())
}

fn created_at(id: &str, order: &NewOrder, total: u32, at: jiff::Timestamp) -> Value {
    let mut details = order.body.clone();
    details["total"] = json!({ "amount": total, "currency": "EUR" });
    details["placed_at"] = at.to_string().into();
    json!({
        "specversion": "1.0", "type": "order.created", "source": "orders", "id": Uuid::new_v4(), "subject": id,
        "time": at.to_string(), "correlationid": format!("c-{id}"), "data": { "order": details },
    })
}

#[tokio::test]
async fn an_invalid_record_does_not_affect_the_rest_of_its_batch() {
    let (stack, _guard) = shared().await;
    let product = stack.create_product(300, 9).await.unwrap();
    let (id, order) = (Uuid::new_v4().to_string(), NewOrder::new(&product, 1, "pm_card_visa"));
    let marker = unique_name();
    let good = json!({ "detail-type": "order.created", "detail": created(&id, &order, 300) }).to_string();
    let unknown =
        json!({ "detail": { "specversion": "1.0", "type": format!("order.{marker}") } }).to_string();
    let mut wrong = created(&id, &order, 300);
    wrong["data"]["order"]["lines"][0]["quantity"] = 0.into();
    wrong["correlationid"] = marker.clone().into();
    let wrong = json!({ "detail": wrong }).to_string();
    let mut newer_version = created(&id, &order, 300);
    newer_version["dataschema"] = "urn:serverless-orders:event:order.created:2".into();
    newer_version["correlationid"] = marker.clone().into();
    let newer_version = json!({ "detail": newer_version }).to_string();
    let not_json = format!("no JSON {marker}");
    stack
        .send_messages("ReserveInventoryQueue", &[not_json, unknown, good, wrong, newer_version])
        .await
        .unwrap();

    if let Some((subject, _)) = stack.wait_for_mail_about(&id, "confirmation", &order.email).await {
        assert!(subject.starts_with("Your order is confirmed"), "{subject}");
    }
    stack.wait_for_stock(&product, (8, 0, 1)).await;
    let dead_letters = wait_for("four dead-letter messages", WAIT_TIMEOUT, async || {
        let dead_letters = stack.dead_letters("ReserveInventoryDeadLetters", &marker).await?;
        Ok((dead_letters.len() == 4).then_some(dead_letters))
    })
    .await;
    for dead_letter in dead_letters {
        assert_eq!(dead_letter.attributes["kind"], "poison", "{dead_letter:?}");
        assert_eq!(dead_letter.attributes["function"], "reserve-inventory");
        assert_eq!(dead_letter.attributes["attempt"], "1");
        let error = &dead_letter.attributes["error"];
        assert!(error.contains("cannot be parsed") || error.contains("not JSON"), "{error}");
        assert!(!error.contains(&order.email), "the error contains no personal data: {error}");
    }
}

#[tokio::test]
async fn a_charge_without_a_reservation_is_sent_to_the_dlq() {
    let (stack, _guard) = shared().await;
    let product = stack.create_product(300, 1).await.unwrap();
    let id = Uuid::new_v4().to_string();
    let order = NewOrder::new(&product, 1, "pm_card_visa");
    let mut event = created(&id, &order, 300);
    event["type"] = "payment.succeeded".into();
    event["data"]["payment_intent"] = "pi_1".into();
    event["data"]["amount"] = json!({ "amount": 300, "currency": "EUR" });
    stack.send_messages("SettleReservationQueue", &[json!({ "detail": event }).to_string()]).await.unwrap();
    let dead_letter = wait_for("the dead-letter message", WAIT_TIMEOUT, async || {
        Ok(stack.dead_letters("SettleReservationDeadLetters", &id).await?.pop())
    })
    .await;
    assert_eq!(dead_letter.attributes["kind"], "reject", "{dead_letter:?}");
    assert!(dead_letter.attributes["error"].contains("never reserved"), "{dead_letter:?}");
}

/// The record that a mail was sent is kept for longer than automatic redeliveries last. After that, only an
/// operator can have redriven the message, and an operator has to decide.
#[tokio::test]
async fn a_mail_for_an_event_two_months_old_is_sent_to_the_dlq() {
    let Some((stack, _guard)) = shared_with(&[Requirement::Mailbox]).await else { return };
    let product = stack.create_product(300, 1).await.unwrap();
    let id = Uuid::new_v4().to_string();
    let order = NewOrder::new(&product, 1, "pm_card_visa");
    let two_months_ago = SystemClock.now() - jiff::SignedDuration::from_hours(60 * 24);
    let mut event = created_at(&id, &order, 300, two_months_ago);
    event["type"] = "payment.succeeded".into();
    event["data"]["payment_intent"] = "pi_1".into();
    event["data"]["amount"] = json!({ "amount": 300, "currency": "EUR" });
    stack.send_messages("SendEmailQueue", &[json!({ "detail": event }).to_string()]).await.unwrap();
    let dead_letter = wait_for("the dead-letter message", WAIT_TIMEOUT, async || {
        Ok(stack.dead_letters("SendEmailDeadLetters", &id).await?.pop())
    })
    .await;
    assert_eq!(dead_letter.attributes["kind"], "reject", "{dead_letter:?}");
    assert!(dead_letter.attributes["error"].contains("more than 57 days old"), "{dead_letter:?}");
    assert!(stack.mails(&order.email).await.unwrap().is_empty());
}

/// The stream is disabled, as if the relay were down: the order is delayed but not lost.
#[tokio::test]
async fn an_event_that_the_stream_missed_is_published_by_the_scheduler() {
    let Some((stack, _guard)) = exclusive_with(&[Requirement::ThrowawayStack]).await else { return };
    let product = stack.create_product(300, 1).await.unwrap();
    let mapping = relay_mapping(&stack).await;
    set_mapping_enabled(&stack, &mapping, false).await;
    let order = NewOrder::new(&product, 1, "pm_card_visa");
    let id = stack.place_order(&order).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(stack.order_status(&id).await.unwrap(), "placed", "the event is not published");
    let table = stack.table_name("OutboxTable").await.unwrap();
    let rows = stack.aws.dynamodb().scan().table_name(&table).send().await.unwrap().items.unwrap();
    let row = rows.iter().find(|row| row["event"].as_s().unwrap().contains(&id)).expect("its outbox row");
    // Simulate that the row is older than two minutes.
    stack
        .aws
        .dynamodb()
        .update_item()
        .table_name(&table)
        .key("event_id", row["event_id"].clone())
        .update_expression("SET created_at = :then")
        .expression_attribute_values(":then", AttributeValue::S("2026-01-01T00:00:00.000000Z".into()))
        .send()
        .await
        .unwrap();
    let report =
        stack.invoke("ExpireOrders", &json!({ "order_id": Uuid::new_v4() }).to_string()).await.unwrap();
    assert_eq!(report["published"], 1, "{report}");
    stack.wait_for_status(&id, "paid").await;
    set_mapping_enabled(&stack, &mapping, true).await;
    assert_eq!(stack.captures(&id).await.unwrap(), [300]);
    let left = stack.aws.dynamodb().scan().table_name(&table).send().await.unwrap().items.unwrap();
    assert!(left.iter().all(|row| !row["event"].as_s().unwrap().contains(&id)), "the row is deleted");
}

async fn relay_mapping(stack: &Stack) -> String {
    let response = stack.call_lambda(Method::GET, "/2015-03-31/event-source-mappings/", "").await.unwrap();
    let mappings = response.body["EventSourceMappings"].as_array().cloned().unwrap_or_default();
    let relay = mappings
        .iter()
        .find(|mapping| mapping["FunctionArn"].as_str().is_some_and(|arn| arn.contains("-RelayOutbox-")));
    relay.unwrap()["UUID"].as_str().unwrap().to_owned()
}

async fn set_mapping_enabled(stack: &Stack, mapping: &str, on: bool) {
    let path = format!("/2015-03-31/event-source-mappings/{mapping}");
    let response =
        stack.call_lambda(Method::PUT, &path, &json!({ "Enabled": on }).to_string()).await.unwrap();
    assert!(response.status.is_success(), "{response:?}");
    tokio::time::sleep(Duration::from_secs(2)).await;
}

/// The function is killed after the provider has captured the money and before the outcome is published. When
/// the queue redelivers the message, the function looks up the charge.
#[tokio::test]
async fn a_function_killed_during_a_charge_charges_once() {
    // Exclusive until the kill: it must not interrupt the charge of another test.
    let Some((stack, guard)) = exclusive_with(&[Requirement::Processes]).await else { return };
    let product = stack.create_product(4200, 1).await.unwrap();
    let order = NewOrder::new(&product, 1, "pm_card_visa");
    let id = stack.place_order(&order).await.unwrap();
    let fault =
        json!({ "operation": "confirm", "effect": "after", "kind": "slow", "times": 1, "delay_ms": 7000 });
    stack.inject_fault(Some(&id), fault).await.unwrap();
    wait_for("the charge", WAIT_TIMEOUT, async || Ok((!stack.captures(&id).await?.is_empty()).then_some(())))
        .await;
    assert_ne!(stack.order_status(&id).await.unwrap(), "paid", "the outcome is not recorded yet");
    assert!(kill_functions("-ProcessPayment-") > 0, "no process was found to kill");
    drop(guard);
    // The visibility timeout of the queue: six times the function's timeout of 30 seconds.
    let timeout = Duration::from_secs(180) + WAIT_TIMEOUT;
    wait_for("the order to be paid after the redelivery", timeout, async || {
        Ok((stack.order_status(&id).await? == "paid").then_some(()))
    })
    .await;
    assert_eq!(stack.captures(&id).await.unwrap(), [4200]);
    stack.wait_for_stock(&product, (0, 0, 1)).await;
    let (subject, _) = stack.wait_for_mail(&order.email).await;
    assert!(subject.starts_with("Your order is confirmed"), "{subject}");
}

/// Kills the processes of a function of this stack with SIGKILL. Returns their number.
pub(crate) fn kill_functions(part_of_name: &str) -> usize {
    let endpoint = std::env::var("E2E_EMULATOR_URL").unwrap();
    let mut killed = 0;
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(environment) = std::fs::read(process.path().join("environ")) else { continue };
        let environment = String::from_utf8_lossy(&environment).into_owned();
        let is = |name: &str, test: &dyn Fn(&str) -> bool| {
            environment.split('\0').filter_map(|variable| variable.strip_prefix(name)).any(test)
        };
        let is_function = is("AWS_LAMBDA_FUNCTION_NAME=", &|value| value.contains(part_of_name));
        if is_function && is("AWS_ENDPOINT_URL=", &|value| value == endpoint) {
            let pid = process.file_name().into_string().unwrap();
            killed += usize::from(
                std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success(),
            );
        }
    }
    killed
}

#[tokio::test]
async fn a_late_event_of_a_cancelled_order_reserves_nothing() {
    let (stack, _guard) = shared().await;
    let product = stack.create_product(300, 2).await.unwrap();
    let id = Uuid::new_v4().to_string();
    let order = NewOrder::new(&product, 2, "pm_card_visa");
    // The cancellation request arrives before the order.
    let mut cancellation = created(&id, &order, 600);
    cancellation["type"] = "order.cancellation_requested".into();
    cancellation["data"]["reason"] = "customer_request".into();
    stack.send_messages("VoidPaymentQueue", &[json!({ "detail": cancellation }).to_string()]).await.unwrap();
    if let Some((subject, _)) = stack.wait_for_mail_about(&id, "cancellation", &order.email).await {
        assert!(subject.starts_with("Your order is cancelled"), "{subject}");
    }
    let reservation = format!("/reservations/{id}");
    wait_for("the tombstone", WAIT_TIMEOUT, async || {
        let response = stack.send_signed(Method::GET, &reservation, None).await?;
        Ok((response.status == StatusCode::OK && response.body["state"] == "released").then_some(()))
    })
    .await;
    let late = json!({ "detail": created(&id, &order, 600) }).to_string();
    stack.send_messages("ReserveInventoryQueue", &[late]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(stack.stock(&product).await.unwrap(), (2, 0, 0));
    assert_eq!(stack.captures(&id).await.unwrap(), [0; 0]);
}
