//! Webhook delivery: signed requests, with retries. No API response waits for it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use hmac::{Hmac, KeyInit, Mac};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use sha2::Sha256;
use tokio::time::{sleep, timeout};

use crate::stand_in::{StandIn, now};
use crate::webhooks::{Endpoint, is_success};

/// The number of delivery attempts for an event. (Stripe retries for three days.)
const MAX_ATTEMPTS: u32 = 8;
/// The delay before the second attempt; it doubles with each further one.
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(500);
/// How long to wait for the response of the endpoint.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts the delivery of all due events, each in its own task.
pub(crate) fn dispatch(stand_in: &Arc<StandIn>) {
    for event in stand_in.state().account.webhooks.take_due() {
        tokio::spawn(deliver(Arc::clone(stand_in), event));
    }
}

async fn deliver(stand_in: Arc<StandIn>, event: String) {
    for attempt in 1..=MAX_ATTEMPTS {
        let Some((endpoint, body)) = stand_in.state().account.webhooks.endpoint_and_body(&event) else {
            return;
        };
        let status = timeout(RESPONSE_TIMEOUT, post(&endpoint, body)).await.ok().flatten();
        println!(
            "{:.3} {} webhook {event} attempt={attempt}",
            now(),
            status.map_or_else(|| "-".to_owned(), |status| status.to_string())
        );
        stand_in.state().account.webhooks.record_attempt(&event, status, attempt == MAX_ATTEMPTS);
        stand_in.changed.notify_one();
        if is_success(status) {
            return;
        }
        sleep(FIRST_RETRY_DELAY.saturating_mul(1 << (attempt - 1))).await;
    }
}

/// Posts an event; returns the status of the response, if there is one.
async fn post(endpoint: &Endpoint, body: String) -> Option<u16> {
    let request = Request::post(&endpoint.url)
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header(header::USER_AGENT, "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
        .header("stripe-signature", sign(&endpoint.secret, now(), &body))
        .body(Body::from(body))
        .ok()?;
    let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
    Some(client.request(request).await.ok()?.status().as_u16())
}

/// Returns the `Stripe-Signature` header (<https://docs.stripe.com/webhooks#verify-manually>).
fn sign(secret: &str, at: Timestamp, body: &str) -> String {
    let time = at.as_second();
    // HMAC accepts keys of any length, so this does not fail.
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    let bytes = mac.map(|mac| mac.chain_update(format!("{time}.{body}")).finalize().into_bytes());
    format!("t={time},v1={}", bytes.map(hex::encode).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_match_those_of_pythons_hmac() {
        // hmac.new(b"whsec_test_secret", b"1795428930." + body, hashlib.sha256).hexdigest()
        let at = Timestamp::from_second(1_795_428_930).unwrap();
        let signature = sign("whsec_test_secret", at, r#"{"id":"evt_1","object":"event"}"#);
        let hex = "b2e04af9b46ed3180e816ff605ecc4db893f411fa26dad57264e82f812268d89";
        assert_eq!(signature, format!("t=1795428930,v1={hex}"));
    }
}
