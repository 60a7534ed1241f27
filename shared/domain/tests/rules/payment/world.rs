//! The stored record and the provider.

use std::collections::BTreeMap;

use domain::payment::{IntentStatus, Payment, PaymentState};
use domain::{DeclineReason, OrderDetails, PaymentIntentId};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::sample::{details, details_at, time};

/// A fault injected into a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// The attempt crashes before the effect of the call.
    CrashBefore,
    /// The attempt crashes after the effect of the call.
    CrashAfter,
    /// The call fails without an effect.
    ErrorBefore,
    /// The call fails after its effect.
    ErrorAfter,
}

/// The result of a confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Card {
    Succeeds,
    Declines,
    /// The provider processes it asynchronously.
    Processes,
    /// The provider does not know the payment method and refuses to create a PaymentIntent.
    Unknown,
}

#[derive(Debug)]
struct Intent {
    status: IntentStatus,
    captures: u32,
}

/// The state that outlives an attempt.
#[derive(Debug)]
pub(super) struct World {
    /// The order to be paid.
    pub(super) order: OrderDetails,
    pub(super) now: Timestamp,
    pub(super) record: Option<Payment>,
    /// The record when it became final.
    final_record: Option<Payment>,
    intents: Vec<Intent>,
    created: BTreeMap<String, PaymentIntentId>,
    confirmed: BTreeMap<String, IntentStatus>,
    cards: Vec<Card>,
    attempts: usize,
}

fn declined() -> DeclineReason {
    DeclineReason { code: "card_declined".into(), decline_code: None }
}

impl World {
    pub(super) fn new(cards: Vec<Card>) -> Self {
        Self {
            order: details(),
            now: time(0),
            record: None,
            final_record: None,
            intents: Vec::new(),
            created: BTreeMap::new(),
            confirmed: BTreeMap::new(),
            cards,
            attempts: 0,
        }
    }

    /// A world in which the order costs nothing.
    pub(super) fn free() -> Self {
        Self { order: details_at(0, 0), ..Self::new(vec![Card::Succeeds]) }
    }

    /// Returns the number of the next attempt.
    pub(super) fn next_attempt(&mut self) -> usize {
        self.attempts += 1;
        1000 + self.attempts
    }

    pub(super) fn state(&self) -> &PaymentState {
        &self.record.as_ref().unwrap().state
    }

    pub(super) fn is_final(&self) -> bool {
        self.record.as_ref().is_some_and(|payment| payment.outcome_event().is_some())
    }

    pub(super) fn intents(&self) -> usize {
        self.intents.len()
    }

    pub(super) fn all_intents_are_cancelled(&self) -> bool {
        self.intents.iter().all(|intent| intent.status == IntentStatus::Cancelled)
    }

    /// Checks the invariants.
    pub(super) fn check(&mut self) -> Result<(), TestCaseError> {
        let captures: u32 = self.intents.iter().map(|intent| intent.captures).sum();
        prop_assert!(captures <= 1, "charged {} times: {:?}", captures, self.intents);
        prop_assert!(
            !self.order.total.is_zero() || self.intents.is_empty(),
            "an order of 0 has a PaymentIntent"
        );
        let Some(record) = &self.record else { return Ok(()) };
        match &record.state {
            PaymentState::Charging { .. } => {}
            PaymentState::Succeeded { intent: None, .. } => {
                prop_assert!(self.order.total.is_zero(), "succeeded without a PaymentIntent");
            }
            PaymentState::Succeeded { intent: Some(intent), .. } => {
                let index = index(intent);
                prop_assert_eq!(self.intents[index].captures, 1, "succeeded without a charge");
            }
            PaymentState::Declined { .. } | PaymentState::Voided { .. } => {
                prop_assert_eq!(captures, 0, "charged, but the record says otherwise: {:?}", record);
            }
        }
        if let Some(final_record) = &self.final_record {
            prop_assert_eq!(final_record, record, "a final record changed");
        } else if record.outcome_event().is_some() {
            self.final_record = Some(record.clone());
        }
        Ok(())
    }

    /// Writes the record, on condition that its version is the next one.
    pub(super) fn write(&mut self, payment: &Payment, conditional: bool) -> bool {
        let version = self.record.as_ref().map_or(0, |record| record.version);
        if conditional && payment.version != version + 1 {
            return false;
        }
        self.record = Some(payment.clone());
        true
    }

    /// Creates a PaymentIntent. The same key returns the same one.
    pub(super) fn create(&mut self, key: &str) -> Result<PaymentIntentId, DeclineReason> {
        if self.cards[0] == Card::Unknown {
            return Err(DeclineReason { code: "resource_missing".into(), decline_code: None });
        }
        if let Some(id) = self.created.get(key) {
            return Ok(id.clone());
        }
        let id: PaymentIntentId = format!("pi_{}", self.intents.len()).parse().unwrap();
        self.intents.push(Intent { status: IntentStatus::Unconfirmed, captures: 0 });
        self.created.insert(key.to_owned(), id.clone());
        Ok(id)
    }

    pub(super) fn retrieve(&self, id: &PaymentIntentId) -> IntentStatus {
        self.intents[index(id)].status.clone()
    }

    /// Charges the PaymentIntent unless its status is final. A repeated key returns the same response.
    pub(super) fn confirm(&mut self, id: &PaymentIntentId, key: &str) -> IntentStatus {
        if let Some(response) = self.confirmed.get(key) {
            return response.clone();
        }
        let card = if self.cards.len() > 1 { self.cards.remove(0) } else { self.cards[0] };
        let intent = &mut self.intents[index(id)];
        // A declined PaymentIntent can be confirmed again and may succeed then.
        if matches!(intent.status, IntentStatus::Unconfirmed | IntentStatus::Declined(_)) {
            match card {
                Card::Succeeds => {
                    intent.captures += 1;
                    intent.status = IntentStatus::Succeeded;
                }
                Card::Declines | Card::Unknown => intent.status = IntentStatus::Declined(declined()),
                Card::Processes => intent.status = IntentStatus::Processing,
            }
        }
        let response = intent.status.clone();
        self.confirmed.insert(key.to_owned(), response.clone());
        response
    }

    /// Cancels the PaymentIntent unless it was charged or is being processed.
    pub(super) fn cancel(&mut self, id: &PaymentIntentId) -> IntentStatus {
        let intent = &mut self.intents[index(id)];
        if matches!(intent.status, IntentStatus::Unconfirmed | IntentStatus::Declined(_)) {
            intent.status = IntentStatus::Cancelled;
        }
        intent.status.clone()
    }

    pub(super) fn process(&mut self, succeeds: bool) {
        for intent in self.intents.iter_mut().filter(|intent| intent.status == IntentStatus::Processing) {
            if succeeds {
                intent.captures += 1;
                intent.status = IntentStatus::Succeeded;
            } else {
                intent.status = IntentStatus::Declined(declined());
            }
        }
    }

    pub(super) fn cancel_by_hand(&mut self) {
        for number in 0..self.intents.len() {
            self.cancel(&format!("pi_{number}").parse().unwrap());
        }
    }

    pub(super) fn expire_keys(&mut self) {
        self.created.clear();
        self.confirmed.clear();
    }
}

fn index(id: &PaymentIntentId) -> usize {
    id.as_str().trim_start_matches("pi_").parse().unwrap()
}
