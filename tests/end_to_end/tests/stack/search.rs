//! Order search for customers, staff and partners, through the API.

use std::sync::Arc;
use std::time::Duration;

use aws::UnsignedClient;
use aws_sdk_dynamodb::types::AttributeValue;
use end_to_end::{
    ApiResponse, NewOrder, Partner, Product, Requirement, Stack, User, WAIT_TIMEOUT, simulator_address,
    wait_for,
};
use http::{Method, StatusCode};
use platform::Clock;
use platform::clock::SystemClock;
use search::adapters::{DynamoDbImages, DynamoDbRows, HttpProductNames};
use search::index_order::IndexOrder;
use search::postings::PostingsIndex;
use search::rebuild::{Counts, index_segment, remove_missing};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{shared, shared_with};

/// The caller of a search.
enum Caller<'a> {
    User(&'a User),
    Partner(&'a Partner),
}

async fn send_search(stack: &Stack, caller: &Caller<'_>, query: &[(&str, &str)]) -> ApiResponse {
    let query = serde_urlencoded::to_string(query).unwrap();
    let (headers, path) = match caller {
        Caller::User(user) => (vec![("authorization", user.bearer.as_str())], "/search/orders"),
        Caller::Partner(partner) => (partner.headers().to_vec(), "/partner/search/orders"),
    };
    stack.api(Method::GET, &format!("{path}?{query}"), &headers, None).await.unwrap()
}

async fn find_orders(stack: &Stack, caller: &Caller<'_>, query: &[(&str, &str)]) -> Vec<String> {
    let page = send_search(stack, caller, query).await.expect(StatusCode::OK).unwrap().body;
    assert_eq!(page["truncated"], false, "{page}");
    let hits = page["hits"].as_array().unwrap();
    hits.iter().map(|hit| hit["order_id"].as_str().unwrap().to_owned()).collect()
}

/// Waits until a search finds an order.
async fn wait_until_found(stack: &Stack, caller: &Caller<'_>, query: &[(&str, &str)], order: &str) {
    wait_for(&format!("{query:?} to find {order}"), WAIT_TIMEOUT, async || {
        Ok(find_orders(stack, caller, query).await.iter().any(|hit| hit == order).then_some(()))
    })
    .await;
}

/// Returns a unique word.
fn word() -> String {
    let letters = Uuid::new_v4().simple().to_string();
    letters
        .chars()
        .map(|letter| char::from(b'a' + u8::try_from(letter.to_digit(16).unwrap()).unwrap()))
        .collect()
}

/// Creates a product with this name and five units in stock.
async fn product(stack: &Stack, name: &str) -> Product {
    let product = stack.create_product(1250, 5).await.unwrap();
    let body = json!({ "name": name, "price": { "amount": product.cents, "currency": "EUR" } });
    let path = format!("/products/{}", product.sku);
    stack.api(Method::PUT, &path, &[], Some(&body)).await.unwrap().expect(StatusCode::OK).unwrap();
    product
}

/// The email address of the orders that a caller places.
fn email_of(caller: &Caller<'_>) -> String {
    match caller {
        Caller::User(user) => user.email.clone(),
        Caller::Partner(_) => simulator_address("ada"),
    }
}

/// Places an order with this customer name.
async fn place(stack: &Stack, caller: &Caller<'_>, product: &Product, name: &str) -> String {
    let mut order = NewOrder::new(product, 1, "pm_card_visa").body;
    order["customer"]["name"] = json!(name);
    order["customer"]["email"] = json!(email_of(caller));
    let key = Uuid::new_v4().to_string();
    let (mut headers, path) = match caller {
        Caller::User(user) => {
            order["customer"].as_object_mut().unwrap().remove("id");
            (vec![("authorization", user.bearer.as_str())], "/orders")
        }
        Caller::Partner(partner) => (partner.headers().to_vec(), "/partner/orders"),
    };
    headers.push(("idempotency-key", &key));
    let response = stack.api(Method::POST, path, &headers, Some(&order)).await.unwrap();
    response.expect(StatusCode::CREATED).unwrap().body["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_order_is_found_by_each_of_its_indexed_fields() {
    let (stack, _guard) = shared().await;
    let (ada, staff) = (stack.create_customer().await.unwrap(), stack.create_staff().await.unwrap());
    let (own, name, tea) = (Caller::User(&ada), word(), word());
    let product = product(&stack, &format!("Thé {tea} First Flush")).await;
    let (local_part, _) = ada.email.split_once('@').unwrap();
    let order = place(&stack, &own, &product, &format!("Ada Müller-{name}")).await;
    wait_until_found(&stack, &own, &[("q", &tea)], &order).await;

    let (prefix, upper) = (&name[..9], name.to_uppercase());
    for caller in [&own, &Caller::User(&staff)] {
        for query in [
            prefix,
            &upper,
            &format!("muller-{prefix} ada"),
            &ada.email,
            local_part,
            &format!("{name} simulator.amazonses.com"),
            &format!("{prefix} 12.50"),
            &format!("{prefix} 12,5"),
            &format!("{prefix} €12.50"),
            &format!("12,50 EUR {prefix}"),
            &format!("adamuller{prefix}"),
            &tea[..9],
            &format!("the {tea} flu"),
            &product.sku.to_lowercase(),
            &order,
            &order[..30],
            &format!("{} {prefix} {tea}", ada.id),
        ] {
            assert_eq!(find_orders(&stack, caller, &[("q", query)]).await, [order.as_str()], "{query}");
        }
    }
    for query in ["flush nonesuch", &format!("{prefix}x"), &format!("{prefix} 12.51")] {
        assert_eq!(find_orders(&stack, &own, &[("q", query)]).await, [""; 0], "{query}");
    }
    let page =
        send_search(&stack, &own, &[("q", &format!("{tea} {prefix} {}", &local_part[..17]))]).await.body;
    let hit = &page["hits"][0];
    assert_eq!(hit["customer_name"], format!("Ada Müller-{name}"));
    assert_eq!(
        (&hit["customer_id"], &hit["total"]),
        (&json!(ada.id), &json!({ "amount": 1250, "currency": "EUR" }))
    );
    assert_eq!(hit["matched"], json!(["email", "customer_name", "product_name"]));
    assert_eq!(page["next_cursor"], Value::Null);
}

#[tokio::test]
async fn filters_match_the_current_order() {
    let (stack, _guard) = shared().await;
    let ada = stack.create_customer().await.unwrap();
    let own = Caller::User(&ada);
    let product = product(&stack, "Assam").await;
    let before = SystemClock.now().to_string();
    let email = ada.email.clone();
    let order = place(&stack, &own, &product, "Ada").await;
    stack.wait_for_status(&order, "paid").await;
    wait_until_found(&stack, &own, &[("q", &email), ("status", "paid")], &order).await;

    let today = before[..10].to_owned();
    let all = [("q", email.as_str())];
    for (wanted, filters) in [
        (true, vec![("from", before.as_str())]),
        (false, vec![("to", &before)]),
        (true, vec![("from", &today)]),
        (false, vec![("to", "2020-02-29")]),
        (false, vec![("from", "2100-01-01")]),
        (false, vec![("status", "placed")]),
        (true, vec![("currency", "EUR"), ("min_amount", "1250"), ("max_amount", "1250")]),
        (false, vec![("currency", "EUR"), ("min_amount", "1251")]),
        (false, vec![("currency", "USD")]),
        (true, vec![("customer_id", ada.id.as_str())]),
    ] {
        let expected = if wanted { vec![order.clone()] } else { Vec::new() };
        assert_eq!(find_orders(&stack, &own, &[&all[..], &filters].concat()).await, expected, "{filters:?}");
        // Without a query, the filters list the same orders.
        assert_eq!(find_orders(&stack, &own, &filters).await, expected, "{filters:?}");
    }
    let wrong = send_search(
        &stack,
        &own,
        &[("status", "lost"), ("from", "soon"), ("min_amount", "1"), ("customer_id", "x")],
    );
    let wrong = wrong.await.expect(StatusCode::BAD_REQUEST).unwrap();
    assert_eq!(wrong.error_locations(), ["customer_id", "status", "from", "min_amount"]);
}

#[tokio::test]
async fn callers_find_only_their_own_orders() {
    let (stack, _guard) = shared().await;
    let (ada, eve, staff) = (
        stack.create_customer().await.unwrap(),
        stack.create_customer().await.unwrap(),
        stack.create_staff().await.unwrap(),
    );
    let (one, other) = (stack.create_partner().await.unwrap(), stack.create_partner().await.unwrap());
    let tea = word();
    let product = product(&stack, &tea).await;
    let callers = [Caller::User(&ada), Caller::User(&eve), Caller::Partner(&one), Caller::Partner(&other)];
    let mut orders = Vec::new();
    for caller in &callers {
        orders.push(place(&stack, caller, &product, "Ada Lovelace").await);
    }
    let shop = Caller::User(&staff);
    for order in &orders {
        wait_until_found(&stack, &shop, &[("q", &tea)], order).await;
    }
    assert_eq!(find_orders(&stack, &shop, &[("q", &tea)]).await.len(), 4);
    for (caller, own) in callers.iter().zip(&orders) {
        let address = email_of(caller);
        for query in [
            vec![("q", tea.as_str())],
            vec![("q", address.as_str())],
            vec![],
            vec![("q", "ad"), ("limit", "1")],
        ] {
            assert_eq!(find_orders(&stack, caller, &query).await, [own.as_str()], "{query:?}");
        }
        for others in orders.iter().filter(|order| *order != own) {
            assert_eq!(find_orders(&stack, caller, &[("q", others)]).await, [""; 0]);
        }
    }
    // Neither with another customer's id, nor with another caller's cursor.
    let response = send_search(&stack, &callers[0], &[("q", &tea), ("customer_id", &eve.id)]).await;
    assert_eq!(
        (response.status, response.error_locations()),
        (StatusCode::BAD_REQUEST, vec!["customer_id".to_owned()])
    );
    let page = send_search(&stack, &shop, &[("q", &tea), ("limit", "1")]).await.body;
    let cursor = page["next_cursor"].as_str().unwrap();
    for (caller, own) in callers.iter().zip(&orders) {
        let hits = find_orders(&stack, caller, &[("q", &tea), ("cursor", cursor)]).await;
        assert!(hits.iter().all(|hit| hit == own), "{hits:?}");
    }
    // Nor through the partner route.
    let path = format!("/partner/search/orders?q={tea}");
    let rejected = stack.api(Method::GET, &path, &[("authorization", &ada.bearer)], None).await.unwrap();
    assert!(rejected.status.is_client_error(), "{rejected:?}");
    let unauthenticated =
        stack.api(Method::GET, "/search/orders", &[("authorization", "")], None).await.unwrap();
    assert_eq!(unauthenticated.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn pages_stay_consistent_while_orders_are_placed() {
    let (stack, _guard) = shared().await;
    let ada = stack.create_customer().await.unwrap();
    let (own, tea) = (Caller::User(&ada), word());
    let product = product(&stack, &tea).await;
    let mut placed = Vec::new();
    for _ in 0..5 {
        placed.insert(0, place(&stack, &own, &product, "Ada").await);
    }
    for order in &placed {
        wait_until_found(&stack, &own, &[("q", &tea)], order).await;
    }
    for words in [vec![("q", tea.as_str())], vec![]] {
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page_of = [Some(("limit", "2")), cursor.as_deref().map(|cursor| ("cursor", cursor))];
            let query: Vec<_> = words.iter().copied().chain(page_of.into_iter().flatten()).collect();
            let page = send_search(&stack, &own, &query).await.expect(StatusCode::OK).unwrap().body;
            let hits = page["hits"].as_array().unwrap();
            seen.extend(hits.iter().map(|hit| hit["order_id"].as_str().unwrap().to_owned()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = Some(next.to_owned());
            let new = place(&stack, &own, &product, "Ada").await;
            wait_until_found(&stack, &own, &[("q", &new)], &new).await;
        }
        assert!(seen.ends_with(&placed), "{seen:?} {placed:?}");
        let mut once = seen.clone();
        once.dedup();
        assert_eq!(once, seen);
    }
}

/// Rebuilds the index, as an operator does with `shopctl search rebuild` after rows were lost.
async fn rebuild(stack: &Stack) -> Counts {
    let client = stack.aws.dynamodb();
    let [orders, records, postings] =
        ["OrdersTableName", "SearchRecordsTableName", "SearchPostingsTableName"]
            .map(|name| stack.output(name).unwrap().to_owned());
    let (clock, http) = (Arc::new(SystemClock), UnsignedClient::new(Duration::from_secs(5)));
    let rows = DynamoDbRows::new(client.clone(), records, postings);
    let indexer = IndexOrder {
        index: Arc::new(PostingsIndex::new(rows.clone(), clock.clone())),
        names: Arc::new(HttpProductNames::new(http, stack.output("ApiUrl").unwrap(), clock)),
    };
    let images = DynamoDbImages::new(client, orders);
    let mut counts = Counts::default();
    for segment in 0..2 {
        index_segment(&indexer, &images, segment, 2, |more| counts.add(more)).await.unwrap();
        let (known, next) = rows.order_ids(segment, 2, None).await.unwrap();
        assert_eq!(next, None, "more than a page of orders");
        counts.removed += remove_missing(indexer.index.as_ref(), &images, &known).await.unwrap();
    }
    counts
}

/// Waits until the last change of an order is in the index: a paid order still changes when its stock is
/// settled.
async fn wait_until_settled(stack: &Stack, order: &str) {
    let client = stack.aws.dynamodb();
    let row = async |table: &str, attribute: &str| {
        let table = stack.output(table)?;
        let get = client.get_item().table_name(table).key("order_id", AttributeValue::S(order.to_owned()));
        let item = get.consistent_read(true).send().await?.item.unwrap_or_default();
        let version = item.get("version").and_then(|value| value.as_n().ok()).cloned();
        let text = item.get(attribute).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
        anyhow::Ok((version, serde_json::from_str::<Value>(&text).unwrap_or_default()))
    };
    wait_for("the settled order to be in the index", WAIT_TIMEOUT, async || {
        let (version, placed) = row("OrdersTableName", "order").await?;
        let (_, record) = row("SearchRecordsTableName", "record").await?;
        let is_last =
            !placed["settlement"].is_null() && version == Some(record["document"]["version"].to_string());
        Ok(is_last.then_some(()))
    })
    .await;
}

#[tokio::test]
async fn a_rebuild_restores_lost_rows_while_orders_are_placed() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ThrowawayStack]).await else { return };
    let ada = stack.create_customer().await.unwrap();
    let (own, tea) = (Caller::User(&ada), word());
    let product = product(&stack, &tea).await;
    let lost = place(&stack, &own, &product, "Ada").await;
    stack.wait_for_status(&lost, "paid").await;
    wait_until_found(&stack, &own, &[("q", &tea), ("status", "paid")], &lost).await;
    wait_until_settled(&stack, &lost).await;
    // Delete the record, as if the table had been emptied; its postings then refer to nothing.
    let client = stack.aws.dynamodb();
    let records = stack.output("SearchRecordsTableName").unwrap();
    let key = AttributeValue::S(lost.clone());
    client.delete_item().table_name(records).key("order_id", key.clone()).send().await.unwrap();
    assert_eq!(find_orders(&stack, &own, &[("q", &tea)]).await, [""; 0]);

    let (counts, new) = tokio::join!(rebuild(&stack), place(&stack, &own, &product, "Ada"));
    assert!(counts.written >= 1 && counts.invalid_rows.is_empty(), "{counts:?}");
    wait_until_found(&stack, &own, &[("q", &tea)], &new).await;
    assert_eq!(find_orders(&stack, &own, &[("q", &tea)]).await, [new.as_str(), lost.as_str()]);

    // A deleted order is no longer found, and a rebuild does not restore it.
    let orders = stack.output("OrdersTableName").unwrap();
    client.delete_item().table_name(orders).key("order_id", key).send().await.unwrap();
    wait_for("the deleted order to disappear from the search", WAIT_TIMEOUT, async || {
        Ok((find_orders(&stack, &own, &[("q", &tea)]).await == [new.as_str()]).then_some(()))
    })
    .await;
    rebuild(&stack).await;
    assert_eq!(find_orders(&stack, &own, &[("q", &tea)]).await, [new.as_str()]);
}
