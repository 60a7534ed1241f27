//! Queries on the state of one order, and its normalisation, by which equivalent states become equal.

use crate::state::{DEAD_OWNER, EventKind, Message, Owner, PaymentRow, PaymentStatus, Saga, Work};

impl Saga {
    /// The number of times the customer was charged.
    pub fn captures(&self) -> u32 {
        self.intents.iter().map(|intent| u32::from(intent.captures)).sum()
    }

    /// Whether the order is paid: the customer was charged, or the record says that there was nothing to
    /// charge.
    pub fn is_paid(&self) -> bool {
        let status = self.payment.map(|row| row.status);
        self.captures() > 0 || matches!(status, Some(PaymentStatus::Succeeded { intent: None }))
    }

    /// Whether the attempt that owns a lease is still running and has not stalled past its expiry.
    pub fn is_owner_active(&self, owner: Owner) -> bool {
        owner != DEAD_OWNER
            && self.attempts.iter().any(|attempt| attempt.owner == owner && !attempt.is_stalled)
    }

    /// The smallest owner number that no running attempt has.
    pub fn next_owner(&self) -> Owner {
        let taken = |owner: Owner| self.attempts.iter().any(|attempt| attempt.owner == owner);
        (1..=Owner::MAX).find(|owner| !taken(*owner)).unwrap_or(Owner::MAX)
    }

    /// Adds a message to its queue, unless the queue already holds `max_identical_messages` equal ones.
    pub fn enqueue(&mut self, message: Message, max_identical_messages: usize) {
        let from = self.queues.partition_point(|other| *other < message);
        let identical = self.queues.iter().filter(|other| **other == message).count();
        if identical < max_identical_messages {
            self.queues.insert(from, message);
        }
    }

    /// Puts a row into the outbox. An existing row with the same id is overwritten.
    pub fn put_outbox(&mut self, event: EventKind) {
        if let Err(at) = self.outbox.binary_search(&event) {
            self.outbox.insert(at, event);
        }
    }

    /// Makes equivalent states equal, so that each is explored once.
    pub fn normalise(&mut self) {
        let mut alive = [false; 256];
        let (mut payments, mut orders, mut claims) = (false, false, false);
        for attempt in &self.attempts {
            alive[usize::from(attempt.owner)] = true;
            match attempt.work {
                Work::Pay { .. } | Work::ReleasePaymentLease { .. } => payments = true,
                Work::Track { .. } | Work::RequestCancellation { .. } => orders = true,
                Work::AcquireClaim { .. }
                | Work::SendEmail { .. }
                | Work::CompleteClaim { .. }
                | Work::ReleaseClaim { .. } => {
                    claims = true;
                }
                _ => {}
            }
        }
        let expire_lease = |row: &mut PaymentRow| {
            if let PaymentStatus::Charging { owner, released, .. } = &mut row.status
                && !alive[usize::from(*owner)]
            {
                (*owner, *released) = (DEAD_OWNER, true);
            }
        };
        if let Some(row) = &mut self.payment {
            expire_lease(row);
            if !payments {
                row.version = 1;
            }
        }
        for attempt in &mut self.attempts {
            match &mut attempt.work {
                Work::Pay { read: Some(row), .. } | Work::ReleasePaymentLease { read: row, .. } => {
                    expire_lease(row);
                }
                _ => {}
            }
        }
        if let Some(row) = self.order.as_mut().filter(|_| !orders) {
            row.version = 1;
        }
        for claim in self.emails.iter_mut().filter_map(|email| email.claim.as_mut()) {
            if let Some((owner, released)) = &mut claim.claimed
                && !alive[usize::from(*owner)]
            {
                (*owner, *released) = (DEAD_OWNER, true);
            }
            if !claims {
                claim.version = 1;
            }
        }
        self.attempts.sort_unstable();
    }
}
