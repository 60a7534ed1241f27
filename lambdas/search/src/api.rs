//! `search-orders`: searches the orders that the caller may see.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use domain::money::{Amount, Currency};
use domain::order::OrderStatus;
use domain::{CustomerId, Money, OrderId, PersonName};
use jiff::Timestamp;
use platform::http::input::{Cursor, Limit, encode_cursor};
use platform::http::{
    Access, Caller, CustomerScope, Json, Operation, OperationDescription, Problem, Routes, Scope,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::query::Hit;
use crate::request::{DateOrTime, SearchQuery, Words};
use crate::store::OrderIndex;
use crate::term::Field;

/// The dependencies of the routes.
pub struct Api {
    /// The index of orders.
    pub index: Arc<dyn OrderIndex>,
}

/// Returns the router of the service.
pub fn router(api: Api) -> Router {
    routes().router(Arc::new(api))
}

/// Returns the routes with their descriptions in the API contract.
pub fn routes() -> Routes<Arc<Api>> {
    let read = Access::Scope(Scope::OrdersRead);
    let partner = Access::Partner(Scope::PartnerOrders);
    Routes::default()
        .add(Operation::get("/search/orders", "searchOrders", read, describe_search), search)
        .add(
            Operation::get("/partner/search/orders", "searchPartnerOrders", partner, describe_search),
            search,
        )
}

fn describe_search(it: &mut OperationDescription) {
    it.about(
        "Search orders",
        "Returns the orders that match all words of `q`. The searchable fields are the order id, the \
         customer's id, name and e-mail address (the whole address, the local part, and the domain), the \
         total, and the SKUs and names of the products. A word of two or more characters matches by prefix; a \
         single character matches only a whole word. In scripts without spaces, such as those of Chinese, \
         Japanese and Thai, and in Korean, any part of a name matches. Case and accents are ignored, and so \
         are the variants of apostrophes, hyphens, and wide and narrow letters; parts joined by - . _ @ + or \
         ' are one word. A name is also found without its spaces and hyphens, or with others (`vanderberg`), \
         and a total in each form in which it is printed (`12.50`, `12.50 EUR`, `€12.50`, `1.234,50 \
         €`).\n\nResults are sorted by relevance. Fields rank in this order: order \
         id, e-mail address, customer id, customer name, total, SKU, product name. Within a field, an exact \
         match ranks before a prefix match. Orders of equal rank are sorted by time, newest first. Without \
         `q`, all orders are listed, newest first. The search is eventually consistent: a new or changed \
         order is usually found within a second.",
    )
    .query::<Words>("q", "The search words, at most 8.")
    .query::<OrderStatus>("status", "Only orders with this status.")
    .query::<DateOrTime>("from", "Only orders placed at or after this date (UTC) or time (RFC 3339).")
    .query::<DateOrTime>("to", "Only orders placed on or before this date (UTC), or before this time.")
    .query::<Amount>("min_amount", "The minimum total in minor units. Requires `currency`.")
    .query::<Amount>("max_amount", "The maximum total in minor units. Requires `currency`.")
    .query::<Currency>("currency", "Only orders in this currency.")
    .query::<CustomerId>(
        "customer_id",
        "Only orders of this customer. Customers can omit it: their searches return only their own orders.",
    )
    .query::<Limit>("limit", "The maximum number of orders on a page. The default is 20.")
    .query::<Cursor>("cursor", "The `next_cursor` of the previous page, with otherwise the same parameters.")
    .response::<PageView<'_>>(
        200,
        "A page of results. It can have fewer than `limit` hits even if more pages follow.",
    );
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SearchPage")]
struct PageView<'a> {
    /// The matching orders, most relevant first.
    hits: Vec<HitView<'a>>,
    /// The cursor of the next page; null on the last page.
    next_cursor: Option<String>,
    /// Whether the words are so common that not all matching orders were examined. Use more or longer words,
    /// or a date range.
    truncated: bool,
}

/// An order that matches the search.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SearchHit")]
struct HitView<'a> {
    /// The id of the order.
    order_id: OrderId,
    /// The status of the order.
    status: OrderStatus,
    /// The total of the order.
    total: Money,
    /// The time of placement (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    placed_at: Timestamp,
    /// The id of the customer. For a partner, it is the partner's own id for the customer.
    customer_id: &'a str,
    /// The name of the customer.
    customer_name: &'a PersonName,
    /// The fields that the words matched in, most relevant first.
    matched: &'a BTreeSet<Field>,
}

impl<'a> HitView<'a> {
    fn new(hit: &'a Hit, scope: &CustomerScope) -> Self {
        let document = &hit.document;
        Self {
            order_id: document.order_id,
            status: document.status,
            total: document.total,
            placed_at: document.placed_at,
            customer_id: scope.external_id(&document.customer_id),
            customer_name: &document.customer_name,
            matched: &hit.fields,
        }
    }
}

async fn search(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<SearchQuery>,
) -> Result<Response, Problem> {
    let scope = CustomerScope::of_caller(&caller)?;
    let query = query.into_query(&scope)?;
    let page = api.index.search(&query).await?;
    // Defence in depth: the query is already restricted to the caller's orders, but the index is not trusted
    // with that.
    let (hits, foreign): (Vec<&Hit>, Vec<&Hit>) =
        page.hits.iter().partition(|hit| scope.includes(&hit.document.customer_id));
    if !foreign.is_empty() {
        tracing::error!(hits = foreign.len(), "the index returned orders outside the caller's scope");
    }
    let hits = hits.into_iter().map(|hit| HitView::new(hit, &scope)).collect();
    let next_cursor = page.next.as_ref().map(encode_cursor);
    Ok(Json(PageView { hits, next_cursor, truncated: page.truncated }).into_response())
}
