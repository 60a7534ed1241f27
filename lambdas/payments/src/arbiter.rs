//! Takes the steps that the rules name, until a payment is final.

use std::sync::Arc;

use async_trait::async_trait;
use domain::payment::{Goal, Payment, ProviderObservation, Request, Step, decide};
use domain::{Attempt, Event, Fact, OrderId, PaymentIntentId};
use jiff::SignedDuration;
use platform::{Clock, EventHandler, Failure};

use crate::provider::{NewIntent, Provider, ProviderError};
use crate::store::Payments;

/// How long a lease lasts. Longer than a function runs (template.yaml gives it 30 seconds), so that it has ended
/// only when its owner has.
pub const LEASE: SignedDuration = SignedDuration::from_secs(45);
/// More steps than any payment takes. Whoever needs more goes round in circles.
const MOST_STEPS: usize = 24;

/// Brings payments to their end.
pub struct Arbiter {
    /// The records.
    pub payments: Arc<dyn Payments>,
    /// Who charges.
    pub provider: Arc<dyn Provider>,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
}

impl Arbiter {
    /// Works towards `goal` until the payment is final, and gives back the event that tells how it ended.
    ///
    /// # Errors
    /// [`Failure::Retry`] when something did not answer, [`Failure::Leased`] when somebody else is at it.
    pub async fn settle(&self, goal: Goal, request: Request<'_>) -> Result<Event, Failure> {
        let owner = self.clock.new_id();
        let mut read = self.payments.get(request.order_id).await?;
        let mut seen = ProviderObservation::Nothing;
        for _ in 0..MOST_STEPS {
            let attempt = Attempt { owner, now: self.clock.now(), lease_duration: LEASE };
            let step = decide(read.as_ref(), goal, &seen, &request, &attempt);
            tracing::debug!(step = step_name(&step), "payment step");
            let answered = match step {
                Step::Publish(event) => return Ok(*event),
                Step::Wait { until: Some(until) } => return Err(Failure::Leased { until }),
                Step::Wait { until: None } => {
                    Err(ProviderError::Unknown(anyhow::anyhow!("the provider is still at it")))
                }
                Step::Write(payment) => {
                    if self.payments.write(&payment).await? {
                        read = Some(*payment);
                    } else {
                        // Somebody was faster: start again from what they wrote.
                        read = self.payments.get(request.order_id).await?;
                        seen = ProviderObservation::Nothing;
                    }
                    continue;
                }
                Step::CreateIntent { idempotency_key } => {
                    let order = read.as_ref().map_or(request.order, |payment| &payment.order);
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
            seen = match answered {
                Ok(seen) => seen,
                Err(ProviderError::Refused(reason)) => ProviderObservation::Refused(reason),
                Err(ProviderError::Misunderstood(why)) => {
                    self.give_up(read.as_ref(), &attempt).await;
                    return Err(Failure::reject(format!(
                        "the provider does not understand the request: {why}"
                    )));
                }
                Err(ProviderError::Unknown(error)) => {
                    self.give_up(read.as_ref(), &attempt).await;
                    return Err(Failure::Retry(error));
                }
            };
        }
        self.give_up(read.as_ref(), &Attempt { owner, now: self.clock.now(), lease_duration: LEASE }).await;
        Err(Failure::retry(anyhow::anyhow!("the payment is not final after {MOST_STEPS} steps")))
    }

    /// Brings on a payment that the provider told us about, and gives back the event that tells how it ended.
    ///
    /// The report is a reason to ask the provider and nothing more: it may be late, and only the record says what
    /// is charged, and to whom. So this is the attempt that comes again by itself anyway, only sooner. `None` where
    /// no such attempt is due: without a record, or with another PaymentIntent in it, there is nothing of ours; and a
    /// record that is final was, or will be, told of by what made it, whose message comes again until it has
    /// published. Every charge has its reports: told of here too, each order would wake all consumers again.
    ///
    /// # Errors
    /// As [`Arbiter::settle`].
    pub async fn follow_up(
        &self,
        order: OrderId,
        reported: &PaymentIntentId,
    ) -> Result<Option<Event>, Failure> {
        let payment = self.payments.get(order).await?;
        let Some(payment) = payment.filter(|payment| payment.is_charging(reported)) else {
            tracing::info!(payment_intent = %reported, "nothing is being charged with it");
            return Ok(None);
        };
        let request = Request { order_id: order, order: &payment.order, cause: &payment.cause };
        self.settle(Goal::Charge, request).await.map(Some)
    }

    /// Gives up the lease, so that the next attempt need not wait for its end. No more than a courtesy: if it
    /// fails, the lease ends by itself.
    async fn give_up(&self, read: Option<&Payment>, attempt: &Attempt) {
        let Some(given_up) = read.and_then(|payment| payment.release_lease(attempt)) else { return };
        if let Err(error) = self.payments.write(&given_up).await {
            tracing::warn!(error = %format!("{error:#}"), "the lease could not be given up");
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

/// `process-payment`: charges the customer once the stock is held, and goes on with it when the provider tells of it.
pub struct ProcessPayment(
    /// Does it.
    pub Arbiter,
);

#[async_trait]
impl EventHandler for ProcessPayment {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        match &event.fact {
            Fact::ReservationConfirmed(confirmed) => {
                let cause = event.to_cause();
                let request = Request { order_id: event.subject, order: &confirmed.order, cause: &cause };
                Ok(vec![self.0.settle(Goal::Charge, request).await?])
            }
            Fact::PaymentReported(reported) => {
                let outcome = self.0.follow_up(event.subject, &reported.payment_intent).await?;
                Ok(outcome.into_iter().collect())
            }
            other => Err(Failure::poison(format!("{} is not for this function", other.name()))),
        }
    }
}

/// `void-payment`: makes sure that the customer is not charged, unless they were.
pub struct VoidPayment(
    /// Does it.
    pub Arbiter,
);

#[async_trait]
impl EventHandler for VoidPayment {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        let Fact::CancellationRequested(wish) = &event.fact else {
            return Err(Failure::poison(format!("{} is not for this function", event.fact.name())));
        };
        let cause = event.to_cause();
        let request = Request { order_id: event.subject, order: &wish.order, cause: &cause };
        Ok(vec![self.0.settle(Goal::Void(wish.reason), request).await?])
    }
}
