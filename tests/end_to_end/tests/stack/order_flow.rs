//! The outcomes of an order, as in the demo.

use end_to_end::{NewOrder, Requirement, WAIT_TIMEOUT, wait_for};
use http::{Method, StatusCode};
use platform::Clock;
use platform::clock::SystemClock;
use serde_json::json;
use uuid::Uuid;

use crate::{shared, shared_with};

#[tokio::test]
async fn a_paid_order_is_confirmed_by_mail() {
    let (stack, _guard) = shared().await;
    let product = stack.create_product(1250, 10).await.unwrap();
    let order = NewOrder::new(&product, 2, "pm_card_visa");
    let id = stack.place_order(&order).await.unwrap();
    stack.wait_for_status(&id, "paid").await;
    stack.wait_for_stock(&product, (8, 0, 2)).await;
    if let Some((subject, text)) = stack.wait_for_mail_about(&id, "confirmation", &order.email).await {
        assert!(subject.starts_with("Your order is confirmed"), "{subject}");
        assert!(
            text.contains("€25.00")
                && text.contains("Hello \u{2068}Ada Lovelace\u{2069}")
                && text.contains(&id),
            "{text}"
        );
        assert_eq!(stack.mails(&order.email).await.unwrap().len(), 1);
    }
    assert_eq!(stack.captures(&id).await.unwrap(), [2500]);
    for function in ["ReserveInventory", "ProcessPayment", "SettleReservation", "TrackOrder", "SendEmail"] {
        let dead_letters = stack.dead_letters(&format!("{function}DeadLetters"), &id).await.unwrap();
        assert!(dead_letters.is_empty(), "{function}: {dead_letters:?}");
    }
}

#[tokio::test]
async fn an_order_of_nothing_is_paid_without_a_charge() {
    let (stack, _guard) = shared().await;
    let product = stack.create_product(0, 3).await.unwrap();
    let order = NewOrder::new(&product, 2, "pm_card_visa");
    let id = stack.place_order(&order).await.unwrap();
    stack.wait_for_status(&id, "paid").await;
    stack.wait_for_stock(&product, (1, 0, 2)).await;
    stack.wait_for_mail_about(&id, "confirmation", &order.email).await;
    assert_eq!(stack.captures(&id).await.unwrap(), [0; 0]);
}

#[tokio::test]
async fn insufficient_stock_rejects_the_order_without_a_charge() {
    let (stack, _guard) = shared().await;
    let product = stack.create_product(900, 3).await.unwrap();
    let order = NewOrder::new(&product, 4, "pm_card_visa");
    let id = stack.place_order(&order).await.unwrap();
    stack.wait_for_status(&id, "rejected").await;
    if let Some((subject, text)) = stack.wait_for_mail_about(&id, "rejection", &order.email).await {
        assert!(subject.starts_with("We could not accept your order"), "{subject}");
        assert!(text.contains("only 3 left"), "{text}");
    }
    assert_eq!(stack.captures(&id).await.unwrap(), [0; 0]);
    assert_eq!(stack.stock(&product).await.unwrap(), (3, 0, 0));
}

#[tokio::test]
async fn a_wrong_price_rejects_the_order() {
    let (stack, _guard) = shared().await;
    let product = stack.create_product(900, 3).await.unwrap();
    let bargain = end_to_end::Product { cents: 100, ..product.clone() };
    let id = stack.place_order(&NewOrder::new(&bargain, 1, "pm_card_visa")).await.unwrap();
    stack.wait_for_status(&id, "rejected").await;
    assert_eq!(stack.captures(&id).await.unwrap(), [0; 0]);
    assert_eq!(stack.stock(&product).await.unwrap(), (3, 0, 0));
}

#[tokio::test]
async fn a_declined_card_releases_the_stock() {
    let (stack, _guard) = shared().await;
    let product = stack.create_product(700, 5).await.unwrap();
    for (card, reason) in [
        ("pm_card_visa_chargeDeclined", "declined the payment"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "enough funds"),
        ("pm_card_nobody_has", "cannot be used"),
    ] {
        let order = NewOrder::new(&product, 5, card);
        let id = stack.place_order(&order).await.unwrap();
        stack.wait_for_status(&id, "payment_failed").await;
        stack.wait_for_stock(&product, (5, 0, 0)).await;
        if let Some((subject, text)) = stack.wait_for_mail_about(&id, "payment_failure", &order.email).await {
            assert!(
                subject.starts_with("Your payment was declined") && text.contains(reason),
                "{subject}\n{text}"
            );
        }
        assert_eq!(stack.captures(&id).await.unwrap(), [0; 0]);
    }
}

#[tokio::test]
async fn an_order_of_an_external_service_is_confirmed_by_mail() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ForeignOrders]).await else { return };
    let product = stack.create_product(1999, 4).await.unwrap();
    let id = Uuid::new_v4().to_string();
    let order = NewOrder::new(&product, 3, "pm_card_visa");
    let mut details = order.body.clone();
    details["total"] = json!({ "amount": 3 * 1999, "currency": "EUR" });
    let now = SystemClock.now().to_string();
    details["placed_at"] = now.clone().into();
    let event = json!({
        "specversion": "1.0",
        "type": "order.created",
        "source": "the-old-shop",
        "id": Uuid::new_v4(),
        "subject": id,
        "time": now,
        "correlationid": "from-the-old-shop",
        "data": { "order": details, "a field of theirs": true },
    });
    let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder()
        .event_bus_name(&stack.name)
        .source("the-old-shop")
        .detail_type("order.created")
        .detail(event.to_string())
        .build();
    let bus = aws_sdk_eventbridge::Client::new(stack.aws.sdk_config());
    assert_eq!(bus.put_events().entries(entry).send().await.unwrap().failed_entry_count(), 0);
    let (subject, text) = stack.wait_for_mail(&order.email).await;
    assert!(subject.starts_with("Your order is confirmed") && text.contains("€59.97"), "{subject}\n{text}");
    assert_eq!(stack.captures(&id).await.unwrap(), [5997]);
    stack.wait_for_stock(&product, (1, 0, 3)).await;
    let response = stack.api(Method::GET, &format!("/orders/{id}"), &[], None).await.unwrap();
    assert_eq!(response.status, StatusCode::NOT_FOUND, "the order belongs to another service");
}

#[tokio::test]
async fn the_last_unit_is_sold_once() {
    let (stack, _guard) = shared().await;
    let product = stack.create_product(500, 3).await.unwrap();
    let orders: Vec<NewOrder> = (0..8).map(|_| NewOrder::new(&product, 1, "pm_card_visa")).collect();
    let ids =
        futures::future::try_join_all(orders.iter().map(|order| stack.place_order(order))).await.unwrap();
    let mut outcomes = Vec::new();
    for id in &ids {
        let outcome = wait_for(&format!("order {id} to reach a final status"), WAIT_TIMEOUT, async || {
            let status = stack.order_status(id).await?;
            Ok(["paid", "rejected"].contains(&status.as_str()).then_some(status))
        })
        .await;
        outcomes.push(outcome);
    }
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "paid").count(), 3, "{outcomes:?}");
    stack.wait_for_stock(&product, (0, 0, 3)).await;
}
