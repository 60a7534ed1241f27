//! The response bodies of the API.

use domain::order::{Order, OrderStatus};
use domain::{
    Address, Customer, EmailAddress, Language, Lines, Money, OrderId, PaymentMethodId, PersonName, Shortage,
    VoidReason,
};
use jiff::Timestamp;
use platform::http::CustomerScope;
use schemars::JsonSchema;
use serde::Serialize;

/// An order and its current status.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Order")]
pub(crate) struct OrderView<'a> {
    /// The id of the order.
    pub(crate) id: OrderId,
    /// The status of the order.
    pub(crate) status: OrderStatus,
    /// Why cancellation was requested. Absent if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cancellation: Option<VoidReason>,
    /// The products because of which the order was rejected. Absent if it was not.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) shortages: &'a [Shortage],
    /// The customer, as of the time of the order.
    pub(crate) customer: CustomerView<'a>,
    /// The lines of the order.
    pub(crate) lines: &'a Lines,
    /// The total price, including tax.
    pub(crate) total: Money,
    /// The id of the Stripe payment method.
    pub(crate) payment_method: &'a PaymentMethodId,
    /// When the order was placed (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(crate) placed_at: Timestamp,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Customer")]
pub(crate) struct CustomerView<'a> {
    /// The id of the customer. For a partner, the partner's own id of the customer.
    pub(crate) id: &'a str,
    /// The name of the customer.
    pub(crate) name: &'a PersonName,
    /// The address to which emails about the order are sent.
    pub(crate) email: &'a EmailAddress,
    /// The billing address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<&'a Address>,
    /// The preferred language of the customer (ISO 639-1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) language: Option<&'a Language>,
}

impl<'a> OrderView<'a> {
    pub(crate) fn from_order(order: &'a Order, scope: &CustomerScope) -> Self {
        let details = &order.details;
        let Customer { id, name, email, address, language } = &details.customer;
        Self {
            id: order.id,
            status: order.status(),
            cancellation: order.cancellation,
            shortages: &order.shortages,
            customer: CustomerView {
                id: scope.external_id(id),
                name,
                email,
                address: address.as_ref(),
                language: language.as_ref(),
            },
            lines: &details.lines,
            total: details.total,
            payment_method: &details.payment_method,
            placed_at: details.placed_at,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OrderPage")]
pub(crate) struct ListView<'a> {
    /// The orders, the newest first.
    pub(crate) orders: Vec<OrderView<'a>>,
    /// The cursor of the next page; null on the last page.
    pub(crate) next_cursor: Option<String>,
}
