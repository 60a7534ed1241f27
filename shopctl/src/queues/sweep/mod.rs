//! Processes the messages of a dead-letter queue once, without losing any, wherever it is interrupted.
//!
//! A message is first redriven or saved, then deleted. A crash between the two repeats the first step when
//! the same command runs again, which the functions tolerate. Messages that are not deleted become visible
//! again: at once if the command can release them, otherwise at the end of their visibility timeout.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;

use super::message::{DeadLetterMessage, MessageFilter};

/// How many consecutive empty responses mean that the queue is empty: a single one may come from a server of
/// SQS that holds no messages of the queue.
const MAX_EMPTY_RECEIVES: u32 = 2;
/// The maximum number of messages in one response.
pub(super) const MAX_BATCH: usize = 10;

/// The operations of a queue that a sweep needs.
pub(super) trait Broker {
    /// Receives up to [`MAX_BATCH`] messages, which are then invisible to other consumers for a while.
    fn receive(&mut self) -> anyhow::Result<Vec<DeadLetterMessage>>;
    /// Makes a message visible again at once.
    fn release(&mut self, message: &DeadLetterMessage) -> anyhow::Result<()>;
    /// Deletes a message.
    fn delete(&mut self, message: &DeadLetterMessage) -> anyhow::Result<()>;
}

/// What to do with a message in its queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Delete it: it was redriven or saved.
    Delete,
    /// Leave it in the queue.
    Keep,
}

/// The result of a sweep.
#[derive(Debug, Default)]
pub struct SweepResult {
    /// The messages that were processed and deleted.
    pub deleted: Vec<DeadLetterMessage>,
    /// The number of messages that matched the filter but were kept.
    pub kept: u64,
    /// The number of messages that arrived during the sweep. They may be redriven ones that failed again.
    pub arrived: u64,
    /// The error that ended the sweep early.
    pub error: Option<anyhow::Error>,
}

/// Receives messages until there are no new ones, and applies `act` to each that matches the filter and
/// arrived before the sweep `began`.
pub(super) fn sweep(
    broker: &mut impl Broker,
    filter: &MessageFilter,
    began: Timestamp,
    act: &mut impl FnMut(&DeadLetterMessage) -> anyhow::Result<Disposition>,
) -> SweepResult {
    let mut result = SweepResult::default();
    let mut in_flight = BTreeMap::new();
    result.error = process_all(broker, filter, began, act, &mut result, &mut in_flight).err();
    // Kept in flight until now, so that the queue returned other messages. Those that cannot be released
    // become visible after their visibility timeout.
    for message in in_flight.values() {
        if let Err(error) = broker.release(message) {
            result.error.get_or_insert(error);
        }
    }
    result
}

fn process_all(
    broker: &mut impl Broker,
    filter: &MessageFilter,
    began: Timestamp,
    act: &mut impl FnMut(&DeadLetterMessage) -> anyhow::Result<Disposition>,
    result: &mut SweepResult,
    in_flight: &mut BTreeMap<String, DeadLetterMessage>,
) -> anyhow::Result<()> {
    let mut deleted: HashSet<String> = HashSet::new();
    let (mut empty, mut without_new) = (0_u32, 0_usize);
    while empty < MAX_EMPTY_RECEIVES {
        let batch = broker.receive()?;
        if batch.is_empty() {
            empty = empty.saturating_add(1);
            continue;
        }
        empty = 0;
        // All are recorded as in flight first, so that each is released if one of them fails.
        let mut new = Vec::new();
        for message in batch {
            if deleted.contains(&message.id) {
                // SQS may deliver a message again after its deletion.
                broker.delete(&message)?;
            } else if in_flight.insert(message.id.clone(), message.clone()).is_none() {
                new.push(message);
            }
        }
        without_new = if new.is_empty() { without_new.saturating_add(1) } else { 0 };
        for message in new {
            if message.sent_at.is_some_and(|sent| sent > began) {
                result.arrived = result.arrived.saturating_add(1);
                continue;
            }
            if !filter.matches(&message) {
                continue;
            }
            match act(&message)? {
                Disposition::Keep => result.kept = result.kept.saturating_add(1),
                Disposition::Delete => {
                    // Releasing it from here on would process it twice.
                    in_flight.remove(&message.id);
                    deleted.insert(message.id.clone());
                    broker.delete(&message)?;
                    result.deleted.push(message);
                }
            }
        }
        // In a long queue, visibility timeouts end during the sweep, and messages are received again. Once as
        // many were received again as there are in flight, there are no others.
        if without_new.saturating_mul(MAX_BATCH) > in_flight.len().saturating_add(2 * MAX_BATCH) {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
