//! One attempt to finalize a payment, as a state machine without I/O.
//!
//! [`Finalization::next`] returns the call to make, and the answer to that call leads to the [`Progress`] from which
//! to continue. [`crate::arbiter`] makes the calls in a loop; the model checker (`tests/model`) makes them one by one
//! and interrupts the attempt in between.

use domain::payment::{Goal, Payment, ProviderObservation, Request, Step, decide};
use domain::{Attempt, Event, Fact, OrderDetails, PaymentIntentId};
use jiff::{SignedDuration, Timestamp};
use platform::Failure;
use uuid::Uuid;

use crate::provider::{NewIntent, ProviderError};

/// The duration of a lease. It exceeds the timeout of the functions (30 seconds in template.yaml), so that a
/// lease expires only after its owner has ended.
pub const LEASE_DURATION: SignedDuration = SignedDuration::from_secs(45);

/// Returns the goal of the attempt that an event causes, and the order; `None` if it causes none.
pub fn goal_of(fact: &Fact) -> Option<(Goal, &OrderDetails)> {
    match fact {
        Fact::ReservationConfirmed(confirmed) => Some((Goal::Charge, &confirmed.order)),
        Fact::CancellationRequested(requested) => Some((Goal::Void(requested.reason), &requested.order)),
        _ => None,
    }
}

/// What does not change during an attempt.
#[derive(Debug, Clone, Copy)]
pub struct Finalization<'a> {
    /// The id of the attempt, which owns the leases that it acquires.
    pub owner: Uuid,
    /// The result that the event asks for.
    pub goal: Goal,
    /// The contents of the event.
    pub request: Request<'a>,
}

/// How far an attempt has come.
#[derive(Debug)]
pub enum Progress {
    /// The record has to be read: at the start, and again after another attempt has written it.
    Unread,
    /// The next step follows from the record and the provider.
    Undecided {
        /// The record as it was read or written last; `None` if there was none.
        stored: Option<Payment>,
        /// The latest response of the provider since the record was read.
        observation: ProviderObservation,
    },
    /// The attempt fails. If it holds the lease, it releases it first.
    Failed {
        /// The record as it was read or written last.
        stored: Option<Payment>,
        /// The reason, with which the attempt ends.
        failure: Failure,
    },
    /// The attempt has ended, with the event that reports the outcome or with a failure.
    Ended(Result<Event, Failure>),
}

/// The next action of an attempt. Each call takes its answer and returns the progress.
#[derive(Debug)]
pub enum Next {
    /// Read the record of the order: [`Progress::after_read`].
    Read,
    /// Write the record.
    Write(Write),
    /// Send a request to the provider.
    Ask(Query),
    /// Write the record with the lease released.
    Release(Release),
    /// End the attempt.
    End(Result<Event, Failure>),
}

/// A write of the record, on condition that it has not changed since it was read.
#[derive(Debug)]
pub struct Write {
    /// The record to write.
    pub payment: Box<Payment>,
    observation: ProviderObservation,
}

/// A request to the provider.
#[derive(Debug)]
pub struct Query {
    /// What to ask the provider for.
    pub request: ProviderRequest,
    /// The record as it was read or written last.
    pub stored: Option<Payment>,
}

/// A write that releases the lease, so that the next attempt need not wait for it to expire.
#[derive(Debug)]
pub struct Release {
    /// The record to write.
    pub payment: Payment,
    failure: Failure,
}

/// A request to the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderRequest {
    /// Create a PaymentIntent.
    Create(NewIntent),
    /// Retrieve the PaymentIntent.
    Retrieve(PaymentIntentId),
    /// Confirm the PaymentIntent, which charges the customer.
    Confirm {
        /// The PaymentIntent to confirm.
        intent: PaymentIntentId,
        /// The idempotency key of the request.
        idempotency_key: String,
    },
    /// Cancel the PaymentIntent, so that it can never be charged.
    Cancel(PaymentIntentId),
}

impl Next {
    /// Returns the name of the action, for the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write(_) => "write",
            Self::Ask(query) => query.request.name(),
            Self::Release(_) => "release",
            Self::End(_) => "end",
        }
    }
}

impl ProviderRequest {
    fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Retrieve(_) => "retrieve",
            Self::Confirm { .. } => "confirm",
            Self::Cancel(_) => "cancel",
        }
    }
}

impl Finalization<'_> {
    /// Returns the next action of an attempt whose clock shows `now`.
    pub fn next(&self, progress: Progress, now: Timestamp) -> Next {
        let attempt = Attempt { owner: self.owner, now, lease_duration: LEASE_DURATION };
        let (stored, observation) = match progress {
            Progress::Unread => return Next::Read,
            Progress::Undecided { stored, observation } => (stored, observation),
            Progress::Failed { stored, failure } => return fail(stored.as_ref(), failure, &attempt),
            Progress::Ended(result) => return Next::End(result),
        };
        let request = match decide(stored.as_ref(), self.goal, &observation, &self.request, &attempt) {
            Step::Publish(event) => return Next::End(Ok(*event)),
            Step::Wait { until: Some(until) } => return Next::End(Err(Failure::Leased { until })),
            Step::Wait { until: None } => {
                let failure = Failure::retry(anyhow::anyhow!("the provider is still processing the payment"));
                return fail(stored.as_ref(), failure, &attempt);
            }
            Step::Write(payment) => return Next::Write(Write { payment, observation }),
            Step::CreateIntent { idempotency_key } => {
                let order = stored.as_ref().map_or(self.request.order, |payment| &payment.order);
                ProviderRequest::Create(NewIntent {
                    order_id: self.request.order_id,
                    amount: order.total,
                    payment_method: order.payment_method.clone(),
                    idempotency_key,
                })
            }
            Step::Retrieve(intent) => ProviderRequest::Retrieve(intent),
            Step::Confirm { intent, idempotency_key } => ProviderRequest::Confirm { intent, idempotency_key },
            Step::Cancel(intent) => ProviderRequest::Cancel(intent),
        };
        Next::Ask(Query { request, stored })
    }
}

/// Releases the lease of an attempt that fails, if it holds it.
fn fail(stored: Option<&Payment>, failure: Failure, attempt: &Attempt) -> Next {
    match stored.and_then(|payment| payment.release_lease(attempt)) {
        Some(payment) => Next::Release(Release { payment, failure }),
        None => Next::End(Err(failure)),
    }
}

impl Progress {
    /// Returns the progress after the record was read.
    pub fn after_read(stored: anyhow::Result<Option<Payment>>) -> Self {
        match stored {
            Ok(stored) => Self::Undecided { stored, observation: ProviderObservation::Nothing },
            Err(error) => Self::Ended(Err(error.into())),
        }
    }

    /// Returns the progress of an attempt that has to stop.
    #[must_use]
    pub fn stopped(self, failure: Failure) -> Self {
        match self {
            Self::Undecided { stored, .. } | Self::Failed { stored, .. } => Self::Failed { stored, failure },
            Self::Unread => Self::Ended(Err(failure)),
            Self::Ended(result) => Self::Ended(result),
        }
    }
}

impl Write {
    /// Returns the progress after the write: `Ok(false)` if the condition was not met. An unknown result is
    /// found out by the next attempt, once the lease has expired.
    pub fn answered(self, written: anyhow::Result<bool>) -> Progress {
        match written {
            Ok(true) => Progress::Undecided { stored: Some(*self.payment), observation: self.observation },
            Ok(false) => Progress::Unread,
            Err(error) => Progress::Ended(Err(error.into())),
        }
    }
}

impl Query {
    /// Returns the progress after the provider's response. An unknown outcome is never taken for any status: the
    /// next attempt retrieves the PaymentIntent.
    pub fn answered(self, response: Result<ProviderObservation, ProviderError>) -> Progress {
        let stored = self.stored;
        let failure = match response {
            Ok(observation) => return Progress::Undecided { stored, observation },
            Err(ProviderError::Refused(reason)) => {
                return Progress::Undecided { stored, observation: ProviderObservation::Refused(reason) };
            }
            Err(ProviderError::InvalidRequest(why)) => {
                Failure::reject(format!("the provider rejected the request as invalid: {why}"))
            }
            Err(ProviderError::Unknown(error)) => Failure::Retry(error),
        };
        Progress::Failed { stored, failure }
    }
}

impl Release {
    /// Returns the progress after the write, whatever its result: the lease expires anyway.
    pub fn done(self) -> Progress {
        Progress::Ended(Err(self.failure))
    }
}
