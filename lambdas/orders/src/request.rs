//! Request bodies and their validation.

use domain::charge::check_total;
use domain::{
    Customer, CustomerId, EmailAddress, Language, Lines, OrderDetails, PaymentMethodId, PersonName,
};
use jiff::Timestamp;
use platform::http::input::{AddressInput, LineInput, TextInput, parse_lines};
use platform::http::{CustomerScope, FieldError, Problem};
use schemars::JsonSchema;

use crate::recipient::Recipient;

/// The body of `POST /orders`.
#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceOrder {
    /// The customer who is charged and notified.
    customer: OrderCustomer,
    /// The lines of the order, with each product at most once. Their total is 0, or an amount that the payment
    /// provider charges, such as 0.50 EUR or more.
    #[schemars(length(min = 1, max = 50))]
    lines: Vec<LineInput>,
    /// The id of the Stripe payment method to charge. It is not used if the total is 0.
    #[eserde(compat)]
    payment_method: TextInput<PaymentMethodId>,
}

#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OrderCustomer {
    /// The id of the customer. Required, except when customers order for themselves: they omit it.
    #[eserde(compat)]
    #[serde(default)]
    id: Option<TextInput<CustomerId>>,
    /// The name of the customer.
    #[eserde(compat)]
    name: TextInput<PersonName>,
    /// The address to which emails about the order are sent. Required, except when customers order for themselves:
    /// they omit it, because emails are sent to the verified address of their account.
    #[eserde(compat)]
    #[serde(default)]
    email: Option<TextInput<EmailAddress>>,
    /// The billing address.
    #[serde(default)]
    address: Option<AddressInput>,
    /// The preferred language of the customer, such as `de` (ISO 639-1). It is used for emails and documents
    /// if the shop supports it.
    #[eserde(compat)]
    #[serde(default)]
    language: Option<Language>,
}

impl PlaceOrder {
    /// Validates the request on behalf of a caller and converts it.
    pub(crate) fn into_details(
        self,
        scope: &CustomerScope,
        recipient: Recipient,
        now: Timestamp,
    ) -> Result<OrderDetails, Problem> {
        let OrderCustomer { id, name, email, address, language } = self.customer;
        let id = scope
            .resolve_customer(id.as_ref().map(|id| id.0.as_str()))
            .map_err(|reason| FieldError::pointer("/customer/id", reason));
        let email = recipient.resolve(email.map(|email| email.0));
        let (id, email, lines) = match (id, email, parse_lines(self.lines).and_then(chargeable)) {
            (Ok(id), Ok(email), Ok(lines)) => (id, email, lines),
            (id, email, lines) => {
                let lines = lines.err().map(|problem| problem.errors().to_vec()).unwrap_or_default();
                return Err(Problem::invalid(id.err().into_iter().chain(email.err()).chain(lines).collect()));
            }
        };
        let customer = Customer { id, name: name.0, email, address: address.map(Into::into), language };
        Ok(OrderDetails::new(customer, lines, self.payment_method.0, now))
    }
}

/// Refuses lines whose total the payment provider is known to refuse, before anything is reserved.
fn chargeable(lines: Lines) -> Result<Lines, Problem> {
    match check_total(lines.total()) {
        Ok(()) => Ok(lines),
        Err(error) => Err(Problem::invalid(vec![FieldError::pointer("/lines", error)])),
    }
}
