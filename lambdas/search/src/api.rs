//! `search-orders`: searches the orders that the caller may see.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use platform::http::input::encode_cursor;
use platform::http::{Access, Caller, CustomerScope, Json, Operation, Problem, Routes, Scope};

use crate::contract;
use crate::query::Hit;
use crate::request::SearchQuery;
use crate::store::OrderIndex;
use crate::view::{HitView, PageView};

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
        .add(Operation::get("/search/orders", "searchOrders", read, contract::describe_search), search)
        .add(
            Operation::get(
                "/partner/search/orders",
                "searchPartnerOrders",
                partner,
                contract::describe_search,
            ),
            search,
        )
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
