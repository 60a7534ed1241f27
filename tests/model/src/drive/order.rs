//! `track-order`, and the two functions that request a cancellation:
//! `lambdas/orders/src/{track,api,expire}.rs`.

use domain::order::{Applied, Order};

use super::{Next, Protocol, changes_final_state};
use crate::fixture::Fixture;
use crate::mutation::Mutation;
use crate::state::{EventKind, Function, Message, OrderRow, Saga, Work};

impl Protocol {
    pub(super) fn read_for_tracking(&self, saga: &Saga, at: usize, event: EventKind) -> Next {
        match (self.apply_event(at, event, saga.order), saga.order) {
            (Applied::Changed(_), Some(read)) => Next::Continue(Work::Track { read }),
            (Applied::Unchanged | Applied::Changed(_), _) => Next::Done,
            (Applied::Conflict(_), _) => Next::refused(),
        }
    }

    /// The shipped decision of `track-order`.
    fn apply_event(&self, at: usize, event: EventKind, read: Option<OrderRow>) -> Applied {
        let stored = read.map(|row| self.fixture.order(at, row));
        orders::track::apply(stored.as_ref(), &self.fixture.event(at, event).fact)
    }

    pub(super) fn track(&self, saga: &mut Saga, at: usize, event: EventKind, read: OrderRow) -> Next {
        match self.apply_event(at, event, Some(read)) {
            Applied::Changed(order) if self.replace_order(saga, read, &order) => Next::Done,
            _ => Next::Continue(Work::ReadAgain),
        }
    }

    pub(super) fn read_for_cancellation(&self, saga: &Saga, at: usize, message: Message) -> Next {
        match saga.order {
            Some(read) if self.decide_cancellation(at, message, read).is_some() => {
                Next::Continue(Work::RequestCancellation { read })
            }
            _ => Next::Done,
        }
    }

    fn decide_cancellation(
        &self,
        at: usize,
        message: Message,
        read: OrderRow,
    ) -> Option<(Order, domain::Event)> {
        let EventKind::CancellationRequested(reason) = message.event else { return None };
        // The scheduler repeats a request once the last one is old enough; a customer does not wait that
        // long.
        let now = match message.to {
            Function::ExpireOrders => self.fixture.after_leases(),
            _ => self.fixture.while_leased(),
        };
        let mut order = self.fixture.order(at, read);
        if self.has_mutation(Mutation::NewestReason) {
            order.cancellation = None;
        }
        order.request_cancellation(reason, now, self.fixture.cause().clone())
    }

    /// Writes the order and the outbox row of its cancellation request in one transaction.
    pub(super) fn request_cancellation(
        &self,
        saga: &mut Saga,
        at: usize,
        message: Message,
        read: OrderRow,
    ) -> Next {
        let Some((order, event)) = self.decide_cancellation(at, message, read) else { return Next::Done };
        if self.replace_order(saga, read, &order) {
            if let EventKind::CancellationRequested(reason) = message.event {
                saga.history.first_reason.get_or_insert(reason);
            }
            saga.put_outbox(Fixture::event_kind(&event.fact));
            Next::Done
        } else if message.to == Function::OrdersApi {
            Next::Continue(Work::ReadAgain)
        } else {
            // The next scheduled run tries again.
            Next::Done
        }
    }

    /// Writes on the condition that the order has not changed since it was read.
    fn replace_order(&self, saga: &mut Saga, read: OrderRow, order: &Order) -> bool {
        let Some(before) = saga.order else { return false };
        if before.version != read.version && !self.has_mutation(Mutation::UnconditionalOrder) {
            return false;
        }
        let after = Fixture::order_row(order, read.version);
        saga.history.final_state_changed |= changes_final_state(before, after);
        saga.order = Some(after);
        true
    }
}
