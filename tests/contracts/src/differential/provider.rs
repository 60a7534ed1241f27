//! Differential test of two payment providers.

use std::collections::BTreeSet;

use domain::PaymentIntentId;
use domain::payment::IntentStatus;
use payments::provider::{NewIntent, ProviderError};
use proptest::prelude::*;

use super::ensure_equal;
use crate::provider::World;
use crate::sample::euros;

/// A call to a payment provider. PaymentIntents are identified by the order of their creation, because their
/// ids differ.
#[derive(Debug, Clone)]
pub enum Call {
    /// Creates a PaymentIntent (key, payment method, amount in cents).
    Create(u8, &'static str, u32),
    /// Confirms a PaymentIntent (index, key).
    Confirm(usize, u8),
    /// Cancels a PaymentIntent.
    Cancel(usize),
    /// Retrieves a PaymentIntent.
    Retrieve(usize),
    /// Lets all idempotency keys expire.
    Forget,
}

/// Generates any call.
pub fn calls() -> impl Strategy<Value = Call> {
    let cards = prop_oneof![
        6 => Just("pm_card_visa"),
        2 => Just("pm_card_visa_chargeDeclined"),
        1 => Just("pm_card_authenticationRequired"),
        1 => Just("pm_unknown"),
    ];
    let create = (
        0..4_u8,
        cards,
        prop_oneof![6 => Just(1250_u32), 2 => Just(1300), 1 => prop::sample::select(vec![0, 1, 49, 50])],
    );
    prop_oneof![
        4 => create.prop_map(|(key, card, cents)| Call::Create(key, card, cents)),
        6 => (0..3_usize, 0..6_u8).prop_map(|(intent, key)| Call::Confirm(intent, key)),
        2 => (0..3_usize).prop_map(Call::Cancel),
        2 => (0..3_usize).prop_map(Call::Retrieve),
        1 => Just(Call::Forget),
    ]
}

/// The comparable part of a result, without messages for people.
#[derive(Debug, PartialEq)]
enum Answer {
    Intent(usize),
    Status(IntentStatus),
    Refused(String),
    InvalidRequest,
    Unknown,
    Nothing,
}

/// A provider, with the PaymentIntents and keys that the test has used.
struct Side {
    world: World,
    intents: Vec<PaymentIntentId>,
    keys: BTreeSet<String>,
}

impl Side {
    fn new(world: World) -> Self {
        Self { world, intents: Vec::new(), keys: BTreeSet::new() }
    }

    fn key(&mut self, number: u8) -> String {
        let key = format!("{}/{number}", self.world.order);
        self.keys.insert(key.clone());
        key
    }

    async fn create(&mut self, key: u8, card: &str, cents: u32) -> Result<Answer, ProviderError> {
        let intent = NewIntent {
            order_id: self.world.order,
            amount: euros(cents)?,
            payment_method: card.parse().map_err(anyhow::Error::from)?,
            idempotency_key: self.key(key),
        };
        let made = self.world.provider.create(intent).await?;
        let known = self.intents.iter().position(|intent| *intent == made);
        Ok(Answer::Intent(known.unwrap_or_else(|| {
            self.intents.push(made);
            self.intents.len() - 1
        })))
    }

    async fn execute(&mut self, call: &Call) -> Result<Answer, ProviderError> {
        let (Call::Confirm(intent, _) | Call::Cancel(intent) | Call::Retrieve(intent)) = call else {
            return match call {
                Call::Create(key, card, cents) => self.create(*key, card, *cents).await,
                _ => {
                    for key in std::mem::take(&mut self.keys) {
                        self.world.control.forget(&key).await?;
                    }
                    Ok(Answer::Nothing)
                }
            };
        };
        let Some(intent) = self.intents.get(*intent).cloned() else { return Ok(Answer::Nothing) };
        Ok(Answer::Status(match call {
            Call::Confirm(_, key) => {
                let key = self.key(*key);
                self.world.provider.confirm(&intent, &key).await?
            }
            Call::Cancel(_) => self.world.provider.cancel(&intent).await?,
            _ => self.world.provider.retrieve(&intent).await?,
        }))
    }

    /// Makes a call. Returns its result, and how often the customer has been charged so far.
    async fn answer(&mut self, call: &Call) -> anyhow::Result<(Answer, usize)> {
        let answer = self.execute(call).await.unwrap_or_else(|error| match error {
            ProviderError::Refused(reason) => Answer::Refused(reason.code),
            ProviderError::InvalidRequest(_) => Answer::InvalidRequest,
            ProviderError::Unknown(_) => Answer::Unknown,
        });
        Ok((answer, self.world.control.captures(self.world.order).await?))
    }
}

/// Makes the same calls to both providers.
///
/// # Errors
/// If a call returned different results, or the numbers of charges differ.
pub async fn compare(calls: Vec<Call>, providers: [World; 2]) -> anyhow::Result<()> {
    let [mut one, mut other] = providers.map(Side::new);
    for (index, call) in calls.iter().enumerate() {
        ensure_equal(index, call, [one.answer(call).await?, other.answer(call).await?])?;
    }
    Ok(())
}
