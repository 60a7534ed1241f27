//! Wrong stores of payment records.

use std::sync::Arc;

use async_trait::async_trait;
use contracts::differential;
use contracts::payments::{World, broken};
use domain::OrderId;
use domain::payment::Payment;
use payments::store::Payments;

use super::{breaks, told_apart};
use crate::memory::{InMemoryPayments, payments_world};

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Says yes to every write, and keeps the first of each version.
    SaysYes,
    /// Takes what it has for new when it is told of it again.
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
async fn each_fault_breaks_what_it_should() {
    let expected = [
        "the_first_write_needs_that_there_is_none",
        "each_write_stands_on_the_one_before",
        "the_same_record_is_not_written_twice",
        "of_many_writers_of_one_version_one_wins",
    ];
    breaks(broken(async || Ok(world(Fault::SaysYes))).await, &expected);
    let again = ["the_same_record_is_not_written_twice"];
    breaks(broken(async || Ok(world(Fault::TakesAgain))).await, &again);
}

#[test]
fn random_calls_tell_a_wrong_store_from_a_right_one() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let judge = |make: fn() -> World| {
        differential::agree(60, differential::payments::calls(), |calls| {
            runtime.block_on(differential::payments::compare(calls, [payments_world(), make()]))
        })
    };
    told_apart(judge(|| world(Fault::SaysYes)), "Write");
    told_apart(judge(|| world(Fault::TakesAgain)), "Write");
    judge(payments_world).unwrap();
}
