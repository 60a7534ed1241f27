//! The record and the provider.

use std::collections::BTreeMap;

use domain::PaymentIntentId;
use domain::payment::{DeclineReason, IntentStatus, Payment, PaymentState};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::sample::time;

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// The attempt dies before the call had its effect.
    CrashBefore,
    /// The attempt dies after it.
    CrashAfter,
    /// The call fails, and had no effect.
    ErrorBefore,
    /// The call fails, and had its effect.
    ErrorAfter,
}

/// How a confirmation comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Card {
    Succeeds,
    Declines,
    /// The provider takes its time.
    Processes,
    /// The provider does not know the payment method, and makes no PaymentIntent for it.
    Unknown,
}

#[derive(Debug)]
struct Intent {
    status: IntentStatus,
    captures: u32,
}

/// All that outlives an attempt.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) record: Option<Payment>,
    /// The record when it became final.
    ended_as: Option<Payment>,
    intents: Vec<Intent>,
    created: BTreeMap<String, PaymentIntentId>,
    confirmed: BTreeMap<String, IntentStatus>,
    cards: Vec<Card>,
    started: usize,
}

fn declined() -> DeclineReason {
    DeclineReason { code: "card_declined".into(), decline_code: None }
}

impl World {
    pub(super) fn new(cards: Vec<Card>) -> Self {
        Self {
            now: time(0),
            record: None,
            ended_as: None,
            intents: Vec::new(),
            created: BTreeMap::new(),
            confirmed: BTreeMap::new(),
            cards,
            started: 0,
        }
    }

    /// A number for each attempt.
    pub(super) fn attempts(&mut self) -> usize {
        self.started += 1;
        1000 + self.started
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

    pub(super) fn nothing_can_be_charged(&self) -> bool {
        self.intents.iter().all(|intent| intent.status == IntentStatus::Cancelled)
    }

    /// What must be true at any time.
    pub(super) fn check(&mut self) -> Result<(), TestCaseError> {
        let captures: u32 = self.intents.iter().map(|intent| intent.captures).sum();
        prop_assert!(captures <= 1, "charged {} times: {:?}", captures, self.intents);
        let Some(record) = &self.record else { return Ok(()) };
        match &record.state {
            PaymentState::Charging { .. } => {}
            PaymentState::Succeeded { intent, .. } => {
                let index = index(intent);
                prop_assert_eq!(self.intents[index].captures, 1, "succeeded without a charge");
            }
            PaymentState::Declined { .. } | PaymentState::Voided { .. } => {
                prop_assert_eq!(captures, 0, "charged, and the record says never: {:?}", record);
            }
        }
        if let Some(ended_as) = &self.ended_as {
            prop_assert_eq!(ended_as, record, "what is final changed");
        } else if record.outcome_event().is_some() {
            self.ended_as = Some(record.clone());
        }
        Ok(())
    }

    /// Writes the record on condition that it is still the one before.
    pub(super) fn write(&mut self, payment: &Payment, conditional: bool) -> bool {
        let version = self.record.as_ref().map_or(0, |record| record.version);
        if conditional && payment.version != version + 1 {
            return false;
        }
        self.record = Some(payment.clone());
        true
    }

    /// Makes a PaymentIntent; the same key gives the same one.
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

    /// Charges, unless that was decided before. A key that was seen is answered as it was then.
    pub(super) fn confirm(&mut self, id: &PaymentIntentId, key: &str) -> IntentStatus {
        if let Some(answer) = self.confirmed.get(key) {
            return answer.clone();
        }
        let card = if self.cards.len() > 1 { self.cards.remove(0) } else { self.cards[0] };
        let intent = &mut self.intents[index(id)];
        // What was declined can be tried again, and may succeed then.
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
        let answer = intent.status.clone();
        self.confirmed.insert(key.to_owned(), answer.clone());
        answer
    }

    /// Makes sure that it is never charged, unless it was or is about to be.
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

    pub(super) fn forget_keys(&mut self) {
        self.created.clear();
        self.confirmed.clear();
    }
}

fn index(id: &PaymentIntentId) -> usize {
    id.as_str().trim_start_matches("pi_").parse().unwrap()
}
