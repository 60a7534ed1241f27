//! Where a customer's personal data is stored: only where `docs/PERSONAL_DATA.md` says so.

use std::collections::{BTreeMap, BTreeSet};

use architecture::personal_data::{Datum, Person, Places, documented};
use aws_sdk_dynamodb::types::AttributeValue;
use end_to_end::{Requirement, Stack, WAIT_TIMEOUT, simulator_address, wait_for};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::shared_with;

/// Rows of this table are deleted before a scan can see them.
const OUTBOX: &str = "OutboxTable";

fn text_of(value: &AttributeValue) -> String {
    match value {
        AttributeValue::S(text) => text.clone(),
        AttributeValue::Ss(texts) => texts.join(" "),
        AttributeValue::L(values) => values.iter().map(text_of).collect::<Vec<_>>().join(" "),
        AttributeValue::M(values) => values
            .iter()
            .map(|(name, value)| format!("{name} {}", text_of(value)))
            .collect::<Vec<_>>()
            .join(" "),
        _ => String::new(),
    }
}

/// Returns all text in a table.
async fn content(stack: &Stack, table: &str) -> anyhow::Result<String> {
    let name = stack.table_name(table).await?;
    let mut pages = stack.aws.dynamodb().scan().table_name(name).into_paginator().send();
    let mut content = String::new();
    while let Some(page) = pages.next().await {
        for value in page?.items().iter().flat_map(|item| item.values()) {
            content.push_str(&text_of(value));
            content.push('\n');
        }
    }
    Ok(content)
}

/// Returns the data of a person in each table.
async fn found(stack: &Stack, places: &Places, person: &Person) -> anyhow::Result<Places> {
    let mut found = BTreeMap::new();
    for table in places.keys().filter(|place| place.ends_with("Table")) {
        found.insert(table.clone(), person.data_in(&content(stack, table).await?));
    }
    Ok(found)
}

/// A customer of the shop and one of a partner with a webhook, both with the same data, pay an order.
#[tokio::test]
async fn tables_hold_no_more_personal_data_than_documented() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ThrowawayStack]).await else { return };
    let id = &Uuid::new_v4().simple().to_string()[..12];
    let person = Person {
        name: format!("Quentin{id} Zuylen{id}"),
        email: format!("mail{id}"),
        street: format!("{id} Kerkstraat"),
    };
    let address = json!({
        "recipient": person.name, "street": person.street, "postal_code": "1017", "city": "Amsterdam", "country": "NL",
    });
    let product = stack.create_product(1250, 5).await.unwrap();
    let order = json!({
        "customer": {
            "id": format!("cust-{id}"), "name": person.name, "email": simulator_address(&person.email), "language": "de", "address": address,
        },
        "payment_method": "pm_card_visa",
        "lines": [{
            "sku": product.sku, "quantity": 1, "unit_price": { "amount": product.cents, "currency": "EUR" },
        }],
    });

    let customer = stack.create_customer().await.unwrap();
    let profile =
        json!({ "name": person.name, "email": simulator_address(&person.email), "addresses": [address] });
    let bearer = [("authorization", customer.bearer.as_str())];
    let response = stack.api(Method::PUT, "/me", &bearer, Some(&profile)).await.unwrap();
    response.expect(StatusCode::OK).unwrap();

    let partner = stack.create_partner().await.unwrap();
    let call = async |method: Method, path: &str, body: Option<&Value>| {
        let key = Uuid::new_v4().to_string();
        let headers: Vec<(&str, &str)> =
            partner.headers().into_iter().chain([("idempotency-key", key.as_str())]).collect();
        stack.api(method, path, &headers, body).await.unwrap()
    };
    // Nobody receives the events: a delivery is stored before it is sent.
    let webhook = json!({ "url": "https://hooks.example.com/orders" });
    let webhook = call(Method::POST, "/webhooks", Some(&webhook)).await.expect(StatusCode::CREATED).unwrap();
    let webhook = format!("/webhooks/{}", webhook.body["id"].as_str().unwrap());
    let placed =
        call(Method::POST, "/partner/orders", Some(&order)).await.expect(StatusCode::CREATED).unwrap();
    let placed = placed.body["id"].as_str().unwrap().to_owned();
    wait_for("the payment to be delivered to the webhook", WAIT_TIMEOUT, async || {
        let page =
            call(Method::GET, &format!("{webhook}/deliveries"), None).await.expect(StatusCode::OK)?.body;
        let all = page["deliveries"].as_array().cloned().unwrap_or_default();
        let is_paid =
            |it: &Value| it["order_id"] == placed.as_str() && it["event_type"] == "payment.succeeded";
        Ok(all.iter().any(is_paid).then_some(()))
    })
    .await;

    let places = documented().unwrap();
    let tables: Places = places
        .iter()
        .filter(|(place, _)| place.ends_with("Table"))
        .map(|(p, d)| (p.clone(), d.clone()))
        .collect();
    // All documented data arrives, and no other.
    let all = wait_for("the data to arrive in all tables that may hold it", WAIT_TIMEOUT, async || {
        let found = found(&stack, &places, &person).await?;
        let is_there =
            |(table, data): (&String, &BTreeSet<Datum>)| table == OUTBOX || found[table].is_superset(data);
        Ok(tables.iter().all(is_there).then_some(found))
    })
    .await;
    for (table, data) in all.into_iter().filter(|(table, _)| table != OUTBOX) {
        assert_eq!(data, tables[&table], "{table}: what it holds is not what docs/PERSONAL_DATA.md says");
    }
    call(Method::DELETE, &webhook, None).await.expect(StatusCode::NO_CONTENT).unwrap();
}
