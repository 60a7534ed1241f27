//! `check-health`: places an order as a customer would, and measures each queue.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::OrderId;
use domain::order::OrderStatus;
use jiff::{SignedDuration, Timestamp};
use platform::Clock;
use platform::clock::timeout;
use platform::host::schedule::Job;
use platform::metrics::TARGET;
use serde_json::{Value, json};

use crate::report::{CHECK_INTERVAL, MAX_MESSAGE_AGE, Report, Step, StepReport};
use crate::shop::Shop;
use crate::store::{Queues, Reports, is_dead_letter_queue};

/// The timeout of each step except the last. API Gateway itself times out after 29 seconds.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum time until an order is decided. Usually it takes two seconds.
const DECISION_TIMEOUT: Duration = Duration::from_secs(60);
/// The number of attempts before a step has failed: a customer would retry too.
const MAX_ATTEMPTS: u32 = 2;
/// The time between two reads of the order status.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The age from which a synthetic order that is still open counts as hanging.
const MAX_OPEN_AGE: SignedDuration = CHECK_INTERVAL;

/// The scheduled health check.
pub struct CheckHealth {
    /// The API of the shop.
    pub shop: Arc<dyn Shop>,
    /// The queues of the stack.
    pub queues: Arc<dyn Queues>,
    /// The stored reports.
    pub reports: Arc<dyn Reports>,
    /// The source of time and new ids.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl Job for CheckHealth {
    /// A problem of the shop is a result, not a failure of the function: a failure means that the health is
    /// unknown.
    async fn run(&self, _: Value) -> anyhow::Result<Value> {
        let checked_at = self.clock.now();
        let steps = self.run_steps().await;
        let mut missing = Vec::new();
        let hanging = self.count_hanging_orders(checked_at, &steps).await;
        let hanging = keep(&mut missing, "the synthetic orders", hanging);
        let has_late_messages = self.measure_queues(&mut missing).await;
        let report = Report { checked_at, steps, has_late_messages, missing };
        let problems = report.problems(checked_at);
        let failed = report.steps.iter().filter(|step| !step.ok).count();
        tracing::info!(
            target: TARGET,
            UnhealthyChecks = u32::from(!problems.is_empty()),
            failed_steps = failed,
            hanging_orders = hanging,
            "health check finished"
        );
        self.reports.save(&report).await?;
        Ok(
            json!({ "healthy": problems.is_empty(), "problems": problems, "hanging": hanging, "missing": report.missing }),
        )
    }
}

impl CheckHealth {
    /// Runs the steps of a customer up to the first one that fails.
    async fn run_steps(&self) -> Vec<StepReport> {
        let mut steps = Vec::new();
        let key = self.clock.new_id().to_string();
        self.try_steps(&mut steps, &key).await;
        steps
    }

    async fn try_steps(&self, steps: &mut Vec<StepReport>, key: &str) -> Option<()> {
        let shop = &self.shop;
        self.step(steps, Step::SignIn, || shop.sign_in()).await?;
        // A shop without products is healthy too.
        if let Some(sku) = self.step(steps, Step::ListProducts, || shop.any_product()).await? {
            self.step(steps, Step::ReadProduct, || shop.read_product(&sku)).await?;
        }
        let order = self.step(steps, Step::PlaceOrder, || shop.place_order(key)).await?;
        let start = self.clock.elapsed();
        let decided = timeout(self.clock.as_ref(), DECISION_TIMEOUT, self.wait_until_rejected(order)).await;
        let decided = decided.unwrap_or_else(|| {
            Err(anyhow::anyhow!("the order was not decided within {} s", DECISION_TIMEOUT.as_secs()))
        });
        self.record_step(steps, Step::DecideOrder, start, decided)
    }

    async fn step<T, F: Future<Output = anyhow::Result<T>>>(
        &self,
        steps: &mut Vec<StepReport>,
        step: Step,
        attempt: impl Fn() -> F,
    ) -> Option<T> {
        let start = self.clock.elapsed();
        let mut last = Err(anyhow::anyhow!("the step was not attempted"));
        for _ in 0..MAX_ATTEMPTS {
            last = timeout(self.clock.as_ref(), STEP_TIMEOUT, attempt())
                .await
                .unwrap_or_else(|| Err(anyhow::anyhow!("no response within {} s", STEP_TIMEOUT.as_secs())));
            match &last {
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(step = step.as_ref(), error = %format!("{error:#}"), "an attempt of a step failed");
                }
            }
        }
        self.record_step(steps, step, start, last)
    }

    fn record_step<T>(
        &self,
        steps: &mut Vec<StepReport>,
        step: Step,
        start: Duration,
        outcome: anyhow::Result<T>,
    ) -> Option<T> {
        let duration = self.clock.elapsed().saturating_sub(start);
        let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        if let Err(error) = &outcome {
            tracing::error!(step = step.as_ref(), error = %format!("{error:#}"), "the step failed");
        }
        let ok = outcome.is_ok();
        tracing::info!(step = step.as_ref(), ok, duration_ms, "step");
        steps.push(StepReport { step, ok, duration_ms });
        outcome.ok()
    }

    /// Waits for the order to be rejected, which only the inventory does. A failed read is only logged,
    /// because it is repeated.
    async fn wait_until_rejected(&self, order: OrderId) -> anyhow::Result<()> {
        loop {
            match self.shop.order_status(order).await {
                Ok(OrderStatus::Rejected) => return Ok(()),
                Ok(status) if status.is_final() => anyhow::bail!("order {order} became {status:?}"),
                Ok(_) => {}
                Err(error) => tracing::warn!(error = %format!("{error:#}"), "the order could not be read"),
            }
            self.clock.sleep(POLL_INTERVAL).await;
        }
    }

    /// Counts the hanging ones among the last hundred synthetic orders.
    async fn count_hanging_orders(&self, now: Timestamp, steps: &[StepReport]) -> anyhow::Result<usize> {
        let is_signed_in = steps.iter().any(|step| step.step == Step::SignIn && step.ok);
        anyhow::ensure!(is_signed_in, "there is no access token");
        let orders = timeout(self.clock.as_ref(), STEP_TIMEOUT, self.shop.latest_orders()).await;
        let no_response = || Err(anyhow::anyhow!("no response within {} s", STEP_TIMEOUT.as_secs()));
        let orders = orders.unwrap_or_else(no_response)?;
        let hangs = |placed_at: Timestamp| now.duration_since(placed_at) > MAX_OPEN_AGE;
        Ok(orders.iter().filter(|order| !order.status.is_final() && hangs(order.placed_at)).count())
    }

    /// Measures each queue, and returns whether messages have been waiting for too long. The readings that fail are
    /// added to `missing`.
    async fn measure_queues(&self, missing: &mut Vec<String>) -> bool {
        for (queue, depth) in self.queues.depths().await {
            let Some(depth) = keep(missing, &format!("the depth of {queue}"), depth) else { continue };
            tracing::info!(queue, waiting = depth.waiting, in_flight = depth.in_flight, "queue");
        }
        // If CloudWatch has no data of a queue, as on the local stack, its age is omitted.
        let ages = self.queues.oldest_message_ages().await;
        let ages = keep(missing, "the ages of messages", ages).unwrap_or_default();
        let mut has_late_messages = false;
        // Dead-letter messages wait for manual intervention, and have their own alarm.
        for (queue, age) in ages.into_iter().filter(|(queue, _)| !is_dead_letter_queue(queue)) {
            has_late_messages |= age > MAX_MESSAGE_AGE;
            tracing::info!(queue, oldest_message_seconds = age.as_secs(), "queue");
        }
        has_late_messages
    }
}

/// Returns a reading. One that failed is logged, and added to `missing`.
fn keep<T>(missing: &mut Vec<String>, reading: &str, result: anyhow::Result<T>) -> Option<T> {
    if let Err(error) = &result {
        tracing::error!(reading, error = %format!("{error:#}"), "a reading failed");
        missing.push(reading.to_owned());
    }
    result.ok()
}
