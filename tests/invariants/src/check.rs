//! The rules that hold of a single snapshot.

use std::collections::{BTreeMap, BTreeSet};

use domain::order::{Order, Outcome};
use domain::payment::{Payment, PaymentState};
use domain::reservation::{Reservation, ReservationState};
use domain::{OrderId, Shortage, ShortageKind};
use jiff::Timestamp;

use crate::rules::{Phase, Rule, Violation};
use crate::snapshot::{Email, Intent, Snapshot, Stock};

/// Checks a snapshot and returns every violation.
pub fn check(snapshot: &Snapshot, phase: Phase) -> Vec<Violation> {
    let mut violations = Vec::new();
    for view in views(snapshot) {
        let mut report = |rule: Rule, detail: String| {
            violations.push(Violation { rule, order_id: Some(view.id), detail });
        };
        view.one_capture(&mut report);
        view.captured_is_committed(phase, &mut report);
        view.mail_tells_the_truth(&mut report);
        view.records_agree(&mut report);
        view.nothing_hangs(phase, &mut report);
    }
    let mut report = |rule: Rule, detail: String| violations.push(Violation { rule, order_id: None, detail });
    check_stock(snapshot, &mut report);
    match phase {
        Phase::Settled => check_nothing_is_waiting(snapshot, &mut report),
        Phase::Running { now, stuck_after } => {
            for event in snapshot.outbox.values().filter(|event| now.duration_since(event.time) > stuck_after)
            {
                let (fact, order, since) = (event.fact.name(), event.subject, event.time);
                let what = format!("{fact} of order {order} has been in the outbox since {since}");
                report(Rule::NothingHangs, what);
            }
        }
    }
    violations
}

/// All that is known about one order. The orders table need not contain it: other producers may publish
/// `order.created` too.
struct View<'a> {
    id: OrderId,
    order: Option<&'a Order>,
    reservation: Option<&'a Reservation>,
    payment: Option<&'a Payment>,
    intents: Vec<&'a Intent>,
    emails: Vec<&'a Email>,
}

fn views(snapshot: &Snapshot) -> impl Iterator<Item = View<'_>> {
    let mut intents: BTreeMap<OrderId, Vec<&Intent>> = BTreeMap::new();
    for intent in &snapshot.intents {
        intents.entry(intent.order_id).or_default().push(intent);
    }
    let mut emails: BTreeMap<OrderId, Vec<&Email>> = BTreeMap::new();
    for email in &snapshot.emails {
        emails.entry(email.order_id).or_default().push(email);
    }
    let ids: BTreeSet<OrderId> = snapshot
        .orders
        .keys()
        .chain(snapshot.reservations.keys())
        .chain(snapshot.payments.keys())
        .chain(intents.keys())
        .chain(emails.keys())
        .copied()
        .collect();
    ids.into_iter().map(move |id| View {
        id,
        order: snapshot.orders.get(&id),
        reservation: snapshot.reservations.get(&id),
        payment: snapshot.payments.get(&id),
        intents: intents.remove(&id).unwrap_or_default(),
        emails: emails.remove(&id).unwrap_or_default(),
    })
}

impl View<'_> {
    /// The captured amount, in minor units.
    fn captured(&self) -> i64 {
        self.intents.iter().map(|intent| intent.captured).sum()
    }

    /// The captured amount less refunds, in minor units.
    fn net_captured(&self) -> i64 {
        self.intents.iter().map(|intent| intent.captured.saturating_sub(intent.refunded)).sum()
    }

    /// Whether the order is paid without a charge: its total is 0.
    fn is_paid_without_charge(&self) -> bool {
        self.payment.is_some_and(|payment| {
            matches!(payment.state, PaymentState::Succeeded { intent: None, .. })
                && payment.order.total.is_zero()
        })
    }

    fn reservation_state(&self) -> &'static str {
        self.reservation.map_or("missing", |reservation| reservation.state.name())
    }

    fn one_capture(&self, report: &mut impl FnMut(Rule, String)) {
        let captured: Vec<_> = self.intents.iter().filter(|intent| intent.captured > 0).collect();
        if captured.len() > 1 {
            let ids: Vec<_> = captured.iter().map(|intent| intent.id.as_str()).collect();
            report(Rule::OneCapture, format!("was charged {} times: {}", captured.len(), ids.join(", ")));
        }
        let total = self.payment.map(|payment| payment.order.total);
        let total = total.or(self.order.map(|order| order.details.total));
        let total = total.map(|total| i64::from(total.amount));
        for intent in captured.iter().filter(|intent| total.is_some_and(|total| intent.captured != total)) {
            report(
                Rule::OneCapture,
                format!("was charged {}, but its total is {}", intent.captured, total.unwrap_or_default()),
            );
        }
    }

    fn captured_is_committed(&self, phase: Phase, report: &mut impl FnMut(Rule, String)) {
        if self.net_captured() <= 0 && !self.is_paid_without_charge() {
            return;
        }
        match self.reservation.map(|reservation| &reservation.state) {
            Some(ReservationState::Committed) => {}
            Some(ReservationState::Held) if phase != Phase::Settled => {}
            _ => report(
                Rule::CapturedIsCommitted,
                format!(
                    "{} was captured and not refunded, but its reservation is {}",
                    self.net_captured(),
                    self.reservation_state()
                ),
            ),
        }
    }

    fn mail_tells_the_truth(&self, report: &mut impl FnMut(Rule, String)) {
        for email in &self.emails {
            let confirms = email.kind == "confirmation";
            if confirms && self.captured() == 0 && !self.is_paid_without_charge() {
                report(
                    Rule::MailTellsTheTruth,
                    "its confirmation was sent, but it was not charged".to_owned(),
                );
            }
            if !confirms && (self.net_captured() > 0 || self.is_paid_without_charge()) {
                report(
                    Rule::MailTellsTheTruth,
                    format!("the email `{}` was sent, but it is paid", email.kind),
                );
            }
        }
    }

    fn records_agree(&self, report: &mut impl FnMut(Rule, String)) {
        let mut disagree = |what: String| report(Rule::RecordsAgree, what);
        match self.payment.map(|payment| &payment.state) {
            None if self.captured() > 0 => disagree("was charged, but has no payment record".to_owned()),
            Some(PaymentState::Succeeded { intent: None, .. }) if !self.is_paid_without_charge() => {
                disagree("its payment succeeded without a PaymentIntent, but its total is not 0".to_owned());
            }
            Some(PaymentState::Succeeded { intent: Some(intent), .. })
                if !self.intents.iter().any(|found| found.id == *intent && found.captured > 0) =>
            {
                disagree(format!("its payment succeeded, but the provider did not charge {intent}"));
            }
            Some(PaymentState::Declined { .. } | PaymentState::Voided { .. }) if self.net_captured() > 0 => {
                disagree("its payment is declined or voided, but it was charged".to_owned());
            }
            _ => {}
        }
        // Only the PaymentIntent stored in the record is ever confirmed.
        let recorded = self.payment.and_then(|payment| match &payment.state {
            PaymentState::Charging { intent, .. } => Some(intent.as_ref()),
            PaymentState::Succeeded { intent, .. } => Some(intent.as_ref()),
            PaymentState::Declined { .. } | PaymentState::Voided { .. } => None,
        });
        let other =
            |intent: &&&Intent| intent.captured > intent.refunded && recorded != Some(Some(&intent.id));
        if let Some(intent) = self.intents.iter().find(other).filter(|_| recorded.is_some()) {
            disagree(format!("was charged with {}, which its payment record does not contain", intent.id));
        }
        let ended = self.payment.map_or("missing", |payment| payment.state.as_ref());
        if let Some(outcome) = self.order.and_then(|order| order.outcome) {
            let fits = match outcome {
                Outcome::Paid => ended == "succeeded",
                Outcome::PaymentFailed => ended == "declined",
                Outcome::Voided(_) => ended == "voided",
                Outcome::Rejected => self.reservation_state() == "rejected" && ended != "succeeded",
            };
            if !fits {
                disagree(format!(
                    "its outcome is {outcome:?}, but its payment is {ended} and its reservation {}",
                    self.reservation_state()
                ));
            }
        }
        if let Some(settlement) = self.order.and_then(|order| order.settlement)
            && self.reservation_state() != settlement.as_ref()
        {
            disagree(format!(
                "its stock is recorded as {settlement:?}, but its reservation is {}",
                self.reservation_state()
            ));
        }
        match self.reservation_state() {
            "committed" if ended != "succeeded" => {
                disagree(format!("its stock is sold, but its payment is {ended}"));
            }
            "released" if ended != "declined" && ended != "voided" => {
                disagree(format!("its stock was released, but its payment is {ended}"));
            }
            "rejected" | "missing" if matches!(ended, "charging" | "declined") => {
                disagree(format!(
                    "its payment is {ended}, but its reservation is {}",
                    self.reservation_state()
                ));
            }
            _ => {}
        }
        if let (Some(order), Some(payment)) = (self.order, self.payment)
            && order.details.total != payment.order.total
        {
            disagree(format!(
                "its total is {}, but its payment is for {}",
                order.details.total, payment.order.total
            ));
        }
        if let (Some(order), Some(reservation)) = (self.order, self.reservation)
            && matches!(reservation.state, ReservationState::Held | ReservationState::Committed)
            && !reservation.lines.iter().eq(order.details.lines.iter())
        {
            disagree("the lines of its reservation differ from those of the order".to_owned());
        }
    }

    fn nothing_hangs(&self, phase: Phase, report: &mut impl FnMut(Rule, String)) {
        let mut report_stuck = |what: String| report(Rule::NothingHangs, what);
        match phase {
            Phase::Running { now, stuck_after } => {
                let Some(moved_at) = self.last_progress_at() else { return };
                if now.duration_since(moved_at) <= stuck_after {
                    return;
                }
                if let Some(order) = self.order.filter(|order| !order.status().is_final()) {
                    report_stuck(format!(
                        "is still {:?}, and last made progress at {moved_at}",
                        order.status()
                    ));
                } else if self.reservation_state() == "held" {
                    report_stuck(format!("its stock is still held, and it last made progress at {moved_at}"));
                } else if matches!(
                    self.payment.map(|payment| &payment.state),
                    Some(PaymentState::Charging { .. })
                ) {
                    report_stuck(format!("its payment is still open, and last made progress at {moved_at}"));
                }
            }
            Phase::Settled => {
                if let Some(order) = self.order.filter(|order| !order.status().is_final()) {
                    report_stuck(format!("is still {:?}", order.status()));
                    return;
                }
                // An order of another producer has no row here, but can still hold stock and money.
                if self.reservation_state() == "held" {
                    report_stuck("nothing is in progress, but its stock is still held".to_owned());
                }
                if matches!(self.payment.map(|payment| &payment.state), Some(PaymentState::Charging { .. })) {
                    report_stuck("nothing is in progress, but its payment is still open".to_owned());
                }
                let Some(order) = self.order else { return };
                let settles = matches!(self.reservation_state(), "committed" | "released");
                if settles && order.settlement.is_none() {
                    report_stuck(format!("does not record that its stock is {}", self.reservation_state()));
                }
                // No email is sent about a product that does not exist.
                let is_unknown = |shortage: &Shortage| shortage.kind == ShortageKind::UnknownProduct;
                if self.emails.is_empty() && !order.shortages.iter().any(is_unknown) {
                    report_stuck("is final, but its customer was not notified".to_owned());
                }
            }
        }
    }
}

impl View<'_> {
    /// The time of the last progress that the records show. A cancellation request is not progress: it is
    /// repeated each hour until it is answered. `None` for an order of another producer that has no payment
    /// yet.
    fn last_progress_at(&self) -> Option<Timestamp> {
        let placed = self.order.map(|order| order.details.placed_at);
        let paid = self.payment.map(|payment| match &payment.state {
            PaymentState::Charging { lease, .. } => lease.expires_at,
            PaymentState::Succeeded { at, .. }
            | PaymentState::Declined { at, .. }
            | PaymentState::Voided { at, .. } => *at,
        });
        placed.max(paid)
    }
}

fn check_stock(snapshot: &Snapshot, report: &mut impl FnMut(Rule, String)) {
    // A snapshot of a single order does not contain the stock.
    if snapshot.stock.is_empty() {
        return;
    }
    let mut reserved: BTreeMap<_, (i64, i64)> = BTreeMap::new();
    for reservation in snapshot.reservations.values() {
        for line in &reservation.lines {
            let (held, sold) = reserved.entry(&line.sku).or_default();
            let units = i64::from(line.quantity.get());
            match reservation.state {
                ReservationState::Held => *held = held.saturating_add(units),
                ReservationState::Committed => *sold = sold.saturating_add(units),
                ReservationState::Released | ReservationState::Rejected { .. } => {}
            }
        }
    }
    for (sku, Stock { available, held, sold }) in &snapshot.stock {
        if *available < 0 || *held < 0 || *sold < 0 {
            report(
                Rule::StockIsConserved,
                format!("{sku} has {available} available, {held} held, {sold} sold"),
            );
        }
        let total = available.saturating_add(*held).saturating_add(*sold);
        let delivered = snapshot.delivered.get(sku).copied().unwrap_or_default();
        if total != delivered {
            report(
                Rule::StockIsConserved,
                format!(
                    "{sku}: {available} available, {held} held and {sold} sold add up to {total}, but {delivered} were delivered"
                ),
            );
        }
        let (reserved_held, reserved_sold) = reserved.remove(sku).unwrap_or_default();
        if (reserved_held, reserved_sold) != (*held, *sold) {
            report(
                Rule::StockIsReserved,
                format!(
                    "{sku}: {held} held and {sold} sold, but the reservations add up to {reserved_held} held and {reserved_sold} sold"
                ),
            );
        }
    }
    for (sku, (held, sold)) in reserved.into_iter().filter(|(_, counts)| *counts != (0, 0)) {
        report(
            Rule::StockIsReserved,
            format!("{sku} is not a product, but the reservations add up to {held} held and {sold} sold"),
        );
    }
}

fn check_nothing_is_waiting(snapshot: &Snapshot, report: &mut impl FnMut(Rule, String)) {
    for event in snapshot.outbox.values() {
        let what = format!("{} of order {} is still in the outbox", event.fact.name(), event.subject);
        report(Rule::NothingHangs, what);
    }
    for (queue, messages) in snapshot.queued_messages.iter().filter(|(_, messages)| **messages > 0) {
        report(Rule::NothingHangs, format!("{messages} messages are waiting in {queue}"));
    }
    for dead in &snapshot.dead_letters {
        report(Rule::NothingHangs, format!("a dead-letter message is waiting in {}", dead.queue));
    }
}
