//! Performs the steps that [`domain::payment::decide`] returns, until a payment is final.

use std::sync::Arc;

use async_trait::async_trait;
use domain::payment::{Goal, Payment, ProviderObservation, Request, Step, decide};
use domain::{Attempt, Event, Fact, OrderId, PaymentIntentId};
use jiff::SignedDuration;
use platform::{Clock, EventHandler, Failure};

use crate::provider::{NewIntent, Provider, ProviderError};
use crate::store::Payments;

/// The duration of a lease. It exceeds the timeout of the functions (30 seconds in template.yaml), so that a
/// lease expires only after its owner has ended.
pub const LEASE_DURATION: SignedDuration = SignedDuration::from_secs(45);
/// More steps than any payment needs: a payment that exceeds them is in a loop.
const MAX_STEPS: usize = 24;

/// Drives payments to a final state.
pub struct Arbiter {
    /// The payment records.
    pub payments: Arc<dyn Payments>,
    /// The payment provider.
    pub provider: Arc<dyn Provider>,
    /// The source of time and new ids.
    pub clock: Arc<dyn Clock>,
}

impl Arbiter {
    /// Works towards `goal` until the payment is final, and returns the event that reports the outcome.
    ///
    /// # Errors
    /// [`Failure::Retry`] when the table or the provider is unavailable or the provider is still processing
    /// the payment, [`Failure::Leased`] when another attempt holds the lease, [`Failure::Reject`] when the
    /// provider rejects a request as invalid.
    pub async fn finalize(&self, goal: Goal, request: Request<'_>) -> Result<Event, Failure> {
        let owner = self.clock.new_id();
        let mut stored = self.payments.get(request.order_id).await?;
        let mut observation = ProviderObservation::Nothing;
        for _ in 0..MAX_STEPS {
            let attempt = Attempt { owner, now: self.clock.now(), lease_duration: LEASE_DURATION };
            let step = decide(stored.as_ref(), goal, &observation, &request, &attempt);
            tracing::debug!(step = step_name(&step), "payment step");
            let result = match step {
                Step::Publish(event) => return Ok(*event),
                Step::Wait { until: Some(until) } => return Err(Failure::Leased { until }),
                Step::Wait { until: None } => Err(ProviderError::Unknown(anyhow::anyhow!(
                    "the provider is still processing the payment"
                ))),
                Step::Write(payment) => {
                    if self.payments.write(&payment).await? {
                        stored = Some(*payment);
                    } else {
                        // Another attempt has written the record: start again from what it wrote.
                        stored = self.payments.get(request.order_id).await?;
                        observation = ProviderObservation::Nothing;
                    }
                    continue;
                }
                Step::CreateIntent { idempotency_key } => {
                    let order = stored.as_ref().map_or(request.order, |payment| &payment.order);
                    let intent = NewIntent {
                        order_id: request.order_id,
                        amount: order.total,
                        payment_method: order.payment_method.clone(),
                        idempotency_key,
                    };
                    self.provider.create(intent).await.map(ProviderObservation::Created)
                }
                Step::Retrieve(intent) => {
                    self.provider.retrieve(&intent).await.map(ProviderObservation::Status)
                }
                Step::Confirm { intent, idempotency_key } => {
                    self.provider.confirm(&intent, &idempotency_key).await.map(ProviderObservation::Status)
                }
                Step::Cancel(intent) => self.provider.cancel(&intent).await.map(ProviderObservation::Status),
            };
            observation = match result {
                Ok(observation) => observation,
                Err(ProviderError::Refused(reason)) => ProviderObservation::Refused(reason),
                Err(ProviderError::InvalidRequest(why)) => {
                    self.release_lease(stored.as_ref(), &attempt).await;
                    return Err(Failure::reject(format!(
                        "the provider rejected the request as invalid: {why}"
                    )));
                }
                Err(ProviderError::Unknown(error)) => {
                    self.release_lease(stored.as_ref(), &attempt).await;
                    return Err(Failure::Retry(error));
                }
            };
        }
        self.release_lease(
            stored.as_ref(),
            &Attempt { owner, now: self.clock.now(), lease_duration: LEASE_DURATION },
        )
        .await;
        Err(Failure::retry(anyhow::anyhow!("the payment is not final after {MAX_STEPS} steps")))
    }

    /// Advances a payment after a report of the provider, and returns the event that reports the outcome.
    ///
    /// The report only triggers a retrieval from the provider: it may be late, and only the record says what
    /// is charged, and to whom. The attempt is the same as that of the redelivered message, only sooner.
    /// `None` if no attempt is due: there is no record, or it has another PaymentIntent, or it is final. The
    /// outcome of a final record is published by the attempt that wrote it, whose message is redelivered
    /// until it has done so. Every charge has reports: if they published the outcome too, each order would
    /// invoke all consumers again.
    ///
    /// # Errors
    /// The same as those of [`Arbiter::finalize`].
    pub async fn handle_report(
        &self,
        order: OrderId,
        reported: &PaymentIntentId,
    ) -> Result<Option<Event>, Failure> {
        let payment = self.payments.get(order).await?;
        let Some(payment) = payment.filter(|payment| payment.is_charging(reported)) else {
            tracing::info!(payment_intent = %reported, "no payment is in progress with this PaymentIntent");
            return Ok(None);
        };
        let request = Request { order_id: order, order: &payment.order, cause: &payment.cause };
        self.finalize(Goal::Charge, request).await.map(Some)
    }

    /// Releases the lease, so that the next attempt need not wait for it to expire. This is an optimization:
    /// a failure is only logged, because the lease expires anyway.
    async fn release_lease(&self, stored: Option<&Payment>, attempt: &Attempt) {
        let Some(released) = stored.and_then(|payment| payment.release_lease(attempt)) else { return };
        if let Err(error) = self.payments.write(&released).await {
            tracing::warn!(error = %format!("{error:#}"), "the lease could not be released");
        }
    }
}

fn step_name(step: &Step) -> &'static str {
    match step {
        Step::Write(_) => "write",
        Step::CreateIntent { .. } => "create",
        Step::Retrieve(_) => "retrieve",
        Step::Confirm { .. } => "confirm",
        Step::Cancel(_) => "cancel",
        Step::Publish(_) => "publish",
        Step::Wait { .. } => "wait",
    }
}

/// `process-payment`: charges the customer once the stock is reserved, and resumes when the provider reports.
pub struct ProcessPayment(
    /// The arbiter that charges.
    pub Arbiter,
);

#[async_trait]
impl EventHandler for ProcessPayment {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        match &event.fact {
            Fact::ReservationConfirmed(confirmed) => {
                let cause = event.to_cause();
                let request = Request { order_id: event.subject, order: &confirmed.order, cause: &cause };
                Ok(vec![self.0.finalize(Goal::Charge, request).await?])
            }
            Fact::PaymentReported(reported) => {
                let outcome = self.0.handle_report(event.subject, &reported.payment_intent).await?;
                Ok(outcome.into_iter().collect())
            }
            other => Err(Failure::poison(format!("this function does not handle {}", other.name()))),
        }
    }
}

/// `void-payment`: makes sure that the customer is never charged, unless the payment has already succeeded.
pub struct VoidPayment(
    /// The arbiter that voids.
    pub Arbiter,
);

#[async_trait]
impl EventHandler for VoidPayment {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        let Fact::CancellationRequested(cancellation) = &event.fact else {
            return Err(Failure::poison(format!("this function does not handle {}", event.fact.name())));
        };
        let cause = event.to_cause();
        let request = Request { order_id: event.subject, order: &cancellation.order, cause: &cause };
        Ok(vec![self.0.finalize(Goal::Void(cancellation.reason), request).await?])
    }
}
