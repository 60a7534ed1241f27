//! The rules about one moment.

use std::collections::{BTreeMap, BTreeSet};

use domain::OrderId;
use domain::order::{Order, Outcome, Settlement};
use domain::payment::{Payment, PaymentState};
use domain::reservation::{Reservation, ReservationState};
use jiff::Timestamp;

use crate::rules::{Rule, Violation, When};
use crate::snapshot::{Intent, Mail, Snapshot, Stock};

/// Every rule that does not hold of one moment.
pub fn check(snapshot: &Snapshot, when: When) -> Vec<Violation> {
    let mut found = Vec::new();
    for view in views(snapshot) {
        let mut say = |rule: Rule, detail: String| {
            found.push(Violation { rule, order_id: Some(view.id), detail });
        };
        view.one_capture(&mut say);
        view.captured_is_committed(when, &mut say);
        view.mail_tells_the_truth(&mut say);
        view.records_agree(&mut say);
        view.nothing_hangs(when, &mut say);
    }
    let mut say = |rule: Rule, detail: String| found.push(Violation { rule, order_id: None, detail });
    stock(snapshot, &mut say);
    match when {
        When::Settled => nothing_waits(snapshot, &mut say),
        When::Running { now, patience } => {
            for event in snapshot.outbox.values().filter(|event| now.duration_since(event.time) > patience) {
                let (fact, order, since) = (event.fact.name(), event.subject, event.time);
                let what = format!("{fact} of order {order} waits in the outbox since {since}");
                say(Rule::NothingHangs, what);
            }
        }
    }
    found
}

/// All that is known of one order. It need not be in the order service's table: others may publish orders too.
struct View<'a> {
    id: OrderId,
    order: Option<&'a Order>,
    reservation: Option<&'a Reservation>,
    payment: Option<&'a Payment>,
    intents: Vec<&'a Intent>,
    mails: Vec<&'a Mail>,
}

fn views(snapshot: &Snapshot) -> impl Iterator<Item = View<'_>> {
    let mut intents: BTreeMap<OrderId, Vec<&Intent>> = BTreeMap::new();
    for intent in &snapshot.intents {
        intents.entry(intent.order_id).or_default().push(intent);
    }
    let mut mails: BTreeMap<OrderId, Vec<&Mail>> = BTreeMap::new();
    for mail in &snapshot.mails {
        mails.entry(mail.order_id).or_default().push(mail);
    }
    let ids: BTreeSet<OrderId> = snapshot
        .orders
        .keys()
        .chain(snapshot.reservations.keys())
        .chain(snapshot.payments.keys())
        .chain(intents.keys())
        .chain(mails.keys())
        .copied()
        .collect();
    ids.into_iter().map(move |id| View {
        id,
        order: snapshot.orders.get(&id),
        reservation: snapshot.reservations.get(&id),
        payment: snapshot.payments.get(&id),
        intents: intents.remove(&id).unwrap_or_default(),
        mails: mails.remove(&id).unwrap_or_default(),
    })
}

impl View<'_> {
    /// What was taken, in minor units.
    fn captured(&self) -> i64 {
        self.intents.iter().map(|intent| intent.captured).sum()
    }

    /// What was taken and not given back.
    fn kept(&self) -> i64 {
        self.intents.iter().map(|intent| intent.captured.saturating_sub(intent.refunded)).sum()
    }

    fn state(&self) -> &'static str {
        self.reservation.map_or("not there", |reservation| reservation.state.name())
    }

    fn one_capture(&self, say: &mut impl FnMut(Rule, String)) {
        let captured: Vec<_> = self.intents.iter().filter(|intent| intent.captured > 0).collect();
        if captured.len() > 1 {
            let ids: Vec<_> = captured.iter().map(|intent| intent.id.as_str()).collect();
            say(Rule::OneCapture, format!("was charged {} times: {}", captured.len(), ids.join(", ")));
        }
        let total = self.payment.map(|payment| payment.order.total);
        let total = total.or(self.order.map(|order| order.details.total));
        let total = total.map(|total| i64::from(total.amount));
        for intent in captured.iter().filter(|intent| total.is_some_and(|total| intent.captured != total)) {
            say(
                Rule::OneCapture,
                format!("was charged {}, but costs {}", intent.captured, total.unwrap_or_default()),
            );
        }
    }

    fn captured_is_committed(&self, when: When, say: &mut impl FnMut(Rule, String)) {
        if self.kept() <= 0 {
            return;
        }
        match self.reservation.map(|reservation| &reservation.state) {
            Some(ReservationState::Committed) => {}
            Some(ReservationState::Held) if when != When::Settled => {}
            _ => say(
                Rule::CapturedIsCommitted,
                format!(
                    "{} was taken and not given back, but its reservation is {}",
                    self.kept(),
                    self.state()
                ),
            ),
        }
    }

    fn mail_tells_the_truth(&self, say: &mut impl FnMut(Rule, String)) {
        for mail in &self.mails {
            let confirms = mail.kind == "confirmation";
            if confirms && self.captured() == 0 {
                say(Rule::MailTellsTheTruth, "was confirmed, but not charged".to_owned());
            }
            if !confirms && self.kept() > 0 {
                say(Rule::MailTellsTheTruth, format!("got the mail `{}`, but was charged", mail.kind));
            }
        }
    }

    fn records_agree(&self, say: &mut impl FnMut(Rule, String)) {
        let mut disagree = |what: String| say(Rule::RecordsAgree, what);
        match self.payment.map(|payment| &payment.state) {
            None if self.captured() > 0 => disagree("was charged, but has no payment record".to_owned()),
            Some(PaymentState::Succeeded { intent, .. })
                if !self.intents.iter().any(|found| found.id == *intent && found.captured > 0) =>
            {
                disagree(format!("its payment succeeded, but the provider did not charge {intent}"));
            }
            Some(PaymentState::Declined { .. } | PaymentState::Voided { .. }) if self.kept() > 0 => {
                disagree("its payment is declined or voided, but it was charged".to_owned());
            }
            _ => {}
        }
        // Only the PaymentIntent in the record is ever confirmed.
        let recorded = self.payment.and_then(|payment| match &payment.state {
            PaymentState::Charging { intent, .. } => Some(intent.as_ref()),
            PaymentState::Succeeded { intent, .. } => Some(Some(intent)),
            PaymentState::Declined { .. } | PaymentState::Voided { .. } => None,
        });
        let other =
            |intent: &&&Intent| intent.captured > intent.refunded && recorded != Some(Some(&intent.id));
        if let Some(intent) = self.intents.iter().find(other).filter(|_| recorded.is_some()) {
            disagree(format!("was charged with {}, which its payment record does not name", intent.id));
        }
        let ended = self.payment.map(|payment| match &payment.state {
            PaymentState::Charging { .. } => "charging",
            PaymentState::Succeeded { .. } => "succeeded",
            PaymentState::Declined { .. } => "declined",
            PaymentState::Voided { .. } => "voided",
        });
        let ended = ended.unwrap_or("not there");
        if let Some(outcome) = self.order.and_then(|order| order.outcome) {
            let fits = match outcome {
                Outcome::Paid => ended == "succeeded",
                Outcome::PaymentFailed => ended == "declined",
                Outcome::Voided(_) => ended == "voided",
                Outcome::Rejected => self.state() == "rejected" && ended != "succeeded",
            };
            if !fits {
                disagree(format!(
                    "ended as {outcome:?}, but its payment is {ended}, its reservation {}",
                    self.state()
                ));
            }
        }
        if let Some(settlement) = self.order.and_then(|order| order.settlement) {
            let wanted = match settlement {
                Settlement::Committed => "committed",
                Settlement::Released => "released",
            };
            if self.state() != wanted {
                disagree(format!(
                    "its stock counts as {settlement:?}, but its reservation is {}",
                    self.state()
                ));
            }
        }
        match self.state() {
            "committed" if ended != "succeeded" => {
                disagree(format!("its stock is sold, but its payment is {ended}"));
            }
            "released" if ended != "declined" && ended != "voided" => {
                disagree(format!("its stock was released, but its payment is {ended}"));
            }
            "rejected" | "not there" if matches!(ended, "charging" | "declined") => {
                disagree(format!("its payment is {ended}, but its reservation is {}", self.state()));
            }
            _ => {}
        }
        if let (Some(order), Some(payment)) = (self.order, self.payment)
            && order.details.total != payment.order.total
        {
            disagree(format!(
                "costs {}, but its payment is for {}",
                order.details.total, payment.order.total
            ));
        }
        if let (Some(order), Some(reservation)) = (self.order, self.reservation)
            && matches!(reservation.state, ReservationState::Held | ReservationState::Committed)
            && !reservation.lines.iter().eq(order.details.lines.iter())
        {
            disagree("holds other lines than were ordered".to_owned());
        }
    }

    fn nothing_hangs(&self, when: When, say: &mut impl FnMut(Rule, String)) {
        let mut hangs = |what: String| say(Rule::NothingHangs, what);
        match when {
            When::Running { now, patience } => {
                let Some(moved) = self.moved_at() else { return };
                if now.duration_since(moved) <= patience {
                    return;
                }
                if let Some(order) = self.order.filter(|order| !order.status().is_final()) {
                    hangs(format!("is still {:?}, and was moved last at {moved}", order.status()));
                } else if self.state() == "held" {
                    hangs(format!("its stock is still held, and it was moved last at {moved}"));
                } else if matches!(
                    self.payment.map(|payment| &payment.state),
                    Some(PaymentState::Charging { .. })
                ) {
                    hangs(format!("its payment is still open, and was moved last at {moved}"));
                }
            }
            When::Settled => {
                if let Some(order) = self.order.filter(|order| !order.status().is_final()) {
                    hangs(format!("is still {:?}", order.status()));
                    return;
                }
                // Somebody else's order has no row here, and holds stock and money all the same.
                if self.state() == "held" {
                    hangs("nothing is on its way, but its stock is still held".to_owned());
                }
                if matches!(self.payment.map(|payment| &payment.state), Some(PaymentState::Charging { .. })) {
                    hangs("nothing is on its way, but its payment is still open".to_owned());
                }
                let Some(order) = self.order else { return };
                let settles = matches!(self.state(), "committed" | "released");
                if settles && order.settlement.is_none() {
                    hangs(format!("was not told that its stock is {}", self.state()));
                }
                if self.mails.is_empty() {
                    hangs("is final, but its customer was not told".to_owned());
                }
            }
        }
    }
}

impl View<'_> {
    /// When something last moved it. A wish to cancel moves nothing: it is asked again each hour where nobody
    /// answers. Somebody else's order without a payment has no time that we know.
    fn moved_at(&self) -> Option<Timestamp> {
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

fn stock(snapshot: &Snapshot, say: &mut impl FnMut(Rule, String)) {
    // Whoever looks at one order leaves the stock out.
    if snapshot.stock.is_empty() {
        return;
    }
    let mut reserved: BTreeMap<_, (i64, i64)> = BTreeMap::new();
    for reservation in snapshot.reservations.values() {
        for line in &reservation.lines {
            let (held, sold) = reserved.entry(&line.sku).or_default();
            let pieces = i64::from(line.quantity.get());
            match reservation.state {
                ReservationState::Held => *held = held.saturating_add(pieces),
                ReservationState::Committed => *sold = sold.saturating_add(pieces),
                ReservationState::Released | ReservationState::Rejected { .. } => {}
            }
        }
    }
    for (sku, Stock { available, held, sold }) in &snapshot.stock {
        if *available < 0 || *held < 0 || *sold < 0 {
            say(Rule::StockIsConserved, format!("{sku} has {available} available, {held} held, {sold} sold"));
        }
        let there = available.saturating_add(*held).saturating_add(*sold);
        let delivered = snapshot.delivered.get(sku).copied().unwrap_or_default();
        if there != delivered {
            say(
                Rule::StockIsConserved,
                format!(
                    "{sku}: {available} available, {held} held and {sold} sold make {there}, not the {delivered} put in"
                ),
            );
        }
        let (reserved_held, reserved_sold) = reserved.remove(sku).unwrap_or_default();
        if (reserved_held, reserved_sold) != (*held, *sold) {
            say(
                Rule::StockIsReserved,
                format!(
                    "{sku}: {held} held and {sold} sold, but the reservations hold {reserved_held} and sold {reserved_sold}"
                ),
            );
        }
    }
    for (sku, (held, sold)) in reserved.into_iter().filter(|(_, counts)| *counts != (0, 0)) {
        say(
            Rule::StockIsReserved,
            format!("{sku} is no product, but the reservations hold {held} and sold {sold}"),
        );
    }
}

fn nothing_waits(snapshot: &Snapshot, say: &mut impl FnMut(Rule, String)) {
    for event in snapshot.outbox.values() {
        let what = format!("{} of order {} waits in the outbox", event.fact.name(), event.subject);
        say(Rule::NothingHangs, what);
    }
    for (queue, messages) in snapshot.queued.iter().filter(|(_, messages)| **messages > 0) {
        say(Rule::NothingHangs, format!("{messages} messages wait in {queue}"));
    }
    for dead in &snapshot.dead {
        say(Rule::NothingHangs, format!("a message was given up, and waits in {}", dead.queue));
    }
}
