//! The implementation of `stateright`'s `Model` for the protocol.

use domain::VoidReason;
use stateright::{Model, Property as Checked};

use crate::action::Action;
use crate::drive::Protocol;
use crate::property::Property;
use crate::state::{OrderOutcome, State};

macro_rules! always {
    ($($property:ident),+) => {
        vec![$(Checked::always(Property::$property.name(), |protocol: &Protocol, state: &State| {
            Property::$property.holds(protocol, state)
        })),+]
    };
}

fn some_order_has_outcome(state: &State, predicate: fn(OrderOutcome) -> bool) -> bool {
    state.sagas.iter().filter_map(|saga| saga.order?.outcome).any(predicate)
}

/// One "sometimes" property per outcome of an order.
fn reachable_outcomes() -> [Checked<Protocol>; 5] {
    [
        Checked::sometimes("paid", |_, state| {
            some_order_has_outcome(state, |outcome| outcome == OrderOutcome::Paid)
        }),
        Checked::sometimes("rejected", |_, state| {
            some_order_has_outcome(state, |outcome| outcome == OrderOutcome::Rejected)
        }),
        Checked::sometimes("payment-failed", |_, state| {
            some_order_has_outcome(state, |outcome| outcome == OrderOutcome::PaymentFailed)
        }),
        Checked::sometimes("cancelled", |_, state| {
            some_order_has_outcome(state, |outcome| {
                outcome == OrderOutcome::Voided(VoidReason::CustomerRequest)
            })
        }),
        Checked::sometimes("expired", |_, state| {
            some_order_has_outcome(state, |outcome| outcome == OrderOutcome::Voided(VoidReason::Expired))
        }),
    ]
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.initial_state()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.for_each_action(state, &mut |action| {
            actions.push(action);
            true
        });
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.apply(state, action)
    }

    fn properties(&self) -> Vec<Checked<Self>> {
        let mut properties = always![
            OneCapture,
            CapturedIsHeld,
            StockIsConserved,
            StockIsReserved,
            MailTellsTheTruth,
            OneEmail,
            RecordsAgree,
            FinalStays,
            FirstReasonStays,
            EventIsNotLost,
            OrdersTerminate,
            NothingHangs
        ];
        // A scope in which no order ever ends would satisfy every property.
        properties.extend(reachable_outcomes());
        properties
    }
}
