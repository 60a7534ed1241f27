//! The audit: reads all that a stack has written down, and checks every invariant, order by order.
//!
//! It only reads. A running system is no snapshot: the tables are read one after the other, effects before their
//! causes, so that what is read later is at least as new. What still looks wrong is read again, some times over a
//! few seconds, and counts only if it stays.

mod mails;
mod print;
mod provider;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use domain::{OrderId, Sku};
use invariants::{DeadLetterMessage, Phase, Rule, Snapshot, Violation, check};
use jiff::{SignedDuration, Timestamp};

pub(crate) use print::{json, print};
pub(crate) use tables::Tables;

use crate::queues::{self, DeadLetterQueue};
use crate::stack::Stack;
use crate::{signals, ui};

/// How often what looks wrong is read again, and how long is waited each time.
const LOOKS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);
/// What an order may take beyond the time after which it is given up.
const GRACE: SignedDuration = SignedDuration::from_mins(15);

/// Which promises to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promises {
    /// Faults are over and nothing is on its way: every order is final, and nothing waits.
    Settled,
    /// Orders are on their way. One hangs when nothing has moved it for so long; `None`: for the stack's
    /// `ExpireAfterSeconds` and a quarter of an hour.
    Running {
        /// How long anything may take.
        patience: Option<SignedDuration>,
    },
}

/// What an audit found.
#[derive(Debug)]
pub(crate) struct Report {
    /// The stack.
    pub(crate) stack: String,
    /// When it was read.
    pub(crate) at: Timestamp,
    /// Which promises were checked, in words.
    pub(crate) promises: String,
    /// What was read, and how much of it.
    pub(crate) counts: Vec<(String, u64)>,
    /// What did not hold, and stayed so. Empty is good.
    pub(crate) violations: Vec<Violation>,
    /// What could not be judged, or a person may want to know.
    pub(crate) notes: Vec<String>,
}

impl Report {
    /// Whether everything that was promised holds.
    pub(crate) fn holds(&self) -> bool {
        self.violations.is_empty()
    }
}

/// What one look at the stack gave.
#[derive(Default)]
struct Look {
    snapshot: Snapshot,
    /// Rows that contradict themselves, or are not understood.
    faults: Vec<Violation>,
    /// Products whose counters changed while their reservations were read.
    moving: BTreeSet<Sku>,
    /// PaymentIntents of orders that this stack does not know: how many, and how many took money.
    strangers: (u64, u64),
    /// Dead letters by queue.
    dead: BTreeMap<String, u64>,
}

/// Reads the stack and checks what is promised.
///
/// # Errors
/// When something cannot be read. What is wrong with what was read is in the report.
pub(crate) fn run(stack: &Stack, promises: Promises) -> anyhow::Result<Report> {
    let reader = Reader::open(stack, true)?;
    reader.audit(promises)
}

/// The same without the payment provider: where its key is not at hand.
pub(crate) fn run_without_provider(stack: &Stack, promises: Promises) -> anyhow::Result<Report> {
    Reader::open(stack, false)?.audit(promises)
}

struct Reader<'a> {
    stack: &'a Stack,
    tables: Tables<'a>,
    provider: Option<provider::Provider>,
    queues: Vec<(String, String)>,
    dead_letters: Vec<DeadLetterQueue>,
}

impl<'a> Reader<'a> {
    fn open(stack: &'a Stack, with_provider: bool) -> anyhow::Result<Self> {
        let provider = if with_provider { Some(provider::Provider::of(stack)?) } else { None };
        Ok(Self {
            stack,
            tables: Tables::of(stack)?,
            provider,
            queues: queues::sources(stack)?,
            dead_letters: DeadLetterQueue::all(stack)?,
        })
    }

    fn audit(&self, promises: Promises) -> anyhow::Result<Report> {
        let (when, said) = self.when(promises)?;
        let progress = ui::Progress::start(&format!("reading {}", self.stack.name));
        let mut look = self.read(&progress)?;
        let mut suspects = judge(&look, when);
        let looked_at = look_counts(&look, self.provider.is_some());
        let mut never_still = BTreeSet::new();
        for round in 1..=LOOKS {
            if suspects.is_empty() {
                break;
            }
            progress.detail(&format!("{} look wrong, read again {round}/{LOOKS}", suspects.len()));
            signals::sleep(PAUSE)?;
            self.read_again(&mut look, &suspects, &progress)?;
            let still: BTreeSet<Key> = judge(&look, when).iter().map(key).collect();
            // What is told is as it was at first; it counts as long as the same thing is wrong.
            suspects.retain(|suspect| {
                let moves = sku_of(suspect).is_some_and(|sku| look.moving.contains(&sku));
                if moves {
                    never_still.insert(suspect.detail.clone());
                } else {
                    never_still.remove(&suspect.detail);
                }
                moves || still.contains(&key(suspect))
            });
        }
        let (moving, violations): (Vec<_>, Vec<_>) =
            suspects.into_iter().partition(|suspect| never_still.contains(&suspect.detail));
        let mut notes = self.notes(&look, when);
        notes.extend(moving.iter().map(|suspect| {
            format!("never stood still while it was read, so it is not judged: {}", suspect.detail)
        }));
        progress.done(&format!("read {}", self.stack.name));
        Ok(Report {
            stack: self.stack.name.clone(),
            at: crate::duration::now(),
            promises: said,
            counts: looked_at,
            violations,
            notes,
        })
    }

    fn when(&self, promises: Promises) -> anyhow::Result<(Phase, String)> {
        let patience = match promises {
            Promises::Settled => return Ok((Phase::Settled, "settled: nothing may wait".to_owned())),
            Promises::Running { patience: Some(patience) } => patience,
            Promises::Running { patience: None } => {
                let seconds = self.stack.parameter("ExpireAfterSeconds")?;
                let seconds = seconds.context("the stack has no ExpireAfterSeconds; give --patience")?;
                SignedDuration::from_secs(seconds.parse()?).saturating_add(GRACE)
            }
        };
        let minutes = patience.as_secs() / 60;
        let said = if minutes == 0 {
            format!("running: nothing may take longer than {} s", patience.as_secs())
        } else {
            format!("running: nothing may take longer than {minutes} min")
        };
        Ok((Phase::Running { now: crate::duration::now(), stuck_after: patience }, said))
    }

    /// Effects before causes: what is read later is at least as new as what it led to.
    fn read(&self, progress: &ui::Progress) -> anyhow::Result<Look> {
        let mut look = Look::default();
        self.count_queues(&mut look)?;
        self.tables.mails(&mut look.snapshot, progress)?;
        self.tables.orders(&mut look, progress)?;
        self.read_stock(&mut look, progress)?;
        self.tables.payments(&mut look, progress)?;
        self.tables.outbox(&mut look, progress)?;
        match &self.provider {
            Some(provider) => look.snapshot.intents = provider.intents(progress)?,
            None => look.snapshot.intents = provider::as_recorded(&look.snapshot),
        }
        look.set_strangers_aside();
        Ok(look)
    }

    /// Reads again what the suspects are about, and nothing else.
    fn read_again(
        &self,
        look: &mut Look,
        suspects: &[Violation],
        progress: &ui::Progress,
    ) -> anyhow::Result<()> {
        let orders: BTreeSet<OrderId> = suspects.iter().filter_map(|suspect| suspect.order_id).collect();
        if suspects.iter().any(|suspect| suspect.order_id.is_none()) {
            self.count_queues(look)?;
            self.tables.outbox(look, progress)?;
        }
        look.faults.retain(|fault| fault.order_id.is_none_or(|order| !orders.contains(&order)));
        for order in &orders {
            self.tables.one(look, *order)?;
            if let Some(provider) = &self.provider {
                provider.again(&mut look.snapshot, *order)?;
            }
        }
        if self.provider.is_none() {
            look.snapshot.intents = provider::as_recorded(&look.snapshot);
        }
        let about_stock =
            |suspect: &Violation| matches!(suspect.rule, Rule::StockIsConserved | Rule::StockIsReserved);
        if suspects.iter().any(about_stock) {
            self.read_stock(look, progress)?;
        }
        Ok(())
    }

    /// The counters before and after their reservations: one that changed meanwhile cannot be judged by them.
    fn read_stock(&self, look: &mut Look, progress: &ui::Progress) -> anyhow::Result<()> {
        let before = self.tables.stock(progress)?;
        self.tables.deliveries(&mut look.snapshot, progress)?;
        self.tables.reservations(look, progress)?;
        let after = self.tables.stock(progress)?;
        look.moving = after
            .iter()
            .filter(|(sku, stock)| before.get(sku) != Some(stock))
            .map(|(sku, _)| sku.clone())
            .collect();
        look.snapshot.stock = after;
        Ok(())
    }

    fn count_queues(&self, look: &mut Look) -> anyhow::Result<()> {
        look.snapshot.queued_messages.clear();
        for (name, url) in &self.queues {
            let count = queues::count(self.stack, name, url)?;
            look.snapshot.queued_messages.insert(name.clone(), count);
        }
        look.snapshot.dead_letters.clear();
        for queue in &self.dead_letters {
            let count = queue.count(self.stack)?;
            look.dead.insert(queue.name.clone(), count);
            // To receive a message would change it. The count says enough.
            if count > 0 {
                look.snapshot
                    .dead_letters
                    .push(DeadLetterMessage { queue: queue.name.clone(), order_id: None });
            }
        }
        Ok(())
    }

    fn notes(&self, look: &Look, when: Phase) -> Vec<String> {
        let mut notes = Vec::new();
        if self.provider.is_none() {
            notes.push("the payment provider was not asked: what was captured is as recorded".to_owned());
        }
        if when != Phase::Settled {
            for (queue, count) in look.dead.iter().filter(|(_, count)| **count > 0) {
                notes.push(format!("{count} dead letters in {queue}: cargo xtask dlq show {queue}"));
            }
        }
        let (strangers, captured) = look.strangers;
        if strangers > 0 {
            notes.push(format!(
                "{strangers} PaymentIntents are for orders that this stack does not know, {captured} of them \
                 captured: another stack with the same account?"
            ));
        }
        notes
    }
}

impl Look {
    /// An account can serve other stacks. What is for an order that no table knows is not this stack's.
    fn set_strangers_aside(&mut self) {
        let Snapshot { orders, reservations, payments, intents, .. } = &mut self.snapshot;
        let mut strangers = (0_u64, 0_u64);
        intents.retain(|intent| {
            let id = &intent.order_id;
            let known = orders.contains_key(id) || reservations.contains_key(id) || payments.contains_key(id);
            if !known {
                strangers.0 = strangers.0.saturating_add(1);
                strangers.1 = strangers.1.saturating_add(u64::from(intent.captured > 0));
            }
            known
        });
        self.strangers = strangers;
    }
}

fn judge(look: &Look, when: Phase) -> Vec<Violation> {
    let mut found = check(&look.snapshot, when);
    found.extend(look.faults.iter().cloned());
    found.sort_by_key(|violation| (violation.rule, violation.order_id));
    found
}

/// What makes two violations the same one: the figures in the detail may differ from look to look.
type Key = (Rule, Option<OrderId>, String);

fn key(violation: &Violation) -> Key {
    let words = violation.detail.split_whitespace();
    let about = match violation.order_id {
        // Everything about one order is read at once, so the detail stands.
        Some(_) => violation.detail.clone(),
        None if sku_of(violation).is_some() => words.take(1).collect(),
        // "12 messages wait in X": the number changes.
        None => words.filter(|word| word.parse::<u64>().is_err()).collect::<Vec<_>>().join(" "),
    };
    (violation.rule, violation.order_id, about)
}

/// The product that a violation is about: the rules about stock begin with it.
fn sku_of(violation: &Violation) -> Option<Sku> {
    if !matches!(violation.rule, Rule::StockIsConserved | Rule::StockIsReserved) {
        return None;
    }
    violation.detail.split_whitespace().next()?.trim_end_matches(':').parse().ok()
}

fn look_counts(look: &Look, asked_provider: bool) -> Vec<(String, u64)> {
    let snapshot = &look.snapshot;
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let captured = snapshot.intents.iter().filter(|intent| intent.captured > 0).count();
    let mut counts = vec![
        ("orders".to_owned(), count(snapshot.orders.len())),
        ("reservations".to_owned(), count(snapshot.reservations.len())),
        ("payments".to_owned(), count(snapshot.payments.len())),
    ];
    if asked_provider {
        counts.push(("PaymentIntents at the provider".to_owned(), count(snapshot.intents.len())));
        counts.push(("  of these captured".to_owned(), count(captured)));
    }
    counts.extend([
        ("mails".to_owned(), count(snapshot.emails.len())),
        ("products".to_owned(), count(snapshot.stock.len())),
        ("events in the outbox".to_owned(), count(snapshot.outbox.len())),
        ("messages in queues".to_owned(), snapshot.queued_messages.values().sum()),
        ("dead letters".to_owned(), look.dead.values().sum()),
    ]);
    counts
}

#[cfg(test)]
mod tests;
