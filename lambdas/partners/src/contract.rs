//! The descriptions of the operations for the contract.

use domain::EventId;
use platform::http::input::{Cursor, Limit};
use platform::http::{IdempotencyKey, OperationDescription};

use crate::request::{ChangeWebhook, CreateWebhook};
use crate::view::{DeliveryPage, DeliveryView, NewWebhookView, WebhookPage, WebhookView};
use crate::webhook::WebhookId;

const WEBHOOK_ID: &str = "The `id` of the webhook.";
const NO_WEBHOOK: &str = "You have no webhook with this id.";
const NOT_PARTNER: &str = "The access token was not issued to the client of a partner.";

pub(crate) fn describe_subscribe(operation: &mut OperationDescription) {
    operation.about(
        "Create a webhook",
        "Subscribes a URL to events about your customers' orders. From now on, each event is sent as a `POST` \
         request with a JSON body, signed according to Standard Webhooks: verify `webhook-signature` with the \
         secret in the response. Respond with a 2xx status within 10 seconds; redirects are not followed. Failed \
         attempts are retried with exponential backoff for a day and a half. An event may be delivered more than \
         once, always with the same `webhook-id`, and the order of events is not guaranteed. You can have up to \
         ten webhooks.",
    )
    .required_header::<IdempotencyKey<'_>>(
        "Idempotency-Key",
        "A unique value for each webhook, such as a UUID. Use the same value to retry a request: the response is \
         then the webhook that the first request created. The key is stored for as long as the webhook exists.",
    )
    .body::<CreateWebhook>()
    .response::<NewWebhookView<'_>>(201, "The webhook was created.")
    .with_header("Location", "The URL of the webhook.")
    .problem(403, "forbidden", NOT_PARTNER)
    .problem(409, "too-many-webhooks", "You already have ten webhooks.")
    .problem(422, "idempotency-key-reused", "The Idempotency-Key was used for a request with other fields.");
}

pub(crate) fn describe_list(operation: &mut OperationDescription) {
    operation
        .about("List webhooks", "Returns your webhooks in pages, newest first.")
        .query::<Limit>("limit", "The maximum number of webhooks per page. Default: 20.")
        .query::<Cursor>("cursor", "The `next_cursor` of the previous page.")
        .response::<WebhookPage<'_>>(200, "A page of webhooks.")
        .problem(403, "forbidden", NOT_PARTNER);
}

pub(crate) fn describe_read(operation: &mut OperationDescription) {
    operation
        .about(
            "Get a webhook",
            "Includes whether it is enabled and, if not, the reason. The secret is not included.",
        )
        .path::<WebhookId>("webhook_id", WEBHOOK_ID)
        .response::<WebhookView<'_>>(200, "The webhook.")
        .problem(403, "forbidden", NOT_PARTNER)
        .problem(404, "not-found", NO_WEBHOOK);
}

pub(crate) fn describe_change(operation: &mut OperationDescription) {
    operation
        .about(
            "Update a webhook",
            "Omitted fields stay unchanged. A webhook that was disabled because of failures is enabled again \
             with `\"enabled\": true`.",
        )
        .path::<WebhookId>("webhook_id", WEBHOOK_ID)
        .body::<ChangeWebhook>()
        .response::<WebhookView<'_>>(200, "The updated webhook.")
        .problem(403, "forbidden", NOT_PARTNER)
        .problem(404, "not-found", NO_WEBHOOK);
}

pub(crate) fn describe_remove(operation: &mut OperationDescription) {
    operation
        .about("Delete a webhook", "No more events are sent, and its deliveries can no longer be read.")
        .path::<WebhookId>("webhook_id", WEBHOOK_ID)
        .empty_response(204, "The webhook was deleted.")
        .problem(403, "forbidden", NOT_PARTNER)
        .problem(404, "not-found", NO_WEBHOOK);
}

pub(crate) fn describe_list_deliveries(operation: &mut OperationDescription) {
    operation
        .about(
            "List deliveries",
            "Returns the deliveries of a webhook from the last 30 days in pages, newest first.",
        )
        .path::<WebhookId>("webhook_id", WEBHOOK_ID)
        .query::<Limit>("limit", "The maximum number of deliveries per page. Default: 20.")
        .query::<Cursor>("cursor", "The `next_cursor` of the previous page.")
        .response::<DeliveryPage<'_>>(200, "A page of deliveries.")
        .problem(403, "forbidden", NOT_PARTNER)
        .problem(404, "not-found", NO_WEBHOOK);
}

const EVENT_ID: &str = "The `event_id` of the delivery.";
const NO_DELIVERY: &str = "You have no webhook with this id, or it has no delivery of this event.";

pub(crate) fn describe_read_delivery(operation: &mut OperationDescription) {
    operation
        .about("Get a delivery", "Includes the latest attempts and their outcomes.")
        .path::<WebhookId>("webhook_id", WEBHOOK_ID)
        .path::<EventId>("event_id", EVENT_ID)
        .response::<DeliveryView<'_>>(200, "The delivery.")
        .problem(403, "forbidden", NOT_PARTNER)
        .problem(404, "not-found", NO_DELIVERY);
}

pub(crate) fn describe_resend(operation: &mut OperationDescription) {
    operation.about(
        "Redeliver an event",
        "Sends the event again with the same `webhook-id`, even if it was delivered. The request has no effect \
         while the delivery is pending, so no Idempotency-Key is needed.",
    )
    .path::<WebhookId>("webhook_id", WEBHOOK_ID)
    .path::<EventId>("event_id", EVENT_ID)
    .response::<DeliveryView<'_>>(202, "The event will be sent.")
    .problem(403, "forbidden", NOT_PARTNER)
    .problem(404, "not-found", NO_DELIVERY)
    .problem(409, "webhook-disabled", "The webhook is disabled. Enable it first.")
    .problem(409, "event-too-old", "The event is older than 28 days.");
}
