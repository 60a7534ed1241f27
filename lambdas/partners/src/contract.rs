//! What the contract says of each operation.

use domain::EventId;
use platform::http::input::{Cursor, Limit};
use platform::http::{IdempotencyKey, OperationDescription};

use crate::request::{ChangeWebhook, CreateWebhook};
use crate::view::{DeliveryPage, DeliveryView, NewWebhookView, WebhookPage, WebhookView};
use crate::webhook::WebhookId;

const WEBHOOK_ID: &str = "The webhook: the `id` that making it was answered with.";
const NO_WEBHOOK: &str = "You have no such webhook.";
const NOT_PARTNER: &str = "The token is not that of a partner, who signs in with a client id and a secret.";

pub(crate) fn about_subscribe(it: &mut OperationDescription) {
    it.about(
        "Subscribe to order events",
        "From now on, events about your customers' orders are sent to the URL as `POST` with JSON in it, signed as \
         Standard Webhooks has it: check `webhook-signature` with the secret that this is answered with. Answer with a 2xx \
         status within 10 seconds; redirects are not followed. What does not arrive is sent again, each time later, over a \
         day and a half. An event may come twice, with the same `webhook-id`, and events come in no order. At most ten.",
    )
    .required_header::<IdempotencyKey<'_>>(
        "Idempotency-Key",
        "A new one, such as a UUID, for each webhook; the same one when you send the same request again, which then gives \
         the webhook of the first time. Remembered for as long as there is that webhook.",
    )
    .body::<CreateWebhook>()
    .response::<NewWebhookView<'_>>(201, "The webhook is there.")
    .with_header("Location", "Where the webhook is.")
    .problem(403, "forbidden", NOT_PARTNER)
    .problem(409, "too-many-webhooks", "You have ten already.")
    .problem(422, "idempotency-key-reused", "The Idempotency-Key was used for another webhook.");
}

pub(crate) fn about_list(it: &mut OperationDescription) {
    it.about("List your webhooks", "The newest first, a page at a time.")
        .query::<Limit>("limit", "The most webhooks on a page: 20 where it is left out.")
        .query::<Cursor>("cursor", "The `next_cursor` of the page before.")
        .response::<WebhookPage<'_>>(200, "A page.")
        .problem(403, "forbidden", NOT_PARTNER);
}

pub(crate) fn about_read(it: &mut OperationDescription) {
    it.about("Read a webhook", "Also whether it is enabled, and why not. Its secret is not shown again.")
        .path::<WebhookId>("webhook_id", WEBHOOK_ID)
        .response::<WebhookView<'_>>(200, "The webhook.")
        .problem(403, "forbidden", NOT_PARTNER)
        .problem(404, "not-found", NO_WEBHOOK);
}

pub(crate) fn about_change(it: &mut OperationDescription) {
    it.about(
        "Change a webhook",
        "What is left out stays as it is. One that was disabled since nothing arrived is enabled again with \
         `\"enabled\": true`.",
    )
    .path::<WebhookId>("webhook_id", WEBHOOK_ID)
    .body::<ChangeWebhook>()
    .response::<WebhookView<'_>>(200, "The webhook, as it is now.")
    .problem(403, "forbidden", NOT_PARTNER)
    .problem(404, "not-found", NO_WEBHOOK);
}

pub(crate) fn about_remove(it: &mut OperationDescription) {
    it.about("Remove a webhook", "Nothing is sent any more, and its deliveries cannot be read any more.")
        .path::<WebhookId>("webhook_id", WEBHOOK_ID)
        .empty_response(204, "It is gone.")
        .problem(403, "forbidden", NOT_PARTNER)
        .problem(404, "not-found", NO_WEBHOOK);
}

pub(crate) fn about_deliveries(it: &mut OperationDescription) {
    it.about("List a webhook's deliveries", "Of the last 30 days, the newest first, a page at a time.")
        .path::<WebhookId>("webhook_id", WEBHOOK_ID)
        .query::<Limit>("limit", "The most deliveries on a page: 20 where it is left out.")
        .query::<Cursor>("cursor", "The `next_cursor` of the page before.")
        .response::<DeliveryPage<'_>>(200, "A page.")
        .problem(403, "forbidden", NOT_PARTNER)
        .problem(404, "not-found", NO_WEBHOOK);
}

const EVENT_ID: &str = "The event, as the list of deliveries names it.";
const NO_DELIVERY: &str = "You have no such webhook, or it has no such delivery.";

pub(crate) fn about_delivery(it: &mut OperationDescription) {
    it.about("Read a delivery", "Each attempt, and what came of it.")
        .path::<WebhookId>("webhook_id", WEBHOOK_ID)
        .path::<EventId>("event_id", EVENT_ID)
        .response::<DeliveryView<'_>>(200, "The delivery.")
        .problem(403, "forbidden", NOT_PARTNER)
        .problem(404, "not-found", NO_DELIVERY);
}

pub(crate) fn about_resend(it: &mut OperationDescription) {
    it.about(
        "Send an event again",
        "With the same `webhook-id`, also when it arrived. Asking again while it is pending changes nothing, so no \
         Idempotency-Key is needed.",
    )
    .path::<WebhookId>("webhook_id", WEBHOOK_ID)
    .path::<EventId>("event_id", EVENT_ID)
    .response::<DeliveryView<'_>>(202, "It is going to be sent.")
    .problem(403, "forbidden", NOT_PARTNER)
    .problem(404, "not-found", NO_DELIVERY)
    .problem(409, "webhook-disabled", "Nothing is sent to this webhook: enable it first.")
    .problem(409, "event-too-old", "The event is older than 28 days.");
}
