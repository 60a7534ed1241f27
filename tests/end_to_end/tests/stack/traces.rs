//! Traces: what a request causes in all functions, with what caused what.

use end_to_end::{NewOrder, Requirement, Stack, WAIT_TIMEOUT, wait_for};
use http::{Method, StatusCode};
use platform::Clock;
use platform::clock::SystemClock;
use serde_json::json;
use shopctl::trace::{Kind, Span};
use uuid::Uuid;

use crate::shared_with;

/// The functions that process an order.
const FUNCTIONS: [&str; 8] = [
    "orders-api",
    "relay-outbox",
    "reserve-inventory",
    "inventory-api",
    "process-payment",
    "settle-reservation",
    "track-order",
    "send-email",
];

/// A `traceparent` as a client sends it, and the ids of its trace and span.
fn client_span() -> (String, String, String) {
    let trace = Uuid::new_v4().simple().to_string();
    let span = Uuid::new_v4().simple().to_string()[..16].to_owned();
    (format!("00-{trace}-{span}-01"), trace, span)
}

/// Places an order in the span of `traceparent`, and returns its id.
async fn place(stack: &Stack, order: &NewOrder, traceparent: &str) -> String {
    let key = Uuid::new_v4().to_string();
    let headers = [("idempotency-key", key.as_str()), ("traceparent", traceparent)];
    let placed = stack.api(Method::POST, "/orders", &headers, Some(&order.body)).await.unwrap();
    placed.expect(StatusCode::CREATED).unwrap().body["id"].as_str().unwrap().to_owned()
}

/// Waits until a trace contains that `function` has handled an event or request of this name, and all that caused it:
/// logs arrive in any order. Returns its spans.
async fn trace_until(stack: &Stack, trace: &str, function: &str, of: &str) -> Vec<Span> {
    let what = format!("{function} to handle {of} in trace {trace}");
    wait_for(&what, WAIT_TIMEOUT, async || {
        let spans = stack.spans(&FUNCTIONS, trace).await?;
        let spans: Vec<Span> = spans.into_iter().filter(|span| span.trace_id == trace).collect();
        let handled = spans.iter().find(|span| span.function == function && is_about(span, of));
        let is_complete = handled.is_some_and(|span| {
            let first = causes(&spans, span).last().copied();
            first.is_none_or(|(function, _)| function == "orders-api")
        });
        Ok(is_complete.then_some(spans))
    })
    .await
}

fn is_about(span: &Span, of: &str) -> bool {
    span.name == of || span.text("event.type") == Some(of)
}

/// The span in which a function handled an event or a request.
#[expect(clippy::panic, reason = "it fails the test")]
fn handled<'a>(spans: &'a [Span], function: &str, of: &str) -> &'a Span {
    let found = spans.iter().find(|span| {
        span.function == function && matches!(span.kind, Kind::Consumer | Kind::Server) && is_about(span, of)
    });
    found.unwrap_or_else(|| panic!("{function} did not handle {of}: {spans:#?}"))
}

/// The spans that caused a span, the nearest first: functions and names.
fn causes<'a>(spans: &'a [Span], of: &'a Span) -> Vec<(&'a str, &'a str)> {
    let parent = |span: &Span| {
        let id = span.parent_id.clone()?;
        spans.iter().find(|other| other.span_id == id)
    };
    let chain = std::iter::successors(Some(of), |span| parent(span));
    chain.skip(1).map(|span| (span.function.as_str(), span.name.as_str())).collect()
}

#[tokio::test]
async fn an_order_is_one_trace_from_its_request_to_its_mail() {
    let Some((stack, _guard)) = shared_with(&[Requirement::Traces]).await else { return };
    let product = stack.create_product(1250, 10).await.unwrap();
    let order = NewOrder::new(&product, 2, "pm_card_visa");
    let (traceparent, trace, client) = client_span();
    let id = place(&stack, &order, &traceparent).await;
    let spans = trace_until(&stack, &trace, "send-email", "payment.succeeded").await;

    let request = handled(&spans, "orders-api", "POST /orders");
    assert_eq!(request.parent_id.as_deref(), Some(client.as_str()));
    let mail = handled(&spans, "send-email", "payment.succeeded");
    assert_eq!(
        causes(&spans, mail),
        [
            ("process-payment", "publish payment.succeeded"),
            ("process-payment", "process"),
            ("reserve-inventory", "publish reservation.confirmed"),
            ("reserve-inventory", "process"),
            ("relay-outbox", "publish order.created"),
            ("relay-outbox", "process"),
            ("orders-api", "POST /orders"),
        ]
    );
    for (function, of) in
        [("reserve-inventory", "order.created"), ("process-payment", "reservation.confirmed")]
    {
        let span = handled(&spans, function, of);
        assert_eq!(span.text("order.id"), Some(id.as_str()));
        assert_eq!(span.number("messaging.delivery.attempt"), Some(1));
    }
    // The inventory continues the trace of a function that calls it.
    let inventory = handled(&spans, "inventory-api", "PUT /reservations/{order_id}");
    let (caller, _) = causes(&spans, inventory)[0];
    assert_eq!(caller, "reserve-inventory");
    // Calls to AWS and to the payment provider.
    let calls: Vec<(&str, &str)> = spans
        .iter()
        .filter(|span| span.kind == Kind::Client)
        .map(|span| (span.function.as_str(), span.name.as_str()))
        .collect();
    for call in [
        ("orders-api", "DynamoDB.TransactWriteItems"),
        ("relay-outbox", "AWSEvents.PutEvents"),
        ("process-payment", "POST"),
    ] {
        assert!(calls.contains(&call), "{call:?} in {calls:?}");
    }
    for span in &spans {
        assert_eq!(span.error, None, "{span:?}");
    }
    // The whole trace, as a viewer gets it, names neither the customer nor the card.
    let text = format!("{spans:?}").to_lowercase();
    for personal in
        [order.email.as_str(), "ada", "lovelace", "pm_card", order.body["customer"]["id"].as_str().unwrap()]
    {
        assert!(!text.contains(&personal.to_lowercase()), "{personal} in {text}");
    }
}

#[tokio::test]
async fn a_cancellation_is_a_trace_of_its_own() {
    let Some((stack, _guard)) = shared_with(&[Requirement::Traces]).await else { return };
    let product = stack.create_product(1250, 10).await.unwrap();
    let (placed, placed_trace, _) = client_span();
    let id = place(&stack, &NewOrder::new(&product, 1, "pm_card_visa_chargeDeclined"), &placed).await;
    let (cancelled, trace, client) = client_span();
    let headers = [("traceparent", cancelled.as_str())];
    let response = stack.api(Method::POST, &format!("/orders/{id}/cancel"), &headers, None).await.unwrap();
    assert!(response.status.is_success() || response.status == StatusCode::CONFLICT, "{response:?}");
    let spans = trace_until(&stack, &trace, "orders-api", "POST /orders/{order_id}/cancel").await;
    let request = handled(&spans, "orders-api", "POST /orders/{order_id}/cancel");
    assert_eq!(request.parent_id.as_deref(), Some(client.as_str()));
    // The order itself goes on in its own trace.
    trace_until(&stack, &placed_trace, "reserve-inventory", "order.created").await;
}

/// As `shopctl dlq redrive` sends it.
#[tokio::test]
async fn a_redrive_starts_a_trace_with_a_link() {
    let Some((stack, _guard)) = shared_with(&[Requirement::Traces]).await else { return };
    let product = stack.create_product(1250, 10).await.unwrap();
    let (traceparent, trace, _) = client_span();
    let id = place(&stack, &NewOrder::new(&product, 1, "pm_card_visa"), &traceparent).await;
    let spans = trace_until(&stack, &trace, "send-email", "payment.succeeded").await;
    let published = handled(&spans, "send-email", "payment.succeeded").parent_id.clone().unwrap();
    let event = json!({
        "specversion": "1.0", "type": "payment.voided", "source": "payments", "id": Uuid::new_v4(), "subject": id,
        "time": SystemClock.now().to_string(), "correlationid": "redrive", "traceparent": format!("00-{trace}-{published}-01"),
        "data": {},
    });
    let value =
        aws_sdk_sqs::types::MessageAttributeValue::builder().data_type("String").string_value("1").build();
    stack
        .sqs()
        .send_message()
        .queue_url(stack.queue_url("SendEmailQueue").await.unwrap())
        .message_body(json!({ "detail": event }).to_string())
        .message_attributes(platform::host::queue::REDRIVE_ATTRIBUTE, value.unwrap())
        .send()
        .await
        .unwrap();
    let redriven = wait_for("the redriven event to be handled", WAIT_TIMEOUT, async || {
        let spans = stack.spans(&["send-email"], &trace).await?;
        Ok(spans.into_iter().find(|span| span.links.iter().any(|link| link.span_id == published)))
    })
    .await;
    assert_ne!(redriven.trace_id, trace);
    assert_eq!(redriven.parent_id, None);
}
