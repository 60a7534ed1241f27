//! Two payment providers.

use std::collections::BTreeSet;

use domain::PaymentIntentId;
use domain::payment::IntentStatus;
use payments::provider::{NewIntent, ProviderError};
use proptest::prelude::*;

use super::alike;
use crate::provider::World;
use crate::sample::euros;

/// A call to a payment provider. PaymentIntents are named by when they were made: their ids differ.
#[derive(Debug, Clone)]
pub enum Call {
    /// Makes a PaymentIntent: under which key, by which card, over how much.
    Create(u8, &'static str, u32),
    /// Confirms one, under which key.
    Confirm(usize, u8),
    /// Cancels one.
    Cancel(usize),
    /// Looks at one.
    Retrieve(usize),
    /// Time passes, and the provider forgets all keys.
    Forget,
}

/// Any call.
pub fn calls() -> impl Strategy<Value = Call> {
    let cards = prop_oneof![
        6 => Just("pm_card_visa"),
        2 => Just("pm_card_visa_chargeDeclined"),
        1 => Just("pm_card_authenticationRequired"),
        1 => Just("pm_unknown"),
    ];
    let create = (0..4_u8, cards, prop_oneof![3 => Just(1250_u32), 1 => Just(1300)]);
    prop_oneof![
        4 => create.prop_map(|(key, card, cents)| Call::Create(key, card, cents)),
        6 => (0..3_usize, 0..6_u8).prop_map(|(intent, key)| Call::Confirm(intent, key)),
        2 => (0..3_usize).prop_map(Call::Cancel),
        2 => (0..3_usize).prop_map(Call::Retrieve),
        1 => Just(Call::Forget),
    ]
}

/// What can be compared of an answer: a person reads the rest.
#[derive(Debug, PartialEq)]
enum Answer {
    Intent(usize),
    Status(IntentStatus),
    Refused(String),
    Misunderstood,
    Unknown,
    Nothing,
}

/// A provider, and what was made there.
struct Side {
    world: World,
    intents: Vec<PaymentIntentId>,
    keys: BTreeSet<String>,
}

impl Side {
    fn of(world: World) -> Self {
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

    async fn ask(&mut self, call: &Call) -> Result<Answer, ProviderError> {
        let (Call::Confirm(intent, _) | Call::Cancel(intent) | Call::Retrieve(intent)) = call else {
            return match call {
                Call::Create(key, card, cents) => self.create(*key, card, *cents).await,
                _ => {
                    for key in std::mem::take(&mut self.keys) {
                        self.world.books.forget(&key).await?;
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

    /// The answer, and how often the customer was charged by then.
    async fn answer(&mut self, call: &Call) -> anyhow::Result<(Answer, usize)> {
        let answer = self.ask(call).await.unwrap_or_else(|error| match error {
            ProviderError::Refused(reason) => Answer::Refused(reason.code),
            ProviderError::InvalidRequest(_) => Answer::Misunderstood,
            ProviderError::Unknown(_) => Answer::Unknown,
        });
        Ok((answer, self.world.books.captures(self.world.order).await?))
    }
}

/// Makes the calls to both.
///
/// # Errors
/// When one got two answers, or the customer was charged more often by the one.
pub async fn compare(calls: Vec<Call>, providers: [World; 2]) -> anyhow::Result<()> {
    let [mut one, mut other] = providers.map(Side::of);
    for (index, call) in calls.iter().enumerate() {
        alike(index, call, [one.answer(call).await?, other.answer(call).await?])?;
    }
    Ok(())
}
