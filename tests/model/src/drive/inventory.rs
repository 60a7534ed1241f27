//! `reserve-inventory` and `settle-reservation`, and the API routes that they call: the shipped [`Command`], and the
//! shipped events that follow from its result, over the compact records.

use domain::reservation::{Decision, Reservation, StockChange};
use inventory::command::Command;
use inventory::{reserve, settle};

use super::{Next, Protocol};
use crate::fixture::Fixture;
use crate::mutation::Mutation;
use crate::state::{EventKind, ReservationStatus, State, Work};

impl Protocol {
    pub(super) fn read_for_reservation(&self, state: &mut State, at: usize) -> Next {
        let read = state.sagas[at].reservation;
        let available = state.stock.map(|stock| stock.available);
        match self.decide_reservation(at, EventKind::Created, read, available) {
            Decision::Unchanged(reservation) => self.publish_reservation(at, reservation),
            Decision::Write { .. } => Next::Continue(Work::Reserve { read, available }),
            Decision::Refuse(_) => Next::refused(),
        }
    }

    /// The decision on the command that an event causes.
    fn decide_reservation(
        &self,
        at: usize,
        event: EventKind,
        read: Option<ReservationStatus>,
        available: [i8; 2],
    ) -> Decision {
        let read = read.map(|held| self.fixture.reservation(at, held));
        let Some(command) = Command::of(&self.fixture.event(at, event).fact) else {
            // The mutation `release-on-cancellation-request`.
            return Command::Release.decide(
                self.fixture.id(at),
                read.as_ref(),
                &Default::default(),
                self.fixture.while_leased(),
            );
        };
        let mut stock = self.fixture.product_stock(available);
        let products = command.products(read.as_ref());
        stock.retain(|sku, _| products.contains(sku));
        command.decide(self.fixture.id(at), read.as_ref(), &stock, self.fixture.while_leased())
    }

    pub(super) fn reserve(
        &self,
        state: &mut State,
        at: usize,
        read: Option<ReservationStatus>,
        available: [i8; 2],
    ) -> Next {
        match self.decide_reservation(at, EventKind::Created, read, available) {
            Decision::Write { reservation, changes }
                if self.write_reservation(state, at, read, &reservation, &changes) =>
            {
                self.publish_reservation(at, reservation)
            }
            _ => Next::Continue(Work::ReadAgain),
        }
    }

    pub(super) fn read_for_settlement(&self, state: &mut State, at: usize, event: EventKind) -> Next {
        let read = state.sagas[at].reservation;
        match self.decide_reservation(at, event, read, [0; 2]) {
            Decision::Unchanged(reservation) => self.publish_settlement(at, event, &reservation),
            Decision::Write { reservation, .. }
                if read.is_none() && self.has_mutation(Mutation::NoTombstone) =>
            {
                self.publish_settlement(at, event, &reservation)
            }
            Decision::Write { .. } => Next::Continue(Work::Settle { read }),
            Decision::Refuse(_) => Next::refused(),
        }
    }

    pub(super) fn settle_stock(
        &self,
        state: &mut State,
        at: usize,
        event: EventKind,
        read: Option<ReservationStatus>,
    ) -> Next {
        match self.decide_reservation(at, event, read, [0; 2]) {
            Decision::Write { reservation, changes }
                if self.write_reservation(state, at, read, &reservation, &changes) =>
            {
                self.publish_settlement(at, event, &reservation)
            }
            _ => Next::Continue(Work::ReadAgain),
        }
    }

    /// The event that `reserve-inventory` publishes after the response of the inventory API.
    fn publish_reservation(&self, at: usize, reservation: Reservation) -> Next {
        let event = self.fixture.event(at, EventKind::Created);
        let order = self.fixture.details(at);
        match reserve::outcome(event, order, reservation) {
            Some(outcome) => Next::Continue(Work::Publish(Fixture::event_kind(&outcome.fact))),
            None => Next::Done,
        }
    }

    /// The event that `settle-reservation` publishes after the response of the inventory API.
    fn publish_settlement(&self, at: usize, event: EventKind, reservation: &Reservation) -> Next {
        let event = self.fixture.event(at, event);
        match settle::outcome(event, reservation) {
            Ok(Some(outcome)) => Next::Continue(Work::Publish(Fixture::event_kind(&outcome.fact))),
            Ok(None) => Next::Done,
            Err(failure) => Next::Failed(failure),
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
