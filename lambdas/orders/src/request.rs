//! What clients send, checked field by field.

use domain::{Customer, CustomerId, EmailAddress, OrderDetails, PaymentMethodId, PersonName};
use jiff::Timestamp;
use platform::http::Problem;
use platform::http::input::{LineInput, lines};

/// The body of `POST /orders`.
#[derive(Debug, eserde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceOrder {
    customer: CustomerField,
    lines: Vec<LineInput>,
    #[eserde(compat)]
    payment_method: PaymentMethodId,
}

#[derive(Debug, eserde::Deserialize)]
#[serde(deny_unknown_fields)]
struct CustomerField {
    #[eserde(compat)]
    id: CustomerId,
    #[eserde(compat)]
    name: PersonName,
    #[eserde(compat)]
    email: EmailAddress,
}

impl PlaceOrder {
    /// The order that is asked for.
    pub(crate) fn into_details(self, now: Timestamp) -> Result<OrderDetails, Problem> {
        let CustomerField { id, name, email } = self.customer;
        Ok(OrderDetails::new(Customer { id, name, email }, lines(self.lines)?, self.payment_method, now))
    }
}
