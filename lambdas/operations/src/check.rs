//! `check-health`: orders as a customer would, and looks at each queue.

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

use crate::report::{INTERVAL, LATE_AFTER, Report, Step, StepReport};
use crate::shop::Shop;
use crate::store::{Queues, Reports};

/// How long a step may take, but for the last: API Gateway itself gives up after 29 seconds.
const STEP_TIME: Duration = Duration::from_secs(10);
/// How long an order may take until it is decided. On a quiet day it takes two seconds.
const DECISION_TIME: Duration = Duration::from_secs(60);
/// How often a step is tried before it has failed: a customer would try again too.
const TRIES: u32 = 2;
/// How long it is waited before the order is looked at again.
const POLL: Duration = Duration::from_millis(500);
/// A synthetic order that is still open after so long hangs.
const HANGS_AFTER: SignedDuration = INTERVAL;

/// Looks at the shop.
pub struct CheckHealth {
    /// Its API.
    pub shop: Arc<dyn Shop>,
    /// Its queues.
    pub queues: Arc<dyn Queues>,
    /// Where it is said what was found.
    pub reports: Arc<dyn Reports>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl Job for CheckHealth {
    /// What is wrong with the shop is a finding, and no failure of the function: that one says that nobody knows.
    async fn run(&self, _: Value) -> anyhow::Result<Value> {
        let checked_at = self.clock.now();
        let steps = self.order().await;
        let hanging = self.hanging(checked_at, &steps).await;
        let late = self.look_at_queues().await;
        let report = Report { checked_at, steps, late };
        let problems = report.problems(checked_at);
        let failed = report.steps.iter().filter(|step| !step.ok).count();
        tracing::info!(
            target: TARGET,
            UnhealthyChecks = u32::from(!problems.is_empty()),
            FailedSteps = failed,
            HangingSyntheticOrders = hanging,
            "the shop was looked at"
        );
        self.reports.keep(&report).await?;
        Ok(json!({ "healthy": problems.is_empty(), "problems": problems, "hanging": hanging }))
    }
}

impl CheckHealth {
    /// Does what a customer does, up to the first step that fails.
    async fn order(&self) -> Vec<StepReport> {
        let mut steps = Vec::new();
        let key = self.clock.new_id().to_string();
        self.steps(&mut steps, &key).await;
        steps
    }

    async fn steps(&self, steps: &mut Vec<StepReport>, key: &str) -> Option<()> {
        let shop = &self.shop;
        self.step(steps, Step::SignIn, || shop.sign_in()).await?;
        // A shop that sells nothing yet is well too.
        if let Some(sku) = self.step(steps, Step::ListProducts, || shop.some_product()).await? {
            self.step(steps, Step::ReadProduct, || shop.read_product(&sku)).await?;
        }
        let order = self.step(steps, Step::PlaceOrder, || shop.place_order(key)).await?;
        let start = self.clock.elapsed();
        let decided = timeout(self.clock.as_ref(), DECISION_TIME, self.is_decided(order)).await;
        let decided = decided.unwrap_or_else(|| Err(anyhow::anyhow!("it was not decided in time")));
        self.note(steps, Step::DecideOrder, start, decided)
    }

    async fn step<T, F: Future<Output = anyhow::Result<T>>>(
        &self,
        steps: &mut Vec<StepReport>,
        step: Step,
        attempt: impl Fn() -> F,
    ) -> Option<T> {
        let start = self.clock.elapsed();
        let mut last = Err(anyhow::anyhow!("it was not tried"));
        for _ in 0..TRIES {
            last = timeout(self.clock.as_ref(), STEP_TIME, attempt())
                .await
                .unwrap_or_else(|| Err(anyhow::anyhow!("no answer within {} s", STEP_TIME.as_secs())));
            match &last {
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(step = step.name(), error = %format!("{error:#}"), "a step failed");
                }
            }
        }
        self.note(steps, step, start, last)
    }

    fn note<T>(
        &self,
        steps: &mut Vec<StepReport>,
        step: Step,
        start: Duration,
        outcome: anyhow::Result<T>,
    ) -> Option<T> {
        let took = self.clock.elapsed().saturating_sub(start);
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        if let Err(error) = &outcome {
            tracing::error!(step = step.name(), error = %format!("{error:#}"), "the shop does not do what a customer asks");
        }
        let ok = outcome.is_ok();
        tracing::info!(target: TARGET, StepMilliseconds = duration_ms, StepFailures = u32::from(!ok), step = step.name(), "step");
        steps.push(StepReport { step, ok, duration_ms });
        outcome.ok()
    }

    /// Waits for the order to be rejected, which nothing but the inventory does. A look that gets no answer is one of
    /// many.
    async fn is_decided(&self, order: OrderId) -> anyhow::Result<()> {
        loop {
            match self.shop.status(order).await {
                Ok(OrderStatus::Rejected) => return Ok(()),
                Ok(status) if status.is_final() => anyhow::bail!("order {order} became {status:?}"),
                Ok(_) => {}
                Err(error) => tracing::warn!(error = %format!("{error:#}"), "the order could not be read"),
            }
            self.clock.sleep(POLL).await;
        }
    }

    /// How many of the last hundred synthetic orders hang.
    async fn hanging(&self, now: Timestamp, steps: &[StepReport]) -> usize {
        // Without a token there is nobody to ask.
        if steps.iter().any(|step| step.step == Step::SignIn && !step.ok) {
            return 0;
        }
        let orders = timeout(self.clock.as_ref(), STEP_TIME, self.shop.orders()).await;
        match orders.unwrap_or_else(|| Err(anyhow::anyhow!("no answer"))) {
            Ok(orders) => {
                let hangs = |placed_at: Timestamp| now.duration_since(placed_at) > HANGS_AFTER;
                orders.iter().filter(|order| !order.status.is_final() && hangs(order.placed_at)).count()
            }
            Err(error) => {
                tracing::warn!(error = %format!("{error:#}"), "nobody knows whether synthetic orders hang");
                0
            }
        }
    }

    /// Measures each queue. True where work waits for too long.
    async fn look_at_queues(&self) -> bool {
        let depths = self.queues.depths().await;
        let ages = self.queues.ages().await.unwrap_or_else(|error| {
            tracing::warn!(error = %format!("{error:#}"), "nobody knows how old messages are");
            Default::default()
        });
        let mut late = false;
        for (queue, depth) in depths {
            let depth = match depth {
                Ok(depth) => depth,
                Err(error) => {
                    tracing::error!(queue, error = %format!("{error:#}"), "the queue cannot be looked at");
                    continue;
                }
            };
            // Dead letters wait for a person, and have an alarm of their own.
            if queue.ends_with("DeadLetters") {
                tracing::info!(target: TARGET, DeadLetters = depth.waiting, queue, "queue");
                continue;
            }
            tracing::info!(target: TARGET, WaitingMessages = depth.waiting, MessagesInFlight = depth.in_flight, queue, "queue");
            // Where CloudWatch does not know, as on the local stack, there is no such metric.
            if let Some(age) = ages.get(&queue) {
                late |= *age > LATE_AFTER;
                tracing::info!(target: TARGET, OldestMessageSeconds = age.as_secs(), queue, "queue");
            }
        }
        late
    }
}
