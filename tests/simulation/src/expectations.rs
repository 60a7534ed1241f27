//! Rules about what should have happened. The invariants hold of any state that the system may be in; these
//! rules say that it is the right one: stock is reserved at the price of the catalogue, nothing is rejected
//! that could have been delivered, each outcome has a cause, and no order expires because of a short fault.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::order::{Order, Outcome};
use domain::reservation::{ProductStock, Reservation, ReservationState};
use domain::{Lines, OrderId, ShortageKind, Sku, VoidReason};
use invariants::Snapshot;
use jiff::SignedDuration;
use platform::retry::MAX_BACKOFF;

use crate::clients::is_declined;
use crate::wiring::Wiring;
use crate::world::World;

/// What a retry may take in addition to its wait: the run of the function, a lease, the schedule, the clock.
const MARGIN: Duration = Duration::from_secs(180);

/// Checks a reservation that is about to be written: its unit prices are those of the catalogue now, or each
/// reason of a rejection was true when the invocation read the stock.
pub fn check_reservation(world: &World, invocation: u64, new: &Reservation) {
    match &new.state {
        ReservationState::Held => {
            let products = world.inventory.products();
            let price = |sku: &Sku| products.iter().find(|product| product.sku == *sku).map(|it| it.price);
            for line in new.lines.iter().filter(|line| price(&line.sku) != Some(line.unit_price)) {
                world.report_violation(format!(
                    "CataloguePrice: {} is reserved for order {} at {}, but its price is {:?}",
                    line.sku,
                    new.order_id,
                    line.unit_price,
                    price(&line.sku)
                ));
            }
        }
        ReservationState::Rejected { shortages } => {
            let Some(lines) = lines_of(world, new.order_id) else { return };
            let stock = world.observed.last_stock_read(invocation);
            let is_true = |(sku, kind): (&Sku, &ShortageKind)| is_justified(sku, kind, &lines, &stock);
            if shortages.is_empty() || !shortages.iter().map(|it| (&it.sku, &it.kind)).all(is_true) {
                world.report_violation(format!(
                    "JustifiedRejection: order {} is rejected because of {shortages:?}, but the stock was {stock:?}",
                    new.order_id
                ));
            }
        }
        ReservationState::Committed | ReservationState::Released => {}
    }
}

fn lines_of(world: &World, order: OrderId) -> Option<Lines> {
    let own = world.orders.all().remove(&order).map(|order| order.details.lines);
    own.or_else(|| world.observed.foreign_orders().remove(&order).map(|details| details.lines))
}

/// Whether the reason of a rejection was true.
fn is_justified(sku: &Sku, kind: &ShortageKind, lines: &Lines, stock: &BTreeMap<Sku, ProductStock>) -> bool {
    let Some(line) = lines.iter().find(|line| line.sku == *sku) else { return false };
    match (kind, stock.get(sku)) {
        (ShortageKind::UnknownProduct, product) => product.is_none(),
        (ShortageKind::PriceChanged { price }, Some(product)) => {
            *price == product.price && product.price != line.unit_price
        }
        (ShortageKind::OutOfStock { available }, Some(product)) => {
            *available == product.available && product.available < line.quantity.get()
        }
        (ShortageKind::PriceChanged { .. } | ShortageKind::OutOfStock { .. }, None) => false,
    }
}

/// Checks the end of a run: every event of the outbox has reached the bus, and each outcome has a cause.
pub fn check_settled(world: &World, settled: &Snapshot) {
    for event in world.observed.missing_on_bus() {
        world.report_violation(format!(
            "EventsReachTheBus: the bus never got {} of order {}",
            event.fact.name(),
            event.subject
        ));
    }
    for order in settled.orders.values().filter(|order| !world.observed.is_contradicted(order.id)) {
        if let Err(why) = check_outcome(world, order) {
            world.report_violation(format!("OutcomeHasACause: order {} {why}", order.id));
        }
    }
}

fn check_outcome(world: &World, order: &Order) -> Result<(), String> {
    let method = order.details.payment_method.as_str();
    let declined = is_declined(method) && !order.details.total.is_zero();
    let cause = match order.outcome {
        // A reservation that is rejected was checked when it was written.
        None | Some(Outcome::Rejected) => Ok(()),
        Some(Outcome::Paid) if declined => Err(format!("is paid by {method}")),
        Some(Outcome::Paid) => Ok(()),
        Some(Outcome::PaymentFailed) if !declined => Err(format!("failed to be paid by {method}")),
        Some(Outcome::PaymentFailed) => Ok(()),
        Some(Outcome::Voided(VoidReason::CustomerRequest)) => {
            let requested = world.observed.is_cancelled_by_client(order.id);
            requested.then_some(()).ok_or("was cancelled, but its customer did not request it".to_owned())
        }
        Some(Outcome::Voided(VoidReason::Provider)) => {
            let cancelled = world.observed.is_cancelled_at_provider(order.id);
            cancelled.then_some(()).ok_or("was cancelled at the provider by nobody".to_owned())
        }
        Some(Outcome::Voided(VoidReason::Expired)) => check_expiry(world, order),
    };
    let requested = order.cancellation == Some(VoidReason::CustomerRequest);
    if requested && !world.observed.is_cancelled_by_client(order.id) {
        return Err("records a cancellation request that its customer did not make".to_owned());
    }
    cause
}

/// An order may expire only if faults lasted so long that the retries could not complete it in time.
fn check_expiry(world: &World, order: &Order) -> Result<(), String> {
    let placed = order.details.placed_at.duration_since(world.sim.began_at()).max(SignedDuration::ZERO);
    let placed = Duration::try_from(placed).unwrap_or_default();
    let faults = world.sim.disturbed_until().saturating_sub(placed);
    let recovered = recovery_time(&world.wiring, faults);
    if recovered >= world.wiring.expire_after {
        return Ok(());
    }
    Err(format!(
        "expired after {} s, but the last fault ended {} s after it was placed, and the retries take {} s at most",
        world.wiring.expire_after.as_secs(),
        faults.as_secs(),
        recovered.as_secs()
    ))
}

/// The maximum time in which an order is completed, if faults end this long after it was placed. A message
/// that has failed until then waits no longer for its next attempt than it has been retried before, plus the
/// first wait; or for its visibility timeout. A payment that the provider is still processing waits twice.
fn recovery_time(wiring: &Wiring, faults: Duration) -> Duration {
    let visibility = wiring.subscriptions.iter().map(|subscription| subscription.visibility).max();
    let next_attempt = faults.saturating_mul(2).saturating_add(wiring.retry_base_delay).min(MAX_BACKOFF);
    faults
        .saturating_add(next_attempt.saturating_mul(2))
        .saturating_add(visibility.unwrap_or_default())
        .saturating_add(MARGIN)
}
