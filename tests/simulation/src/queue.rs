//! Queues as SQS has them: a message that was handed out is hidden for a while and comes again unless it is
//! deleted, in no particular order, and sometimes twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::wiring::Subscription;

/// A message.
#[derive(Debug, Clone)]
pub struct Message {
    /// What was sent.
    pub body: Arc<str>,
    /// From when on it is handed out.
    pub visible_at: Duration,
    /// How often it was.
    pub receives: u32,
    /// Names the last time that it was.
    pub receipt: u64,
}

/// A message that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What was sent.
    pub body: Arc<str>,
    /// `reject`, `poison` or `exhausted`.
    pub kind: &'static str,
    /// Why, as far as anybody said.
    pub error: String,
}

/// A queue and its dead letters.
#[derive(Debug)]
pub struct Queue {
    /// Who reads it.
    pub subscription: Subscription,
    /// What waits or was handed out.
    pub messages: BTreeMap<u64, Message>,
    /// What was given up.
    pub dead: Vec<Letter>,
    /// Everything that was ever sent here.
    pub history: Vec<Arc<str>>,
    numbers: u64,
}

impl Queue {
    /// An empty one.
    pub fn new(subscription: Subscription) -> Self {
        Self { subscription, messages: BTreeMap::new(), dead: Vec::new(), history: Vec::new(), numbers: 0 }
    }

    fn number(&mut self) -> u64 {
        self.numbers = self.numbers.saturating_add(1);
        self.numbers
    }

    /// Takes a message in.
    pub fn send(&mut self, body: Arc<str>, now: Duration) {
        let id = self.number();
        self.history.push(Arc::clone(&body));
        self.messages.insert(id, Message { body, visible_at: now, receives: 0, receipt: 0 });
    }

    /// Each message that was ever sent here, once.
    pub fn first_history(&self) -> Vec<Arc<str>> {
        let mut seen = BTreeSet::new();
        self.history.iter().filter(|body| seen.insert(Arc::clone(body))).cloned().collect()
    }

    /// The messages that can be handed out.
    pub fn visible(&self, now: Duration) -> Vec<u64> {
        let visible = self.messages.iter().filter(|(_, message)| message.visible_at <= now);
        visible.map(|(id, _)| *id).collect()
    }

    /// Hands out a message and hides it; one that was handed out too often becomes a dead letter.
    pub fn receive(&mut self, id: u64, now: Duration) -> Option<Message> {
        let receipt = self.number();
        let message = self.messages.get_mut(&id)?;
        if message.receives >= self.subscription.max_receives {
            let message = self.messages.remove(&id)?;
            self.dead.push(Letter {
                body: message.body,
                kind: "exhausted",
                error: "by the queue".to_owned(),
            });
            return None;
        }
        message.receives = message.receives.saturating_add(1);
        message.receipt = receipt;
        message.visible_at = now.saturating_add(self.subscription.visibility);
        Some(message.clone())
    }

    /// Deletes a message, if it has not been handed out again since.
    pub fn delete(&mut self, receipt: u64) {
        self.messages.retain(|_, message| message.receipt != receipt);
    }

    /// Hides a message until `until`, if it has not been handed out again since.
    pub fn hide(&mut self, receipt: u64, until: Duration) {
        for message in self.messages.values_mut().filter(|message| message.receipt == receipt) {
            message.visible_at = until;
        }
    }
}
