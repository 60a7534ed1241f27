//! How late the same thing can be asked for again, and so how long a record of it is kept.
//!
//! Ways in which a message comes late, each with how long it takes at most:
//!
//! 1. EventBridge tries to deliver to a queue for [`BUS_RETENTION`], then puts the event among the dead letters
//!    (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html>).
//! 2. A queue keeps a message for [`QUEUE_RETENTION`] from when it was sent. A message that SQS itself moves to
//!    the dead letters keeps that time, and so is gone after one retention in all
//!    (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>).
//! 3. A message that a function puts away is sent anew: another retention among the dead letters.
//! 4. A redrive sends it anew once more, also one by SQS itself: a retention in the queue, and one more among the
//!    dead letters. A person can do so again and again, so no finite time covers all redrives.
//!
//! [`MAX_REQUEST_AGE`] covers [`MAX_REDRIVES`] of them, each at the last moment. Whoever asks later than that and finds no record
//! is not served, but sent to a person: so it is safe to forget a record after [`RECORD_LIFETIME`], however late
//! somebody redrives. `cargo test -p architecture` checks that no queue keeps messages for longer than is said here.

use jiff::SignedDuration;

const DAY: i64 = 24 * 60 * 60;

/// How long the bus tries to deliver an event: 24 hours, which is EventBridge's default.
pub const BUS_RETENTION: SignedDuration = SignedDuration::from_secs(DAY);

/// How long a queue keeps a message at most: 14 days, the longest that SQS can.
pub const QUEUE_RETENTION: SignedDuration = SignedDuration::from_secs(14 * DAY);

/// Redrives that go through without a person's second look, each as late as can be.
pub const MAX_REDRIVES: i64 = 1;

/// How old a request may be and still be carried out without a record of it: 57 days. The bus, then a queue and its
/// dead letters for the first delivery and for each redrive.
pub const MAX_REQUEST_AGE: SignedDuration =
    SignedDuration::from_secs(BUS_RETENTION.as_secs() + (1 + MAX_REDRIVES) * 2 * QUEUE_RETENTION.as_secs());

/// How far clocks may differ, with what else is a little late: 3 days.
pub const CLOCK_SKEW_MARGIN: SignedDuration = SignedDuration::from_secs(3 * DAY);

/// How long a record is kept from its last write: 60 days. A record is written no earlier than its effect is asked
/// for, so within [`MAX_REQUEST_AGE`] it is there.
pub const RECORD_LIFETIME: SignedDuration =
    SignedDuration::from_secs(MAX_REQUEST_AGE.as_secs() + CLOCK_SKEW_MARGIN.as_secs());

/// How long a claim lasts where nothing else is said: 45 seconds. It has to be longer than the function runs, so that
/// Lambda has ended a run before another may take its place; the architecture test checks the template for it.
pub const DEFAULT_LEASE_DURATION: SignedDuration = SignedDuration::from_secs(45);
