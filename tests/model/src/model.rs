//! The protocol as `stateright` explores it.

use domain::payment::VoidReason;
use stateright::{Model, Property as Checked};

use crate::action::Action;
use crate::drive::Protocol;
use crate::property::Property;
use crate::state::{End, State};

macro_rules! always {
    ($($property:ident),+) => {
        vec![$(Checked::always(Property::$property.name(), |protocol: &Protocol, state: &State| {
            Property::$property.holds(protocol, state)
        })),+]
    };
}

fn some_order_ended(state: &State, how: fn(End) -> bool) -> bool {
    state.cases.iter().filter_map(|case| case.order?.outcome).any(how)
}

/// How orders can end.
fn reached() -> [Checked<Protocol>; 5] {
    [
        Checked::sometimes("paid", |_, state| some_order_ended(state, |end| end == End::Paid)),
        Checked::sometimes("rejected", |_, state| some_order_ended(state, |end| end == End::Rejected)),
        Checked::sometimes("payment-failed", |_, state| {
            some_order_ended(state, |end| end == End::PaymentFailed)
        }),
        Checked::sometimes("cancelled", |_, state| {
            some_order_ended(state, |end| end == End::Voided(VoidReason::CustomerRequest))
        }),
        Checked::sometimes("expired", |_, state| {
            some_order_ended(state, |end| end == End::Voided(VoidReason::Expired))
        }),
    ]
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.each_action(state, &mut |action| {
            actions.push(action);
            true
        });
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.after(state, action)
    }

    fn properties(&self) -> Vec<Checked<Self>> {
        let mut properties = always![
            OneCapture,
            CapturedIsHeld,
            StockIsConserved,
            StockIsReserved,
            MailTellsTheTruth,
            OneMail,
            RecordsAgree,
            FinalStays,
            EventIsNotLost,
            OrdersEnd,
            NothingHangs
        ];
        // A scope in which nothing happens proves nothing.
        properties.extend(reached());
        properties
    }
}
