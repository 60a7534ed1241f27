//! The contracts of the ports, checked on the real adapters. The in-memory adapters of the simulation satisfy
//! the same contracts. Each contract has its own tables, queues and bus, so that it is isolated from the
//! other tests.

mod resources;
mod stores;

use std::sync::Arc;

use ::orders::adapters::memory::InMemoryOrders;
use ::payments::adapters::memory::{InMemoryPayments, InMemoryProvider};
use async_trait::async_trait;
use contracts::{
    Violations, bus, differential, invoices, objects, orders, payments, products, provider, queue,
    reservations, search_index,
};
use domain::payment::IntentStatus;
use domain::{DeclineReason, OrderId, PaymentIntentId};
use end_to_end::Requirement;
use inventory::adapters::memory::InMemoryInventory;
use tokio::runtime::Runtime;

use crate::shared_with;
use resources::TestResources;
use stores::Tables;

/// The number of random call sequences that are executed on both adapters.
const SEQUENCES: u32 = 60;

/// Panics with the contracts that are broken.
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
    let resources = TestResources::new(&stack);
    assert_all_hold(provider::violations(async || resources.provider().await).await);
    resources.remove().await.unwrap();
}

#[tokio::test]
async fn the_eventbridge_bus() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ThrowawayStack]).await else { return };
    let resources = TestResources::new(&stack);
    assert_all_hold(bus::violations(async || resources.bus().await).await);
    resources.remove().await.unwrap();
}

#[tokio::test]
async fn the_sqs_queues() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ThrowawayStack]).await else { return };
    let resources = TestResources::new(&stack);
    assert_all_hold(queue::violations(async || resources.queue().await).await);
    resources.remove().await.unwrap();
}

#[tokio::test]
async fn the_s3_buckets() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ThrowawayStack]).await else { return };
    let resources = TestResources::new(&stack);
    assert_all_hold(objects::violations(async || resources.bucket().await).await);
    resources.remove().await.unwrap();
}

// The runner of random calls is not async, so these tests create a runtime.

#[test]
fn the_in_memory_and_dynamodb_orders_return_the_same_results() {
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
fn the_in_memory_and_dynamodb_inventories_return_the_same_results() {
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
fn the_in_memory_and_dynamodb_payments_return_the_same_results() {
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
fn the_in_memory_and_http_providers_return_the_same_results() {
    let runtime = Runtime::new().unwrap();
    let Some((stack, _guard)) = runtime.block_on(shared_with(&[Requirement::ThrowawayStack])) else { return };
    let resources = TestResources::new(&stack);
    let result = differential::check_equivalence(SEQUENCES, differential::provider::calls(), |calls| {
        runtime.block_on(async {
            let provider = Arc::new(InMemoryProvider::default());
            let control = Arc::new(InMemoryControl(provider.clone()));
            let real = resources.provider().await?;
            let memory = provider::World { provider, control, order: real.order };
            differential::provider::compare(calls, [memory, real]).await
        })
    });
    runtime.block_on(resources.remove()).unwrap();
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

    async fn finish_processing(&self, _: &PaymentIntentId, is_charged: bool) -> anyhow::Result<()> {
        let failed =
            IntentStatus::Declined(DeclineReason::from_code("payment_intent_payment_attempt_failed"));
        self.0.finish_processing(if is_charged { &IntentStatus::Succeeded } else { &failed });
        Ok(())
    }
}
