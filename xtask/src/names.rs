//! Names that the tools share with `template.yaml`.

/// The stack that `cargo xtask up` deploys on this machine.
pub(crate) const LOCAL_STACK: &str = "serverless-orders-local";

/// The output of the template that holds the base address of the API.
pub(crate) const API_URL_OUTPUT: &str = "ApiUrl";

/// The output of the template that names the secret which Stripe's webhooks are signed with.
pub(crate) const WEBHOOK_SECRET_OUTPUT: &str = "StripeWebhookSecretArn";

/// What the logical id of a dead-letter queue ends with; the id of its source ends with [`QUEUE`] instead.
pub(crate) const DEAD_LETTERS: &str = "DeadLetters";

/// What the logical id of a function's queue ends with.
pub(crate) const QUEUE: &str = "Queue";

/// `OrdersApi` → `orders-api`: from a function's logical id to the name of its binary and its log group.
pub(crate) fn kebab_case(logical_id: &str) -> String {
    heck::ToKebabCase::to_kebab_case(logical_id)
}

#[cfg(test)]
mod tests {
    use super::kebab_case;

    #[test]
    fn logical_ids_become_binary_names() {
        assert_eq!(kebab_case("OrdersApi"), "orders-api");
        assert_eq!(kebab_case("SettleReservation"), "settle-reservation");
        assert_eq!(kebab_case("Relay"), "relay");
    }
}
