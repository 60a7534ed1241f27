//! Failures of the payment provider: no customer is charged twice, and every order reaches a final status.

use end_to_end::{NewOrder, Product, Requirement, Stack, WAIT_TIMEOUT, wait_for};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{exclusive_with, shared, shared_with};

/// Places an order and injects faults before its payment begins. Returns the ids of the order and of the
/// faults.
///
/// The id of the order is known only after it is placed; its payment begins a few hops later.
async fn place_with_fault(
    stack: &Stack,
    product: &Product,
    order: &NewOrder,
    faults: &[Value],
) -> (String, Vec<u64>) {
    assert!(!product.sku.is_empty());
    let id = stack.place_order(order).await.unwrap();
    let mut fault_ids = Vec::new();
    for fault in faults {
        fault_ids.push(stack.inject_fault(Some(&id), fault.clone()).await.unwrap());
    }
    (id, fault_ids)
}

#[tokio::test]
async fn a_provider_that_recovers_charges_once() {
    let Some((stack, _guard)) = shared_with(&[Requirement::StripeStandIn]).await else { return };
    let faults = [
        json!({ "operation": "confirm", "effect": "before", "kind": "http_503", "times": 2 }),
        json!({ "operation": "confirm", "effect": "before", "kind": "http_429", "times": 1 }),
        json!({ "operation": "create", "effect": "before", "kind": "http_500", "times": 1 }),
        // The dangerous faults: the operation takes effect, and the response is lost.
        json!({ "operation": "confirm", "effect": "after", "kind": "http_500", "times": 1 }),
        json!({ "operation": "confirm", "effect": "after", "kind": "reset", "times": 1 }),
        json!({ "operation": "confirm", "effect": "after", "kind": "timeout", "times": 1, "delay_ms": 20000 }),
        json!({ "operation": "create", "effect": "after", "kind": "http_500", "times": 1 }),
    ];
    let orders = faults.iter().map(async |fault| {
        let product = stack.create_product(1100, 1).await.unwrap();
        let order = NewOrder::new(&product, 1, "pm_card_visa");
        let (id, _) = place_with_fault(&stack, &product, &order, std::slice::from_ref(fault)).await;
        stack.wait_for_status(&id, "paid").await;
        assert_eq!(stack.captures(&id).await.unwrap(), [1100], "{fault}");
        stack.wait_for_stock(&product, (0, 0, 1)).await;
        let (subject, _) = stack.wait_for_mail(&order.email).await;
        assert!(subject.starts_with("Your order is confirmed"), "{fault}: {subject}");
    });
    futures::future::join_all(orders).await;
}

#[tokio::test]
async fn a_refusal_without_a_code_ends_the_payment_at_once() {
    let Some((stack, _guard)) = shared_with(&[Requirement::StripeStandIn]).await else { return };
    for operation in ["create", "confirm"] {
        let product = stack.create_product(1100, 1).await.unwrap();
        let order = NewOrder::new(&product, 1, "pm_card_visa");
        let refusal =
            json!({ "operation": operation, "kind": "error", "error": { "type": "invalid_request_error" } });
        let (id, _) = place_with_fault(&stack, &product, &order, &[refusal]).await;
        stack.wait_for_status(&id, "payment_failed").await;
        stack.wait_for_stock(&product, (1, 0, 0)).await;
        let (_, text) = stack.wait_for_mail(&order.email).await;
        assert!(text.contains("could not be processed"), "{text}");
        assert_eq!(stack.captures(&id).await.unwrap(), [0; 0]);
    }
}

#[tokio::test]
async fn a_provider_outage_leads_to_a_dead_letter_that_can_be_redriven() {
    let Some((stack, _guard)) = shared_with(&[Requirement::StripeStandIn]).await else { return };
    let product = stack.create_product(2300, 2).await.unwrap();
    let order = NewOrder::new(&product, 2, "pm_card_visa");
    let down = json!({ "operation": "any", "effect": "before", "kind": "http_503" });
    let (id, faults) = place_with_fault(&stack, &product, &order, &[down]).await;
    let dead_letter = wait_for("the dead-letter message", WAIT_TIMEOUT, async || {
        Ok(stack.dead_letters("ProcessPaymentDeadLetters", &id).await?.pop())
    })
    .await;
    let attribute = |name: &str| dead_letter.attributes.get(name).map(String::as_str).unwrap_or_default();
    assert_eq!(attribute("kind"), "exhausted");
    assert_eq!(attribute("function"), "process-payment");
    assert_eq!(attribute("attempt"), "5");
    assert!(attribute("error").contains("503"), "{dead_letter:?}");
    assert!(!attribute("correlation_id").is_empty() && !attribute("failed_at").is_empty(), "{dead_letter:?}");
    assert_eq!(stack.order_status(&id).await.unwrap(), "reserved");
    assert_eq!(stack.captures(&id).await.unwrap(), [0; 0]);

    stack.clear_fault(faults[0]).await.unwrap();
    stack.redrive(&dead_letter, "ProcessPayment").await.unwrap();
    stack.wait_for_status(&id, "paid").await;
    assert_eq!(stack.captures(&id).await.unwrap(), [2300 * 2]);

    // Redriving the same message again, after the order is settled, changes nothing.
    stack.send_messages("ProcessPaymentQueue", &[dead_letter.body]).await.unwrap();
    stack.wait_for_stock(&product, (0, 0, 2)).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(stack.captures(&id).await.unwrap(), [2300 * 2]);
    assert_eq!(stack.order_status(&id).await.unwrap(), "paid");
    assert_eq!(stack.mails(&order.email).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_order_can_be_cancelled_until_it_is_charged() {
    let Some((stack, _guard)) = shared_with(&[Requirement::StripeStandIn]).await else { return };
    let product = stack.create_product(800, 1).await.unwrap();
    let order = NewOrder::new(&product, 1, "pm_card_visa");
    // The charge cannot begin, so the cancellation is in time.
    let down = json!({ "operation": "create", "effect": "before", "kind": "http_503" });
    let (id, faults) = place_with_fault(&stack, &product, &order, &[down]).await;
    stack.wait_for_status(&id, "reserved").await;
    let path = format!("/orders/{id}/cancel");
    let response =
        stack.api(Method::POST, &path, &[], None).await.unwrap().expect(StatusCode::ACCEPTED).unwrap();
    assert_eq!(response.body["status"], "cancelling");
    stack.wait_for_status(&id, "cancelled").await;
    stack.wait_for_stock(&product, (1, 0, 0)).await;
    let (subject, text) = stack.wait_for_mail(&order.email).await;
    assert!(
        subject.starts_with("Your order is cancelled") && text.contains("As you requested"),
        "{subject}\n{text}"
    );
    stack.clear_fault(faults[0]).await.unwrap();
    // A repeated request changes nothing.
    let again =
        stack.api(Method::POST, &path, &[], None).await.unwrap().expect(StatusCode::ACCEPTED).unwrap();
    assert_eq!(again.body["status"], "cancelled");
    assert_eq!(stack.captures(&id).await.unwrap(), [0; 0]);
}

#[tokio::test]
async fn a_paid_order_cannot_be_cancelled() {
    let (stack, _guard) = shared().await;
    let product = stack.create_product(800, 1).await.unwrap();
    let id = stack.place_order(&NewOrder::new(&product, 1, "pm_card_visa")).await.unwrap();
    stack.wait_for_status(&id, "paid").await;
    let response = stack.api(Method::POST, &format!("/orders/{id}/cancel"), &[], None).await.unwrap();
    assert_eq!(response.status, StatusCode::CONFLICT, "{response:?}");
    assert_eq!(response.headers["content-type"], "application/problem+json");
}

/// The cancellation and the charge are concurrent: one of them wins, and all services agree on which.
#[tokio::test]
async fn a_race_between_charge_and_cancellation_has_one_winner() {
    let (stack, _guard) = shared().await;
    let races = (0..6_u64).map(async |round| {
        let product = stack.create_product(600, 1).await.unwrap();
        let order = NewOrder::new(&product, 1, "pm_card_visa");
        let id = stack.place_order(&order).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(round * 60)).await;
        let response = stack.api(Method::POST, &format!("/orders/{id}/cancel"), &[], None).await.unwrap();
        assert!([StatusCode::ACCEPTED, StatusCode::CONFLICT].contains(&response.status), "{response:?}");
        let end = wait_for(&format!("order {id} to reach a final status"), WAIT_TIMEOUT, async || {
            let status = stack.order_status(&id).await?;
            Ok(["paid", "cancelled"].contains(&status.as_str()).then_some(status))
        })
        .await;
        let captures = stack.captures(&id).await.unwrap();
        if end == "paid" {
            assert_eq!(captures, [600]);
            stack.wait_for_stock(&product, (0, 0, 1)).await;
        } else {
            assert_eq!(captures, [0; 0]);
            stack.wait_for_stock(&product, (1, 0, 0)).await;
        }
    });
    futures::future::join_all(races).await;
}

#[tokio::test]
async fn an_unpaid_order_expires() {
    let Some((stack, _guard)) = exclusive_with(&[Requirement::StripeStandIn]).await else { return };
    let product = stack.create_product(400, 2).await.unwrap();
    let order = NewOrder::new(&product, 2, "pm_card_visa");
    let down = json!({ "operation": "create", "effect": "before", "kind": "http_503" });
    let (id, faults) = place_with_fault(&stack, &product, &order, &[down]).await;
    stack.wait_for_status(&id, "reserved").await;
    let input = json!({ "older_than_seconds": 0, "order_id": id });
    let report = stack.invoke("ExpireOrders", &input.to_string()).await.unwrap();
    assert_eq!(report["expired"], 1, "{report}");
    stack.wait_for_status(&id, "expired").await;
    stack.wait_for_stock(&product, (2, 0, 0)).await;
    stack.clear_fault(faults[0]).await.unwrap();
    let (subject, text) = stack.wait_for_mail(&order.email).await;
    assert!(subject.starts_with("Your order is cancelled") && text.contains("in time"), "{subject}\n{text}");
    assert_eq!(stack.captures(&id).await.unwrap(), [0; 0]);
    let again = stack.invoke("ExpireOrders", &input.to_string()).await.unwrap();
    assert_eq!(again["expired"], 0, "{again}");
}
