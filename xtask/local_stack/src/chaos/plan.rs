//! The plan of a run, derived from its seed before it begins: the same seed always gives the same plan. The
//! exact timing depends on the machine, so two runs of one plan are similar but not identical.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::faults::{self, Fault};

/// How much each order adds to the duration of the faults, in milliseconds.
const TIME_PER_ORDER_MS: u64 = 400;
/// The minimum duration of the faults, in milliseconds.
const MIN_SPAN_MS: u64 = 20_000;
/// The price of every product, in euro cents.
pub(crate) const PRICE_CENTS: u32 = 1300;
/// Stripe's test payment methods that are charged, and those that are declined.
const ACCEPTED_CARDS: [&str; 3] = ["pm_card_visa", "pm_card_mastercard", "pm_card_amex"];
const DECLINED_CARDS: [&str; 5] = [
    "pm_card_visa_chargeDeclined",
    "pm_card_visa_chargeDeclinedInsufficientFunds",
    "pm_card_chargeDeclinedExpiredCard",
    "pm_card_chargeDeclinedProcessingError",
    "pm_card_authenticationRequired",
];

/// The plan of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Plan {
    /// The seed that it is derived from.
    pub(crate) seed: u64,
    /// How long orders are placed and faults injected, in milliseconds.
    pub(crate) span_ms: u64,
    /// The products on sale.
    pub(crate) products: Vec<PlannedProduct>,
    /// Sorted by the time at which they are placed.
    pub(crate) orders: Vec<PlannedOrder>,
    /// Sorted by the time at which they are injected.
    pub(crate) faults: Vec<PlannedFault>,
}

/// A product on sale in the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PlannedProduct {
    pub(crate) sku: String,
    /// The opening stock.
    pub(crate) stock: u32,
    /// Later deliveries: the time in milliseconds, and the quantity. Each is recorded twice, as after a lost
    /// response.
    pub(crate) deliveries: Vec<(u64, u32)>,
}

/// The plan of one client.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PlannedOrder {
    /// Counts from 0.
    pub(crate) number: usize,
    /// When the order is placed, in milliseconds from the start.
    pub(crate) at_ms: u64,
    /// Product indexes and quantities.
    pub(crate) lines: Vec<(usize, u32)>,
    pub(crate) payment_method: String,
    /// The unit price in the request, in euro cents. If it is not [`PRICE_CENTS`], the reservation is
    /// rejected.
    pub(crate) price_cents: u32,
    #[serde(rename = "sending")]
    pub(crate) submission: Submission,
    /// Whether the customer cancels the order, and how long after the response, in milliseconds.
    pub(crate) cancelled_after_ms: Option<u64>,
    /// Whether `expire-orders` is invoked for the order, and how long after the response, in milliseconds.
    pub(crate) expired_after_ms: Option<u64>,
}

/// How a client sends its request. If there is no response, or a 5xx, it retries with the same
/// `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Submission {
    /// Sends the request once and waits for the response.
    Once,
    /// Sends the request twice at the same time.
    #[serde(rename = "twice_at_once")]
    Concurrent,
    /// Sends the request, and again this many milliseconds after the response.
    #[serde(rename = "repeated")]
    Resubmitted(u64),
    /// Stops waiting after this many milliseconds, and retries.
    #[serde(rename = "given_up")]
    TimedOut(u64),
    /// Stops waiting after this many milliseconds, and never retries.
    Abandoned(u64),
}

/// A fault and its time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PlannedFault {
    /// In milliseconds from the start.
    pub(crate) at_ms: u64,
    pub(crate) fault: Fault,
}

impl Plan {
    /// Derives the plan for this many orders from the seed. `fault_rate` multiplies the number of faults: 1
    /// is the default, 0 means none.
    pub(crate) fn generate(seed: u64, orders: usize, fault_rate: f64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let count = u64::try_from(orders).unwrap_or(u64::MAX);
        let span_ms = count.saturating_mul(TIME_PER_ORDER_MS).max(MIN_SPAN_MS);
        let products = products(&mut random, count, span_ms);
        let mut orders: Vec<PlannedOrder> =
            (0..orders).map(|number| order(&mut random, number, span_ms, products.len())).collect();
        orders.sort_by_key(|order| order.at_ms);
        let faults = faults::plan(&mut random, span_ms, fault_rate);
        Self { seed, span_ms, products, orders, faults }
    }

    /// SHA-256 of the plan, in hexadecimal: runs with the same hash have the same plan.
    pub(crate) fn hash(&self) -> anyhow::Result<String> {
        Ok(hex::encode(Sha256::digest(serde_json::to_vec(self)?)))
    }
}

/// Four products with ample stock, and two that sell out.
fn products(random: &mut fastrand::Rng, orders: u64, span_ms: u64) -> Vec<PlannedProduct> {
    let orders = u32::try_from(orders).unwrap_or(u32::MAX);
    (0..6)
        .map(|index| {
            let scarce = index >= 4;
            let stock = if scarce { (orders / 3).max(2) } else { orders.saturating_mul(6) };
            let deliveries = if scarce {
                (0..2).map(|_| (random.u64(0..span_ms), random.u32(1..=(orders / 15).max(1)))).collect()
            } else {
                Vec::new()
            };
            PlannedProduct { sku: format!("CHAOS-{index}"), stock, deliveries }
        })
        .collect()
}

fn order(random: &mut fastrand::Rng, number: usize, span_ms: u64, products: usize) -> PlannedOrder {
    let mut skus: Vec<usize> = (0..products).collect();
    random.shuffle(&mut skus);
    let lines: Vec<(usize, u32)> =
        skus.into_iter().take(random.usize(1..=3)).map(|product| (product, random.u32(1..=3))).collect();
    let card =
        if random.u8(0..100) < 15 { random.choice(DECLINED_CARDS) } else { random.choice(ACCEPTED_CARDS) };
    let submission = match random.u8(0..100) {
        0..60 => Submission::Once,
        60..72 => Submission::Concurrent,
        72..82 => Submission::Resubmitted(random.u64(200..20_000)),
        82..95 => Submission::TimedOut(random.u64(5..400)),
        _ => Submission::Abandoned(random.u64(5..400)),
    };
    // Often while the order is in progress, otherwise possibly long after it is final.
    let delay_ms = |random: &mut fastrand::Rng| {
        if random.bool() { random.u64(0..1_500) } else { random.u64(1_500..20_000) }
    };
    let cancelled = random.u8(0..100) < 15;
    let expired = !cancelled && random.u8(0..100) < 8;
    PlannedOrder {
        number,
        // In the last tenth of the time, faults are injected but no orders placed.
        at_ms: random.u64(0..span_ms.saturating_mul(9) / 10),
        lines,
        payment_method: card.unwrap_or("pm_card_visa").to_owned(),
        price_cents: if random.u8(0..100) < 3 { PRICE_CENTS.saturating_sub(100) } else { PRICE_CENTS },
        submission,
        cancelled_after_ms: cancelled.then(|| delay_ms(random)),
        expired_after_ms: expired.then(|| delay_ms(random)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_plan_and_another_seed_a_different_one() {
        let plan = Plan::generate(7, 50, 1.0);
        assert_eq!(plan, Plan::generate(7, 50, 1.0));
        let hash = plan.hash().unwrap();
        assert_eq!(hash, Plan::generate(7, 50, 1.0).hash().unwrap());
        assert_ne!(hash, Plan::generate(8, 50, 1.0).hash().unwrap());
        assert_ne!(hash, Plan::generate(7, 51, 1.0).hash().unwrap());
    }

    #[test]
    fn a_plan_contains_every_difficult_case() {
        let plan = Plan::generate(1, 300, 1.0);
        assert_eq!((plan.orders.len(), plan.span_ms), (300, 120_000));
        assert!(plan.orders.is_sorted_by_key(|order| order.at_ms));
        assert!(plan.orders.iter().all(|order| order.at_ms < 108_000 && !order.lines.is_empty()));
        let some = |matches: fn(&PlannedOrder) -> bool| {
            plan.orders.iter().filter(|order| matches(order)).count() >= 5
        };
        assert!(some(|order| order.cancelled_after_ms.is_some()));
        assert!(some(|order| order.expired_after_ms.is_some()));
        assert!(some(|order| order.submission == Submission::Concurrent));
        assert!(some(|order| matches!(order.submission, Submission::TimedOut(_))));
        assert!(some(|order| matches!(order.submission, Submission::Abandoned(_))));
        assert!(some(|order| DECLINED_CARDS.contains(&order.payment_method.as_str())));
        let requested: u32 = plan
            .orders
            .iter()
            .flat_map(|order| &order.lines)
            .filter(|line| line.0 == 4)
            .map(|line| line.1)
            .sum();
        let delivered =
            plan.products[4].stock + plan.products[4].deliveries.iter().map(|one| one.1).sum::<u32>();
        assert!(requested > delivered, "{requested} requested of {delivered}: nothing would be rejected");
    }
}
