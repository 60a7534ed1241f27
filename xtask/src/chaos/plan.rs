//! What a run does, worked out of its seed before it begins: the same seed always gives the same plan. When each
//! thing really happens depends on the machine, so two runs of one plan are alike, and not the same.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::faults::{self, Fault};
use crate::tools::hex;

/// How long each order adds to the time in which faults happen, in milliseconds.
const TIME_PER_ORDER_MS: u64 = 400;
/// The shortest time in which faults happen, in milliseconds.
const SHORTEST_MS: u64 = 20_000;
/// The price of everything, in euro cents.
pub(crate) const PRICE_CENTS: u32 = 1300;
/// What an order is charged to: cards that are good, and cards that are not.
const GOOD_CARDS: [&str; 3] = ["pm_card_visa", "pm_card_mastercard", "pm_card_amex"];
const BAD_CARDS: [&str; 5] = [
    "pm_card_visa_chargeDeclined",
    "pm_card_visa_chargeDeclinedInsufficientFunds",
    "pm_card_chargeDeclinedExpiredCard",
    "pm_card_chargeDeclinedProcessingError",
    "pm_card_authenticationRequired",
];

/// Everything that is going to be done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Plan {
    /// What it was worked out of.
    pub(crate) seed: u64,
    /// How long faults happen and orders come in, in milliseconds.
    pub(crate) span_ms: u64,
    /// What is sold.
    pub(crate) products: Vec<PlannedProduct>,
    /// By the time at which they are placed.
    pub(crate) orders: Vec<PlannedOrder>,
    /// By the time at which they happen.
    pub(crate) faults: Vec<PlannedFault>,
}

/// A product of the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PlannedProduct {
    pub(crate) sku: String,
    /// How many there are at the start.
    pub(crate) stock: u32,
    /// Later deliveries: when, in milliseconds, and how many pieces. Each is put in twice, as a delivery is when
    /// the first answer was lost.
    pub(crate) deliveries: Vec<(u64, u32)>,
}

/// What one customer does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PlannedOrder {
    /// Counts from 0.
    pub(crate) number: usize,
    /// When it is placed, in milliseconds from the start.
    pub(crate) at_ms: u64,
    /// Index of a product, and how many.
    pub(crate) lines: Vec<(usize, u32)>,
    pub(crate) payment_method: String,
    /// The price that the customer was shown, in euro cents; where it is not [`PRICE_CENTS`], nothing is held.
    pub(crate) price_cents: u32,
    pub(crate) sending: Sending,
    /// Whether the customer cancels, and how long after the answer, in milliseconds.
    pub(crate) cancelled_after_ms: Option<u64>,
    /// Whether the clock gives it up, and how long after the answer, in milliseconds.
    pub(crate) expired_after_ms: Option<u64>,
}

/// How a client sends its request. Whoever gets no answer, or one of 500 and above, sends it again with the same
/// `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sending {
    /// Sends it and waits.
    Once,
    /// Sends it twice at the same time.
    TwiceAtOnce,
    /// Sends it, gets the answer, and sends it again this many milliseconds later.
    Repeated(u64),
    /// Gives up waiting after this many milliseconds, and sends it again.
    GivenUp(u64),
    /// Gives up waiting after this many milliseconds, and never asks again.
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
    /// Works out the plan for so many orders. `fault_rate` multiplies how many faults there are: 1 is usual, 0
    /// is none.
    pub(crate) fn make(seed: u64, orders: usize, fault_rate: f64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let count = u64::try_from(orders).unwrap_or(u64::MAX);
        let span_ms = count.saturating_mul(TIME_PER_ORDER_MS).max(SHORTEST_MS);
        let products = products(&mut random, count, span_ms);
        let mut orders: Vec<PlannedOrder> =
            (0..orders).map(|number| order(&mut random, number, span_ms, products.len())).collect();
        orders.sort_by_key(|order| order.at_ms);
        let faults = faults::plan(&mut random, span_ms, fault_rate);
        Self { seed, span_ms, products, orders, faults }
    }

    /// SHA-256 of the plan, in hexadecimal: two runs with the same hash do the same.
    pub(crate) fn hash(&self) -> anyhow::Result<String> {
        Ok(hex(&Sha256::digest(serde_json::to_vec(self)?)))
    }
}

/// Four products of which there is plenty, and two of which there is too little.
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
    let card = if random.u8(0..100) < 15 { random.choice(BAD_CARDS) } else { random.choice(GOOD_CARDS) };
    let sending = match random.u8(0..100) {
        0..60 => Sending::Once,
        60..72 => Sending::TwiceAtOnce,
        72..82 => Sending::Repeated(random.u64(200..20_000)),
        82..95 => Sending::GivenUp(random.u64(5..400)),
        _ => Sending::Abandoned(random.u64(5..400)),
    };
    // Mostly while the order is on its way, sometimes when it has long ended.
    let moment = |random: &mut fastrand::Rng| {
        if random.bool() { random.u64(0..1_500) } else { random.u64(1_500..20_000) }
    };
    let cancelled = random.u8(0..100) < 15;
    let expired = !cancelled && random.u8(0..100) < 8;
    PlannedOrder {
        number,
        // The last tenth of the time has faults and no new orders.
        at_ms: random.u64(0..span_ms.saturating_mul(9) / 10),
        lines,
        payment_method: card.unwrap_or("pm_card_visa").to_owned(),
        price_cents: if random.u8(0..100) < 3 { PRICE_CENTS.saturating_sub(100) } else { PRICE_CENTS },
        sending,
        cancelled_after_ms: cancelled.then(|| moment(random)),
        expired_after_ms: expired.then(|| moment(random)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_plan_and_another_seed_another() {
        let plan = Plan::make(7, 50, 1.0);
        assert_eq!(plan, Plan::make(7, 50, 1.0));
        let hash = plan.hash().unwrap();
        assert_eq!(hash, Plan::make(7, 50, 1.0).hash().unwrap());
        assert_ne!(hash, Plan::make(8, 50, 1.0).hash().unwrap());
        assert_ne!(hash, Plan::make(7, 51, 1.0).hash().unwrap());
    }

    #[test]
    fn a_plan_has_all_that_makes_trouble() {
        let plan = Plan::make(1, 300, 1.0);
        assert_eq!((plan.orders.len(), plan.span_ms), (300, 120_000));
        assert!(plan.orders.is_sorted_by_key(|order| order.at_ms));
        assert!(plan.orders.iter().all(|order| order.at_ms < 108_000 && !order.lines.is_empty()));
        let some = |of: fn(&PlannedOrder) -> bool| plan.orders.iter().filter(|order| of(order)).count() >= 5;
        assert!(some(|order| order.cancelled_after_ms.is_some()));
        assert!(some(|order| order.expired_after_ms.is_some()));
        assert!(some(|order| order.sending == Sending::TwiceAtOnce));
        assert!(some(|order| matches!(order.sending, Sending::GivenUp(_))));
        assert!(some(|order| matches!(order.sending, Sending::Abandoned(_))));
        assert!(some(|order| BAD_CARDS.contains(&order.payment_method.as_str())));
        let wanted: u32 = plan
            .orders
            .iter()
            .flat_map(|order| &order.lines)
            .filter(|line| line.0 == 4)
            .map(|line| line.1)
            .sum();
        let there = plan.products[4].stock + plan.products[4].deliveries.iter().map(|one| one.1).sum::<u32>();
        assert!(wanted > there, "{wanted} wanted of {there}: nothing would be rejected");
    }
}
