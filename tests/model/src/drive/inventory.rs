//! `reserve-inventory` and `settle-reservation`, and the API routes that they call: `lambdas/inventory/src`.

use domain::reservation::{Decision, Reservation, StockChange, commit, release, reserve};

use super::{Next, Protocol};
use crate::fixture::Fixture;
use crate::mutation::Mutation;
use crate::state::{EventKind, ReservationStatus, State, Work};

impl Protocol {
    pub(super) fn read_for_reservation(&self, state: &mut State, at: usize) -> Next {
        let read = state.sagas[at].reservation;
        let available = state.stock.map(|stock| stock.available);
        match self.decide_reservation(at, read, available) {
            Decision::Unchanged(reservation) => publish_reservation(&reservation),
            Decision::Write { .. } => Next::Continue(Work::Reserve { read, available }),
            Decision::Refuse(_) => Next::Refused,
        }
    }

    fn decide_reservation(&self, at: usize, read: Option<ReservationStatus>, available: [i8; 2]) -> Decision {
        let read = read.map(|held| self.fixture.reservation(at, held));
        let lines = &self.fixture.details(at).lines;
        reserve(read.as_ref(), self.fixture.id(at), lines, &self.fixture.product_stock(available))
    }

    pub(super) fn reserve(
        &self,
        state: &mut State,
        at: usize,
        read: Option<ReservationStatus>,
        available: [i8; 2],
    ) -> Next {
        let Decision::Write { reservation, changes } = self.decide_reservation(at, read, available) else {
            return Next::Continue(Work::ReadAgain);
        };
        if self.write_reservation(state, at, read, &reservation, &changes) {
            publish_reservation(&reservation)
        } else {
            Next::Continue(Work::ReadAgain)
        }
    }

    pub(super) fn read_for_settlement(&self, state: &mut State, at: usize, event: EventKind) -> Next {
        let read = state.sagas[at].reservation;
        match self.decide_settlement(at, event, read) {
            Decision::Unchanged(reservation) => publish_settlement(&reservation),
            Decision::Write { reservation, .. }
                if read.is_none() && self.has_mutation(Mutation::NoTombstone) =>
            {
                publish_settlement(&reservation)
            }
            Decision::Write { .. } => Next::Continue(Work::Settle { read }),
            Decision::Refuse(_) => Next::Refused,
        }
    }

    fn decide_settlement(&self, at: usize, event: EventKind, read: Option<ReservationStatus>) -> Decision {
        let read = read.map(|held| self.fixture.reservation(at, held));
        let rule = if event == EventKind::Succeeded { commit } else { release };
        rule(read.as_ref(), self.fixture.id(at))
    }

    pub(super) fn settle_stock(
        &self,
        state: &mut State,
        at: usize,
        event: EventKind,
        read: Option<ReservationStatus>,
    ) -> Next {
        let Decision::Write { reservation, changes } = self.decide_settlement(at, event, read) else {
            return Next::Continue(Work::ReadAgain);
        };
        if self.write_reservation(state, at, read, &reservation, &changes) {
            publish_settlement(&reservation)
        } else {
            Next::Continue(Work::ReadAgain)
        }
    }

    /// Writes in one transaction: the reservation on the condition that it has not changed since it was read,
    /// each counter on the condition that it does not become negative.
    fn write_reservation(
        &self,
        state: &mut State,
        at: usize,
        read: Option<ReservationStatus>,
        new: &Reservation,
        changes: &[StockChange],
    ) -> bool {
        let before = state.sagas[at].reservation;
        if before != read && !self.has_mutation(Mutation::UnconditionalReservation) {
            return false;
        }
        let mut stock = state.stock;
        for change in changes {
            let counters = &mut stock[self.fixture.product(&change.sku)];
            for (counter, by) in [
                (&mut counters.available, change.available),
                (&mut counters.held, change.held),
                (&mut counters.sold, change.sold),
            ] {
                *counter = counter.saturating_add(i8::try_from(by).unwrap_or(i8::MAX));
                if by < 0 && *counter < 0 && !self.has_mutation(Mutation::UnconditionalStock) {
                    return false;
                }
            }
        }
        state.stock = stock;
        let held = Fixture::reservation_status(new);
        let saga = &mut state.sagas[at];
        saga.history.final_state_changed |=
            before.is_some_and(|before| before != ReservationStatus::Held && before != held);
        saga.reservation = Some(held);
        true
    }
}

/// The event that `reserve-inventory` publishes after the response of the inventory API.
fn publish_reservation(reservation: &Reservation) -> Next {
    match Fixture::reservation_status(reservation) {
        ReservationStatus::Held | ReservationStatus::Committed => {
            Next::Continue(Work::Publish(EventKind::Confirmed))
        }
        ReservationStatus::Rejected => Next::Continue(Work::Publish(EventKind::Rejected)),
        ReservationStatus::Released | ReservationStatus::Tombstone => Next::Done,
    }
}

/// The event that `settle-reservation` publishes after the response of the inventory API.
fn publish_settlement(reservation: &Reservation) -> Next {
    match Fixture::reservation_status(reservation) {
        ReservationStatus::Committed => Next::Continue(Work::Publish(EventKind::Committed)),
        ReservationStatus::Released | ReservationStatus::Tombstone => {
            Next::Continue(Work::Publish(EventKind::Released))
        }
        ReservationStatus::Rejected => Next::Done,
        ReservationStatus::Held => Next::Retry,
    }
}
