//! The provider's webhooks: one signed event per status change of a PaymentIntent; unordered, delayed,
//! duplicated or lost, and retried until it is accepted.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::payment::IntentStatus;
use http::{Request, StatusCode};
use jiff::Timestamp;
use payments::adapters::memory::IntentUpdate;
use payments::webhook::{SecretSource, signature::sign};
use platform::Clock;
use platform::clock::timeout;
use secrecy::SecretString;
use serde_json::json;

use crate::ports::Ports;
use crate::world::World;

/// The signing secret.
pub(crate) const SECRET: &str = "whsec_simulated";
/// How long the provider waits for a response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(20);
/// The maximum number of attempts to deliver a webhook, and the wait before the second one; it grows with
/// each attempt.
const MAX_ATTEMPTS: u32 = 6;
const RETRY_INTERVAL: Duration = Duration::from_secs(60);
/// The maximum delay of a webhook, and that of a delayed one.
const USUAL_DELAY: Duration = Duration::from_secs(5);
const LONG_DELAY: Duration = Duration::from_secs(7200);

#[async_trait]
impl SecretSource for Ports {
    async fn read(&self) -> anyhow::Result<SecretString> {
        Ports::read(self, "secret.read", |_| Ok(SecretString::from(SECRET))).await
    }
}

/// Sends webhooks for all status changes of PaymentIntents since the last call.
pub fn send_webhooks(world: &Arc<World>) {
    for update in world.provider.take_updates() {
        let kind = match update.status {
            IntentStatus::Unconfirmed => continue,
            IntentStatus::Processing => "payment_intent.processing",
            IntentStatus::Succeeded => "payment_intent.succeeded",
            IntentStatus::Declined(_) => "payment_intent.payment_failed",
            IntentStatus::Cancelled => "payment_intent.canceled",
        };
        if world.sim.should_inject(|rates| rates.lose_webhook) {
            world.sim.log(|| format!("the provider loses the webhook {kind} of {}", update.order));
            continue;
        }
        let number = world.webhook_count.fetch_add(1, Ordering::Relaxed);
        let body: Bytes = body(number, kind, &update, world.sim.now().as_second()).into();
        send(world, body.clone());
        if world.sim.should_inject(|rates| rates.duplicate) {
            send(world, body);
        }
    }
}

/// The body of a webhook, see <https://docs.stripe.com/api/events/object>.
fn body(number: u64, kind: &str, update: &IntentUpdate, created: i64) -> String {
    json!({
        "id": format!("evt_{number}"),
        "object": "event",
        "type": kind,
        "created": created,
        "data": { "object": {
            "id": update.intent, "object": "payment_intent", "metadata": { "order_id": update.order },
        } },
    })
    .to_string()
}

fn send(world: &Arc<World>, body: Bytes) {
    let ports = Ports { caller: world.sim.new_caller("provider").unkillable(), world: Arc::clone(world) };
    let late = world.sim.should_inject(|rates| rates.delay_webhook);
    let wait = world.sim.random_delay(if late { LONG_DELAY } else { USUAL_DELAY });
    world.sim.scheduler.spawn(async move {
        ports.caller.sleep(wait).await;
        for attempt in 1..=MAX_ATTEMPTS {
            let now = ports.world.sim.now();
            match deliver(&ports, SECRET, now, &body, body.clone()).await {
                Some(StatusCode::NO_CONTENT) => return,
                // The webhook is valid, so a client error would be a defect. Any other error is transient.
                Some(status) if status.is_client_error() => {
                    return ports.world.report_violation(format!("a webhook returned {status}"));
                }
                status => ports.caller.log(|| format!("the webhook returned {status:?}")),
            }
            ports.caller.sleep(RETRY_INTERVAL.saturating_mul(attempt)).await;
        }
    });
}

/// Sends a webhook once, with the signature of `signed`. `None` if no response arrives in time.
pub(crate) async fn deliver(
    ports: &Ports,
    secret: &str,
    signed_at: Timestamp,
    signed: impl AsRef<[u8]>,
    body: Bytes,
) -> Option<StatusCode> {
    let signature = sign(secret, signed_at, signed.as_ref());
    let request = Request::post("/webhooks/stripe").header("stripe-signature", signature).body(body).ok()?;
    let answer = timeout(&ports.caller, RESPONSE_TIMEOUT, ports.request("stripe-webhook", request)).await?;
    Some(answer.ok()?.status())
}
