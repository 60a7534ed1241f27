//! Wrong stores of payment records, which violate the contracts.

use std::sync::Arc;

use async_trait::async_trait;
use contracts::differential;
use contracts::payments::{World, violations};
use domain::OrderId;
use domain::payment::Payment;
use payments::store::Payments;

use super::{SEQUENCES, assert_detected, assert_violations};
use crate::memory::{InMemoryPayments, payments_world};

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Reports every write as successful, and keeps the first of each version.
    SaysYes,
    /// Reports the repeated write of a stored record as successful.
    TakesAgain,
}

struct Wrong(Fault, InMemoryPayments);

fn world(fault: Fault) -> World {
    World { payments: Arc::new(Wrong(fault, InMemoryPayments::default())) }
}

#[async_trait]
impl Payments for Wrong {
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Payment>> {
        self.1.get(order).await
    }

    async fn write(&self, payment: &Payment) -> anyhow::Result<bool> {
        let written = self.1.write(payment).await?;
        let same = self.1.get(payment.order_id).await?.as_ref() == Some(payment);
        Ok(written || self.0 == Fault::SaysYes || same)
    }
}

#[tokio::test]
async fn each_fault_violates_the_expected_contracts() {
    let expected = [
        "the_first_write_requires_a_missing_record",
        "each_write_requires_the_previous_version",
        "a_record_is_not_written_twice",
        "concurrent_writers_of_one_version_have_one_winner",
    ];
    assert_violations(violations(async || Ok(world(Fault::SaysYes))).await, &expected);
    let again = ["a_record_is_not_written_twice"];
    assert_violations(violations(async || Ok(world(Fault::TakesAgain))).await, &again);
}

#[test]
fn random_calls_detect_a_wrong_store() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let check = |make: fn() -> World| {
        differential::check_equivalence(SEQUENCES, differential::payments::calls(), |calls| {
            runtime.block_on(differential::payments::compare(calls, [payments_world(), make()]))
        })
    };
    assert_detected(check(|| world(Fault::SaysYes)), "Write");
    assert_detected(check(|| world(Fault::TakesAgain)), "Write");
    check(payments_world).unwrap();
}
