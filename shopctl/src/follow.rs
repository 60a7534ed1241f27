//! Follows an order: prints its events as they happen.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use anyhow::ensure;
use jiff::{SignedDuration, Timestamp};
use terminal::signals;

use crate::api::{Order, Shop};
use crate::logs::{Handled, Reader};
use crate::mail::{Mail, Mailbox};
use crate::stack::Stack;
use crate::timeline;

/// The polling intervals on this machine and on AWS, where FilterLogEvents has a low quota.
const LOCAL_POLL_INTERVAL: Duration = Duration::from_millis(200);
const AWS_POLL_INTERVAL: Duration = Duration::from_secs(3);

/// Follows one order.
pub struct Follower<'a> {
    shop: Shop,
    logs: Reader<'a>,
    mailbox: Option<Mailbox>,
    interval: Duration,
    order: Order,
    email: Option<String>,
    /// Lines that the last poll found but did not print: the next poll may find earlier ones.
    pending: BTreeMap<(Timestamp, String), Line>,
    seen: HashSet<String>,
    print: bool,
    /// Everything that functions handled for the order.
    pub handled: Vec<Handled>,
    /// The emails that the customer received.
    pub mails: Vec<Mail>,
}

enum Line {
    Handled(Handled),
    Mail(Mail),
}

impl<'a> Follower<'a> {
    /// Starts to follow `order`; `email` is the recipient of its emails, if known.
    pub fn new(stack: &'a Stack, order: Order, email: Option<&str>) -> anyhow::Result<Self> {
        let interval = if stack.target.emulator.is_some() { LOCAL_POLL_INTERVAL } else { AWS_POLL_INTERVAL };
        Ok(Self {
            shop: stack.shop()?,
            logs: Reader::open(stack)?,
            mailbox: stack.mailbox(),
            interval,
            order,
            email: email.map(str::to_owned),
            pending: BTreeMap::new(),
            seen: HashSet::new(),
            print: true,
            handled: Vec::new(),
            mails: Vec::new(),
        })
    }

    /// Sets whether to print what happens, which is the default.
    pub fn printing(self, print: bool) -> Self {
        Self { print, ..self }
    }

    /// The order as of the last poll.
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// Follows the order until `is_done` returns true.
    ///
    /// # Errors
    /// When that takes longer than `timeout`, and as for [`Self::follow_for`].
    pub fn follow_until(&mut self, timeout: Duration, is_done: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        ensure!(
            self.follow_for(timeout, is_done)?,
            "order {} is still `{}` after {} s",
            self.order.id,
            self.order.status,
            timeout.as_secs()
        );
        Ok(())
    }

    /// Follows the order until `is_done` returns true, for at most `timeout`. Returns whether it did.
    ///
    /// # Errors
    /// When the order, the logs or the emails cannot be read, or the user interrupts the command.
    pub fn follow_for(&mut self, timeout: Duration, is_done: impl Fn(&Self) -> bool) -> anyhow::Result<bool> {
        let deadline = Instant::now() + timeout;
        loop {
            self.poll()?;
            let done = is_done(self);
            if !done && Instant::now() <= deadline {
                signals::sleep(self.interval)?;
                continue;
            }
            if done {
                // Poll once more, for lines that arrived in the meantime.
                signals::sleep(self.interval)?;
                self.poll()?;
            }
            self.print_all();
            return Ok(done);
        }
    }

    /// Polls once, and prints the lines that the previous poll found.
    fn poll(&mut self) -> anyhow::Result<()> {
        let previous: Vec<_> = self.pending.keys().cloned().collect();
        self.order = self.shop.order(&self.order.id)?;
        // A margin for clock differences; the filter by order id excludes other orders.
        let since = self.order.placed_at.checked_sub(SignedDuration::from_secs(60)).ok();
        for handled in self.logs.for_order(&self.order.id, since)? {
            // Requests that read the order, such as those of this command, are not part of its history.
            if !handled.trigger.starts_with("GET ") && self.seen.insert(handled.id.clone()) {
                self.handled.push(handled.clone());
                self.pending.insert((handled.at, handled.id.clone()), Line::Handled(handled));
            }
        }
        if let Some(mailbox) = &self.mailbox {
            for mail in mailbox.for_order(&self.order.id, self.email.as_deref())? {
                if self.seen.insert(mail.id.clone()) {
                    self.mails.push(mail.clone());
                    self.pending.insert((mail.sent(), mail.id.clone()), Line::Mail(mail));
                }
            }
        }
        for key in previous {
            if let Some(line) = self.pending.remove(&key) {
                self.print(&line);
            }
        }
        Ok(())
    }

    fn print_all(&mut self) {
        for line in std::mem::take(&mut self.pending).into_values() {
            self.print(&line);
        }
    }

    fn print(&self, line: &Line) {
        if !self.print {
            return;
        }
        match line {
            Line::Handled(handled) => timeline::print_handled(handled, self.order.placed_at),
            Line::Mail(mail) => timeline::print_mail(mail, self.order.placed_at),
        }
    }
}
