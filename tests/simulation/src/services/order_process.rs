//! The functions of the order process, with those that keep its records. They run in every run.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::{Event, Fact};
use inventory::adapters::HttpInventory;
use inventory::client::Inventory;
use inventory::reserve::ReserveInventory;
use inventory::settle::SettleReservation;
use jiff::SignedDuration;
use notifications::send::SendEmail;
use orders::expire::ExpireOrders;
use orders::quota::OrderLimit;
use orders::relay::RelayOutbox;
use orders::track::TrackOrder;
use payments::arbiter::{Arbiter, ProcessPayment, VoidPayment};
use payments::webhook::Secrets;
use platform::{EventHandler, Failure};

use super::handler::Handler;
use super::{Assemble, Service};
use crate::mutation::Mutation;
use crate::ports::Ports;
use crate::publisher::stated_order;
use crate::queue::DeadLetter;
use crate::world::World;

/// The name of the service.
pub(super) const NAME: &str = "order process";

/// The order process.
pub struct OrderProcess;

impl Service for OrderProcess {
    fn name(&self) -> &'static str {
        NAME
    }

    fn functions(&self) -> &'static [(&'static str, Assemble)] {
        &[
            ("orders-api", orders_api),
            ("relay-outbox", |ports| Handler::stream(ports, relay(ports))),
            ("expire-orders", expire_orders),
            ("track-order", |ports| {
                let clock = Arc::new(ports.caller.clone());
                events(ports, TrackOrder { orders: Arc::new(ports.clone()), clock })
            }),
            ("inventory-api", inventory_api),
            ("reserve-inventory", |ports| events(ports, ReserveInventory { inventory: inventory(ports) })),
            ("settle-reservation", |ports| events(ports, SettleReservation { inventory: inventory(ports) })),
            ("process-payment", |ports| {
                let handler = ProcessPayment(arbiter(ports));
                if ports.world.has_mutation(Mutation::AmountFromEvent) {
                    events(ports, NoteTotal(Arc::clone(&ports.world), handler))
                } else {
                    events(ports, handler)
                }
            }),
            ("void-payment", |ports| {
                let handler = VoidPayment(arbiter(ports));
                if ports.world.has_mutation(Mutation::ReleaseWithoutArbiter) {
                    events(ports, ReleaseFirst(inventory(ports), handler))
                } else {
                    events(ports, handler)
                }
            }),
            ("stripe-webhook", stripe_webhook),
            ("send-email", |ports| {
                if ports.world.has_mutation(Mutation::ForgetLanguage) {
                    events(ports, WithoutLanguage(ports.send_email()))
                } else {
                    events(ports, ports.send_email())
                }
            }),
        ]
    }

    fn has_work(&self, world: &World, _: &str) -> bool {
        world.has_open_orders() || !world.orders.pending_events().is_empty()
    }

    /// An email that is requested after its idempotency record may have expired is not sent.
    fn may_reject(&self, world: &World, letter: &DeadLetter) -> bool {
        letter.function == "send-email"
            && world.email_replay_expired.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// A function that subscribes to events.
fn events(ports: &Ports, handler: impl EventHandler + 'static) -> Handler {
    Handler::queue(ports, handler, ports.publisher())
}

fn inventory(ports: &Ports) -> Arc<dyn Inventory> {
    Arc::new(HttpInventory::new(ports.clone(), "http://inventory-api"))
}

fn arbiter(ports: &Ports) -> Arbiter {
    Arbiter {
        payments: Arc::new(ports.clone()),
        provider: Arc::new(ports.clone()),
        clock: Arc::new(ports.caller.clone()),
    }
}

fn relay(ports: &Ports) -> RelayOutbox {
    RelayOutbox { publisher: ports.publisher(), outbox: Arc::new(ports.clone()) }
}

fn expire_orders(ports: &Ports) -> Handler {
    Handler::job(ExpireOrders {
        orders: Arc::new(ports.clone()),
        relay: relay(ports),
        clock: Arc::new(ports.caller.clone()),
        expire_after: SignedDuration::try_from(ports.world.wiring.expire_after)
            .unwrap_or(SignedDuration::MAX),
        time_limit: Duration::from_secs(40),
    })
}

fn orders_api(ports: &Ports) -> Handler {
    let api = orders::api::Api {
        orders: Arc::new(ports.clone()),
        // Each customer places one order: a retry that counted as another one would exceed the limit.
        limit: OrderLimit { max_orders: 1, window_seconds: u32::MAX },
        clock: Arc::new(ports.caller.clone()),
    };
    Handler::api(ports, orders::api::router(api))
}

fn inventory_api(ports: &Ports) -> Handler {
    let api = inventory::api::Api {
        products: Arc::new(ports.clone()),
        reservations: Arc::new(ports.clone()),
        clock: Arc::new(ports.caller.clone()),
    };
    Handler::api(ports, inventory::api::router(api))
}

fn stripe_webhook(ports: &Ports) -> Handler {
    let clock = Arc::new(ports.caller.clone());
    let api = payments::webhook::WebhookApi {
        secrets: Secrets::new(Arc::new(ports.clone()), Arc::clone(&clock) as Arc<_>),
        publisher: ports.publisher(),
        clock,
    };
    Handler::api(ports, payments::webhook::router(api))
}

/// The handler for [`Mutation::ReleaseWithoutArbiter`].
struct ReleaseFirst(Arc<dyn Inventory>, VoidPayment);

#[async_trait]
impl EventHandler for ReleaseFirst {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        if matches!(event.fact, Fact::CancellationRequested(_)) {
            self.0.release(event.subject, event.cause.correlation_id.as_str()).await?;
        }
        self.1.handle(event).await
    }
}

/// The handler for [`Mutation::AmountFromEvent`].
struct NoteTotal(Arc<World>, ProcessPayment);

#[async_trait]
impl EventHandler for NoteTotal {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        if let Some(order) = stated_order(&event.fact) {
            self.0.observed.stated_total(event.subject, order.total);
        }
        self.1.handle(event).await
    }
}

/// The handler for [`Mutation::ForgetLanguage`].
struct WithoutLanguage(SendEmail);

#[async_trait]
impl EventHandler for WithoutLanguage {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        let mut event = event.clone();
        match &mut event.fact {
            Fact::PaymentSucceeded(it) => it.order.customer.language = None,
            Fact::ReservationRejected(it) => it.order.customer.language = None,
            Fact::PaymentFailed(it) => it.order.customer.language = None,
            Fact::PaymentVoided(it) => it.order.customer.language = None,
            _ => {}
        }
        self.0.handle(&event).await
    }
}
