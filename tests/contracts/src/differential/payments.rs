//! Differential test of two stores of payment records.

use domain::payment::Payment;
use proptest::prelude::*;

use super::ensure_equal;
use crate::payments::{World, charging, states};
use crate::sample::order_id;

/// A call to a store of payment records.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields say it")]
pub enum Call {
    /// Reads the record of an order.
    Get(u32),
    /// Writes a record.
    Write {
        order: u32,
        version: u64,
        /// The index of the state in the list of sample states.
        state: usize,
    },
}

/// Generates any call.
pub fn calls() -> impl Strategy<Value = Call> {
    let write = (1..=2_u32, 1..=5_u64, 0..10_usize);
    prop_oneof![
        1 => (1..=2_u32).prop_map(Call::Get),
        3 => write.prop_map(|(order, version, state)| Call::Write { order, version, state }),
    ]
}

/// Makes the same calls to both stores.
///
/// # Errors
/// If a call returned different results.
pub async fn compare(calls: Vec<Call>, stores: [World; 2]) -> anyhow::Result<()> {
    let [one, other] = stores.map(|world| world.payments);
    let states = states()?;
    for (index, call) in calls.iter().enumerate() {
        match call {
            Call::Get(order) => {
                let id = order_id(*order);
                ensure_equal(index, call, [one.get(id).await?, other.get(id).await?])?;
            }
            Call::Write { order, version, state } => {
                let state = states[state % states.len()].clone();
                let record = Payment { state, ..charging(*order, *version, 1)? };
                ensure_equal(index, call, [one.write(&record).await?, other.write(&record).await?])?;
            }
        }
    }
    Ok(())
}
