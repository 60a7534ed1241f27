//! The functions, each assembled as in its `main`, with the ports of one invocation.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use domain::{Event, Fact};
use futures::channel::oneshot;
use http::{Request, Response};
use http_body_util::BodyExt;
use inventory::client::{HttpInventory, Inventory};
use inventory::reserve::ReserveInventory;
use inventory::settle::SettleReservation;
use jiff::SignedDuration;
use orders::expire::ExpireOrders;
use orders::quota::OrderLimit;
use orders::relay::RelayOutbox;
use orders::track::TrackOrder;
use payments::arbiter::{Arbiter, ProcessPayment, VoidPayment};
use payments::webhook::Secrets;
use platform::host::http::build_app;
use platform::host::queue::{Message, QueueHost};
use platform::host::record::DEADLINE_MARGIN;
use platform::host::schedule::Job;
use platform::host::stream::{Change, StreamHost};
use platform::http::Caller;
use platform::http_client::{HttpClient, NoResponse};
use platform::publisher::{BusPublisher, PutEvents};
use platform::retry::RetryPolicy;
use platform::{EventHandler, Failure, Publisher};
use tower::ServiceExt;

use crate::lambda;
use crate::mutation::Mutation;
use crate::ports::Ports;
use crate::publisher::stated_order;
use crate::queue::DeadLetter;
use crate::world::World;

/// The binary name of a function, by its logical id.
pub fn binary(function: &str) -> &'static str {
    match function {
        "ReserveInventory" => "reserve-inventory",
        "SettleReservation" => "settle-reservation",
        "ProcessPayment" => "process-payment",
        "VoidPayment" => "void-payment",
        "TrackOrder" => "track-order",
        "SendEmail" => "send-email",
        other => unreachable!(
            "the simulation does not know the function {other}: assemble its handler here, or set `Observer: true` in its \
             block if it does not affect orders"
        ),
    }
}

/// A type-erased handler.
struct AnyHandler(Box<dyn EventHandler>);

#[async_trait]
impl EventHandler for AnyHandler {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        self.0.handle(event).await
    }
}

fn handler(function: &str, ports: &Ports) -> AnyHandler {
    let clock = Arc::new(ports.caller.clone());
    let inventory: Arc<dyn Inventory> = Arc::new(HttpInventory::new(ports.clone(), "http://inventory-api"));
    let arbiter = || Arbiter {
        payments: Arc::new(ports.clone()),
        provider: Arc::new(ports.clone()),
        clock: Arc::new(ports.caller.clone()),
    };
    AnyHandler(match function {
        "ReserveInventory" => Box::new(ReserveInventory { inventory, clock }),
        "SettleReservation" => Box::new(SettleReservation { inventory, clock }),
        "ProcessPayment" if ports.world.has_mutation(Mutation::AmountFromEvent) => {
            Box::new(NoteTotal(Arc::clone(&ports.world), ProcessPayment(arbiter())))
        }
        "ProcessPayment" => Box::new(ProcessPayment(arbiter())),
        "VoidPayment" if ports.world.has_mutation(Mutation::ReleaseWithoutArbiter) => {
            Box::new(ReleaseFirst(inventory, VoidPayment(arbiter())))
        }
        "VoidPayment" => Box::new(VoidPayment(arbiter())),
        "TrackOrder" => Box::new(TrackOrder { orders: Arc::new(ports.clone()), clock }),
        "SendEmail" => Box::new(ports.send_email()),
        other => unreachable!(
            "the simulation does not know the function {other}: assemble its handler here, or set `Observer: true` in its \
             block if it does not affect orders"
        ),
    })
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

/// Runs a function on a batch of its queue. Returns the ids of the messages to redeliver.
pub async fn batch(ports: Ports, queue: usize, messages: Vec<Message>, time: Duration) -> Vec<String> {
    let wiring = Arc::clone(&ports.world.wiring);
    let Some(subscription) = wiring.subscriptions.get(queue) else { return Vec::new() };
    let port = Arc::new(QueuePort { ports: ports.clone(), queue });
    let host = QueueHost {
        function: ports.caller.function,
        handler: handler(&subscription.function, &ports),
        publisher: ports.publisher(),
        visibility: Arc::clone(&port) as Arc<_>,
        dead_letters: port,
        retry: RetryPolicy { base_delay: wiring.retry_base_delay, max_attempts: wiring.max_attempts },
        clock: Arc::new(ports.caller.clone()),
    };
    host.handle_batch(messages, time.saturating_sub(DEADLINE_MARGIN), "simulated").await
}

/// Runs the relay on rows of the stream. Returns the first row to redeliver.
pub async fn relay(ports: Ports, rows: Vec<Change>, time: Duration) -> Option<String> {
    let host = StreamHost {
        function: ports.caller.function,
        handler: RelayOutbox { publisher: ports.publisher(), outbox: Arc::new(ports.clone()) },
        dead_letters: Arc::new(RelayDeadLetters(ports.clone())),
        clock: Arc::new(ports.caller.clone()),
    };
    host.handle_batch(rows, time.saturating_sub(DEADLINE_MARGIN), "simulated").await
}

/// Runs the scheduled function once.
pub async fn expire(ports: Ports) -> anyhow::Result<()> {
    let expire_after = SignedDuration::try_from(ports.world.wiring.expire_after)?;
    let job = ExpireOrders {
        orders: Arc::new(ports.clone()),
        relay: RelayOutbox { publisher: ports.publisher(), outbox: Arc::new(ports.clone()) },
        clock: Arc::new(ports.caller.clone()),
        expire_after,
        time_limit: Duration::from_secs(40),
    };
    job.run(serde_json::Value::Null).await.map(drop)
}

/// A function behind the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// `orders-api`
    Orders,
    /// `inventory-api`
    Inventory,
    /// `stripe-webhook`
    StripeWebhook,
}

impl Api {
    /// The binary name of the function.
    pub fn binary(self) -> &'static str {
        match self {
            Self::Orders => "orders-api",
            Self::Inventory => "inventory-api",
            Self::StripeWebhook => "stripe-webhook",
        }
    }

    fn router(self, ports: &Ports) -> Router {
        let clock = Arc::new(ports.caller.clone());
        let router = match self {
            Self::Orders => orders::api::router(orders::api::Api {
                orders: Arc::new(ports.clone()),
                // Each customer places one order: a retry that counted as another one would exceed the limit.
                limit: OrderLimit { max_orders: 1, window_seconds: u32::MAX },
                clock: Arc::clone(&clock) as Arc<_>,
            }),
            Self::Inventory => inventory::api::router(inventory::api::Api {
                products: Arc::new(ports.clone()),
                reservations: Arc::new(ports.clone()),
                clock: Arc::clone(&clock) as Arc<_>,
            }),
            Self::StripeWebhook => payments::webhook::router(payments::webhook::WebhookApi {
                secrets: Secrets::new(Arc::new(ports.clone()), Arc::clone(&clock) as Arc<_>),
                publisher: ports.publisher(),
                clock: Arc::clone(&clock) as Arc<_>,
            }),
        };
        build_app(router, clock)
    }

    /// Handles one request.
    pub async fn answer(self, ports: Ports, request: Request<Bytes>) -> anyhow::Result<Response<Bytes>> {
        let answer = self.router(&ports).oneshot(request.map(Body::from)).await?;
        let (parts, body) = answer.into_parts();
        Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
    }
}

/// Internal requests to the inventory API, signed with the role of a function.
#[async_trait]
impl HttpClient for Ports {
    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, NoResponse> {
        request.extensions_mut().insert(Caller::Service { arn: self.caller.function.to_owned() });
        if self.world.has_mutation(Mutation::AcceptAnyPrice) {
            self.world.observed.requested_prices(request.body());
        }
        self.request(Api::Inventory, request)
            .await
            .map_err(|error| NoResponse { host: "inventory-api".to_owned(), source: error.into() })
    }
}

impl Ports {
    /// Sends a request to a function behind API Gateway.
    ///
    /// # Errors
    /// If no response arrives.
    pub async fn request(&self, api: Api, request: Request<Bytes>) -> anyhow::Result<Response<Bytes>> {
        let world = Arc::clone(&self.world);
        let answer = self.caller.call(api.binary(), move || lambda::invoke_api(&world, api, request.clone()));
        Ok(answer.await?.await?)
    }

    /// The publisher that the functions use.
    fn publisher(&self) -> Arc<dyn Publisher> {
        let publisher = BusPublisher(self.clone());
        if self.world.has_mutation(Mutation::AcknowledgeBeforePublish) {
            return Arc::new(PublishLater(self.clone()));
        }
        Arc::new(publisher)
    }
}

#[async_trait]
impl PutEvents for Ports {
    async fn put(&self, events: &[&Event]) -> anyhow::Result<Vec<Option<String>>> {
        let events: Vec<Event> = events.iter().map(|event| (*event).clone()).collect();
        let world = Arc::clone(&self.world);
        let allowed = world.wiring.publishes.get(self.caller.function);
        for event in &events {
            let name = event.fact.name();
            if !allowed.is_some_and(|types| types.contains(name)) {
                world.report_violation(format!(
                    "{} may not publish {name}: add it to its Publishes",
                    self.caller.function
                ));
            }
        }
        let answers = self.caller.call("bus.put_events", move || {
            let put = |event: &Event| {
                if world.sim.should_inject(|rates| rates.reject_entry) {
                    world.sim.log(|| format!("the bus rejects {} of {}", event.fact.name(), event.subject));
                    let is_ignored = world.has_mutation(Mutation::IgnoreFailedEntry);
                    return (!is_ignored).then(|| "ThrottlingException".to_owned());
                }
                world.route(event);
                None
            };
            events.iter().map(put).collect()
        });
        Ok(answers.await?)
    }
}

/// The publisher for [`Mutation::AcknowledgeBeforePublish`].
struct PublishLater(Ports);

#[async_trait]
impl Publisher for PublishLater {
    async fn publish(&self, events: &[Event]) -> anyhow::Result<()> {
        let (ports, events) = (self.0.clone(), events.to_vec());
        self.0.caller.sim.scheduler.spawn(async move { drop(BusPublisher(ports).publish(&events).await) });
        Ok(())
    }
}

/// The queue of a function, as its host accesses it.
struct QueuePort {
    ports: Ports,
    queue: usize,
}

#[async_trait]
impl platform::queue::Visibility for QueuePort {
    async fn extend_visibility_timeout(&self, receipt: &str, wait: Duration) -> anyhow::Result<()> {
        let (world, queue) = (Arc::clone(&self.ports.world), self.queue);
        let receipt: u64 = receipt.parse()?;
        let extended = self.ports.caller.call("queue.extend_visibility_timeout", move || {
            lambda::extend_visibility(&world, queue, receipt, wait);
        });
        Ok(extended.await?)
    }
}

#[async_trait]
impl platform::queue::DeadLetters for QueuePort {
    async fn send_to_dlq(&self, letter: &platform::queue::DeadLetter) -> anyhow::Result<()> {
        let (world, queue) = (Arc::clone(&self.ports.world), self.queue);
        let letter =
            DeadLetter { body: letter.body.as_str().into(), kind: letter.kind, error: letter.error.clone() };
        let sent = self
            .ports
            .caller
            .call("queue.send_to_dlq", move || lambda::send_to_dlq(&world, queue, letter.clone()));
        Ok(sent.await?)
    }
}

/// A dead-letter queue that reports a violation: every row of these runs is valid, so the relay never uses
/// it.
struct RelayDeadLetters(Ports);

#[async_trait]
impl platform::queue::DeadLetters for RelayDeadLetters {
    async fn send_to_dlq(&self, letter: &platform::queue::DeadLetter) -> anyhow::Result<()> {
        self.0.world.report_violation(format!("the relay sent a row to the DLQ: {}", letter.error));
        Ok(())
    }
}

/// The receiving end of a response.
pub type Answer = oneshot::Receiver<Response<Bytes>>;
