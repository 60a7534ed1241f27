//! Names that are defined in `template.yaml`.

/// The output with the base URL of the API.
pub const API_URL_OUTPUT: &str = "ApiUrl";

/// The output with the ARN of the secret for Stripe's webhooks.
pub const WEBHOOK_SECRET_OUTPUT: &str = "StripeWebhookSecretArn";

/// The suffix of the logical id of a dead-letter queue; its source queue has [`QUEUE_SUFFIX`] instead.
pub const DEAD_LETTER_QUEUE_SUFFIX: &str = "DeadLetters";

/// The suffix of the logical id of a function's queue.
pub const QUEUE_SUFFIX: &str = "Queue";

/// Converts a function's logical id to the name of its binary and log group: `OrdersApi` → `orders-api`.
pub fn kebab_case(logical_id: &str) -> String {
    heck::ToKebabCase::to_kebab_case(logical_id)
}

#[cfg(test)]
mod tests {
    use super::kebab_case;

    #[test]
    fn logical_ids_are_converted_to_binary_names() {
        assert_eq!(kebab_case("OrdersApi"), "orders-api");
        assert_eq!(kebab_case("SettleReservation"), "settle-reservation");
        assert_eq!(kebab_case("Relay"), "relay");
    }
}
