//! What the provider tells unasked: signed, once for each thing that becomes of a PaymentIntent, in no order, late, more
//! than once or never, and again while it is not taken.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::payment::IntentStatus;
use http::{Request, StatusCode};
use payments::adapters::memory::IntentUpdate;
use payments::webhook::{SecretSource, signature::sign};
use platform::Clock;
use platform::clock::timeout;
use secrecy::SecretString;
use serde_json::json;

use crate::functions::Api;
use crate::ports::Ports;
use crate::world::World;

/// What it signs with.
const SECRET: &str = "whsec_simulated";
/// How long it waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it sends a report, and how long it waits before the second time; longer each time.
const TRIES: u32 = 6;
const WAIT: Duration = Duration::from_secs(60);
/// How long a report is usually under way, and how long a late one.
const USUALLY: Duration = Duration::from_secs(5);
const LATE: Duration = Duration::from_secs(7200);

#[async_trait]
impl SecretSource for Ports {
    async fn read(&self) -> anyhow::Result<SecretString> {
        Ports::read(self, "secret.read", |_| Ok(SecretString::from(SECRET))).await
    }
}

/// Has the provider tell of all that has become of PaymentIntents since the last time.
pub fn tell(world: &Arc<World>) {
    for news in world.provider.take_updates() {
        let kind = match news.status {
            IntentStatus::Unconfirmed => continue,
            IntentStatus::Processing => "payment_intent.processing",
            IntentStatus::Succeeded => "payment_intent.succeeded",
            IntentStatus::Declined(_) => "payment_intent.payment_failed",
            IntentStatus::Cancelled => "payment_intent.canceled",
        };
        if world.sim.strikes(|swarm| swarm.lose_report) {
            world.sim.note(|| format!("the provider does not tell of {kind} of {}", news.order));
            continue;
        }
        let number = world.reports.fetch_add(1, Ordering::Relaxed);
        let body: Bytes = body(number, kind, &news, world.sim.now().as_second()).into();
        send(world, body.clone());
        if world.sim.strikes(|swarm| swarm.duplicate) {
            send(world, body);
        }
    }
}

/// As <https://docs.stripe.com/api/events/object> has it.
fn body(number: u64, kind: &str, news: &IntentUpdate, created: i64) -> String {
    json!({
        "id": format!("evt_{number}"),
        "object": "event",
        "type": kind,
        "created": created,
        "data": { "object": {
            "id": news.intent, "object": "payment_intent", "metadata": { "order_id": news.order },
        } },
    })
    .to_string()
}

fn send(world: &Arc<World>, body: Bytes) {
    let ports = Ports { caller: world.sim.caller("provider").immortal(), world: Arc::clone(world) };
    let late = world.sim.strikes(|swarm| swarm.late_report);
    let wait = world.sim.soon(if late { LATE } else { USUALLY });
    world.sim.scheduler.spawn(async move {
        ports.caller.sleep(wait).await;
        for attempt in 1..=TRIES {
            match deliver(&ports, body.clone()).await {
                Some(StatusCode::NO_CONTENT) => return,
                // It is Stripe's, and it is understood: whatever else goes wrong is ours, and passes.
                Some(status) if status.is_client_error() => {
                    return ports.world.violated(format!("a webhook was answered {status}"));
                }
                status => ports.caller.note(|| format!("the webhook was answered {status:?}")),
            }
            ports.caller.sleep(WAIT.saturating_mul(attempt)).await;
        }
    });
}

/// Sends it once, signed anew; nothing where no answer came in time.
async fn deliver(ports: &Ports, body: Bytes) -> Option<StatusCode> {
    let signature = sign(SECRET, ports.world.sim.now(), &body);
    let request = Request::post("/webhooks/stripe").header("stripe-signature", signature).body(body).ok()?;
    let answer = timeout(&ports.caller, PATIENCE, ports.request(Api::StripeWebhook, request)).await?;
    Some(answer.ok()?.status())
}
