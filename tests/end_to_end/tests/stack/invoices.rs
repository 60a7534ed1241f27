//! Invoices for customers, partners and auditors.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use end_to_end::{NewOrder, Requirement, Stack, User, wait_for};
use http::{Method, Response, StatusCode};
use platform::Clock;
use platform::clock::SystemClock;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{shared, shared_with};

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);
const PDF: (&str, &str) = ("accept", "application/pdf");
const PAGE: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

fn header<'a>(response: &'a Response<Bytes>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// Waits for an invoice and returns it.
async fn invoice(stack: &Stack, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
    wait_for(&format!("an invoice at {path}"), WAIT_TIMEOUT, async || {
        let response = stack.get_document(path, headers).await?;
        anyhow::ensure!([200, 404].contains(&response.status().as_u16()), "{response:?}");
        Ok((response.status() == StatusCode::OK).then_some(response))
    })
    .await
}

/// Places an order of a customer with a Cyrillic name, the language German and an address.
async fn order(stack: &Stack, user: &User) -> String {
    let product = stack.create_product(1250, 5).await.unwrap();
    let offer = json!({
        "name": "Чай «Карпатський» 紅茶 شاي", "price": { "amount": 1250, "currency": "EUR" }, "tax_rate": 700,
    });
    let path = format!("/products/{}", product.sku);
    stack.api(Method::PUT, &path, &[], Some(&offer)).await.unwrap().expect(StatusCode::OK).unwrap();
    let mut order = NewOrder::new(&product, 2, "pm_card_visa").by(user).body;
    let customer = order["customer"].as_object_mut().unwrap();
    customer.insert("language".to_owned(), "de".into());
    let address = json!({
        "recipient": "Наталія Ґалаґан", "street": "вул. Хрещатик, 1", "postal_code": "01001", "city": "Київ", "country": "UA",
    });
    customer.insert("address".to_owned(), address);
    let key = Uuid::new_v4().to_string();
    let headers = [("authorization", user.bearer.as_str()), ("idempotency-key", &key)];
    let response = stack.api(Method::POST, "/orders", &headers, Some(&order)).await.unwrap();
    response.expect(StatusCode::CREATED).unwrap().body["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_paid_order_has_an_immutable_invoice() {
    let (stack, _guard) = shared().await;
    let customer = stack.create_customer().await.unwrap();
    let bearer = ("authorization", customer.bearer.as_str());
    let id = order(&stack, &customer).await;
    let path = format!("/orders/{id}/invoice");

    let pdf = invoice(&stack, &path, &[bearer, PDF]).await;
    assert_eq!(header(&pdf, "content-type"), "application/pdf");
    assert!(pdf.body().starts_with(b"%PDF-1.7") && pdf.body().len() < 200_000, "{} bytes", pdf.body().len());
    assert!(pdf.body().windows(5).rev().take(8).any(|end| end == b"%%EOF"));
    let disposition = header(&pdf, "content-disposition");
    let number = disposition.strip_prefix("attachment; filename=\"").unwrap().strip_suffix(".pdf\"").unwrap();
    for _ in 0..3 {
        let again = stack.get_document(&path, &[bearer, PDF]).await.unwrap();
        assert_eq!((again.body(), header(&again, "etag")), (pdf.body(), header(&pdf, "etag")));
    }

    let page = stack.get_document(&path, &[bearer, PAGE]).await.unwrap();
    assert_eq!((page.status(), header(&page, "content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
    assert_eq!(header(&page, "vary"), "Accept");
    let text = String::from_utf8(page.body().to_vec()).unwrap();
    for part in [
        number,
        "Наталія Ґалаґан",
        "Київ",
        "Чай «Карпатський» 紅茶 شاي",
        "25,00\u{a0}€",
        "1,64\u{a0}€",
        "7\u{a0}%",
        &id,
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }

    let cached = [bearer, PDF, ("if-none-match", header(&pdf, "etag"))];
    assert_eq!(stack.get_document(&path, &cached).await.unwrap().status(), StatusCode::NOT_MODIFIED);

    // A client that accepts anything, such as curl, is redirected to the same document.
    let redirect = stack.get_document(&path, &[bearer, ("accept", "*/*")]).await.unwrap();
    assert_eq!(redirect.status(), StatusCode::SEE_OTHER);
    let fetched = stack.get_url(header(&redirect, "location")).await.unwrap();
    assert_eq!((fetched.status(), fetched.body()), (StatusCode::OK, pdf.body()));

    let not_acceptable = stack.get_document(&path, &[bearer, ("accept", "application/json")]).await.unwrap();
    assert_eq!(
        (not_acceptable.status(), header(&not_acceptable, "content-type")),
        (StatusCode::NOT_ACCEPTABLE, "application/problem+json")
    );
}

#[tokio::test]
async fn customers_see_only_their_own_invoices() {
    let (stack, _guard) = shared().await;
    let (ada, eve) = (stack.create_customer().await.unwrap(), stack.create_customer().await.unwrap());
    let path = format!("/orders/{}/invoice", order(&stack, &ada).await);
    invoice(&stack, &path, &[("authorization", &ada.bearer), PAGE]).await;
    let hidden = stack.get_document(&path, &[("authorization", &eve.bearer), PDF]).await.unwrap();
    let none = format!("/orders/{}/invoice", Uuid::new_v4());
    let absent = stack.get_document(&none, &[("authorization", &ada.bearer), PDF]).await.unwrap();
    for response in [hidden, absent] {
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let problem: Value = serde_json::from_slice(response.body()).unwrap();
        assert!(problem["detail"].as_str().unwrap().contains("issued when the order is paid"), "{problem}");
    }
    let unauthenticated = stack.get_document(&path, &[("authorization", "Bearer x"), PDF]).await.unwrap();
    assert_eq!(unauthenticated.status(), StatusCode::UNAUTHORIZED);
    let staff = stack.create_staff().await.unwrap();
    assert_eq!(
        stack.get_document(&path, &[("authorization", &staff.bearer), PAGE]).await.unwrap().status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_partner_sees_the_invoices_of_its_customers() {
    let (stack, _guard) = shared().await;
    let (partner, other) = (stack.create_partner().await.unwrap(), stack.create_partner().await.unwrap());
    let product = stack.create_product(999, 5).await.unwrap();
    let order = NewOrder::new(&product, 1, "pm_card_visa").body;
    let key = Uuid::new_v4().to_string();
    let headers: Vec<_> = partner.headers().into_iter().chain([("idempotency-key", key.as_str())]).collect();
    let response = stack.api(Method::POST, "/partner/orders", &headers, Some(&order)).await.unwrap();
    let id = response.expect(StatusCode::CREATED).unwrap().body["id"].as_str().unwrap().to_owned();
    let path = format!("/partner/orders/{id}/invoice");
    let headers: Vec<_> = partner.headers().into_iter().chain([PDF]).collect();
    assert!(invoice(&stack, &path, &headers).await.body().starts_with(b"%PDF"));
    let headers: Vec<_> = other.headers().into_iter().chain([PDF]).collect();
    assert_eq!(stack.get_document(&path, &headers).await.unwrap().status(), StatusCode::NOT_FOUND);
}

/// Returns a `payment.succeeded` message in the format of the queue.
fn paid(order: Uuid, now: &str) -> String {
    let total = json!({ "amount": 500, "currency": "EUR" });
    let detail = json!({
        "specversion": "1.0", "type": "payment.succeeded", "source": "payments", "id": Uuid::new_v4(), "subject": order,
        "time": now, "correlationid": "many-at-once",
        "data": {
            "order": {
                "customer": { "id": "many", "name": "Ada Lovelace", "email": "ada@example.com" },
                "lines": [{ "sku": "GONE-1", "quantity": 1, "unit_price": total }],
                "total": total, "payment_method": "pm_card_visa", "placed_at": now,
            },
            "payment_intent": "pi_1", "amount": total,
        },
    });
    json!({ "detail-type": "payment.succeeded", "source": "payments", "detail": detail }).to_string()
}

/// Returns the serial numbers of a year, with the query for auditors in the runbook.
async fn serials(stack: &Stack, table: &str, year: i16) -> Vec<u32> {
    let client = stack.aws.dynamodb();
    let mut serials = Vec::new();
    let mut start = None;
    loop {
        let page = client
            .query()
            .table_name(table)
            .index_name("by_number")
            .key_condition_expression("#year = :year")
            .expression_attribute_names("#year", "year")
            .expression_attribute_values(":year", AttributeValue::N(year.to_string()))
            .set_exclusive_start_key(start)
            .send()
            .await
            .unwrap();
        serials
            .extend(page.items().iter().map(|item| item["serial"].as_n().unwrap().parse::<u32>().unwrap()));
        start = page.last_evaluated_key;
        if start.is_none() {
            return serials;
        }
    }
}

#[tokio::test]
async fn invoice_numbers_have_no_gaps_under_concurrency() {
    const ORDERS: usize = 300;
    let Some((stack, _guard)) = shared_with(&[Requirement::ThrowawayStack]).await else { return };
    let table = stack.table_name("InvoicesTable").await.unwrap();
    let now = SystemClock.now();
    // The year in the shop's time zone; at the turn of the year, Berlin is one hour ahead of UTC.
    let year = jiff::tz::TimeZone::fixed(jiff::tz::offset(1)).to_datetime(now).year();
    let before = serials(&stack, &table, year).await.len();
    // Each message is sent twice, since a queue can deliver duplicates.
    let orders: Vec<Uuid> = (0..ORDERS).map(|_| Uuid::new_v4()).collect();
    let bodies: Vec<String> =
        orders.iter().chain(&orders).map(|order| paid(*order, &now.to_string())).collect();
    let start = Instant::now();
    for some in bodies.chunks(10) {
        stack.send_messages("IssueInvoiceQueue", some).await.unwrap();
    }
    let all = wait_for("an invoice for each order", WAIT_TIMEOUT * 3, async || {
        let all = serials(&stack, &table, year).await;
        Ok((all.len() >= before + ORDERS).then_some(all))
    })
    .await;
    let elapsed = start.elapsed();
    println!("{ORDERS} invoices in {elapsed:?}: {} a second", ORDERS as u128 * 1000 / elapsed.as_millis());
    let last = u32::try_from(all.len()).unwrap();
    assert_eq!(all, (1..=last).collect::<Vec<_>>());
    for order in orders.iter().step_by(50) {
        let response = stack.get_document(&format!("/orders/{order}/invoice"), &[PAGE]).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    let dead_letters = stack.dead_letters("IssueInvoiceDeadLetters", "many-at-once").await.unwrap();
    assert!(dead_letters.is_empty(), "{dead_letters:?}");
}
