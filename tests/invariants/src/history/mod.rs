//! What clients saw: the history of their requests and responses, and the rules for it, in the spirit of
//! [Jepsen](https://jepsen.io). A history is recorded without looking inside the system.
//!
//! A request may take effect at any moment between its invocation and its response. Without a response, or with a
//! 5xx, it may have taken effect or not, and at any later moment.
//!
//! `GET /orders/{order_id}` and the cancellation read the order's item with strong consistency: an operation
//! that begins after another one has ended sees at least what that one saw. `GET /orders` reads an index, which
//! may lag: [`History::list_lag`].

mod check;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use domain::{CustomerId, OrderId};
use serde_json::Value;

pub use check::check_history;
pub use view::{OrderState, OrderView};

/// All operations of a run.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The operations, in the order of their invocations.
    pub operations: Vec<Operation>,
    /// The states of each order and when they were written, the oldest first; `None` if the run cannot observe
    /// its tables.
    pub records: Option<BTreeMap<OrderId, Vec<(Duration, OrderState)>>>,
    /// How far a list may lag behind the orders.
    pub list_lag: Duration,
    /// The orders whose cancellation somebody besides the order service has requested, for another reason. Nothing
    /// protects an order from whoever may publish in the name of its service: its payment may be voided for that
    /// reason, while the order keeps the reason of the first request.
    pub cancelled_by_others: BTreeSet<OrderId>,
    /// The time from which nothing was in progress any more; `None` if the run was not observed so long.
    pub settled_at: Option<Duration>,
}

/// A request of a client, and its response. Times count from the start of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The customer in whose name the request was made.
    pub customer: CustomerId,
    /// When the request was sent.
    pub invoked_at: Duration,
    /// When the response arrived; `None` if there was none.
    pub returned_at: Option<Duration>,
    /// The request that was sent.
    pub request: ClientRequest,
    /// The response as the client understood it.
    pub response: ClientResponse,
}

/// A request to the API of orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientRequest {
    /// `POST /orders` with this `Idempotency-Key`.
    Place(String),
    /// `GET /orders/{order_id}`
    Get(OrderId),
    /// `GET /orders`, the first page.
    List,
    /// `POST /orders/{order_id}/cancel`
    Cancel(OrderId),
}

/// The response to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientResponse {
    /// A success: the order was placed (201), read (200), or its cancellation accepted (202).
    Order(Box<OrderView>),
    /// A page of orders.
    Page {
        /// The orders, as listed.
        orders: Vec<OrderView>,
        /// Whether there is no further page.
        is_last: bool,
    },
    /// The order does not exist, or the customer may not access it (404).
    NotFound,
    /// The order is final and can no longer be cancelled (409).
    TooLate,
    /// The request was refused with this status, another 4xx.
    Refused(u16),
    /// There was no response, or a 5xx: the request may have taken effect or not.
    Unknown,
}

impl History {
    /// Records that a request is sent, and returns the number of the operation.
    pub fn invoke(&mut self, customer: CustomerId, request: ClientRequest, now: Duration) -> usize {
        self.operations.push(Operation {
            customer,
            invoked_at: now,
            returned_at: None,
            request,
            response: ClientResponse::Unknown,
        });
        self.operations.len().saturating_sub(1)
    }

    /// Records the response of an operation. Without it, the result of the operation is unknown.
    pub fn complete(&mut self, operation: usize, response: ClientResponse, now: Duration) {
        if let Some(operation) = self.operations.get_mut(operation)
            && response != ClientResponse::Unknown
        {
            operation.returned_at = Some(now);
            operation.response = response;
        }
    }

    /// Records the state of an order after a write, if it has changed.
    pub fn record_state(&mut self, order: OrderId, state: OrderState, now: Duration) {
        let states = self.records.get_or_insert_default().entry(order).or_default();
        if states.last().is_none_or(|(_, last)| *last != state) {
            states.push((now, state));
        }
    }
}

impl ClientResponse {
    /// Reads the response to a request from its status and body. `None` if it is neither what the API
    /// describes for a success nor an error.
    pub fn from_http(request: &ClientRequest, status: u16, body: &Value) -> Option<Self> {
        match (request, status) {
            (_, 500..) => Some(Self::Unknown),
            (ClientRequest::Get(_) | ClientRequest::Cancel(_), 404) => Some(Self::NotFound),
            (ClientRequest::Cancel(_), 409) => Some(Self::TooLate),
            (_, 400..) => Some(Self::Refused(status)),
            (ClientRequest::List, 200) => {
                let orders = body.get("orders")?.as_array()?.iter().map(OrderView::from_json);
                let is_last = body.get("next_cursor")?.is_null();
                Some(Self::Page { orders: orders.collect::<Option<_>>()?, is_last })
            }
            (ClientRequest::Place(_), 201)
            | (ClientRequest::Get(_), 200)
            | (ClientRequest::Cancel(_), 202) => Some(Self::Order(Box::new(OrderView::from_json(body)?))),
            _ => None,
        }
    }
}

impl Operation {
    /// The orders in the response.
    pub fn views(&self) -> &[OrderView] {
        match &self.response {
            ClientResponse::Order(view) => std::slice::from_ref::<OrderView>(view),
            ClientResponse::Page { orders, .. } => orders,
            _ => &[],
        }
    }

    /// Whether the response arrived before this time, or at it.
    pub fn returned_by(&self, time: Duration) -> bool {
        self.returned_at.is_some_and(|at| at <= time)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.request {
            ClientRequest::Place(key) => write!(f, "POST /orders ({key})")?,
            ClientRequest::Get(order) => write!(f, "GET /orders/{order}")?,
            ClientRequest::List => write!(f, "GET /orders")?,
            ClientRequest::Cancel(order) => write!(f, "POST /orders/{order}/cancel")?,
        }
        write!(f, " by {} at {:.3} s", self.customer, self.invoked_at.as_secs_f64())?;
        match &self.response {
            ClientResponse::Order(view) => write!(f, " → {}", view.state)?,
            ClientResponse::Page { orders, .. } => {
                let listed = orders.iter().map(|view| format!("{} {}", view.id, view.state));
                write!(f, " → [{}]", listed.collect::<Vec<_>>().join(", "))?;
            }
            ClientResponse::NotFound => write!(f, " → not found")?,
            ClientResponse::TooLate => write!(f, " → too late")?,
            ClientResponse::Refused(status) => write!(f, " → refused with {status}")?,
            ClientResponse::Unknown => write!(f, " → unknown")?,
        }
        self.returned_at.map_or(Ok(()), |at| write!(f, " at {:.3} s", at.as_secs_f64()))
    }
}

/// A rule for what clients may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HistoryRule {
    /// An operation that begins after another one has ended does not see an earlier state of an order.
    NeverBackwards,
    /// Every state that a client sees is one that the order had at that time, or could have had.
    SeenIsReal,
    /// An order that a client has seen is found from then on.
    SeenIsFound,
    /// A list shows each order that its customer has seen before, once, the newest first.
    ListIsComplete,
    /// An accepted cancellation is not forgotten, and once the system has settled the order is final.
    CancellationStands,
    /// A refused request to place an order leaves no order.
    RefusedLeavesNothing,
    /// Requests with the same `Idempotency-Key` create one order, and with different keys different orders.
    OneOrderPerKey,
    /// Customers see their own orders only.
    OwnOrdersOnly,
}

/// A rule that a history violates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryViolation {
    /// The rule that is violated.
    pub rule: HistoryRule,
    /// The order concerned; `None` if the violation is not about a single order.
    pub order_id: Option<OrderId>,
    /// The numbers of the operations that contradict each other, or of the one that is wrong by itself.
    pub operations: Vec<usize>,
    /// A description for people, with these operations.
    pub detail: String,
}

impl fmt::Display for HistoryViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.detail)?;
        self.order_id.map_or(Ok(()), |order| write!(f, " (order {order})"))
    }
}
