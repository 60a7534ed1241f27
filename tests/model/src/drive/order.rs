//! `track-order`, and who asks an order to end: `lambdas/orders/src/{track,api,expire}.rs`.

use domain::order::{Applied, Order};

use super::{Next, Protocol, leaves_final};
use crate::fixture::Fixture;
use crate::mutation::Mutation;
use crate::state::{Case, Function, Letter, News, OrderRow, Work};

impl Protocol {
    pub(super) fn read_to_track(&self, case: &Case, at: usize, news: News) -> Next {
        let Some(read) = case.order else { return Next::Done };
        match self.fixture.order(at, read).apply(&self.fixture.fact(at, news)) {
            Applied::Changed(_) => Next::Go(Work::Track { read }),
            Applied::Unchanged => Next::Done,
            Applied::Conflict(_) => Next::Refused,
        }
    }

    pub(super) fn track(&self, case: &mut Case, at: usize, news: News, read: OrderRow) -> Next {
        match self.fixture.order(at, read).apply(&self.fixture.fact(at, news)) {
            Applied::Changed(order) if self.replace_order(case, read, &order) => Next::Done,
            _ => Next::Go(Work::ReadAgain),
        }
    }

    pub(super) fn read_to_ask(&self, case: &Case, at: usize, letter: Letter) -> Next {
        match case.order {
            Some(read) if self.to_ask(at, letter, read).is_some() => Next::Go(Work::Ask { read }),
            _ => Next::Done,
        }
    }

    fn to_ask(&self, at: usize, letter: Letter, read: OrderRow) -> Option<(Order, domain::Event)> {
        let News::Wish(reason) = letter.news else { return None };
        // The schedule asks again when the last time is long ago; a customer does not wait so long.
        let now = match letter.to {
            Function::ExpireOrders => self.fixture.after(),
            _ => self.fixture.during(),
        };
        self.fixture.order(at, read).request_cancellation(reason, now, self.fixture.cause().clone())
    }

    /// The order and the outbox row of its wish are one transaction.
    pub(super) fn ask(&self, case: &mut Case, at: usize, letter: Letter, read: OrderRow) -> Next {
        let Some((order, event)) = self.to_ask(at, letter, read) else { return Next::Done };
        if self.replace_order(case, read, &order) {
            case.put_outbox(Fixture::news(&event.fact));
            Next::Done
        } else if letter.to == Function::OrdersApi {
            Next::Go(Work::ReadAgain)
        } else {
            // Left for the next time.
            Next::Done
        }
    }

    /// Writes on condition that the order is as it was read.
    fn replace_order(&self, case: &mut Case, read: OrderRow, order: &Order) -> bool {
        let Some(before) = case.order else { return false };
        if before.version != read.version && !self.is(Mutation::UnconditionalOrder) {
            return false;
        }
        let after = Fixture::order_row(order, read.version);
        case.past.final_left |= leaves_final(before, after);
        case.order = Some(after);
        true
    }
}
