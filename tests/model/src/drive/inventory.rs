//! `reserve-inventory` and `settle-reservation` with the routes that they call: `lambdas/inventory/src`.

use domain::reservation::{Decision, Reservation, StockChange, commit, release, reserve};

use super::{Next, Protocol};
use crate::fixture::Fixture;
use crate::mutation::Mutation;
use crate::state::{Held, News, State, Work};

impl Protocol {
    pub(super) fn read_to_reserve(&self, state: &mut State, at: usize) -> Next {
        let read = state.cases[at].reservation;
        let available = state.stock.map(|stock| stock.available);
        match self.to_reserve(at, read, available) {
            Decision::Unchanged(reservation) => confirm_or_reject(&reservation),
            Decision::Write { .. } => Next::Go(Work::Reserve { read, available }),
            Decision::Refuse(_) => Next::Refused,
        }
    }

    fn to_reserve(&self, at: usize, read: Option<Held>, available: [i8; 2]) -> Decision {
        let read = read.map(|held| self.fixture.reservation(at, held));
        let lines = &self.fixture.details(at).lines;
        reserve(read.as_ref(), self.fixture.id(at), lines, &self.fixture.on_sale(available))
    }

    pub(super) fn reserve(
        &self,
        state: &mut State,
        at: usize,
        read: Option<Held>,
        available: [i8; 2],
    ) -> Next {
        let Decision::Write { reservation, changes } = self.to_reserve(at, read, available) else {
            return Next::Go(Work::ReadAgain);
        };
        if self.write_reservation(state, at, read, &reservation, &changes) {
            confirm_or_reject(&reservation)
        } else {
            Next::Go(Work::ReadAgain)
        }
    }

    pub(super) fn read_to_settle(&self, state: &mut State, at: usize, news: News) -> Next {
        let read = state.cases[at].reservation;
        match self.to_settle(at, news, read) {
            Decision::Unchanged(reservation) => tell_settled(&reservation),
            Decision::Write { reservation, .. } if read.is_none() && self.is(Mutation::NoTombstone) => {
                tell_settled(&reservation)
            }
            Decision::Write { .. } => Next::Go(Work::Settle { read }),
            Decision::Refuse(_) => Next::Refused,
        }
    }

    fn to_settle(&self, at: usize, news: News, read: Option<Held>) -> Decision {
        let read = read.map(|held| self.fixture.reservation(at, held));
        let rule = if news == News::Succeeded { commit } else { release };
        rule(read.as_ref(), self.fixture.id(at))
    }

    pub(super) fn settle_stock(&self, state: &mut State, at: usize, news: News, read: Option<Held>) -> Next {
        let Decision::Write { reservation, changes } = self.to_settle(at, news, read) else {
            return Next::Go(Work::ReadAgain);
        };
        if self.write_reservation(state, at, read, &reservation, &changes) {
            tell_settled(&reservation)
        } else {
            Next::Go(Work::ReadAgain)
        }
    }

    /// One transaction: the reservation on condition that it is as it was read, each counter on condition that it
    /// does not go below zero.
    fn write_reservation(
        &self,
        state: &mut State,
        at: usize,
        read: Option<Held>,
        new: &Reservation,
        changes: &[StockChange],
    ) -> bool {
        let before = state.cases[at].reservation;
        if before != read && !self.is(Mutation::UnconditionalReservation) {
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
                if by < 0 && *counter < 0 && !self.is(Mutation::UnconditionalStock) {
                    return false;
                }
            }
        }
        state.stock = stock;
        let held = Fixture::held(new);
        let case = &mut state.cases[at];
        case.past.final_left |= before.is_some_and(|before| before != Held::Held && before != held);
        case.reservation = Some(held);
        true
    }
}

/// What `reserve-inventory` makes of the answer.
fn confirm_or_reject(reservation: &Reservation) -> Next {
    match Fixture::held(reservation) {
        Held::Held | Held::Committed => Next::Go(Work::Publish(News::Confirmed)),
        Held::Rejected => Next::Go(Work::Publish(News::Rejected)),
        Held::Released | Held::Tombstone => Next::Done,
    }
}

/// What `settle-reservation` makes of the answer.
fn tell_settled(reservation: &Reservation) -> Next {
    match Fixture::held(reservation) {
        Held::Committed => Next::Go(Work::Publish(News::Committed)),
        Held::Released | Held::Tombstone => Next::Go(Work::Publish(News::Released)),
        Held::Rejected => Next::Done,
        Held::Held => Next::Again,
    }
}
