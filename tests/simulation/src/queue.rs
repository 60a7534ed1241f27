//! Queues with the semantics of SQS: a received message is invisible for a while and is redelivered unless it
//! is deleted. Delivery is unordered and at least once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::wiring::Subscription;

/// A message in a queue.
#[derive(Debug, Clone)]
pub struct Message {
    /// The body as it was sent.
    pub body: Arc<str>,
    /// The time from which the message can be received.
    pub visible_at: Duration,
    /// How often the message was received.
    pub receive_count: u32,
    /// When the message was sent.
    pub sent_at: Duration,
    /// The receipt handle of the last receive.
    pub receipt: u64,
}

/// A dead-letter message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The binary name of the function that reads the queue; empty if the queue moved the message itself.
    pub function: &'static str,
    /// The body as it was sent.
    pub body: Arc<str>,
    /// Why it was moved: `reject`, `poison` or `exhausted`.
    pub kind: &'static str,
    /// The last error.
    pub error: String,
}

/// A queue with its dead-letter queue.
#[derive(Debug)]
pub struct Queue {
    /// The subscription of the function that reads the queue.
    pub subscription: Subscription,
    /// The messages, visible or in flight.
    pub messages: BTreeMap<u64, Message>,
    /// The messages in the dead-letter queue.
    pub dead_letters: Vec<DeadLetter>,
    /// Every message that was ever sent to the queue.
    pub history: Vec<Arc<str>>,
    last_number: u64,
}

impl Queue {
    /// Creates an empty queue.
    pub fn new(subscription: Subscription) -> Self {
        Self {
            subscription,
            messages: BTreeMap::new(),
            dead_letters: Vec::new(),
            history: Vec::new(),
            last_number: 0,
        }
    }

    fn next_number(&mut self) -> u64 {
        self.last_number = self.last_number.saturating_add(1);
        self.last_number
    }

    /// Adds a message.
    pub fn send(&mut self, body: Arc<str>, now: Duration) {
        let id = self.next_number();
        self.history.push(Arc::clone(&body));
        self.messages
            .insert(id, Message { body, visible_at: now, sent_at: now, receive_count: 0, receipt: 0 });
    }

    /// Every distinct message that was ever sent to the queue, in the order of its first send.
    pub fn distinct_history(&self) -> Vec<Arc<str>> {
        let mut seen = BTreeSet::new();
        self.history.iter().filter(|body| seen.insert(Arc::clone(body))).cloned().collect()
    }

    /// The ids of the visible messages.
    pub fn visible(&self, now: Duration) -> Vec<u64> {
        let visible = self.messages.iter().filter(|(_, message)| message.visible_at <= now);
        visible.map(|(id, _)| *id).collect()
    }

    /// Receives a message and makes it invisible. A message that has exhausted its receives moves to the
    /// dead-letter queue instead.
    pub fn receive(&mut self, id: u64, now: Duration) -> Option<Message> {
        let receipt = self.next_number();
        let message = self.messages.get_mut(&id)?;
        if message.receive_count >= self.subscription.max_receive_count {
            let message = self.messages.remove(&id)?;
            self.dead_letters.push(DeadLetter {
                function: "",
                body: message.body,
                kind: "exhausted",
                error: "the maximum receive count is exceeded".to_owned(),
            });
            return None;
        }
        message.receive_count = message.receive_count.saturating_add(1);
        message.receipt = receipt;
        message.visible_at = now.saturating_add(self.subscription.visibility);
        Some(message.clone())
    }

    /// Deletes a message, unless it has been received again since.
    pub fn delete(&mut self, receipt: u64) {
        self.messages.retain(|_, message| message.receipt != receipt);
    }

    /// Makes a message invisible until `until`, unless it has been received again since.
    pub fn extend_visibility(&mut self, receipt: u64, until: Duration) {
        for message in self.messages.values_mut().filter(|message| message.receipt == receipt) {
            message.visible_at = until;
        }
    }
}
