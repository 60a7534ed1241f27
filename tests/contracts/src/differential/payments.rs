//! Two stores of payment records.

use domain::payment::Payment;
use proptest::prelude::*;

use super::alike;
use crate::payments::{World, charging, states};
use crate::sample::order_id;

/// A call to a store of payment records.
#[derive(Debug, Clone)]
pub enum Call {
    /// Reads the record of an order.
    Get(u32),
    /// Writes a record.
    Write {
        /// Of which order.
        order: u32,
        /// In which version.
        version: u64,
        /// In which of the states that there are.
        state: usize,
    },
}

/// Any call.
pub fn calls() -> impl Strategy<Value = Call> {
    let write = (1..=2_u32, 1..=5_u64, 0..10_usize);
    prop_oneof![
        1 => (1..=2_u32).prop_map(Call::Get),
        3 => write.prop_map(|(order, version, state)| Call::Write { order, version, state }),
    ]
}

/// Makes the calls to both.
///
/// # Errors
/// When one got two answers.
pub async fn compare(calls: Vec<Call>, stores: [World; 2]) -> anyhow::Result<()> {
    let [one, other] = stores.map(|world| world.payments);
    let states = states()?;
    for (index, call) in calls.iter().enumerate() {
        match call {
            Call::Get(order) => {
                let id = order_id(*order);
                alike(index, call, [one.get(id).await?, other.get(id).await?])?;
            }
            Call::Write { order, version, state } => {
                let state = states[state % states.len()].clone();
                let record = Payment { state, ..charging(*order, *version, 1)? };
                alike(index, call, [one.write(&record).await?, other.write(&record).await?])?;
            }
        }
    }
    Ok(())
}
