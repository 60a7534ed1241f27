//! Following an order: printing what happens to it as it happens.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use anyhow::bail;
use jiff::{SignedDuration, Timestamp};

use crate::api::{Order, Shop};
use crate::logs::{Handled, Reader};
use crate::mail::{Mail, Mailbox};
use crate::stack::Stack;
use crate::{signals, timeline};

/// How often to look, on this machine and on AWS (where FilterLogEvents has a low quota).
const LOCAL_PAUSE: Duration = Duration::from_millis(200);
const AWS_PAUSE: Duration = Duration::from_secs(3);

/// Watches one order.
pub(crate) struct Follower<'a> {
    shop: Shop,
    logs: Reader<'a>,
    mailbox: Option<Mailbox>,
    pause: Duration,
    order: Order,
    email: Option<String>,
    /// Lines seen in the last look but not printed: one look later, those that came before them are there too.
    pending: BTreeMap<(Timestamp, String), Line>,
    printed: HashSet<String>,
    /// Everything that was handled.
    pub(crate) handled: Vec<Handled>,
    /// Every mail that the customer got.
    pub(crate) mails: Vec<Mail>,
}

enum Line {
    Handled(Handled),
    Mail(Mail),
}

impl<'a> Follower<'a> {
    /// Starts to watch `order`; `email` is where its mails go, if that is known.
    pub(crate) fn of(stack: &'a Stack, order: Order, email: Option<&str>) -> anyhow::Result<Self> {
        let pause = if stack.local.is_some() { LOCAL_PAUSE } else { AWS_PAUSE };
        Ok(Self {
            shop: stack.shop()?,
            logs: Reader::open(stack)?,
            mailbox: stack.mailbox(),
            pause,
            order,
            email: email.map(str::to_owned),
            pending: BTreeMap::new(),
            printed: HashSet::new(),
            handled: Vec::new(),
            mails: Vec::new(),
        })
    }

    /// The order as it was at the last look.
    pub(crate) fn order(&self) -> &Order {
        &self.order
    }

    /// Prints what happens until `done` says that this is the end, for at most `limit`.
    pub(crate) fn until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            self.look()?;
            if done(self) {
                // One more look, for the lines that came in meanwhile.
                signals::sleep(self.pause)?;
                self.look()?;
                self.print_all();
                return Ok(());
            }
            if Instant::now() > deadline {
                self.print_all();
                bail!("order {} is still `{}` after {} s", self.order.id, self.order.status, limit.as_secs());
            }
            signals::sleep(self.pause)?;
        }
    }

    /// Looks once, and prints what was there at the last look too.
    fn look(&mut self) -> anyhow::Result<()> {
        let seen_before: Vec<_> = self.pending.keys().cloned().collect();
        self.order = self.shop.order(&self.order.id)?;
        // Clocks differ a little; the order's id keeps out what is not its own.
        let since = self.order.placed_at.checked_sub(SignedDuration::from_secs(60)).ok();
        for handled in self.logs.about(&self.order.id, since)? {
            // Our own reading of the order is no part of its story.
            if !handled.trigger.starts_with("GET ") && self.printed.insert(handled.id.clone()) {
                self.handled.push(handled.clone());
                self.pending.insert((handled.at, handled.id.clone()), Line::Handled(handled));
            }
        }
        if let Some(mailbox) = &self.mailbox {
            for mail in mailbox.about(&self.order.id, self.email.as_deref())? {
                if self.printed.insert(mail.id.clone()) {
                    self.mails.push(mail.clone());
                    self.pending.insert((mail.sent(), mail.id.clone()), Line::Mail(mail));
                }
            }
        }
        for key in seen_before {
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
        match line {
            Line::Handled(handled) => timeline::print_handled(handled, self.order.placed_at),
            Line::Mail(mail) => timeline::print_mail(mail, self.order.placed_at),
        }
    }
}
