//! The ports of the functions: the in-memory implementations, called through [`Caller::call`], so that every
//! fault can occur at every call. The effect of a call is atomic, like a transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::order::Order;
use domain::payment::{IntentStatus, Payment};
use domain::reservation::{ProductStock, Reservation, StockChange};
use domain::{CustomerId, DeliveryId, Event, EventId, OrderId, PaymentIntentId, Sku};
use futures::FutureExt;
use inventory::product::{Offer, Product};
use inventory::store::{DeliveryOutcome, Products, Reservations};
use jiff::Timestamp;
use orders::quota::Quota;
use orders::store::{IdempotencyRecord, OpenOrdersCursor, Orders, Outbox, OutboxRow, Placed, Stored};
use payments::provider::{NewIntent, Provider, ProviderError};
use payments::store::Payments;
use platform::http::Precondition;
use platform::lock;

use crate::expectations::check_reservation;
use crate::mutation::Mutation;
use crate::services::search;
use crate::sim::Caller;
use crate::webhooks;
use crate::world::World;

/// The dependencies of one invocation of a function.
#[derive(Clone)]
pub struct Ports {
    /// The calling invocation.
    pub caller: Caller,
    /// The world that is called.
    pub world: Arc<World>,
}

/// The result of an in-memory port, which never waits, but may yield to other tasks.
pub(crate) fn now<T>(answer: impl Future<Output = T>) -> T {
    let mut answer = std::pin::pin!(answer);
    for _ in 0..10 {
        if let Some(answer) = answer.as_mut().now_or_never() {
            return answer;
        }
    }
    unreachable!("an in-memory port returns at once")
}

impl Ports {
    /// Makes a call that does not change an order's records.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        what: &'static str,
        effect: impl Fn(&World) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let world = Arc::clone(&self.world);
        self.caller.call(what, move || effect(&world)).await?
    }

    /// Makes a call that may change an order's records, and then checks the rules.
    async fn write<T: Send + 'static>(
        &self,
        what: &'static str,
        order: OrderId,
        effect: impl Fn(&World) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let world = Arc::clone(&self.world);
        let effect = move || {
            let answer = effect(&world);
            world.check_order(order);
            answer
        };
        self.caller.call(what, effect).await?
    }

    async fn provider<T: Send + 'static>(
        &self,
        what: &'static str,
        order: Option<OrderId>,
        effect: impl Fn(&World) -> Result<T, ProviderError> + Send + 'static,
    ) -> Result<T, ProviderError> {
        let world = Arc::clone(&self.world);
        let effect = move || {
            let answer = effect(&world);
            if let Some(order) = order {
                world.check_order(order);
            }
            webhooks::send_webhooks(&world);
            answer
        };
        self.caller.call(what, effect).await.map_err(anyhow::Error::from)?
    }
}

#[async_trait]
impl Orders for Ports {
    async fn place(
        &self,
        order: &Order,
        event: &Event,
        record: &IdempotencyRecord,
        quota: Option<&Quota>,
        time: Timestamp,
    ) -> anyhow::Result<Placed> {
        let (order, event, record, quota) = (order.clone(), event.clone(), record.clone(), quota.cloned());
        self.write("orders.place", order.id, move |world| {
            let placed = now(world.orders.place(&order, &event, &record, quota.as_ref(), time))?;
            if placed == Placed::Created {
                world.row_inserted(&event);
                search::order_written(world, order.id);
            }
            Ok(placed)
        })
        .await
    }

    async fn get(&self, id: OrderId) -> anyhow::Result<Option<Stored>> {
        self.read("orders.get", move |world| {
            let stale = if world.has_mutation(Mutation::StaleRead) { world.stale(id) } else { None };
            stale.map_or_else(|| now(Orders::get(&world.orders, id)), |stored| Ok(Some(stored)))
        })
        .await
    }

    async fn list(
        &self,
        customer: &CustomerId,
        after: Option<OrderId>,
        limit: u32,
    ) -> anyhow::Result<orders::store::Page> {
        let customer = customer.clone();
        self.read("orders.list", move |world| now(Orders::list(&world.orders, &customer, after, limit))).await
    }

    async fn replace(&self, read: &Stored, order: &Order, event: Option<&Event>) -> anyhow::Result<bool> {
        let (read, order, event) = (read.clone(), order.clone(), event.cloned());
        self.write("orders.replace", order.id, move |world| {
            if world.sim.should_inject(|rates| rates.conflict) {
                return Ok(false);
            }
            let mut read = read.clone();
            if world.has_mutation(Mutation::UnconditionalOrderUpdate)
                && let Some(found) = now(Orders::get(&world.orders, order.id))?
            {
                read.version = found.version;
            }
            let done = now(world.orders.replace(&read, &order, event.as_ref()))?;
            if done {
                search::order_written(world, order.id);
            }
            if done && world.has_mutation(Mutation::StaleRead) {
                world.record_replaced(read);
            }
            if let Some(event) = event.as_ref().filter(|_| done) {
                world.row_inserted(event);
            }
            Ok(done)
        })
        .await
    }

    async fn list_open(
        &self,
        before: Timestamp,
        next: Option<OpenOrdersCursor>,
    ) -> anyhow::Result<(Vec<Stored>, Option<OpenOrdersCursor>)> {
        self.read("orders.list_open", move |world| now(world.orders.list_open(before, next.clone()))).await
    }
}

#[async_trait]
impl Outbox for Ports {
    async fn remove(&self, event: EventId) -> anyhow::Result<()> {
        self.read("outbox.remove", move |world| now(world.orders.remove(event))).await
    }

    async fn list_created_before(&self, before: Timestamp) -> anyhow::Result<Vec<OutboxRow>> {
        self.read("outbox.list_created_before", move |world| now(world.orders.list_created_before(before)))
            .await
    }
}

#[async_trait]
impl Products for Ports {
    async fn get(&self, sku: &Sku) -> anyhow::Result<Option<Product>> {
        let sku = sku.clone();
        self.read("products.get", move |world| now(Products::get(&world.inventory, &sku))).await
    }

    async fn list(&self, after: Option<&Sku>, limit: u32) -> anyhow::Result<inventory::store::Page> {
        let after = after.cloned();
        self.read("products.list", move |world| now(Products::list(&world.inventory, after.as_ref(), limit)))
            .await
    }

    async fn put(
        &self,
        sku: &Sku,
        offer: &Offer,
        condition: Precondition,
    ) -> anyhow::Result<Option<Product>> {
        let (sku, offer) = (sku.clone(), offer.clone());
        self.read("products.put", move |world| now(world.inventory.put(&sku, &offer, condition))).await
    }

    async fn record_delivery(
        &self,
        sku: &Sku,
        delivery: &DeliveryId,
        quantity: u32,
    ) -> anyhow::Result<DeliveryOutcome> {
        let (sku, delivery) = (sku.clone(), delivery.clone());
        self.read("products.record_delivery", move |world| {
            now(world.inventory.record_delivery(&sku, &delivery, quantity))
        })
        .await
    }
}

#[async_trait]
impl Reservations for Ports {
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Reservation>> {
        self.read("reservations.get", move |world| now(Reservations::get(&world.inventory, order))).await
    }

    async fn load_stock(&self, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, ProductStock>> {
        let (skus, invocation) = (skus.to_vec(), self.caller.invocation);
        self.read("reservations.load_stock", move |world| {
            let mut stock = now(world.inventory.load_stock(&skus))?;
            world.observed.stock_read(invocation, stock.clone());
            crate::mutation::distort_stock(world, &mut stock);
            Ok(stock)
        })
        .await
    }

    async fn write(
        &self,
        read: Option<&Reservation>,
        new: &Reservation,
        changes: &[StockChange],
    ) -> anyhow::Result<bool> {
        let (read, new, mut changes) = (read.cloned(), new.clone(), changes.to_vec());
        if self.world.has_mutation(Mutation::AcceptAnyPrice) {
            changes.iter_mut().for_each(|change| change.expected_price = None);
        }
        let invocation = self.caller.invocation;
        self.write("reservations.write", new.order_id, move |world| {
            if world.sim.should_inject(|rates| rates.conflict) {
                return Ok(false);
            }
            let is_tombstone = read.is_none() && new.state.name() == "released";
            let done = if is_tombstone && world.has_mutation(Mutation::NoTombstone) {
                true
            } else {
                now(Reservations::write(&world.inventory, read.as_ref(), &new, &changes))?
            };
            if done {
                check_reservation(world, invocation, &new);
            }
            if done && new.state.name() == "released" {
                lock(&world.released).insert(new.order_id);
            }
            Ok(done)
        })
        .await
    }
}

#[async_trait]
impl Payments for Ports {
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Payment>> {
        self.read("payments.get", move |world| {
            let mut payment = now(Payments::get(&world.payments, order))?;
            if world.has_mutation(Mutation::ChargeWithoutLookup) {
                crate::mutation::forget_intent(&mut payment);
            }
            Ok(payment)
        })
        .await
    }

    async fn write(&self, payment: &Payment) -> anyhow::Result<bool> {
        let payment = payment.clone();
        self.write("payments.write", payment.order_id, move |world| {
            if world.sim.should_inject(|rates| rates.conflict) {
                return Ok(false);
            }
            now(Payments::write(&world.payments, &payment))
        })
        .await
    }
}

#[async_trait]
impl Provider for Ports {
    async fn create(&self, mut intent: NewIntent) -> Result<PaymentIntentId, ProviderError> {
        let order = Some(intent.order_id);
        if self.world.has_mutation(Mutation::AmountFromEvent)
            && let Some(stated) = self.world.observed.last_stated_total(intent.order_id)
        {
            intent.amount = stated;
        }
        self.provider("provider.create", order, move |world| now(world.provider.create(intent.clone()))).await
    }

    async fn retrieve(&self, intent: &PaymentIntentId) -> Result<IntentStatus, ProviderError> {
        let intent = intent.clone();
        self.provider("provider.retrieve", None, move |world| now(world.provider.retrieve(&intent))).await
    }

    async fn confirm(&self, intent: &PaymentIntentId, key: &str) -> Result<IntentStatus, ProviderError> {
        let (intent, key) = (intent.clone(), key.to_owned());
        let order = self.world.order_of(&intent);
        let is_first = key.ends_with("/confirm/1");
        if !is_first && self.world.has_mutation(Mutation::RetriedChargesFail) {
            return Err(anyhow::anyhow!("the second attempt to charge fails").into());
        }
        self.provider("provider.confirm", order, move |world| now(world.provider.confirm(&intent, &key)))
            .await
    }

    async fn cancel(&self, intent: &PaymentIntentId) -> Result<IntentStatus, ProviderError> {
        let intent = intent.clone();
        let order = self.world.order_of(&intent);
        let answer =
            self.provider("provider.cancel", order, move |world| now(world.provider.cancel(&intent))).await;
        let is_cancelled = self.world.has_mutation(Mutation::UnknownCountsAsCancelled);
        if is_cancelled { answer.or(Ok(IntentStatus::Cancelled)) } else { answer }
    }
}
