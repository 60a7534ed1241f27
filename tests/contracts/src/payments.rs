//! `payments::store::Payments`: the payment records.

use std::sync::Arc;

use domain::payment::{Ending, Payment, PaymentState};
use domain::{DeclineReason, Lease, VoidReason};
use futures::future::join_all;
use payments::store::Payments;
use uuid::Uuid;

use crate::check::{contract_suite, same};
use crate::sample::{cause, details, order_id, time};

/// An empty store.
#[derive(Clone)]
pub struct World {
    /// The store under test.
    pub payments: Arc<dyn Payments>,
}

contract_suite!(World:
    the_first_write_requires_a_missing_record,
    each_write_requires_the_previous_version,
    a_record_is_not_written_twice,
    reads_return_what_was_written,
    concurrent_writers_of_one_version_have_one_winner,
    records_of_different_orders_are_independent,
);

/// The record of an order at `version`, leased by the attempt `owner`.
pub(crate) fn charging(order: u32, version: u64, owner: u32) -> anyhow::Result<Payment> {
    Ok(Payment {
        order_id: order_id(order),
        order: details(1, time(0)?)?,
        cause: cause()?,
        version,
        state: PaymentState::Charging {
            lease: Lease { owner: Uuid::from_u128(owner.into()), expires_at: time(7)? },
            attempt: 1,
            intent: None,
            ending: None,
        },
    })
}

/// A sample of every payment state.
pub(crate) fn states() -> anyhow::Result<Vec<PaymentState>> {
    let lease = Lease { owner: Uuid::from_u128(1), expires_at: time(7)? };
    let reason = DeclineReason { code: "card_declined".into(), decline_code: Some("lost_card".into()) };
    let unsaid = DeclineReason { code: "expired_card".into(), decline_code: None };
    let charging = |intent, ending| PaymentState::Charging { lease, attempt: 3, intent, ending };
    let at = jiff::Timestamp::from_nanosecond(1_795_428_930_123_456_789)?;
    Ok(vec![
        charging(None, None),
        charging(Some("pi_1".parse()?), None),
        charging(Some("pi_1".parse()?), Some(Ending::Void(VoidReason::CustomerRequest))),
        charging(None, Some(Ending::Decline(reason.clone()))),
        PaymentState::Succeeded { intent: Some("pi_1".parse()?), at },
        PaymentState::Succeeded { intent: None, at },
        PaymentState::Declined { reason, at },
        PaymentState::Declined { reason: unsaid, at },
        PaymentState::Voided { reason: VoidReason::CustomerRequest, at },
        PaymentState::Voided { reason: VoidReason::Expired, at },
        PaymentState::Voided { reason: VoidReason::Provider, at },
    ])
}

async fn the_first_write_requires_a_missing_record(world: &World) -> anyhow::Result<()> {
    let payments = &world.payments;
    same("no record", payments.get(order_id(1)).await?, None)?;
    same("a later version", payments.write(&charging(1, 2, 1)?).await?, false)?;
    same("still none", payments.get(order_id(1)).await?, None)?;
    same("the first", payments.write(&charging(1, 1, 1)?).await?, true)?;
    same("another attempt's first", payments.write(&charging(1, 1, 2)?).await?, false)?;
    same("read", payments.get(order_id(1)).await?, Some(charging(1, 1, 1)?))
}

async fn each_write_requires_the_previous_version(world: &World) -> anyhow::Result<()> {
    let payments = &world.payments;
    for version in 1..=4 {
        same("the next", payments.write(&charging(1, version, 1)?).await?, true)?;
    }
    for version in [1, 2, 3, 4, 6, 7] {
        let written = payments.write(&charging(1, version, 2)?).await?;
        same(&format!("version {version} after 4"), written, false)?;
        same("read", payments.get(order_id(1)).await?, Some(charging(1, 4, 1)?))?;
    }
    same("version 5", payments.write(&charging(1, 5, 2)?).await?, true)?;
    same("read", payments.get(order_id(1)).await?, Some(charging(1, 5, 2)?))
}

async fn a_record_is_not_written_twice(world: &World) -> anyhow::Result<()> {
    // A retry of the client after a lost response.
    for version in 1..=3 {
        let record = charging(1, version, 1)?;
        same("written", world.payments.write(&record).await?, true)?;
        same("written again", world.payments.write(&record).await?, false)?;
        same("read", world.payments.get(order_id(1)).await?, Some(record))?;
    }
    Ok(())
}

async fn reads_return_what_was_written(world: &World) -> anyhow::Result<()> {
    for (version, state) in (1..).zip(states()?) {
        let record = Payment { state, ..charging(1, version, 1)? };
        same("written", world.payments.write(&record).await?, true)?;
        same("read", world.payments.get(order_id(1)).await?, Some(record))?;
    }
    Ok(())
}

async fn concurrent_writers_of_one_version_have_one_winner(world: &World) -> anyhow::Result<()> {
    for version in 1..=3 {
        let records =
            (1..=20).map(|owner| charging(1, version, owner)).collect::<anyhow::Result<Vec<_>>>()?;
        let answers = join_all(records.iter().map(|record| world.payments.write(record))).await;
        let answers = answers.into_iter().collect::<anyhow::Result<Vec<bool>>>()?;
        let won: Vec<&Payment> =
            records.iter().zip(answers).filter_map(|(record, won)| won.then_some(record)).collect();
        same("writers that won", won.len(), 1)?;
        same("read", world.payments.get(order_id(1)).await?.as_ref(), won.first().copied())?;
    }
    Ok(())
}

async fn records_of_different_orders_are_independent(world: &World) -> anyhow::Result<()> {
    for order in [1, 2] {
        same("the first of its order", world.payments.write(&charging(order, 1, order)?).await?, true)?;
    }
    same("the next", world.payments.write(&charging(2, 2, 3)?).await?, true)?;
    same("read", world.payments.get(order_id(1)).await?, Some(charging(1, 1, 1)?))
}
