//! Makes the calls of a [`Finalization`], until a payment is final.

use std::sync::Arc;

use async_trait::async_trait;
use domain::payment::{Goal, ProviderObservation, Request};
use domain::{Event, Fact, OrderId, PaymentIntentId};
use platform::metrics::TARGET;
use platform::{Clock, EventHandler, Failure};

use crate::finalization::{Finalization, Next, Progress, ProviderRequest, goal_of};
use crate::provider::{Provider, ProviderError};
use crate::store::Payments;

/// More calls than any payment needs: a payment that exceeds them is in a loop.
const MAX_CALLS: usize = 32;

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
    /// Works towards the goal of `event` until the payment is final, and returns the event that reports the
    /// outcome.
    ///
    /// # Errors
    /// Those of [`Arbiter::finalize`], and [`Failure::Poison`] for an event without a goal.
    async fn handle(&self, event: &Event) -> Result<Event, Failure> {
        let Some((goal, order)) = goal_of(&event.fact) else { return Err(unexpected(event)) };
        let cause = event.to_cause();
        self.finalize(goal, Request { order_id: event.subject, order, cause: &cause }).await
    }

    /// Works towards `goal` until the payment is final, and returns the event that reports the outcome.
    ///
    /// # Errors
    /// [`Failure::Retry`] when the table or the provider is unavailable or the provider is still processing
    /// the payment, [`Failure::Leased`] when another attempt holds the lease, [`Failure::Reject`] when the
    /// provider rejects a request as invalid.
    pub async fn finalize(&self, goal: Goal, request: Request<'_>) -> Result<Event, Failure> {
        let finalization = Finalization { owner: self.clock.new_id(), goal, request };
        let mut progress = Progress::Unread;
        let mut calls = 0_usize;
        loop {
            if calls == MAX_CALLS {
                let why = anyhow::anyhow!("the payment is not final after {MAX_CALLS} calls");
                progress = progress.stopped(Failure::retry(why));
            }
            let next = finalization.next(progress, self.clock.now());
            tracing::debug!(step = next.name(), "payment step");
            progress = match next {
                Next::Read => Progress::after_read(self.payments.get(request.order_id).await),
                Next::Write(write) => {
                    let written = self.payments.write(&write.payment).await;
                    write.answered(written)
                }
                Next::Ask(query) => {
                    let response = self.ask(query.request.clone()).await;
                    query.answered(response)
                }
                Next::Release(release) => {
                    // This is an optimization: the lease expires anyway.
                    if let Err(error) = self.payments.write(&release.payment).await {
                        tracing::warn!(error = %format!("{error:#}"), "the lease could not be released");
                    }
                    release.done()
                }
                Next::End(result) => return result,
            };
            calls = calls.saturating_add(1);
        }
    }

    /// Makes a call to the provider, and logs its outcome with the time that it took.
    async fn ask(&self, request: ProviderRequest) -> Result<ProviderObservation, ProviderError> {
        let start = self.clock.elapsed();
        let response = self.call(request).await;
        let outcome = match &response {
            Ok(_) => "ok",
            Err(ProviderError::Refused(_)) => "refused",
            Err(ProviderError::InvalidRequest(_)) => "invalid",
            Err(ProviderError::Unknown(_)) => "unknown",
        };
        let elapsed = self.clock.elapsed().saturating_sub(start);
        let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(target: TARGET, ProviderMilliseconds = milliseconds, outcome, "provider called");
        response
    }

    async fn call(&self, request: ProviderRequest) -> Result<ProviderObservation, ProviderError> {
        match request {
            ProviderRequest::Create(intent) => {
                self.provider.create(intent).await.map(ProviderObservation::Created)
            }
            ProviderRequest::Retrieve(intent) => {
                self.provider.retrieve(&intent).await.map(ProviderObservation::Status)
            }
            ProviderRequest::Confirm { intent, idempotency_key } => {
                self.provider.confirm(&intent, &idempotency_key).await.map(ProviderObservation::Status)
            }
            ProviderRequest::Cancel(intent) => {
                self.provider.cancel(&intent).await.map(ProviderObservation::Status)
            }
        }
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
}

fn unexpected(event: &Event) -> Failure {
    Failure::poison(format!("this function does not handle {}", event.fact.name()))
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
            Fact::ReservationConfirmed(_) => Ok(vec![self.0.handle(event).await?]),
            Fact::PaymentReported(reported) => {
                let outcome = self.0.handle_report(event.subject, &reported.payment_intent).await?;
                Ok(outcome.into_iter().collect())
            }
            _ => Err(unexpected(event)),
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
        match &event.fact {
            Fact::CancellationRequested(_) => Ok(vec![self.0.handle(event).await?]),
            _ => Err(unexpected(event)),
        }
    }
}
