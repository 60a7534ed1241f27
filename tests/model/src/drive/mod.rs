//! How the functions drive the rules: they read, ask the rules, take one effect at a time, publish, acknowledge.
//!
//! Transcribed from the handlers and hosts of `lambdas/` and `shared/platform/src/host/`. No rule is here: what a
//! record becomes is decided by `domain` alone.

mod actions;
mod inventory;
mod mail;
mod order;
mod payment;

use domain::order::Order;

use crate::action::{Action, Fault};
use crate::fixture::Fixture;
use crate::mutation::Mutation;
use crate::scope::{Card, Scope};
use crate::state::{
    Attempt, Case, Function, GONE, Intent, Letter, News, OrderRow, State, Status, Stock, Work,
};

/// The protocol within a scope, as it is or with one protection off.
#[derive(Debug)]
pub struct Protocol {
    pub(crate) scope: Scope,
    pub(crate) mutation: Option<Mutation>,
    pub(crate) fixture: Fixture,
}

/// What an attempt does after an effect, or after it has read.
enum Next {
    /// Goes on.
    Go(Work),
    /// Is done: its message is acknowledged.
    Done,
    /// Failed: its message comes again.
    Again,
    /// Was refused by a rule: its message is a dead letter.
    Refused,
}

/// What `template.yaml` subscribes to an event: the rule of each function.
pub fn subscribers(news: News) -> &'static [Function] {
    use Function::{ProcessPayment, ReserveInventory, SendEmail, SettleReservation, TrackOrder, VoidPayment};
    match news {
        News::Created => &[ReserveInventory],
        News::Wish(_) => &[VoidPayment],
        News::Confirmed => &[ProcessPayment, TrackOrder],
        News::Rejected => &[SendEmail, TrackOrder],
        News::Committed | News::Released => &[TrackOrder],
        News::Succeeded | News::Failed | News::Voided(_) => &[SettleReservation, SendEmail, TrackOrder],
    }
}

impl Protocol {
    /// The protocol within `scope`, with one protection off where a mutation is named.
    ///
    /// # Errors
    /// When the scope names an order that cannot be.
    pub fn new(scope: Scope, mutation: Option<Mutation>) -> anyhow::Result<Self> {
        let fixture = Fixture::new(scope.orders)?;
        Ok(Self { scope, mutation, fixture })
    }

    /// The bounds.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(crate) fn is(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    fn takes_part(&self, function: Function) -> bool {
        !self.scope.without.contains(&function)
    }

    /// Whether nothing is on its way that could move an order, but for dead letters.
    fn is_quiet(&self, case: &Case) -> bool {
        let moves = |letter: &Letter| letter.to != Function::SendEmail;
        case.placed
            && case.outbox.is_empty()
            && !case.queues.iter().any(moves)
            && !case.attempts.iter().any(|attempt| moves(&attempt.letter))
    }

    pub(crate) fn start(&self) -> State {
        State {
            cases: vec![Case::default(); self.scope.orders.len()],
            stock: self.scope.stock.map(|available| Stock { available, held: 0, sold: 0 }),
            faults: self.scope.faults,
            cancellations: self.scope.cancellations,
            expiries: self.scope.expiries,
        }
    }

    /// The state after an action; `None` where it changes nothing.
    pub(crate) fn after(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        let at = match action {
            Action::Place { case, torn } => {
                self.place(&mut state, case, torn);
                case
            }
            Action::Relay { case, news } => {
                let letter = Letter { to: Function::RelayOutbox, news };
                let work = Work::Relay { published: false };
                state.cases[case].attempts.push(Attempt {
                    letter,
                    work,
                    owner: GONE,
                    holds: false,
                    late: false,
                });
                case
            }
            Action::Deliver { case, letter, overdue, twice } => {
                state.faults -= u8::from(!twice && waits(&state.cases[case], letter));
                take(&mut state.cases[case].queues, letter);
                if twice {
                    state.faults -= 1;
                    state.cases[case].enqueue(letter, self.scope.copies);
                }
                self.begin(&mut state, case, letter, true, overdue);
                case
            }
            Action::Go { case, attempt, fault, card } => {
                state.faults -= u8::from(fault != Fault::None);
                self.go(&mut state, case, attempt, fault, card);
                case
            }
            Action::Stall { case, attempt } => {
                state.faults -= 1;
                let orders = &mut state.cases[case];
                let stalled = &mut orders.attempts[attempt];
                stalled.late = true;
                let (letter, held) = (stalled.letter, std::mem::take(&mut stalled.holds));
                if matches!(stalled.work, Work::Note { .. }) {
                    mail::excuse(orders, letter.news);
                }
                if held {
                    orders.enqueue(letter, self.scope.copies);
                }
                case
            }
            Action::Bury { case, letter } => {
                state.faults -= 1;
                take(&mut state.cases[case].queues, letter);
                bury(&mut state.cases[case], letter);
                case
            }
            Action::Redrive { case, letter } => {
                take(&mut state.cases[case].dead, letter);
                state.cases[case].enqueue(letter, self.scope.copies);
                case
            }
            Action::Cancel { case } => {
                state.cancellations -= 1;
                let news = News::Wish(domain::payment::VoidReason::CustomerRequest);
                self.begin(&mut state, case, Letter { to: Function::OrdersApi, news }, false, false);
                case
            }
            Action::Expire { case } => {
                if !self.is_quiet(&state.cases[case]) {
                    state.expiries -= 1;
                }
                let news = News::Wish(domain::payment::VoidReason::Expired);
                self.begin(&mut state, case, Letter { to: Function::ExpireOrders, news }, false, false);
                case
            }
            Action::Settle { case, intent, charged } => {
                payment::process(&mut state.cases[case].intents[intent], charged);
                case
            }
        };
        state.cases[at].normalise();
        (state != *before).then_some(state)
    }

    /// The order, its event's outbox row and the idempotency key are one transaction.
    fn place(&self, state: &mut State, at: usize, torn: bool) {
        let fixture = &self.fixture;
        let (order, event) =
            Order::place(fixture.id(at), fixture.details(at).clone(), fixture.cause().clone());
        let case = &mut state.cases[at];
        case.placed = true;
        case.order = Some(Fixture::order_row(&order, 0));
        if torn {
            state.faults -= 1;
        } else {
            case.put_outbox(Fixture::news(&event.fact));
        }
    }

    /// A function is called with a message, and reads.
    fn begin(&self, state: &mut State, at: usize, letter: Letter, holds: bool, overdue: bool) {
        let leases =
            matches!(letter.to, Function::ProcessPayment | Function::VoidPayment | Function::SendEmail);
        let owner = if leases { state.cases[at].fresh_owner() } else { GONE };
        let attempt = Attempt { letter, work: Work::ReadAgain, owner, holds, late: false };
        let next = self.read(state, at, &attempt, overdue);
        self.settle(state, at, attempt, next);
    }

    /// Reads what the attempt decides on, and goes on to its first effect.
    fn read(&self, state: &mut State, at: usize, attempt: &Attempt, overdue: bool) -> Next {
        match attempt.letter.to {
            Function::RelayOutbox => Next::Done,
            Function::ReserveInventory => self.read_to_reserve(state, at),
            Function::SettleReservation => self.read_to_settle(state, at, attempt.letter.news),
            Function::ProcessPayment | Function::VoidPayment => {
                self.pay_on(&state.cases[at], at, attempt, overdue)
            }
            Function::TrackOrder => self.read_to_track(&state.cases[at], at, attempt.letter.news),
            Function::OrdersApi | Function::ExpireOrders => {
                self.read_to_ask(&state.cases[at], at, attempt.letter)
            }
            Function::SendEmail => self.read_to_mail(&state.cases[at], attempt, overdue),
        }
    }

    /// The attempt takes its next effect.
    fn go(&self, state: &mut State, at: usize, number: usize, fault: Fault, card: Option<Card>) {
        let attempt = state.cases[at].attempts.remove(number);
        let acknowledged = fault == Fault::Crash
            && self.is(Mutation::AcknowledgeFirst)
            && matches!(attempt.work, Work::Publish(_));
        if acknowledged {
            return acknowledge(&mut state.cases[at], &attempt);
        }
        let next = match attempt.work {
            Work::Relay { published } => self.relay(state, at, attempt.letter.news, published),
            Work::ReadAgain => self.read(state, at, &attempt, false),
            Work::Reserve { read, available } => self.reserve(state, at, read, available),
            Work::Settle { read } => self.settle_stock(state, at, attempt.letter.news, read),
            Work::Pay { read, said, early } => {
                self.pay(state, at, &attempt, (read, said, early), fault, card)
            }
            Work::GiveUpPayment { read } => self.give_up_payment(&mut state.cases[at], at, &attempt, read),
            Work::Track { read } => self.track(&mut state.cases[at], at, attempt.letter.news, read),
            Work::Ask { read } => self.ask(&mut state.cases[at], at, attempt.letter, read),
            Work::Claim { .. } | Work::Send { .. } | Work::Note { .. } | Work::GiveUpClaim { .. } => {
                self.mail(&mut state.cases[at], &attempt, fault)
            }
            Work::Publish(news) => {
                if fault != Fault::LostBefore {
                    self.publish(&mut state.cases[at], news);
                }
                Next::Done
            }
        };
        let next = match (fault, next) {
            (Fault::Crash, Next::Refused) => Next::Refused,
            (Fault::Crash, _) => Next::Again,
            (_, next) => next,
        };
        self.settle(state, at, attempt, next);
    }

    /// What becomes of an attempt and its message.
    fn settle(&self, state: &mut State, at: usize, attempt: Attempt, next: Next) {
        let case = &mut state.cases[at];
        match next {
            Next::Go(work) => case.attempts.push(Attempt { work, ..attempt }),
            Next::Done => acknowledge(case, &attempt),
            Next::Again if self.is(Mutation::FailureAsSuccess) => acknowledge(case, &attempt),
            Next::Again if attempt.holds => case.enqueue(attempt.letter, self.scope.copies),
            Next::Again => {}
            Next::Refused => {
                case.past.contradiction = true;
                if attempt.holds {
                    bury(case, attempt.letter);
                }
            }
        }
    }

    /// First publishes, then removes.
    fn relay(&self, state: &mut State, at: usize, news: News, published: bool) -> Next {
        let case = &mut state.cases[at];
        if published == self.is(Mutation::RemoveFirst) {
            self.publish(case, news);
        } else if let Ok(row) = case.outbox.binary_search(&news) {
            case.outbox.remove(row);
        }
        if published { Next::Done } else { Next::Go(Work::Relay { published: true }) }
    }

    /// The bus takes an event, and its rules put it into queues.
    fn publish(&self, case: &mut Case, news: News) {
        match news {
            News::Created => case.past.told_created = true,
            News::Wish(_) => case.past.told_wish = true,
            News::Released => case.past.told_released = true,
            News::Committed => case.past.told_committed = true,
            _ => {}
        }
        for to in subscribers(news).iter().copied().filter(|to| self.takes_part(*to)) {
            case.enqueue(Letter { to, news }, self.scope.copies);
        }
        if self.is(Mutation::ReleaseOnWish) && matches!(news, News::Wish(_)) {
            case.enqueue(Letter { to: Function::SettleReservation, news }, self.scope.copies);
        }
    }
}

/// The message is deleted. After a stall the queue has delivered it again: whoever has it now finds it gone when
/// they fail, and what waits in the queue comes again, as if it had been delivered twice.
fn acknowledge(case: &mut Case, attempt: &Attempt) {
    if !attempt.holds
        && let Some(other) =
            case.attempts.iter_mut().find(|other| other.letter == attempt.letter && other.holds)
    {
        other.holds = false;
    }
}

/// Whether an attempt would find the provider at it, and come again. The provider comes to its end before a message
/// is tried too often, so that trying meanwhile counts as a fault.
fn waits(case: &Case, letter: Letter) -> bool {
    matches!(letter.to, Function::ProcessPayment | Function::VoidPayment)
        && case.intents.iter().any(|intent| intent.status == Status::Processing)
}

fn take(letters: &mut Vec<Letter>, letter: Letter) {
    if let Some(at) = letters.iter().position(|other| *other == letter) {
        letters.remove(at);
    }
}

fn bury(case: &mut Case, letter: Letter) {
    let at = case.dead.partition_point(|other| *other < letter);
    case.dead.insert(at, letter);
}

/// Whether a write may change an order to this.
fn leaves_final(before: OrderRow, after: OrderRow) -> bool {
    let changed = |before: Option<bool>| before.is_some() && before != after.sold;
    (before.outcome.is_some() && before.outcome != after.outcome) || changed(before.sold)
}

/// Takes money with a PaymentIntent.
fn capture(intent: &mut Intent) {
    intent.captures = intent.captures.saturating_add(1);
    intent.status = Status::Succeeded;
}
