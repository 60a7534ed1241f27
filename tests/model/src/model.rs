//! The protocol as `stateright` explores it.

use stateright::{Model, Property as Checked};

use crate::action::Action;
use crate::drive::Protocol;
use crate::property::Property;
use crate::state::State;

macro_rules! always {
    ($($property:ident),+) => {
        vec![$(Checked::always(Property::$property.name(), |protocol: &Protocol, state: &State| {
            Property::$property.holds(protocol, state)
        })),+]
    };
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
        always![
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
        ]
    }
}
