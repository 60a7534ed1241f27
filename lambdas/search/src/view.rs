//! The response bodies of the API.

use std::collections::BTreeSet;

use domain::order::OrderStatus;
use domain::{Money, OrderId, PersonName};
use jiff::Timestamp;
use platform::http::CustomerScope;
use schemars::JsonSchema;
use serde::Serialize;

use crate::query::Hit;
use crate::term::Field;

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SearchPage")]
pub(crate) struct PageView<'a> {
    /// The matching orders, most relevant first.
    pub(crate) hits: Vec<HitView<'a>>,
    /// The cursor of the next page; null on the last page.
    pub(crate) next_cursor: Option<String>,
    /// Whether the words are so common that not all matching orders were examined. Use more or longer words,
    /// or a date range.
    pub(crate) truncated: bool,
}

/// An order that matches the search.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SearchHit")]
pub(crate) struct HitView<'a> {
    /// The id of the order.
    pub(crate) order_id: OrderId,
    /// The status of the order.
    pub(crate) status: OrderStatus,
    /// The total of the order.
    pub(crate) total: Money,
    /// The time of placement (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(crate) placed_at: Timestamp,
    /// The id of the customer. For a partner, it is the partner's own id for the customer.
    pub(crate) customer_id: &'a str,
    /// The name of the customer.
    pub(crate) customer_name: &'a PersonName,
    /// The fields that the words matched in, most relevant first.
    pub(crate) matched: &'a BTreeSet<Field>,
}

impl<'a> HitView<'a> {
    pub(crate) fn new(hit: &'a Hit, scope: &CustomerScope) -> Self {
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
