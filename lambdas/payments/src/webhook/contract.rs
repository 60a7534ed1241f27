//! The descriptions of the operations for the contract.

use platform::http::OperationDescription;

pub(crate) fn describe_receive(operation: &mut OperationDescription) {
    operation
        .about(
            "Receive a Stripe webhook",
            "For Stripe only. The body is a signed event of its API (<https://docs.stripe.com/webhooks>).",
        )
        .required_header::<String>(
            "Stripe-Signature",
            "Stripe's signature of the body. Its timestamp must be within five minutes of the current time.",
        )
        .empty_response(204, "The event has been published, or is not relevant to the shop.")
        .problem(413, "too-large", "The body is too large.");
}
