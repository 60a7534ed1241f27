//! `search-orders`: finds orders, of those that the caller may see.

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

/// What the routes work on.
pub struct Api {
    /// The index.
    pub index: Arc<dyn OrderIndex>,
}

/// The routes.
pub fn router(api: Api) -> Router {
    routes().router(Arc::new(api))
}

/// The routes, and what the contract says of them.
pub fn routes() -> Routes<Arc<Api>> {
    let read = Access::Scope(Scope::OrdersRead);
    let partner = Access::Partner(Scope::PartnerOrders);
    Routes::default()
        .add(Operation::get("/search/orders", "searchOrders", read, about_search), search)
        .add(Operation::get("/partner/search/orders", "searchPartnerOrders", partner, about_search), search)
}

fn about_search(it: &mut OperationDescription) {
    it.about(
        "Search orders",
        "Finds those of your orders that have all of the words: the order's id, the customer's id, name and e-mail \
         address (all of it, what is before the @, and the host), the total (`12.50`), SKUs and names of products. A \
         word of two letters and more is found wherever a word starts with it. Capitals and accents do not count; \
         what - . _ @ + or ' joins is one word.\n\nThe best hits come first: the order's id counts most, then the \
         e-mail address, the customer's id, their name, the total, the SKU, the product's name; in each of these a \
         whole word counts more than the start of one; what is alike is in the order of time, the newest first. \
         Without `q`, orders are listed, the newest first. What was ordered or changed a moment ago may take a second \
         to be found.",
    )
    .query::<Words>("q", "The words: at most 8.")
    .query::<OrderStatus>("status", "Only orders with this status.")
    .query::<DateOrTime>("from", "Only orders placed then or later: a day (UTC), or a time (RFC 3339).")
    .query::<DateOrTime>("to", "Only orders placed on that day (UTC) or before it; or earlier than that time.")
    .query::<Amount>("min_amount", "Only orders that cost at least this, in minor units of `currency`.")
    .query::<Amount>("max_amount", "Only orders that cost at most this, in minor units of `currency`.")
    .query::<Currency>("currency", "Only orders in this currency.")
    .query::<CustomerId>("customer_id", "Only this customer's orders. Customers leave it out: they find their own.")
    .query::<Limit>("limit", "The most orders on a page: 20 where it is left out.")
    .query::<Cursor>("cursor", "The `next_cursor` of the page before, with the same query.")
    .response::<PageView<'_>>(200, "A page, which may be shorter than `limit` though others follow.");
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SearchPage")]
struct PageView<'a> {
    /// The best first.
    hits: Vec<HitView<'a>>,
    /// Where the next page starts; null on the last one.
    next_cursor: Option<String>,
    /// Whether so many orders have these words that some were not looked at. Use more or longer words, or dates.
    truncated: bool,
}

/// An order that was found.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SearchHit")]
struct HitView<'a> {
    /// Which order.
    order_id: OrderId,
    /// How far it is.
    status: OrderStatus,
    /// What it costs.
    total: Money,
    /// When it was placed (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    placed_at: Timestamp,
    /// Whose it is, as whoever placed the order calls them.
    customer_id: &'a str,
    /// What they are called.
    customer_name: &'a PersonName,
    /// Where the words were found, the best first.
    matched: &'a BTreeSet<Field>,
}

impl<'a> HitView<'a> {
    fn of(hit: &'a Hit, scope: &CustomerScope) -> Self {
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
    let query = query.read(&scope)?;
    let page = api.index.search(&query).await?;
    // The index was asked for the caller's orders alone. Should it ever give another, nobody is to see it.
    let (hits, others): (Vec<&Hit>, Vec<&Hit>) =
        page.hits.iter().partition(|hit| scope.includes(&hit.document.customer_id));
    if !others.is_empty() {
        tracing::error!(hits = others.len(), "the index gave orders that are not the caller's");
    }
    let hits = hits.into_iter().map(|hit| HitView::of(hit, &scope)).collect();
    let next_cursor = page.next.as_ref().map(encode_cursor);
    Ok(Json(PageView { hits, next_cursor, truncated: page.truncated }).into_response())
}
