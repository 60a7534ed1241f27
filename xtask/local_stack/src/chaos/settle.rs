//! Waits after the faults until the system has settled, and intervenes only as an operator would.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::bail;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::Select;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::json;
use shopctl::Stack;
use shopctl::names::DEAD_LETTER_QUEUE_SUFFIX;
use shopctl::queues::{DeadLetterQueue, MessageFilter};
use terminal::{signals, ui};

use super::api_checker::{ApiChecker, CustomerOrder};
use super::clients;
use crate::stand_in::Control;

/// How long the system may take to settle. A message whose function was killed waits for
/// [`VISIBILITY_TIMEOUT_SECONDS`], possibly several times, and `expire-orders` publishes what the relay
/// missed after two minutes.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(8 * 60);
/// The visibility timeout of the functions' queues in a run: longer than the 30 s timeout of a function and
/// than the lease of a payment; shorter than the template's 180 s, so that a run takes minutes.
pub(super) const VISIBILITY_TIMEOUT_SECONDS: u32 = 48;
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How many consecutive polls must find all queues empty before the orders are read.
const REQUIRED_EMPTY_POLLS: u32 = 3;

/// How the system settled.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settled {
    /// How long it took.
    pub(crate) duration: Duration,
    /// The number of dead-letter messages redriven, by queue.
    pub(crate) redriven: BTreeMap<String, u64>,
    /// How often `expire-orders` was invoked to end orders that made no progress.
    pub(crate) expiries: u32,
}

/// The queues and the outbox of a stack.
pub(crate) struct Queues {
    /// URLs of the functions' queues, by logical id.
    functions: BTreeMap<String, String>,
    /// URLs of the dead-letter queues, by logical id.
    dead_letter_queues: BTreeMap<String, String>,
    outbox: String,
}

impl Queues {
    pub(crate) fn new(stack: &Stack) -> anyhow::Result<Self> {
        let mut queues =
            Self { functions: BTreeMap::new(), dead_letter_queues: BTreeMap::new(), outbox: String::new() };
        for resource in stack.resources()? {
            if resource.logical_id == "OutboxTable" {
                queues.outbox = resource.physical_id;
            } else if resource.kind == "AWS::SQS::Queue" {
                let is_dlq = resource.logical_id.ends_with(DEAD_LETTER_QUEUE_SUFFIX);
                let list = if is_dlq { &mut queues.dead_letter_queues } else { &mut queues.functions };
                list.insert(resource.logical_id, resource.physical_id);
            }
        }
        Ok(queues)
    }

    /// Sets [`VISIBILITY_TIMEOUT_SECONDS`], after which the message of a killed function is redelivered.
    pub(crate) fn shorten_visibility_timeouts(&self, stack: &Stack) -> anyhow::Result<()> {
        for (name, url) in &self.functions {
            let call = stack.aws.sqs.set_queue_attributes().queue_url(url);
            let timeout = VISIBILITY_TIMEOUT_SECONDS.to_string();
            let call = call.attributes(QueueAttributeName::VisibilityTimeout, timeout);
            stack.aws.wait(call.send()).map_err(|error| failed(name, &DisplayErrorContext(&error)))?;
        }
        Ok(())
    }

    /// The functions' queues that are not empty, and their depths.
    fn waiting(&self, stack: &Stack) -> anyhow::Result<BTreeMap<String, u64>> {
        depths(stack, &self.functions)
    }

    /// The dead-letter queues that are not empty, and their depths.
    fn dead_letters(&self, stack: &Stack) -> anyhow::Result<BTreeMap<String, u64>> {
        depths(stack, &self.dead_letter_queues)
    }

    /// The number of events in the outbox.
    fn unpublished(&self, stack: &Stack) -> anyhow::Result<u64> {
        let scan = stack.aws.dynamodb.scan().table_name(&self.outbox).select(Select::Count);
        let response = stack.aws.wait(scan.consistent_read(true).send());
        let response = response.map_err(|error| failed("OutboxTable", &DisplayErrorContext(&error)))?;
        Ok(u64::try_from(response.count()).unwrap_or_default())
    }

    /// Redrives all dead-letter messages. Those of `expire-orders` are purged: the next run makes up for a
    /// failed one.
    fn redrive(&self, stack: &Stack, settled: &mut Settled) -> anyhow::Result<()> {
        for queue in DeadLetterQueue::all(stack)? {
            let count = if queue.function() == "ExpireOrders" {
                let Some(url) = self.dead_letter_queues.get(&queue.name) else { continue };
                let purged = stack.aws.wait(stack.aws.sqs.purge_queue().queue_url(url).send());
                purged.map_err(|error| failed(&queue.name, &DisplayErrorContext(&error)))?;
                0
            } else {
                queue.redrive(stack, &MessageFilter::default())?.len()
            };
            if count > 0 {
                *settled.redriven.entry(queue.name).or_default() += u64::try_from(count).unwrap_or_default();
            }
        }
        Ok(())
    }
}

fn depths(stack: &Stack, queues: &BTreeMap<String, String>) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut depths = BTreeMap::new();
    for (name, url) in queues {
        let depth = shopctl::queues::count(stack, name, url)?;
        if depth > 0 {
            depths.insert(name.clone(), depth);
        }
    }
    Ok(depths)
}

/// Waits until every order is final, and all queues and the outbox are empty.
///
/// # Errors
/// When that takes too long. The error lists what is still pending.
pub(crate) fn settle(
    stack: &Stack,
    queues: &Queues,
    checker: &ApiChecker<'_>,
    provider: &Control,
    expire_url: &str,
    label: &str,
) -> anyhow::Result<(Settled, Vec<CustomerOrder>)> {
    let progress = ui::Progress::start(label);
    let (started, mut settled, mut empty_polls) = (Instant::now(), Settled::default(), 0);
    loop {
        let waiting = queues.waiting(stack)?;
        let unpublished = queues.unpublished(stack)?;
        let dead_letters = queues.dead_letters(stack)?;
        let mut open = Vec::new();
        if waiting.is_empty() && unpublished == 0 {
            if !dead_letters.is_empty() {
                // The worst case for a late redrive: the provider no longer knows the idempotency keys.
                provider.forget_keys()?;
                queues.redrive(stack, &mut settled)?;
                empty_polls = 0;
                continue;
            }
            empty_polls += 1;
            if empty_polls >= REQUIRED_EMPTY_POLLS {
                let orders = checker.read_orders()?;
                open = orders.iter().filter(|order| !order.is_final()).cloned().collect();
                if open.is_empty() {
                    settled.duration = started.elapsed();
                    progress.done(&format!("{label}: all queues are empty and all orders final"));
                    return Ok((settled, orders));
                }
                empty_polls = 0;
                if clients::invoke_expire_orders(expire_url, &json!({ "older_than_seconds": 0 })) {
                    settled.expiries += 1;
                }
            }
        } else {
            empty_polls = 0;
        }
        let open_now = if open.is_empty() { String::new() } else { format!(", {} orders open", open.len()) };
        progress.detail(&format!(
            "{} messages in queues, {unpublished} events in the outbox{open_now}",
            waiting.values().sum::<u64>()
        ));
        if started.elapsed() > SETTLE_TIMEOUT {
            let orders = checker.read_orders()?;
            let open: Vec<String> =
                orders.iter().filter(|order| !order.is_final()).map(CustomerOrder::describe).collect();
            bail!(
                "{label}: not settled after {} s.\n  in queues: {waiting:?}\n  dead-letter messages: \
                 {dead_letters:?}\n  in the outbox: {unpublished}\n  orders that are not final: {open:#?}",
                SETTLE_TIMEOUT.as_secs()
            );
        }
        signals::sleep(POLL_INTERVAL)?;
    }
}

fn failed(name: &str, error: &dyn std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("cannot access {name}: {error}")
}
