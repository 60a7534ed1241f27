//! How long idempotency records are kept, which follows from how late a request can be redelivered.
//!
//! The ways in which a message is delayed, with the maximum delay of each:
//!
//! 1. EventBridge retries the delivery to a queue for [`BUS_RETENTION`], then sends the event to the
//!    dead-letter queue
//!    (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html>).
//! 2. A queue keeps a message for [`QUEUE_RETENTION`] from when it was sent. A message that SQS moves to the
//!    dead-letter queue keeps its timestamp, so it is deleted after one retention period in total
//!    (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>).
//! 3. A message that a function sends to the dead-letter queue is a new message: it has another retention
//!    period there.
//! 4. A redrive, including one by SQS, sends it as a new message once more: one retention period in the
//!    queue, and another in the dead-letter queue. An operator can redrive repeatedly, so no finite time
//!    covers all redrives.
//!
//! [`MAX_REQUEST_AGE`] covers [`MAX_REDRIVES`] of them, each at the last moment. An older request that finds
//! no record is refused and needs manual intervention, so it is safe to delete a record after
//! [`RECORD_LIFETIME`], however late the message is redriven. `cargo test -p architecture` checks that no
//! queue exceeds these retention periods.

use jiff::SignedDuration;

const DAY: i64 = 24 * 60 * 60;

/// The time for which the bus retries the delivery of an event: 24 hours, which is the default of
/// EventBridge.
pub const BUS_RETENTION: SignedDuration = SignedDuration::from_secs(DAY);

/// The maximum retention period of a queue: 14 days, which is the maximum of SQS.
pub const QUEUE_RETENTION: SignedDuration = SignedDuration::from_secs(14 * DAY);

/// The number of redrives, each as late as possible, after which a request is still served without a record.
pub const MAX_REDRIVES: i64 = 1;

/// The maximum age of a request that is served without a record: 57 days. It is the sum of the retries of the
/// bus and the retention periods of a queue and its dead-letter queue, for the first delivery and for each
/// redrive.
pub const MAX_REQUEST_AGE: SignedDuration =
    SignedDuration::from_secs(BUS_RETENTION.as_secs() + (1 + MAX_REDRIVES) * 2 * QUEUE_RETENTION.as_secs());

/// The margin for clock skew and other small delays: 3 days.
pub const CLOCK_SKEW_MARGIN: SignedDuration = SignedDuration::from_secs(3 * DAY);

/// How long a record is kept after its last write: 60 days. A record is never written before its effect is
/// requested, so it exists throughout [`MAX_REQUEST_AGE`].
pub const RECORD_LIFETIME: SignedDuration =
    SignedDuration::from_secs(MAX_REQUEST_AGE.as_secs() + CLOCK_SKEW_MARGIN.as_secs());

/// The default duration of the lease of a claim: 45 seconds. It has to exceed the timeout of the function, so
/// that Lambda has ended an attempt before another can take over; the architecture test checks this in the
/// template.
pub const DEFAULT_LEASE_DURATION: SignedDuration = SignedDuration::from_secs(45);
