//! The audit: reads all data of a stack and checks every invariant, order by order.
//!
//! It is read-only. A running system cannot be read at one instant: the tables are read one after the other,
//! effects before their causes, so that what is read later is at least as recent. Suspected violations are
//! read again several times over a few seconds, and reported only if they persist.

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
use terminal::{signals, ui};

use crate::queues::{self, DeadLetterQueue};
use crate::stack::Stack;

pub use print::{json, print};
pub use tables::Tables;

/// How often suspected violations are read again, and the interval between two reads.
const MAX_REREADS: u32 = 5;
const REREAD_INTERVAL: Duration = Duration::from_secs(1);
/// How long an order may remain open after the time at which it expires.
const GRACE: SignedDuration = SignedDuration::from_mins(15);

/// The state in which the system is expected to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditMode {
    /// Faults are over and no work is pending: every order is final, and every queue empty.
    Settled,
    /// Orders are in progress.
    Running {
        /// How long an order may make no progress; `None` means the stack's `ExpireAfterSeconds` and 15
        /// minutes.
        patience: Option<SignedDuration>,
    },
}

/// The result of an audit.
#[derive(Debug)]
pub struct Report {
    /// The name of the stack.
    pub stack: String,
    /// The time of the audit.
    pub at: Timestamp,
    /// The expected state, in words.
    pub mode: String,
    /// The number of items read, by kind.
    pub counts: Vec<(String, u64)>,
    /// The violations that persisted.
    pub violations: Vec<Violation>,
    /// What could not be checked, and other information for the operator.
    pub notes: Vec<String>,
}

impl Report {
    /// Whether there are no violations.
    pub fn holds(&self) -> bool {
        self.violations.is_empty()
    }
}

/// The data read from a stack.
#[derive(Default)]
struct Observation {
    snapshot: Snapshot,
    /// Rows that are inconsistent or cannot be parsed.
    bad_rows: Vec<Violation>,
    /// Products whose counters changed while their reservations were read.
    changing: BTreeSet<Sku>,
    /// The number of PaymentIntents for orders that this stack does not have, and how many of them were
    /// captured.
    foreign_intents: (u64, u64),
    /// The number of dead-letter messages, by queue.
    dead_letters: BTreeMap<String, u64>,
}

/// Reads the stack and checks the invariants.
///
/// # Errors
/// When something cannot be read. Violations are not errors: they are in the report.
pub fn run(stack: &Stack, mode: AuditMode) -> anyhow::Result<Report> {
    let reader = Reader::open(stack, true)?;
    reader.audit(mode)
}

/// Like [`run`], but without the payment provider, if its key is unavailable.
pub fn run_without_provider(stack: &Stack, mode: AuditMode) -> anyhow::Result<Report> {
    Reader::open(stack, false)?.audit(mode)
}

struct Reader<'a> {
    stack: &'a Stack,
    tables: Tables<'a>,
    provider: Option<provider::Provider>,
    queues: Vec<(String, String)>,
    dead_letter_queues: Vec<DeadLetterQueue>,
}

impl<'a> Reader<'a> {
    fn open(stack: &'a Stack, with_provider: bool) -> anyhow::Result<Self> {
        let provider = if with_provider { Some(provider::Provider::new(stack)?) } else { None };
        Ok(Self {
            stack,
            tables: Tables::new(stack)?,
            provider,
            queues: queues::source_queues(stack)?,
            dead_letter_queues: DeadLetterQueue::all(stack)?,
        })
    }

    fn audit(&self, mode: AuditMode) -> anyhow::Result<Report> {
        let (when, description) = self.when(mode)?;
        let progress = ui::Progress::start(&format!("reading {}", self.stack.name()));
        let mut observed = self.read(&progress)?;
        let mut suspects = find_violations(&observed, when);
        let counts = counts(&observed, self.provider.is_some());
        let mut unstable = BTreeSet::new();
        for round in 1..=MAX_REREADS {
            if suspects.is_empty() {
                break;
            }
            progress.detail(&format!(
                "{} possible violations, reading again {round}/{MAX_REREADS}",
                suspects.len()
            ));
            signals::sleep(REREAD_INTERVAL)?;
            self.read_again(&mut observed, &suspects, &progress)?;
            let still: BTreeSet<Key> = find_violations(&observed, when).iter().map(key).collect();
            // The report shows the first detail; the violation counts as long as its key is found again.
            suspects.retain(|suspect| {
                let is_changing = sku_of(suspect).is_some_and(|sku| observed.changing.contains(&sku));
                if is_changing {
                    unstable.insert(suspect.detail.clone());
                } else {
                    unstable.remove(&suspect.detail);
                }
                is_changing || still.contains(&key(suspect))
            });
        }
        let (changing, violations): (Vec<_>, Vec<_>) =
            suspects.into_iter().partition(|suspect| unstable.contains(&suspect.detail));
        let mut notes = self.notes(&observed, when);
        notes.extend(changing.iter().map(|suspect| {
            format!("not checked, because the data changed during every read: {}", suspect.detail)
        }));
        progress.done(&format!("read {}", self.stack.name()));
        Ok(Report {
            stack: self.stack.name().to_owned(),
            at: crate::duration::now(),
            mode: description,
            counts,
            violations,
            notes,
        })
    }

    fn when(&self, mode: AuditMode) -> anyhow::Result<(Phase, String)> {
        let patience = match mode {
            AuditMode::Settled => {
                return Ok((Phase::Settled, "settled: nothing may be pending".to_owned()));
            }
            AuditMode::Running { patience: Some(patience) } => patience,
            AuditMode::Running { patience: None } => {
                let seconds = self.stack.parameter("ExpireAfterSeconds")?;
                let seconds =
                    seconds.context("the stack has no parameter ExpireAfterSeconds; add --patience")?;
                SignedDuration::from_secs(seconds.parse()?).saturating_add(GRACE)
            }
        };
        let minutes = patience.as_secs() / 60;
        let description = if minutes == 0 {
            format!("running: nothing may take longer than {} s", patience.as_secs())
        } else {
            format!("running: nothing may take longer than {minutes} min")
        };
        Ok((Phase::Running { now: crate::duration::now(), stuck_after: patience }, description))
    }

    /// Reads effects before their causes: what is read later is at least as recent as its effects.
    fn read(&self, progress: &ui::Progress) -> anyhow::Result<Observation> {
        let mut observed = Observation::default();
        self.count_messages(&mut observed)?;
        self.tables.mails(&mut observed.snapshot, progress)?;
        self.tables.orders(&mut observed, progress)?;
        self.read_stock(&mut observed, progress)?;
        self.tables.payments(&mut observed, progress)?;
        self.tables.outbox(&mut observed, progress)?;
        match &self.provider {
            Some(provider) => observed.snapshot.intents = provider.intents(progress)?,
            None => observed.snapshot.intents = provider::recorded_intents(&observed.snapshot),
        }
        observed.separate_foreign_intents();
        Ok(observed)
    }

    /// Reads again only what the suspected violations are about.
    fn read_again(
        &self,
        observed: &mut Observation,
        suspects: &[Violation],
        progress: &ui::Progress,
    ) -> anyhow::Result<()> {
        let orders: BTreeSet<OrderId> = suspects.iter().filter_map(|suspect| suspect.order_id).collect();
        if suspects.iter().any(|suspect| suspect.order_id.is_none()) {
            self.count_messages(observed)?;
            self.tables.outbox(observed, progress)?;
        }
        observed.bad_rows.retain(|row| row.order_id.is_none_or(|order| !orders.contains(&order)));
        for order in &orders {
            self.tables.read_order_again(observed, *order)?;
            if let Some(provider) = &self.provider {
                provider.read_order_again(&mut observed.snapshot, *order)?;
            }
        }
        if self.provider.is_none() {
            observed.snapshot.intents = provider::recorded_intents(&observed.snapshot);
        }
        let about_stock =
            |suspect: &Violation| matches!(suspect.rule, Rule::StockIsConserved | Rule::StockIsReserved);
        if suspects.iter().any(about_stock) {
            self.read_stock(observed, progress)?;
        }
        Ok(())
    }

    /// Reads the counters before and after the reservations: a product whose counters changed in between
    /// cannot be checked.
    fn read_stock(&self, observed: &mut Observation, progress: &ui::Progress) -> anyhow::Result<()> {
        let before = self.tables.stock(progress)?;
        self.tables.deliveries(&mut observed.snapshot, progress)?;
        self.tables.reservations(observed, progress)?;
        let after = self.tables.stock(progress)?;
        observed.changing = after
            .iter()
            .filter(|(sku, stock)| before.get(sku) != Some(stock))
            .map(|(sku, _)| sku.clone())
            .collect();
        observed.snapshot.stock = after;
        Ok(())
    }

    fn count_messages(&self, observed: &mut Observation) -> anyhow::Result<()> {
        observed.snapshot.queued_messages.clear();
        for (name, url) in &self.queues {
            let count = queues::count(self.stack, name, url)?;
            observed.snapshot.queued_messages.insert(name.clone(), count);
        }
        observed.snapshot.dead_letters.clear();
        for queue in &self.dead_letter_queues {
            let count = queue.count(self.stack)?;
            observed.dead_letters.insert(queue.name.clone(), count);
            // Receiving a message would change it, and the count is sufficient.
            if count > 0 {
                observed
                    .snapshot
                    .dead_letters
                    .push(DeadLetterMessage { queue: queue.name.clone(), order_id: None });
            }
        }
        Ok(())
    }

    fn notes(&self, observed: &Observation, when: Phase) -> Vec<String> {
        let mut notes = Vec::new();
        if self.provider.is_none() {
            notes.push("captures are as recorded: the payment provider was not queried".to_owned());
        }
        if when != Phase::Settled {
            for (queue, count) in observed.dead_letters.iter().filter(|(_, count)| **count > 0) {
                let program = &self.stack.target.program;
                notes.push(format!("{count} dead-letter messages in {queue}: {program} dlq show {queue}"));
            }
        }
        let (foreign, captured) = observed.foreign_intents;
        if foreign > 0 {
            notes.push(format!(
                "{foreign} PaymentIntents, {captured} of them captured, are for orders that this stack does not \
                 have. Does another stack use the same Stripe account?"
            ));
        }
        notes
    }
}

impl Observation {
    /// Removes the PaymentIntents whose order is in no table: other stacks may use the same account.
    fn separate_foreign_intents(&mut self) {
        let Snapshot { orders, reservations, payments, intents, .. } = &mut self.snapshot;
        let mut foreign = (0_u64, 0_u64);
        intents.retain(|intent| {
            let id = &intent.order_id;
            let known = orders.contains_key(id) || reservations.contains_key(id) || payments.contains_key(id);
            if !known {
                foreign.0 = foreign.0.saturating_add(1);
                foreign.1 = foreign.1.saturating_add(u64::from(intent.captured > 0));
            }
            known
        });
        self.foreign_intents = foreign;
    }
}

fn find_violations(observed: &Observation, when: Phase) -> Vec<Violation> {
    let mut found = check(&observed.snapshot, when);
    found.extend(observed.bad_rows.iter().cloned());
    found.sort_by_key(|violation| (violation.rule, violation.order_id));
    found
}

/// Identifies a violation across reads, although numbers in its detail may change.
type Key = (Rule, Option<OrderId>, String);

fn key(violation: &Violation) -> Key {
    let words = violation.detail.split_whitespace();
    let about = match violation.order_id {
        // Everything about one order is read at once, so the detail does not change.
        Some(_) => violation.detail.clone(),
        None if sku_of(violation).is_some() => words.take(1).collect(),
        // "12 messages wait in X": the number changes.
        None => words.filter(|word| word.parse::<u64>().is_err()).collect::<Vec<_>>().join(" "),
    };
    (violation.rule, violation.order_id, about)
}

/// The product of a violation: the details of the rules about stock begin with its SKU.
fn sku_of(violation: &Violation) -> Option<Sku> {
    if !matches!(violation.rule, Rule::StockIsConserved | Rule::StockIsReserved) {
        return None;
    }
    violation.detail.split_whitespace().next()?.trim_end_matches(':').parse().ok()
}

fn counts(observed: &Observation, with_provider: bool) -> Vec<(String, u64)> {
    let snapshot = &observed.snapshot;
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let captured = snapshot.intents.iter().filter(|intent| intent.captured > 0).count();
    let mut counts = vec![
        ("orders".to_owned(), count(snapshot.orders.len())),
        ("reservations".to_owned(), count(snapshot.reservations.len())),
        ("payments".to_owned(), count(snapshot.payments.len())),
    ];
    if with_provider {
        counts.push(("PaymentIntents at the provider".to_owned(), count(snapshot.intents.len())));
        counts.push(("  of them captured".to_owned(), count(captured)));
    }
    counts.extend([
        ("emails".to_owned(), count(snapshot.emails.len())),
        ("products".to_owned(), count(snapshot.stock.len())),
        ("events in the outbox".to_owned(), count(snapshot.outbox.len())),
        ("messages in queues".to_owned(), snapshot.queued_messages.values().sum()),
        ("dead-letter messages".to_owned(), observed.dead_letters.values().sum()),
    ]);
    counts
}

#[cfg(test)]
mod tests;
