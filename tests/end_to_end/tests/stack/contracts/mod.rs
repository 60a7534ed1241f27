//! The contracts of the ports, on the real adapters: the same that the ports in memory keep, which the simulation
//! runs on. Each contract gets tables, queues and a bus of its own, so no other test meets it.

mod resources;
mod stores;

use std::sync::Arc;

use ::orders::adapters::memory::InMemoryOrders;
use ::payments::adapters::memory::{InMemoryPayments, InMemoryProvider};
use async_trait::async_trait;
use contracts::{
    Violations, bus, differential, invoices, objects, orders, payments, products, provider, queue, reservations,
    search_index,
};
use domain::OrderId;
use end_to_end::Requirement;
use inventory::adapters::memory::InMemoryInventory;
use tokio::runtime::Runtime;

use crate::shared_with;
use resources::TestResources;
use stores::Tables;

/// So many random sequences of calls go to the adapter and to the port in memory.
const SEQUENCES: u32 = 60;

/// Fails with the contracts that do not hold.
fn assert_all_hold(violations: anyhow::Result<Violations>) {
    let violations = violations.unwrap();
    assert!(violations.is_empty(), "{violations:#?}");
}

#[tokio::test]
async fn orders_and_outbox_in_dynamodb() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ThrowawayStack]).await else { return };
    let tables = Tables::new(&stack);
    assert_all_hold(orders::violations(async || tables.orders().await).await);
    tables.remove().await.unwrap();
}

#[tokio::test]
async fn products_and_reservations_in_dynamodb() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ThrowawayStack]).await else { return };
    let tables = Tables::new(&stack);
    assert_all_hold(products::violations(async || tables.inventory().await).await);
    assert_all_hold(reservations::violations(async || tables.inventory().await).await);
    tables.remove().await.unwrap();
}

#[tokio::test]
async fn payment_records_in_dynamodb() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ThrowawayStack]).await else { return };
    let tables = Tables::new(&stack);
    assert_all_hold(payments::violations(async || tables.payments().await).await);
    tables.remove().await.unwrap();
}

#[tokio::test]
async fn the_search_index_in_dynamodb() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ThrowawayStack]).await else { return };
    let tables = Tables::new(&stack);
    assert_all_hold(search_index::violations(async || tables.search_index().await).await);
    tables.remove().await.unwrap();
}

#[tokio::test]
async fn invoices_in_dynamodb() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ThrowawayStack]).await else { return };
    let tables = Tables::new(&stack);
    assert_all_hold(invoices::violations(async || tables.invoices().await).await);
    tables.remove().await.unwrap();
}

#[tokio::test]
async fn the_payment_provider_over_http() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ThrowawayStack]).await else { return };
    let made = TestResources::new(&stack);
    assert_all_hold(provider::violations(async || made.provider().await).await);
    made.remove().await.unwrap();
}

#[tokio::test]
async fn the_bus_of_eventbridge() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ThrowawayStack]).await else { return };
    let made = TestResources::new(&stack);
    assert_all_hold(bus::violations(async || made.bus().await).await);
    made.remove().await.unwrap();
}

#[tokio::test]
async fn the_queues_of_sqs() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ThrowawayStack]).await else { return };
    let made = TestResources::new(&stack);
    assert_all_hold(queue::violations(async || made.queue().await).await);
    made.remove().await.unwrap();
}

#[tokio::test]
async fn the_buckets_of_s3() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ThrowawayStack]).await else { return };
    let made = TestResources::new(&stack);
    assert_all_hold(objects::violations(async || made.bucket().await).await);
    made.remove().await.unwrap();
}

// The runner of random calls is not async: these have a runtime of their own.

#[test]
fn any_calls_to_orders_are_answered_alike_in_memory_and_in_dynamodb() {
    let runtime = Runtime::new().unwrap();
    let Some((stack, _guard)) = runtime.block_on(shared_with(&[Requirement::ThrowawayStack])) else { return };
    let tables = Tables::new(&stack);
    let result = differential::check_equivalence(SEQUENCES, differential::orders::calls(), |calls| {
        runtime.block_on(async {
            let memory = Arc::new(InMemoryOrders::default());
            let memory = orders::World { orders: memory.clone(), outbox: memory };
            differential::orders::compare(calls, [memory, tables.orders().await?]).await
        })
    });
    runtime.block_on(tables.remove()).unwrap();
    result.unwrap();
}

#[test]
fn any_calls_to_the_inventory_are_answered_alike_in_memory_and_in_dynamodb() {
    let runtime = Runtime::new().unwrap();
    let Some((stack, _guard)) = runtime.block_on(shared_with(&[Requirement::ThrowawayStack])) else { return };
    let tables = Tables::new(&stack);
    let result = differential::check_equivalence(SEQUENCES, differential::inventory::calls(), |calls| {
        runtime.block_on(async {
            let memory = Arc::new(InMemoryInventory::default());
            let memory = products::World { products: memory.clone(), reservations: memory };
            differential::inventory::compare(calls, [memory, tables.inventory().await?]).await
        })
    });
    runtime.block_on(tables.remove()).unwrap();
    result.unwrap();
}

#[test]
fn any_calls_to_the_payments_are_answered_alike_in_memory_and_in_dynamodb() {
    let runtime = Runtime::new().unwrap();
    let Some((stack, _guard)) = runtime.block_on(shared_with(&[Requirement::ThrowawayStack])) else { return };
    let tables = Tables::new(&stack);
    let result = differential::check_equivalence(SEQUENCES, differential::payments::calls(), |calls| {
        runtime.block_on(async {
            let memory = payments::World { payments: Arc::new(InMemoryPayments::default()) };
            differential::payments::compare(calls, [memory, tables.payments().await?]).await
        })
    });
    runtime.block_on(tables.remove()).unwrap();
    result.unwrap();
}

#[test]
fn any_calls_to_the_provider_are_answered_alike_in_memory_and_over_http() {
    let runtime = Runtime::new().unwrap();
    let Some((stack, _guard)) = runtime.block_on(shared_with(&[Requirement::ThrowawayStack])) else { return };
    let made = TestResources::new(&stack);
    let result = differential::check_equivalence(SEQUENCES, differential::provider::calls(), |calls| {
        runtime.block_on(async {
            let provider = Arc::new(InMemoryProvider::default());
            let control = Arc::new(InMemoryControl(provider.clone()));
            let real = made.provider().await?;
            let memory = provider::World { provider, control, order: real.order };
            differential::provider::compare(calls, [memory, real]).await
        })
    });
    runtime.block_on(made.remove()).unwrap();
    result.unwrap();
}

/// The controls of the in-memory provider.
struct InMemoryControl(Arc<InMemoryProvider>);

#[async_trait]
impl provider::Control for InMemoryControl {
    async fn captures(&self, order: OrderId) -> anyhow::Result<usize> {
        Ok(usize::try_from(self.0.captures(order))?)
    }

    async fn forget(&self, _: &str) -> anyhow::Result<()> {
        self.0.forget_keys();
        Ok(())
    }
}
