//! What an order's affairs can be asked for, and how alike states are brought into one form.

use crate::state::{Case, Charge, GONE, Letter, News, Owner, PaymentRow, Work};

impl Case {
    /// How often the customer was charged.
    pub fn captures(&self) -> u32 {
        self.intents.iter().map(|intent| u32::from(intent.captures)).sum()
    }

    /// Whether the attempt that holds a lease still runs, and did not sleep past it.
    pub fn is_at_it(&self, owner: Owner) -> bool {
        owner != GONE && self.attempts.iter().any(|attempt| attempt.owner == owner && !attempt.late)
    }

    /// A number that no attempt has that runs.
    pub fn fresh_owner(&self) -> Owner {
        let taken = |owner: Owner| self.attempts.iter().any(|attempt| attempt.owner == owner);
        (1..=Owner::MAX).find(|owner| !taken(*owner)).unwrap_or(Owner::MAX)
    }

    /// Puts a message into a queue, up to so many alike.
    pub fn enqueue(&mut self, letter: Letter, copies: usize) {
        let from = self.queues.partition_point(|other| *other < letter);
        let alike = self.queues.iter().filter(|other| **other == letter).count();
        if alike < copies {
            self.queues.insert(from, letter);
        }
    }

    /// Puts a row into the outbox, over the one with the same id if there is one.
    pub fn put_outbox(&mut self, news: News) {
        if let Err(at) = self.outbox.binary_search(&news) {
            self.outbox.insert(at, news);
        }
    }

    /// Brings what means the same into the same form, so that it is explored once.
    pub fn normalise(&mut self) {
        let mut alive = [false; 256];
        let (mut payments, mut orders, mut claims) = (false, false, false);
        for attempt in &self.attempts {
            alive[usize::from(attempt.owner)] = true;
            match attempt.work {
                Work::Pay { .. } | Work::GiveUpPayment { .. } => payments = true,
                Work::Track { .. } | Work::Ask { .. } => orders = true,
                Work::Claim { .. } | Work::Send { .. } | Work::Note { .. } | Work::GiveUpClaim { .. } => {
                    claims = true;
                }
                _ => {}
            }
        }
        let bury = |row: &mut PaymentRow| {
            if let Charge::Charging { owner, given_up, .. } = &mut row.charge
                && !alive[usize::from(*owner)]
            {
                (*owner, *given_up) = (GONE, true);
            }
        };
        if let Some(row) = &mut self.payment {
            bury(row);
            if !payments {
                row.version = 1;
            }
        }
        for attempt in &mut self.attempts {
            match &mut attempt.work {
                Work::Pay { read: Some(row), .. } | Work::GiveUpPayment { read: row } => bury(row),
                _ => {}
            }
        }
        if let Some(row) = self.order.as_mut().filter(|_| !orders) {
            row.version = 1;
        }
        for claim in self.post.iter_mut().filter_map(|post| post.claim.as_mut()) {
            if let Some((owner, given_up)) = &mut claim.claimed
                && !alive[usize::from(*owner)]
            {
                (*owner, *given_up) = (GONE, true);
            }
            if !claims {
                claim.version = 1;
            }
        }
        self.attempts.sort_unstable();
    }
}
