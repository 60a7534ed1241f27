//! After the faults: waits until everything has come to its end, and helps only with what operations would do too.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::bail;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::Select;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::json;

use super::clients;
use super::door::{Door, Seen};
use crate::names::DEAD_LETTERS;
use crate::queues::{DeadLetterQueue, Which};
use crate::stack::Stack;
use crate::stand_in::Control;
use crate::{signals, ui};

/// How long everything may take to come to its end: a message whose function was killed waits for [`VISIBILITY`],
/// several times if it is unlucky, and `expire-orders` publishes what the relay missed after two minutes.
const LIMIT: Duration = Duration::from_secs(8 * 60);
/// The visibility timeout of the functions' queues in a run, in seconds: longer than a function's 30 seconds and than
/// a lease of payments; shorter than the template's 180, so that a run takes minutes.
pub(super) const VISIBILITY: u32 = 48;
/// How often a wait looks again.
const POLL: Duration = Duration::from_secs(1);
/// How often no message may be anywhere, one look after the other, before the orders are looked at.
const QUIET: u32 = 3;

/// What it took.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settled {
    /// From the end of the faults until all was quiet.
    pub(crate) took: Duration,
    /// How many dead letters were sent back, by their queue.
    pub(crate) redriven: BTreeMap<String, u64>,
    /// How often `expire-orders` had to be asked to give up orders that nothing else moved on.
    pub(crate) expiries: u32,
}

/// The queues of a stack.
pub(crate) struct Queues {
    /// Logical name and address of the functions' queues.
    functions: BTreeMap<String, String>,
    /// The same of the dead letters.
    dead_letters: BTreeMap<String, String>,
    outbox: String,
}

impl Queues {
    pub(crate) fn of(stack: &Stack) -> anyhow::Result<Self> {
        let mut queues =
            Self { functions: BTreeMap::new(), dead_letters: BTreeMap::new(), outbox: String::new() };
        for resource in stack.resources()? {
            if resource.logical_id == "OutboxTable" {
                queues.outbox = resource.physical_id;
            } else if resource.kind == "AWS::SQS::Queue" {
                let dead = resource.logical_id.ends_with(DEAD_LETTERS);
                let list = if dead { &mut queues.dead_letters } else { &mut queues.functions };
                list.insert(resource.logical_id, resource.physical_id);
            }
        }
        Ok(queues)
    }

    /// Lets a message whose function was killed come again after [`VISIBILITY`].
    pub(crate) fn quicken(&self, stack: &Stack) -> anyhow::Result<()> {
        for (name, url) in &self.functions {
            let call = stack.aws.sqs.set_queue_attributes().queue_url(url);
            let call = call.attributes(QueueAttributeName::VisibilityTimeout, VISIBILITY.to_string());
            stack.aws.wait(call.send()).map_err(|error| failed(name, &DisplayErrorContext(&error)))?;
        }
        Ok(())
    }

    /// The queues that hold something, and how much.
    fn waiting(&self, stack: &Stack) -> anyhow::Result<BTreeMap<String, u64>> {
        depths(stack, &self.functions)
    }

    /// The dead letters that there are.
    fn dead(&self, stack: &Stack) -> anyhow::Result<BTreeMap<String, u64>> {
        depths(stack, &self.dead_letters)
    }

    /// How many events wait in the outbox.
    fn unpublished(&self, stack: &Stack) -> anyhow::Result<u64> {
        let scan = stack.aws.dynamodb.scan().table_name(&self.outbox).select(Select::Count);
        let answer = stack.aws.wait(scan.consistent_read(true).send());
        let answer = answer.map_err(|error| failed("OutboxTable", &DisplayErrorContext(&error)))?;
        Ok(u64::try_from(answer.count()).unwrap_or_default())
    }

    /// Sends all dead letters back. A failed run of `expire-orders` is made up for by the next; it is thrown away.
    fn redrive(&self, stack: &Stack, settled: &mut Settled) -> anyhow::Result<()> {
        for queue in DeadLetterQueue::all(stack)? {
            let count = if queue.function() == "ExpireOrders" {
                let Some(url) = self.dead_letters.get(&queue.name) else { continue };
                let purged = stack.aws.wait(stack.aws.sqs.purge_queue().queue_url(url).send());
                purged.map_err(|error| failed(&queue.name, &DisplayErrorContext(&error)))?;
                0
            } else {
                queue.redrive(stack, &Which::default())?.len()
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
        let depth = crate::queues::count(stack, name, url)?;
        if depth > 0 {
            depths.insert(name.clone(), depth);
        }
    }
    Ok(depths)
}

/// Waits until every order is final and nothing waits anywhere.
///
/// # Errors
/// When that does not come true in time: says what hangs.
pub(crate) fn settle(
    stack: &Stack,
    queues: &Queues,
    door: &Door<'_>,
    provider: &Control,
    expire_url: &str,
    label: &str,
) -> anyhow::Result<(Settled, Vec<Seen>)> {
    let progress = ui::Progress::start(label);
    let (started, mut settled, mut quiet) = (Instant::now(), Settled::default(), 0);
    loop {
        let waiting = queues.waiting(stack)?;
        let unpublished = queues.unpublished(stack)?;
        let dead = queues.dead(stack)?;
        let mut open = Vec::new();
        if waiting.is_empty() && unpublished == 0 {
            if !dead.is_empty() {
                // As late as can be: the provider remembers none of it any more.
                provider.forget_keys()?;
                queues.redrive(stack, &mut settled)?;
                quiet = 0;
                continue;
            }
            quiet += 1;
            if quiet >= QUIET {
                let seen = door.look()?;
                open = seen.iter().filter(|seen| !seen.is_final()).cloned().collect();
                if open.is_empty() {
                    settled.took = started.elapsed();
                    progress.done(&format!("{label}: all is quiet"));
                    return Ok((settled, seen));
                }
                quiet = 0;
                if clients::expire(expire_url, &json!({ "older_than_seconds": 0 })) {
                    settled.expiries += 1;
                }
            }
        } else {
            quiet = 0;
        }
        let open_now = if open.is_empty() { String::new() } else { format!(", {} orders open", open.len()) };
        progress.detail(&format!(
            "{} messages, {unpublished} unpublished{open_now}",
            waiting.values().sum::<u64>()
        ));
        if started.elapsed() > LIMIT {
            let open: Vec<String> =
                door.look()?.iter().filter(|seen| !seen.is_final()).map(Seen::shown).collect();
            bail!(
                "{label}: not quiet after {} s.\n  in queues: {waiting:?}\n  dead letters: {dead:?}\n  \
                 in the outbox: {unpublished}\n  orders that are not final: {open:#?}",
                LIMIT.as_secs()
            );
        }
        signals::sleep(POLL)?;
    }
}

fn failed(name: &str, error: &dyn std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("cannot look at {name}: {error}")
}
