//! Going through a dead-letter queue once, so that no message is lost wherever it is interrupted.
//!
//! What is done with a message (sent back, saved) comes first, its removal after. A crash between the two does it
//! once more when the same command runs again, which the functions bear. Whatever is not removed becomes visible
//! again: at once where the command could give it back, else when its lease ends.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;

use super::letter::{DeadLetter, Which};

/// How many empty answers in a row mean that a queue has no more: a single one may come from a server of SQS that
/// happens to hold none.
const EMPTY_ANSWERS: u32 = 2;
/// The most messages in one answer.
pub(super) const BATCH: usize = 10;

/// A queue, as much of it as is needed.
pub(crate) trait Broker {
    /// Up to [`BATCH`] messages, nobody else's for a while.
    fn receive(&mut self) -> anyhow::Result<Vec<DeadLetter>>;
    /// Makes a message visible again at once.
    fn give_back(&mut self, letter: &DeadLetter) -> anyhow::Result<()>;
    /// Removes a message for good.
    fn delete(&mut self, letter: &DeadLetter) -> anyhow::Result<()>;
}

/// What is to become of a message that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// What had to be done with it is done: remove it.
    Remove,
    /// It stays.
    Stay,
}

/// What a sweep did.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    /// Those that were removed.
    pub(crate) removed: Vec<DeadLetter>,
    /// How many that were meant stay all the same.
    pub(crate) stayed: u64,
    /// How many were put here after the sweep began. They may be what it sent back and failed again.
    pub(crate) newer: u64,
    /// Why it ended early.
    pub(crate) stopped: Option<anyhow::Error>,
}

/// Goes through the queue until nothing new comes, and does `act` with every message that `which` means and that
/// was there when it `began`.
pub(crate) fn sweep(
    broker: &mut impl Broker,
    which: &Which,
    began: Timestamp,
    act: &mut impl FnMut(&DeadLetter) -> anyhow::Result<Fate>,
) -> Swept {
    let mut swept = Swept::default();
    let mut held = BTreeMap::new();
    swept.stopped = go_through(broker, which, began, act, &mut swept, &mut held).err();
    // Held until the end, so that the queue gave others meanwhile. What cannot be given back comes by itself.
    for letter in held.values() {
        if let Err(error) = broker.give_back(letter) {
            swept.stopped.get_or_insert(error);
        }
    }
    swept
}

fn go_through(
    broker: &mut impl Broker,
    which: &Which,
    began: Timestamp,
    act: &mut impl FnMut(&DeadLetter) -> anyhow::Result<Fate>,
    swept: &mut Swept,
    held: &mut BTreeMap<String, DeadLetter>,
) -> anyhow::Result<()> {
    let mut done: HashSet<String> = HashSet::new();
    let (mut empty, mut nothing_new) = (0_u32, 0_usize);
    while empty < EMPTY_ANSWERS {
        let batch = broker.receive()?;
        if batch.is_empty() {
            empty = empty.saturating_add(1);
            continue;
        }
        empty = 0;
        // All are ours now: noted down first, so that each is given back if one of them stops us.
        let mut new = Vec::new();
        for letter in batch {
            if done.contains(&letter.id) {
                // SQS may hand out a message once more that was removed already.
                broker.delete(&letter)?;
            } else if held.insert(letter.id.clone(), letter.clone()).is_none() {
                new.push(letter);
            }
        }
        nothing_new = if new.is_empty() { nothing_new.saturating_add(1) } else { 0 };
        for letter in new {
            if letter.sent_at.is_some_and(|sent| sent > began) {
                swept.newer = swept.newer.saturating_add(1);
                continue;
            }
            if !which.means(&letter) {
                continue;
            }
            match act(&letter)? {
                Fate::Stay => swept.stayed = swept.stayed.saturating_add(1),
                Fate::Remove => {
                    // From here on, giving it back would do it twice.
                    held.remove(&letter.id);
                    done.insert(letter.id.clone());
                    broker.delete(&letter)?;
                    swept.removed.push(letter);
                }
            }
        }
        // Leases end while a long queue is gone through, and what was seen comes by again. Once as much came by
        // as was seen in all, there is nothing else.
        if nothing_new.saturating_mul(BATCH) > held.len().saturating_add(2 * BATCH) {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
