//! The contracts of the ports, checked on the real adapters. The in-memory adapters of the simulation satisfy
//! the same contracts. Each contract has its own tables, queues and bus, so that it is isolated from the
//! other tests.

mod clients;
mod conditions;
mod resources;
mod stores;
mod worlds;

use std::sync::Arc;

use ::orders::adapters::memory::InMemoryOrders;
use ::payments::adapters::memory::{InMemoryPayments, InMemoryProvider};
use async_trait::async_trait;
use contracts::{Violations, differential, orders, payments, products, provider};
use domain::payment::IntentStatus;
use domain::{DeclineReason, OrderId, PaymentIntentId};
use end_to_end::Requirement;
use inventory::adapters::memory::InMemoryInventory;
use tokio::runtime::Runtime;

use crate::shared_with;
use worlds::Worlds;

/// The number of random call sequences that are executed on both adapters.
const SEQUENCES: u32 = 60;

/// Panics with the contracts that are broken.
fn assert_all_hold(violations: anyhow::Result<Violations>) {
    let violations = violations.unwrap();
    assert!(violations.is_empty(), "{violations:#?}");
}

macro_rules! tests {
    ($($suite:ident => [$($adapter:literal),+ $(,)?],)+) => {
        /// Each contract suite, checked on the real adapters.
        mod adapters {
            use end_to_end::Requirement;

            use super::{Worlds, assert_all_hold};
            use crate::shared_with;

            $(
                #[tokio::test]
                async fn $suite() {
                    let Some((stack, _guard)) = shared_with(&[Requirement::ThrowawayStack]).await else { return };
                    let worlds = Worlds::new(&stack, None);
                    assert_all_hold(contracts::$suite::violations(async || worlds.$suite().await).await);
                    worlds.remove().await.unwrap();
                }
            )+
        }
    };
}
contracts::for_each_port!(tests);

// The runner of random calls is not async, so these tests create a runtime.

#[test]
fn the_in_memory_and_dynamodb_orders_return_the_same_results() {
    let runtime = Runtime::new().unwrap();
    let Some((stack, _guard)) = runtime.block_on(shared_with(&[Requirement::ThrowawayStack])) else { return };
    let worlds = Worlds::new(&stack, None);
    let result = differential::check_equivalence(SEQUENCES, differential::orders::calls(), |calls| {
        runtime.block_on(async {
            let memory = Arc::new(InMemoryOrders::default());
            let memory = orders::World { orders: memory.clone(), outbox: memory };
            differential::orders::compare(calls, [memory, worlds.orders().await?]).await
        })
    });
    runtime.block_on(worlds.remove()).unwrap();
    result.unwrap();
}

#[test]
fn the_in_memory_and_dynamodb_inventories_return_the_same_results() {
    let runtime = Runtime::new().unwrap();
    let Some((stack, _guard)) = runtime.block_on(shared_with(&[Requirement::ThrowawayStack])) else { return };
    let worlds = Worlds::new(&stack, None);
    let result = differential::check_equivalence(SEQUENCES, differential::inventory::calls(), |calls| {
        runtime.block_on(async {
            let memory = Arc::new(InMemoryInventory::default());
            let memory = products::World { products: memory.clone(), reservations: memory };
            differential::inventory::compare(calls, [memory, worlds.products().await?]).await
        })
    });
    runtime.block_on(worlds.remove()).unwrap();
    result.unwrap();
}

#[test]
fn the_in_memory_and_dynamodb_payments_return_the_same_results() {
    let runtime = Runtime::new().unwrap();
    let Some((stack, _guard)) = runtime.block_on(shared_with(&[Requirement::ThrowawayStack])) else { return };
    let worlds = Worlds::new(&stack, None);
    let result = differential::check_equivalence(SEQUENCES, differential::payments::calls(), |calls| {
        runtime.block_on(async {
            let memory = payments::World { payments: Arc::new(InMemoryPayments::default()) };
            differential::payments::compare(calls, [memory, worlds.payments().await?]).await
        })
    });
    runtime.block_on(worlds.remove()).unwrap();
    result.unwrap();
}

#[test]
fn the_in_memory_and_http_providers_return_the_same_results() {
    let runtime = Runtime::new().unwrap();
    let Some((stack, _guard)) = runtime.block_on(shared_with(&[Requirement::ThrowawayStack])) else { return };
    let worlds = Worlds::new(&stack, None);
    let result = differential::check_equivalence(SEQUENCES, differential::provider::calls(), |calls| {
        runtime.block_on(async {
            let provider = Arc::new(InMemoryProvider::default());
            let control = Arc::new(InMemoryControl(provider.clone()));
            let real = worlds.provider().await?;
            let memory = provider::World { provider, control, order: real.order };
            differential::provider::compare(calls, [memory, real]).await
        })
    });
    runtime.block_on(worlds.remove()).unwrap();
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
