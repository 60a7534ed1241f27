//! The properties that every reachable state must satisfy.

use domain::VoidReason;
use strum::{IntoStaticStr, VariantArray};

use crate::drive::Protocol;
use crate::state::{
    Email, Ending, EventKind, Function, OrderOutcome, PaymentStatus, ReservationStatus, Saga, State, Status,
};

/// A property of every reachable state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Property {
    /// An order is charged at most once, and never if its total is 0.
    OneCapture,
    /// The stock of a paid order is held or sold.
    CapturedIsHeld,
    /// No counter is negative, and available + held + sold equals the initial stock.
    StockIsConserved,
    /// The held and sold counters equal the sums over the reservations.
    StockIsReserved,
    /// A confirmation is sent only for a paid order, any other email only for one that is not.
    MailTellsTheTruth,
    /// An email is sent once, except for duplicates that no protocol could prevent.
    OneEmail,
    /// The records, the provider and the published events do not contradict each other.
    RecordsAgree,
    /// A final state does not change.
    FinalStays,
    /// Every record and every event has the reason of the first cancellation request.
    FirstReasonStays,
    /// The event of a write stays in the outbox until it is published.
    EventIsNotLost,
    /// When nothing is left to do, every order is final, even if dead-letter messages were never redriven.
    OrdersTerminate,
    /// When nothing is left to do and the dead-letter queues are empty, stock is settled, customers are
    /// notified, and every record is final.
    NothingHangs,
}

impl Property {
    /// The name, as the report shows it.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The property in words.
    pub fn statement(self) -> &'static str {
        match self {
            Self::OneCapture => "an order is captured at most once",
            Self::CapturedIsHeld => "the stock of a captured order is held or sold",
            Self::StockIsConserved => "no counter is negative, and available + held + sold is constant",
            Self::StockIsReserved => "held and sold equal the sums over the reservations",
            Self::MailTellsTheTruth => {
                "a confirmation is sent only after the capture, any other email only without one"
            }
            Self::OneEmail => "an email is sent once, except after a lost response or a lost sender",
            Self::RecordsAgree => "records, provider and events do not contradict each other",
            Self::FinalStays => "a final state does not change",
            Self::FirstReasonStays => "records and events have the reason of the first cancellation request",
            Self::EventIsNotLost => "the event of a write is in the outbox or was published",
            Self::OrdersTerminate => "when nothing is left to do, every order is final",
            Self::NothingHangs => {
                "when nothing is left to do or dead-lettered, stock is settled and customers are notified"
            }
        }
    }

    /// Whether `state` satisfies the property.
    pub fn holds(self, protocol: &Protocol, state: &State) -> bool {
        let each = |rule: fn(&Saga) -> bool| state.sagas.iter().all(rule);
        match self {
            Self::OneCapture => {
                let captures = u32::from(protocol.scope.unit_price > 0);
                state.sagas.iter().all(|saga| saga.captures() <= captures)
            }
            Self::CapturedIsHeld => each(|saga| {
                !saga.is_paid()
                    || matches!(
                        saga.reservation,
                        Some(ReservationStatus::Held | ReservationStatus::Committed)
                    )
            }),
            Self::StockIsConserved => state.stock.iter().zip(protocol.scope.stock).all(|(stock, initial)| {
                let sum = i32::from(stock.available) + i32::from(stock.held) + i32::from(stock.sold);
                stock.available >= 0 && stock.held >= 0 && stock.sold >= 0 && sum == i32::from(initial)
            }),
            Self::StockIsReserved => stock_is_reserved(protocol, state),
            Self::MailTellsTheTruth => each(|saga| {
                let sent = |email: Email| saga.emails[email.index()].sent > 0;
                let other =
                    [Email::Rejection, Email::PaymentFailure, Email::Cancellation].into_iter().any(sent);
                // A message in the queue may be processed at any time.
                let confirmed = saga.queues.iter().any(|message| {
                    message.to == Function::SendEmail && message.event == EventKind::Succeeded
                });
                (!(confirmed || sent(Email::Confirmation)) || saga.is_paid()) && (!other || !saga.is_paid())
            }),
            Self::OneEmail => each(|saga| {
                saga.emails.iter().all(|email| email.sent <= email.allowed_duplicates.saturating_add(1))
            }),
            Self::RecordsAgree => state.sagas.iter().all(|saga| records_agree(protocol, saga)),
            Self::FinalStays => each(|saga| !saga.history.final_state_changed),
            Self::FirstReasonStays => {
                each(|saga| reasons(saga).all(|reason| Some(reason) == saga.history.first_reason))
            }
            Self::EventIsNotLost => each(|saga| {
                let Some(order) = saga.order else { return true };
                let created = saga.outbox.contains(&EventKind::Created) || saga.history.created_published;
                let cancellation = order.cancellation.is_none_or(|reason| {
                    saga.outbox.contains(&EventKind::CancellationRequested(reason))
                        || saga.history.cancellation_published
                });
                created && cancellation
            }),
            Self::OrdersTerminate => {
                let open = |saga: &Saga| saga.order.is_some_and(|order| order.outcome.is_none());
                !state.sagas.iter().any(open) || !is_at_rest(protocol, state)
            }
            Self::NothingHangs => {
                let dead = state.sagas.iter().any(|saga| !saga.dead_letters.is_empty());
                dead || state.sagas.iter().all(|saga| is_settled(protocol, saga))
                    || !is_at_rest(protocol, state)
            }
        }
    }
}

/// Whether only faults and external requests are possible in `state`.
fn is_at_rest(protocol: &Protocol, state: &State) -> bool {
    let mut at_rest = true;
    protocol.for_each_action(state, &mut |action| {
        at_rest = !protocol.is_fault_free(state, &action);
        at_rest
    });
    at_rest
}

/// The reasons for not charging an order, in its records and in the messages about it.
fn reasons(saga: &Saga) -> impl Iterator<Item = VoidReason> {
    let event = |event: &EventKind| match event {
        EventKind::CancellationRequested(reason) | EventKind::Voided(reason) => Some(*reason),
        _ => None,
    };
    let payment = match saga.payment.map(|row| row.status) {
        Some(
            PaymentStatus::Charging { ending: Some(Ending::Void(reason)), .. }
            | PaymentStatus::Voided(reason),
        ) => Some(reason),
        _ => None,
    };
    let outcome = match saga.order.and_then(|order| order.outcome) {
        Some(OrderOutcome::Voided(reason)) => Some(reason),
        _ => None,
    };
    let requested = saga.order.and_then(|order| order.cancellation);
    let messages = saga.queues.iter().chain(&saga.dead_letters).map(|message| &message.event);
    messages.chain(&saga.outbox).filter_map(event).chain([payment, outcome, requested].into_iter().flatten())
}

fn stock_is_reserved(protocol: &Protocol, state: &State) -> bool {
    (0..2).all(|product| {
        let sum = |wanted: ReservationStatus| -> i32 {
            let units = protocol.scope.orders.iter().map(|units| i32::from(units[product]));
            let sagas = state.sagas.iter().zip(units);
            sagas.filter(|(saga, _)| saga.reservation == Some(wanted)).map(|(_, units)| units).sum()
        };
        let stock = state.stock[product];
        i32::from(stock.held) == sum(ReservationStatus::Held)
            && i32::from(stock.sold) == sum(ReservationStatus::Committed)
    })
}

fn records_agree(protocol: &Protocol, saga: &Saga) -> bool {
    let charge = saga.payment.map(|row| row.status);
    let payment = match charge {
        Some(PaymentStatus::Succeeded { intent: Some(intent) }) => {
            saga.intents.get(usize::from(intent)).is_some_and(|intent| intent.status == Status::Succeeded)
        }
        Some(PaymentStatus::Succeeded { intent: None }) => {
            protocol.scope.unit_price == 0 && saga.intents.is_empty()
        }
        Some(PaymentStatus::Declined | PaymentStatus::Voided(_)) => saga.captures() == 0,
        Some(PaymentStatus::Charging { .. }) | None => true,
    };
    let order = match saga.order.and_then(|order| order.outcome) {
        Some(OrderOutcome::Paid) => matches!(charge, Some(PaymentStatus::Succeeded { .. })),
        Some(OrderOutcome::PaymentFailed) => charge == Some(PaymentStatus::Declined),
        Some(OrderOutcome::Voided(reason)) => charge == Some(PaymentStatus::Voided(reason)),
        Some(OrderOutcome::Rejected) => saga.reservation == Some(ReservationStatus::Rejected),
        None => true,
    };
    let sold = match saga.order.and_then(|order| order.sold) {
        Some(true) => saga.reservation == Some(ReservationStatus::Committed),
        Some(false) => {
            matches!(saga.reservation, Some(ReservationStatus::Released | ReservationStatus::Tombstone))
        }
        None => true,
    };
    let released = !saga.history.release_published
        || matches!(saga.reservation, Some(ReservationStatus::Released | ReservationStatus::Tombstone));
    let committed = !saga.history.commit_published || saga.reservation == Some(ReservationStatus::Committed);
    payment && order && sold && released && committed && !saga.history.contradiction
}

/// Whether an order is finished in every participating service.
fn is_settled(protocol: &Protocol, saga: &Saga) -> bool {
    use Function::{SendEmail, SettleReservation, TrackOrder};
    let is_included = |function| !protocol.scope.excluded.contains(&function);
    let charge = saga.payment.map(|row| row.status);
    let Some(order) = saga.order else { return saga.captures() == 0 };
    let charged = match charge {
        None => order.outcome == Some(OrderOutcome::Rejected) || !is_included(TrackOrder),
        Some(charge) => !matches!(charge, PaymentStatus::Charging { .. }),
    };
    let stock = match saga.reservation {
        Some(ReservationStatus::Held) => !is_included(SettleReservation),
        Some(ReservationStatus::Committed) => order.sold == Some(true) || !is_included(TrackOrder),
        Some(ReservationStatus::Released | ReservationStatus::Tombstone) => {
            order.sold == Some(false) || !is_included(TrackOrder)
        }
        Some(ReservationStatus::Rejected) => true,
        None => !is_included(SettleReservation),
    };
    let email = match order.outcome {
        Some(OrderOutcome::Paid) => Some(Email::Confirmation),
        Some(OrderOutcome::Rejected) => Some(Email::Rejection),
        Some(OrderOutcome::PaymentFailed) => Some(Email::PaymentFailure),
        Some(OrderOutcome::Voided(_)) => Some(Email::Cancellation),
        None => None,
    };
    let notified = email.is_none_or(|email| saga.emails[email.index()].sent > 0) || !is_included(SendEmail);
    let ended = order.outcome.is_some() || !is_included(TrackOrder);
    ended && charged && stock && notified && saga.outbox.is_empty()
}
