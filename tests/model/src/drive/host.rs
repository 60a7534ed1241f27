//! The hosts, `relay-outbox` and the bus: the end of an attempt, and the publication of its event.

use platform::host::disposition::Disposition;
use platform::publisher::rejected_entries;

use super::{Next, Protocol, subscribers};
use crate::action::Fault;
use crate::mutation::Mutation;
use crate::state::{Attempt, EventKind, Function, Message, Saga, State, Work};

impl Protocol {
    /// Continues or ends an attempt. The shipped host decides whether its message is delivered again.
    pub(super) fn conclude(&self, state: &mut State, at: usize, attempt: Attempt, next: Next) {
        let saga = &mut state.sagas[at];
        let failure = match next {
            Next::Continue(work) => return saga.attempts.push(Attempt { work, ..attempt }),
            Next::Done => None,
            Next::Failed(failure) => Some(failure),
        };
        // That a message exhausts its receives is an action of its own.
        match Disposition::of(failure.as_ref(), 1, u32::MAX) {
            Disposition::Acknowledge => acknowledge(saga, &attempt),
            Disposition::Redeliver(_) if self.has_mutation(Mutation::ReportFailureAsSuccess) => {
                acknowledge(saga, &attempt);
            }
            Disposition::Redeliver(_) => {
                if attempt.has_message {
                    saga.enqueue(attempt.message, self.scope.max_identical_messages);
                }
            }
            Disposition::DeadLetter { .. } => {
                saga.history.contradiction = true;
                if attempt.has_message {
                    dead_letter(saga, attempt.message);
                }
            }
        }
    }

    /// Publishes the event, and in a second step removes the row.
    pub(super) fn relay(&self, saga: &mut Saga, event: EventKind, published: bool, fault: Fault) -> Next {
        let next = if published == self.removes_before_publishing() {
            self.publish(saga, event, fault)
        } else {
            if let Ok(row) = saga.outbox.binary_search(&event) {
                saga.outbox.remove(row);
            }
            Next::Done
        };
        match next {
            Next::Done if !published => Next::Continue(Work::Relay { published: true }),
            next => next,
        }
    }

    /// Publishes an event in a `PutEvents` call, which the bus may accept without the event.
    pub(super) fn publish(&self, saga: &mut Saga, event: EventKind, fault: Fault) -> Next {
        let is_rejected = fault == Fault::LostRequest;
        if !is_rejected {
            self.put_on_bus(saga, event);
        }
        let is_noticed = is_rejected && !self.has_mutation(Mutation::IgnoreFailedEntries);
        let result = is_noticed.then(|| "InternalFailure".to_owned());
        match rejected_entries(vec![event], vec![result]) {
            Ok(rejected) if rejected.is_empty() => Next::Done,
            Ok(_) => Next::retry(),
            Err(error) => Next::Failed(error.into()),
        }
    }

    /// Puts an event onto the bus, whose rules add it to the queues.
    fn put_on_bus(&self, saga: &mut Saga, event: EventKind) {
        match event {
            EventKind::Created => saga.history.created_published = true,
            EventKind::CancellationRequested(_) => saga.history.cancellation_published = true,
            EventKind::Released => saga.history.release_published = true,
            EventKind::Committed => saga.history.commit_published = true,
            _ => {}
        }
        for to in subscribers(event).iter().copied().filter(|to| self.is_included(*to)) {
            saga.enqueue(Message { to, event }, self.scope.max_identical_messages);
        }
        if self.has_mutation(Mutation::ReleaseOnCancellationRequest)
            && matches!(event, EventKind::CancellationRequested(_))
        {
            saga.enqueue(
                Message { to: Function::SettleReservation, event },
                self.scope.max_identical_messages,
            );
        }
    }
}

/// Deletes the message. After a stall the queue has made the message visible again: an attempt that holds it
/// now finds it deleted if it fails, and a copy still in the queue counts as a duplicate delivery.
pub(super) fn acknowledge(saga: &mut Saga, attempt: &Attempt) {
    if !attempt.has_message
        && let Some(other) =
            saga.attempts.iter_mut().find(|other| other.message == attempt.message && other.has_message)
    {
        other.has_message = false;
    }
}

pub(super) fn dead_letter(saga: &mut Saga, message: Message) {
    let at = saga.dead_letters.partition_point(|other| *other < message);
    saga.dead_letters.insert(at, message);
}
