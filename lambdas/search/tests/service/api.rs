//! `GET /search/orders`.

use std::sync::Arc;

use axum::body::Body;
use domain::OrderId;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use platform::host::http::build_app;
use platform::http::access::Scopes;
use platform::http::testing::set_caller;
use platform::http::{Caller, Scope};
use search::adapters::memory::InMemoryIndex;
use search::api::{Api, router};
use search::query::{Page, Query};
use search::store::{IndexOutcome, OrderIndex};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{clock, document, order_with, unrestricted_query};

fn scopes(of: Scope) -> Scopes {
    [of].into_iter().collect()
}

fn staff() -> Caller {
    Caller::User { id: "staff-1".parse().unwrap(), is_staff: true, scopes: scopes(Scope::OrdersRead) }
}

fn customer(id: &str) -> Caller {
    Caller::User { id: id.parse().unwrap(), is_staff: false, scopes: scopes(Scope::OrdersRead) }
}

fn partner(id: &str) -> Caller {
    Caller::Machine { id: id.parse().unwrap(), scopes: scopes(Scope::PartnerOrders) }
}

async fn get(index: Arc<dyn OrderIndex>, caller: Caller, path: &str) -> (StatusCode, Value) {
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    set_caller(&mut request, caller);
    let app = build_app(router(Api { index }), clock());
    let (parts, body) = app.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, serde_json::from_slice(&body).unwrap())
}

async fn index() -> Arc<InMemoryIndex> {
    let index = Arc::new(InMemoryIndex::default());
    for (number, customer) in [(1, "u-1"), (2, "u-2"), (3, "client1.u-1"), (4, "client2.u-1")] {
        let order = order_with(number, customer, "Ada", "ada@example.com", &["TEA-001"]);
        index.index(document(&order, &[("TEA-001", "Darjeeling")])).await.unwrap();
    }
    index
}

#[tokio::test]
async fn callers_find_only_the_orders_in_their_scope() {
    let index = index().await;
    for (caller, path, customers) in [
        (staff(), "/search/orders?q=tea", vec!["client2.u-1", "client1.u-1", "u-2", "u-1"]),
        (staff(), "/search/orders?q=tea&customer_id=client1.u-1", vec!["client1.u-1"]),
        (customer("u-1"), "/search/orders?q=tea", vec!["u-1"]),
        (customer("u-1"), "/search/orders", vec!["u-1"]),
        (customer("u-3"), "/search/orders?q=ada", vec![]),
        (partner("client1"), "/partner/search/orders?q=ada", vec!["u-1"]),
        (partner("client1"), "/partner/search/orders?customer_id=u-1", vec!["u-1"]),
        (partner("client1"), "/partner/search/orders?customer_id=client2.u-1", vec![]),
        (partner("client"), "/partner/search/orders", vec![]),
    ] {
        let (status, body) = get(index.clone(), caller.clone(), path).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let found: Vec<&str> =
            body["hits"].as_array().unwrap().iter().map(|hit| hit["customer_id"].as_str().unwrap()).collect();
        assert_eq!(found, customers, "{caller:?} {path}");
    }
    let (status, body) = get(index.clone(), customer("u-1"), "/search/orders?customer_id=u-2").await;
    assert_eq!((status, &body["errors"][0]["parameter"]), (StatusCode::BAD_REQUEST, &json!("customer_id")));
    for (caller, path, status) in [
        (Caller::Anonymous, "/search/orders", StatusCode::UNAUTHORIZED),
        (partner("client1"), "/search/orders", StatusCode::FORBIDDEN),
        (customer("u-1"), "/partner/search/orders", StatusCode::FORBIDDEN),
    ] {
        assert_eq!(get(index.clone(), caller, path).await.0, status, "{path}");
    }
}

#[tokio::test]
async fn a_hit_shows_the_order_and_the_matched_fields() {
    let (_, body) = get(index().await, staff(), "/search/orders?q=ada%20darj&customer_id=u-1").await;
    assert_eq!(
        body,
        json!({
            "hits": [{
                "order_id": "01890a5d-ac96-774b-bcce-b30200000001",
                "status": "placed",
                "total": {"amount": 1250, "currency": "EUR"},
                "placed_at": "2026-11-23T10:15:31Z",
                "customer_id": "u-1",
                "customer_name": "Ada",
                "matched": ["email", "customer_name", "product_name"],
            }],
            "next_cursor": null,
            "truncated": false,
        })
    );
}

#[tokio::test]
async fn all_invalid_parameters_are_reported() {
    let index = index().await;
    let long = "x".repeat(201);
    for (query, wrong) in [
        ("q=a+b+c+d+e+f+g+h+i", vec!["q"]),
        (&format!("q={long}"), vec!["q"]),
        (
            "limit=0&cursor=MTc&from=x&to=2026-02-30&status=Paid",
            vec!["limit", "cursor", "status", "from", "to"],
        ),
        ("min_amount=1.5&max_amount=100000000&currency=eur", vec!["currency", "min_amount", "max_amount"]),
        ("min_amount=1&max_amount=2", vec!["min_amount", "max_amount"]),
        ("customer_id=a%20b", vec!["customer_id"]),
    ] {
        let (status, body) = get(index.clone(), staff(), &format!("/search/orders?{query}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        let parameters: Vec<&str> = body["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["parameter"].as_str().unwrap())
            .collect();
        assert_eq!(parameters, wrong, "{query}: {body}");
    }
    for valid in [
        "q=a+a+a+a+a+a+a+a+a",
        "q=",
        "q=%F0%9F%8D%B5",
        "q=...",
        "from=2026-11-25&to=2026-11-24",
        "min_amount=1&currency=EUR",
    ] {
        assert_eq!(
            get(index.clone(), staff(), &format!("/search/orders?{valid}")).await.0,
            StatusCode::OK,
            "{valid}"
        );
    }
    index.failures.fail_next(1);
    assert_eq!(get(index, staff(), "/search/orders?q=ada").await.0, StatusCode::SERVICE_UNAVAILABLE);
}

/// A faulty index that ignores the audience of the query.
struct Leaky(Arc<InMemoryIndex>);

#[async_trait::async_trait]
impl OrderIndex for Leaky {
    async fn index(&self, _: search::document::Document) -> anyhow::Result<IndexOutcome> {
        unreachable!("the API does not write")
    }
    async fn remove(&self, _: OrderId) -> anyhow::Result<()> {
        unreachable!("the API does not write")
    }
    async fn search(&self, _: &Query) -> anyhow::Result<Page> {
        self.0.search(&unrestricted_query("ada")).await
    }
}

#[tokio::test]
async fn hits_outside_the_callers_scope_are_dropped() {
    let leaky = Arc::new(Leaky(index().await));
    let (status, body) = get(leaky, customer("u-1"), "/search/orders?q=ada").await;
    let hits = body["hits"].as_array().unwrap();
    assert_eq!((status, hits.len(), &hits[0]["customer_id"]), (StatusCode::OK, 1, &json!("u-1")));
}
