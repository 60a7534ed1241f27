//! What clients send, checked field by field.

use domain::{Customer, CustomerId, EmailAddress, Language, OrderDetails, PaymentMethodId, PersonName};
use jiff::Timestamp;
use platform::http::input::{AddressInput, LineInput, parse_lines};
use platform::http::{CustomerScope, FieldError, Problem};
use schemars::JsonSchema;

/// The body of `POST /orders`.
#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceOrder {
    /// Who orders.
    customer: OrderCustomer,
    /// What is ordered, each product once.
    #[schemars(length(min = 1, max = 50))]
    lines: Vec<LineInput>,
    /// How it is paid: a payment method of Stripe's.
    #[eserde(compat)]
    payment_method: PaymentMethodId,
}

#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OrderCustomer {
    /// Customers leave it out: it is who signed in. All others have to say for whom they order.
    #[eserde(compat)]
    #[serde(default)]
    id: Option<CustomerId>,
    /// How to greet them.
    #[eserde(compat)]
    name: PersonName,
    /// Where the mails about the order go.
    #[eserde(compat)]
    email: EmailAddress,
    /// Where the invoice is made out to.
    #[serde(default)]
    address: Option<AddressInput>,
    /// The language that they read, such as `de`. What is sent to them is in it, where the shop knows it.
    #[eserde(compat)]
    #[serde(default)]
    language: Option<Language>,
}

impl PlaceOrder {
    /// The order that a caller asks for.
    pub(crate) fn into_details(self, scope: &CustomerScope, now: Timestamp) -> Result<OrderDetails, Problem> {
        let OrderCustomer { id, name, email, address, language } = self.customer;
        let id = scope
            .resolve_customer(id.as_ref().map(CustomerId::as_str))
            .map_err(|why| FieldError::pointer("/customer/id", why));
        let (id, lines) = match (id, parse_lines(self.lines)) {
            (Ok(id), Ok(lines)) => (id, lines),
            (id, lines) => {
                let lines = lines.err().map(|problem| problem.errors().to_vec()).unwrap_or_default();
                return Err(Problem::invalid(id.err().into_iter().chain(lines).collect()));
            }
        };
        let customer = Customer { id, name, email, address: address.map(Into::into), language };
        Ok(OrderDetails::new(customer, lines, self.payment_method, now))
    }
}
