//! `GET /orders`.

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Service, order};

fn ids(page: &Value) -> Vec<String> {
    page["orders"].as_array().unwrap().iter().map(|order| order["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_list_all_orders_newest_first() {
    let service = Service::new();
    let mut placed = Vec::new();
    for number in 0..5 {
        placed.insert(0, service.create_order(&format!("key-{number}")).await.to_string());
        let mut other = order();
        other["customer"]["id"] = json!("cust-2");
        service.place(&format!("key-{number}"), &other).await;
    }
    let mut found = Vec::new();
    let mut path = "/orders?customer_id=cust-1&limit=2".to_owned();
    for expected in [2, 2, 1] {
        let page = service.get(&path).await.body;
        assert_eq!(ids(&page).len(), expected);
        found.extend(ids(&page));
        path = match page["next_cursor"].as_str() {
            Some(cursor) => format!("/orders?customer_id=cust-1&limit=2&cursor={cursor}"),
            None => break,
        };
    }
    assert_eq!(found, placed);
    let all = service.get("/orders?customer_id=cust-1&limit=5").await.body;
    assert_eq!((ids(&all), &all["next_cursor"]), (placed, &json!(null)));
    let none = service.get("/orders?customer_id=cust-3").await.body;
    assert_eq!(none, json!({"orders": [], "next_cursor": null}));
}

#[tokio::test]
async fn all_invalid_parameters_are_reported() {
    let service = Service::new();
    for (path, expected) in [
        ("/orders", vec!["customer_id"]),
        ("/orders?customer_id=a%20b&limit=0&cursor=%3F", vec!["customer_id", "limit", "cursor"]),
        ("/orders?customer_id=cust-1&limit=101", vec!["limit"]),
        ("/orders?customer_id=cust-1&cursor=MTc", vec!["cursor"]),
    ] {
        let response = service.get(path).await;
        assert_eq!(
            (response.status, response.error_locations()),
            (StatusCode::BAD_REQUEST, expected),
            "{path}"
        );
    }
    let twice = service.get("/orders?customer_id=a&customer_id=b").await;
    assert_eq!(twice.status, StatusCode::BAD_REQUEST);
    assert!(twice.body["detail"].as_str().unwrap().contains("customer_id"), "{}", twice.text);
}
