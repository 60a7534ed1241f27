//! The daily report: from orders and a refund to the page, the CSV table and the mail with its links.

use domain::fact::{OrderCreated, PaymentRefunded, PaymentSucceeded, ReservationRejected};
use domain::{Cause, Event, Fact, OrderDetails, OrderId, Shortage, ShortageKind};
use end_to_end::{Requirement, Stack, WAIT_TIMEOUT, wait_for};
use http::{Method, StatusCode};
use jiff::Timestamp;
use jiff::civil::Date;
use platform::publisher::{BusPublisher, Publisher};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{shared, shared_with};

/// Publishes events as external order and payment services would.
async fn publish(stack: &Stack, events: &[Event]) {
    let client = aws_sdk_eventbridge::Client::new(stack.aws.sdk_config());
    let bus = stack.output("EventBusName").unwrap().to_owned();
    BusPublisher(aws_events::EventBridge::new(client, bus)).publish(events).await.unwrap();
}

fn details(sku: &str, cents: u32, placed_at: Timestamp) -> OrderDetails {
    serde_json::from_value(json!({
        "customer": { "id": "somebody", "name": "Ada Lovelace", "email": "ada@example.com" },
        "lines": [{ "sku": sku, "quantity": 2, "unit_price": { "amount": cents, "currency": "EUR" } }],
        "total": { "amount": 2 * cents, "currency": "EUR" },
        "payment_method": "pm_card_visa",
        "placed_at": placed_at,
    }))
    .unwrap()
}

/// Returns the events of an external order: placed, paid and refunded at these times.
fn order_events(sku: &str, at: [&str; 3]) -> Vec<Event> {
    let id = OrderId::from(Uuid::new_v4());
    let cause =
        Cause { correlation_id: "report-test".parse().unwrap(), causation_id: None, traceparent: None };
    let [placed, paid, refunded] = at.map(|at| at.parse::<Timestamp>().unwrap());
    let order = details(sku, 1000, placed);
    let amount = order.total;
    let half = order.lines.iter().next().unwrap().unit_price;
    let paid_with = "pi_3Q".parse().ok();
    let event = |fact, at| Event::new(id, fact, at, cause.clone());
    vec![
        event(Fact::OrderCreated(OrderCreated { order: order.clone() }), placed),
        event(
            Fact::PaymentSucceeded(PaymentSucceeded {
                order: order.clone(),
                payment_intent: paid_with,
                amount,
            }),
            paid,
        ),
        event(
            Fact::PaymentRefunded(PaymentRefunded { order, refund: "re_3Q".parse().unwrap(), amount: half }),
            refunded,
        ),
    ]
}

async fn run(stack: &Stack, day: &str) -> Value {
    stack.invoke("DailyReport", &json!({ "day": day }).to_string()).await.unwrap()
}

/// Returns the rows of a day's table for a product.
async fn rows(stack: &Stack, day: &str, sku: &str) -> Vec<String> {
    let response = stack.api(Method::GET, &format!("/reports/{day}"), &[], None).await.unwrap();
    let response = response.expect(StatusCode::OK).unwrap();
    let csv = stack.get_url(response.body["csv"]["url"].as_str().unwrap()).await.unwrap();
    let text = String::from_utf8(csv.into_body().to_vec()).unwrap();
    text.lines().filter(|row| row.contains(sku)).map(str::to_owned).collect()
}

/// On the day on which daylight saving time ends, the hour from two to three occurs twice.
#[tokio::test]
async fn a_day_with_a_clock_change_is_reported_correctly_and_can_be_rerun() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ThrowawayStack]).await else { return };
    let sku = format!("TEST-{}", &Uuid::new_v4().simple().to_string()[..12]);
    let day = "2025-10-26";
    // An order in the first of the two hours, one in the second, and a refund on the next day, which does not
    // count.
    let first = order_events(&sku, ["2025-10-26T00:10:00Z", "2025-10-26T00:20:00Z", "2025-10-26T22:59:59Z"]);
    let second = order_events(&sku, ["2025-10-25T21:59:59Z", "2025-10-26T01:20:00Z", "2025-10-26T23:00:00Z"]);
    let rejected = {
        let order = details(&sku, 1000, "2025-10-26T10:00:00Z".parse().unwrap());
        let shortages =
            vec![Shortage { sku: sku.parse().unwrap(), kind: ShortageKind::OutOfStock { available: 1 } }];
        let fact = Fact::ReservationRejected(ReservationRejected { order: order.clone(), shortages });
        let cause =
            Cause { correlation_id: "report-test".parse().unwrap(), causation_id: None, traceparent: None };
        Event::new(OrderId::from(Uuid::new_v4()), fact, order.placed_at, cause)
    };
    let late = first[2].clone();
    publish(&stack, &[&second[..], &first[..2], &[rejected]].concat()).await;
    let wanted = [
        format!("2025-10-26T02:00:00+02:00,{sku},EUR,1,2,20.00,0.00,0,0"),
        format!("2025-10-26T02:00:00+01:00,{sku},EUR,1,2,20.00,0.00,0,0"),
        format!("2025-10-26T11:00:00+01:00,{sku},EUR,0,0,0.00,0.00,1,1"),
    ];
    wait_for("the day to be reported", WAIT_TIMEOUT, async || {
        run(&stack, day).await;
        Ok((rows(&stack, day, &sku).await == wanted).then_some(()))
    })
    .await;

    // The refund of that day arrives late, and twice: the report is run again.
    publish(&stack, &[late.clone(), late]).await;
    let refund = format!("2025-10-26T23:00:00+01:00,{sku},EUR,0,0,0.00,10.00,0,0");
    let wanted = [&wanted[..], &[refund]].concat();
    wait_for("the refund to be reported", WAIT_TIMEOUT, async || {
        run(&stack, day).await;
        Ok((rows(&stack, day, &sku).await == wanted).then_some(()))
    })
    .await;
    // Another run without changes sends no mail.
    let again = run(&stack, day).await;
    assert_eq!((&again["mailed"], rows(&stack, day, &sku).await), (&false.into(), wanted));

    // The link in the mail opens the page without credentials.
    let mails = stack.mails("reports@example.com").await.unwrap();
    let mut about =
        mails.iter().filter(|mail| mail["Subject"].as_str().unwrap().contains("Sunday, 26 October 2025"));
    let text = about.next_back().unwrap()["BodyText"].as_str().unwrap();
    let link = text.lines().find(|line| line.contains("/files/page")).unwrap();
    let response = stack.get_url(link).await.unwrap();
    assert_eq!(response.status(), StatusCode::FOUND, "{response:?}");
    let page = stack.get_url(response.headers()["location"].to_str().unwrap()).await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let page = String::from_utf8(page.into_body().to_vec()).unwrap();
    assert!(
        page.contains("Sales on Sunday, 26 October 2025") && page.contains(&sku) && page.contains("<svg")
    );
    assert!(page.contains("this day had 25 hours"));

    for wrong in [
        link.replace("2025-10-26", "2025-10-25"),
        link.replace("signature=", "signature=A"),
        link.replace("page", "csv"),
    ] {
        let rejected = stack.get_url(&wrong).await.unwrap();
        assert!(
            matches!(rejected.status(), StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST),
            "{wrong}: {rejected:?}"
        );
    }
}

#[tokio::test]
async fn only_a_past_day_is_reported_and_only_to_authorized_callers() {
    let (stack, _guard) = shared().await;
    let tomorrow: Date = "2999-01-01".parse().unwrap();
    let failed = stack.invoke("DailyReport", &json!({ "day": tomorrow }).to_string()).await.unwrap_err();
    assert!(failed.to_string().contains("is not over yet"), "{failed}");
    let none = stack.api(Method::GET, "/reports/1999-01-01", &[], None).await.unwrap();
    assert_eq!(none.status, StatusCode::NOT_FOUND, "{none:?}");
    let bad = stack.api(Method::GET, "/reports/yesterday", &[], None).await.unwrap();
    assert_eq!(bad.status, StatusCode::BAD_REQUEST, "{bad:?}");
    let customer = stack.create_customer().await.unwrap();
    let headers = [("authorization", customer.bearer.as_str())];
    let rejected = stack.api(Method::GET, "/reports/1999-01-01", &headers, None).await.unwrap();
    // The gateway's response to a token without the scope.
    assert_eq!(rejected.status, StatusCode::UNAUTHORIZED, "{rejected:?}");
}
