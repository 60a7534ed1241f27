//! What must hold.

use crate::drive::Protocol;
use crate::state::{Case, Charge, End, Function, Held, Mail, News, State, Status};

/// What must hold of every state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// No customer is charged twice for an order.
    OneCapture,
    /// What was captured is held or sold.
    CapturedIsHeld,
    /// No counter is below zero, and available + held + sold is what was put in.
    StockIsConserved,
    /// What is held and sold is what the reservations say.
    StockIsReserved,
    /// A confirmation goes out only after the capture, any other mail only where nothing was captured.
    MailTellsTheTruth,
    /// A mail goes out once, but for those that nobody could know had gone out.
    OneMail,
    /// Records, provider and what was published do not contradict each other.
    RecordsAgree,
    /// What is final stays as it is.
    FinalStays,
    /// An event of a write waits in the outbox until it is published.
    EventIsNotLost,
    /// When nothing is left to do, every order is final, also where messages were thrown away.
    OrdersEnd,
    /// When nothing is left to do and there is no dead letter, stock is settled, customers are told, and every
    /// record knows how it ended.
    NothingHangs,
}

impl Property {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::OneCapture,
        Self::CapturedIsHeld,
        Self::StockIsConserved,
        Self::StockIsReserved,
        Self::MailTellsTheTruth,
        Self::OneMail,
        Self::RecordsAgree,
        Self::FinalStays,
        Self::EventIsNotLost,
        Self::OrdersEnd,
        Self::NothingHangs,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneCapture => "one-capture",
            Self::CapturedIsHeld => "captured-is-held",
            Self::StockIsConserved => "stock-is-conserved",
            Self::StockIsReserved => "stock-is-reserved",
            Self::MailTellsTheTruth => "mail-tells-the-truth",
            Self::OneMail => "one-mail",
            Self::RecordsAgree => "records-agree",
            Self::FinalStays => "final-stays",
            Self::EventIsNotLost => "event-is-not-lost",
            Self::OrdersEnd => "orders-end",
            Self::NothingHangs => "nothing-hangs",
        }
    }

    /// What it says.
    pub fn statement(self) -> &'static str {
        match self {
            Self::OneCapture => "an order is captured at most once",
            Self::CapturedIsHeld => "captured means that the stock is held or sold",
            Self::StockIsConserved => "no counter is below zero, available + held + sold is constant",
            Self::StockIsReserved => "held and sold are what the reservations say",
            Self::MailTellsTheTruth => {
                "a confirmation only after the capture, any other mail only without one"
            }
            Self::OneMail => "a mail goes out once, but for answers and senders that were lost",
            Self::RecordsAgree => "records, provider and events do not contradict each other",
            Self::FinalStays => "what is final stays as it is",
            Self::EventIsNotLost => "the event of a write is in the outbox or on the bus",
            Self::OrdersEnd => "when nothing is left to do, every order is final",
            Self::NothingHangs => {
                "when nothing is left to do nor dead, stock is settled and customers are told"
            }
        }
    }

    /// Whether it holds of `state`.
    pub fn holds(self, protocol: &Protocol, state: &State) -> bool {
        let each = |rule: fn(&Case) -> bool| state.cases.iter().all(rule);
        match self {
            Self::OneCapture => each(|case| case.captures() <= 1),
            Self::CapturedIsHeld => each(|case| {
                case.captures() == 0 || matches!(case.reservation, Some(Held::Held | Held::Committed))
            }),
            Self::StockIsConserved => state.stock.iter().zip(protocol.scope.stock).all(|(stock, put_in)| {
                let sum = i32::from(stock.available) + i32::from(stock.held) + i32::from(stock.sold);
                stock.available >= 0 && stock.held >= 0 && stock.sold >= 0 && sum == i32::from(put_in)
            }),
            Self::StockIsReserved => stock_is_reserved(protocol, state),
            Self::MailTellsTheTruth => each(|case| {
                let sent = |mail: Mail| case.post[mail.index()].sent > 0;
                let other = [Mail::Rejection, Mail::PaymentFailure, Mail::Cancellation].into_iter().any(sent);
                // What is in the queue may be sent at once.
                let confirmed = case
                    .queues
                    .iter()
                    .any(|letter| letter.to == Function::SendEmail && letter.news == News::Succeeded);
                (!(confirmed || sent(Mail::Confirmation)) || case.captures() > 0)
                    && (!other || case.captures() == 0)
            }),
            Self::OneMail => {
                each(|case| case.post.iter().all(|post| post.sent <= post.excused.saturating_add(1)))
            }
            Self::RecordsAgree => each(records_agree),
            Self::FinalStays => each(|case| !case.past.final_left),
            Self::EventIsNotLost => each(|case| {
                let Some(order) = case.order else { return true };
                let created = case.outbox.contains(&News::Created) || case.past.told_created;
                let wish = order
                    .cancellation
                    .is_none_or(|reason| case.outbox.contains(&News::Wish(reason)) || case.past.told_wish);
                created && wish
            }),
            Self::OrdersEnd => {
                let open = |case: &Case| case.order.is_some_and(|order| order.outcome.is_none());
                !state.cases.iter().any(open) || !nothing_left(protocol, state)
            }
            Self::NothingHangs => {
                let dead = state.cases.iter().any(|case| !case.dead.is_empty());
                dead || state.cases.iter().all(|case| is_settled(protocol, case))
                    || !nothing_left(protocol, state)
            }
        }
    }
}

/// Whether no step is left but faults and whims.
fn nothing_left(protocol: &Protocol, state: &State) -> bool {
    let mut left = true;
    protocol.each_action(state, &mut |action| {
        left = !protocol.is_calm(state, &action);
        left
    });
    left
}

fn stock_is_reserved(protocol: &Protocol, state: &State) -> bool {
    (0..2).all(|product| {
        let sum = |wanted: Held| -> i32 {
            let pieces = protocol.scope.orders.iter().map(|pieces| i32::from(pieces[product]));
            let cases = state.cases.iter().zip(pieces);
            cases.filter(|(case, _)| case.reservation == Some(wanted)).map(|(_, pieces)| pieces).sum()
        };
        let stock = state.stock[product];
        i32::from(stock.held) == sum(Held::Held) && i32::from(stock.sold) == sum(Held::Committed)
    })
}

fn records_agree(case: &Case) -> bool {
    let charge = case.payment.map(|row| row.charge);
    let payment = match charge {
        Some(Charge::Succeeded { intent }) => {
            case.intents.get(usize::from(intent)).is_some_and(|intent| intent.status == Status::Succeeded)
        }
        Some(Charge::Declined | Charge::Voided(_)) => case.captures() == 0,
        Some(Charge::Charging { .. }) | None => true,
    };
    let order = match case.order.and_then(|order| order.outcome) {
        Some(End::Paid) => matches!(charge, Some(Charge::Succeeded { .. })),
        Some(End::PaymentFailed) => charge == Some(Charge::Declined),
        Some(End::Voided(reason)) => charge == Some(Charge::Voided(reason)),
        Some(End::Rejected) => case.reservation == Some(Held::Rejected),
        None => true,
    };
    let sold = match case.order.and_then(|order| order.sold) {
        Some(true) => case.reservation == Some(Held::Committed),
        Some(false) => matches!(case.reservation, Some(Held::Released | Held::Tombstone)),
        None => true,
    };
    let released =
        !case.past.told_released || matches!(case.reservation, Some(Held::Released | Held::Tombstone));
    let committed = !case.past.told_committed || case.reservation == Some(Held::Committed);
    payment && order && sold && released && committed && !case.past.contradiction
}

/// Whether an order is over for everybody who takes part.
fn is_settled(protocol: &Protocol, case: &Case) -> bool {
    use Function::{SendEmail, SettleReservation, TrackOrder};
    let part = |function| !protocol.scope.without.contains(&function);
    let charge = case.payment.map(|row| row.charge);
    let Some(order) = case.order else { return case.captures() == 0 };
    let charged = match charge {
        None => order.outcome == Some(End::Rejected) || !part(TrackOrder),
        Some(charge) => !matches!(charge, Charge::Charging { .. }),
    };
    let stock = match case.reservation {
        Some(Held::Held) => !part(SettleReservation),
        Some(Held::Committed) => order.sold == Some(true) || !part(TrackOrder),
        Some(Held::Released | Held::Tombstone) => order.sold == Some(false) || !part(TrackOrder),
        Some(Held::Rejected) => true,
        None => !part(SettleReservation),
    };
    let mail = match order.outcome {
        Some(End::Paid) => Some(Mail::Confirmation),
        Some(End::Rejected) => Some(Mail::Rejection),
        Some(End::PaymentFailed) => Some(Mail::PaymentFailure),
        Some(End::Voided(_)) => Some(Mail::Cancellation),
        None => None,
    };
    let told = mail.is_none_or(|mail| case.post[mail.index()].sent > 0) || !part(SendEmail);
    let ended = order.outcome.is_some() || !part(TrackOrder);
    ended && charged && stock && told && case.outbox.is_empty()
}
