//! `process-payment` and `void-payment`: `lambdas/payments/src/arbiter.rs`, and a provider that behaves as Stripe does.

use domain::payment::{Goal, Payment, PaymentState, Request, Step, decide};
use jiff::Timestamp;

use super::{Next, Protocol, capture};
use crate::action::Fault;
use crate::fixture::UNCONFIRMED;
use crate::mutation::Mutation;
use crate::scope::{Card, Kind};
use crate::state::{
    Attempt, Case, Charge, Ending, Intent, News, Owner, PaymentRow, Said, State, Status, Work,
};

/// What the provider makes of a PaymentIntent that it was processing.
pub(super) fn process(intent: &mut Intent, charged: bool) {
    if charged { capture(intent) } else { intent.status = Status::Declined }
}

fn lease_of(row: Option<PaymentRow>) -> Option<(Owner, bool)> {
    match row?.charge {
        Charge::Charging { owner, given_up, .. } => Some((owner, given_up)),
        _ => None,
    }
}

impl Protocol {
    /// Who holds the lease that bars a new attempt.
    pub(super) fn payment_barred_by(&self, case: &Case, at: usize) -> Option<Owner> {
        let stranger = Attempt {
            letter: crate::state::Letter {
                to: crate::state::Function::ProcessPayment,
                news: News::Confirmed,
            },
            work: Work::ReadAgain,
            owner: Owner::MAX,
            holds: false,
            late: false,
        };
        let step = self.step(at, &stranger, case.payment, Said::Nothing, self.fixture.during());
        matches!(step, Step::Wait { until: Some(_) })
            .then(|| lease_of(case.payment).map(|(owner, _)| owner))
            .flatten()
    }

    fn step(
        &self,
        at: usize,
        attempt: &Attempt,
        read: Option<PaymentRow>,
        said: Said,
        now: Timestamp,
    ) -> Step {
        let fixture = &self.fixture;
        let read = read.map(|row| fixture.payment(at, row));
        let goal = match attempt.letter.news {
            News::Wish(reason) => Goal::Void(reason),
            _ => Goal::Charge,
        };
        let request =
            Request { order_id: fixture.id(at), order: fixture.details(at), cause: fixture.cause() };
        let attempt = fixture.attempt(attempt.owner, now);
        decide(read.as_ref(), goal, &fixture.seen(said), &request, &attempt)
    }

    /// The clock of an attempt: it goes on with a record that somebody else holds only where the lease has ended.
    fn now(&self, attempt: &Attempt, read: Option<PaymentRow>) -> Timestamp {
        match lease_of(read) {
            Some((owner, _)) if owner != attempt.owner => self.fixture.after(),
            _ => self.fixture.during(),
        }
    }

    /// Reads the record, and goes on to the first effect.
    pub(super) fn pay_on(&self, case: &Case, at: usize, attempt: &Attempt, overdue: bool) -> Next {
        let now = if overdue { self.fixture.after() } else { self.fixture.during() };
        let step = self.step(at, attempt, case.payment, Said::Nothing, now);
        self.pay_next(attempt, (case.payment, Said::Nothing, false), step)
    }

    /// Goes on as far as there is no effect.
    fn pay_next(
        &self,
        attempt: &Attempt,
        (read, said, early): (Option<PaymentRow>, Said, bool),
        step: Step,
    ) -> Next {
        match step {
            Step::Publish(event) => Next::Go(Work::Publish(crate::fixture::Fixture::news(&event.fact))),
            Step::Wait { until: Some(_) } => Next::Again,
            Step::Wait { until: None } => self.fail(attempt, read),
            _ => Next::Go(Work::Pay { read, said, early }),
        }
    }

    /// Gives up the lease, if it is this attempt's, and comes again.
    fn fail(&self, attempt: &Attempt, read: Option<PaymentRow>) -> Next {
        match (lease_of(read), read) {
            (Some((owner, _)), Some(read)) if owner == attempt.owner => {
                Next::Go(Work::GiveUpPayment { read })
            }
            _ => Next::Again,
        }
    }

    /// What can become of the next effect of a payment.
    pub(super) fn payment_choices(
        &self,
        case: &Case,
        at: usize,
        attempt: &Attempt,
        may: &dyn Fn(Kind) -> bool,
    ) -> Vec<(Fault, Option<Card>)> {
        let Work::Pay { read, said, early } = attempt.work else { return Vec::new() };
        let step =
            self.mutated(read, said, early, self.step(at, attempt, read, said, self.now(attempt, read)));
        let cards = self.scope.cards.iter().copied();
        let cards: Vec<Option<Card>> = match &step {
            Step::CreateIntent { .. } => {
                let unknown = cards.clone().find(|card| *card == Card::Unknown);
                let known = cards.clone().find(|card| *card != Card::Unknown);
                [unknown, known].into_iter().flatten().map(Some).collect()
            }
            Step::Confirm { intent, .. } => {
                let status = case.intents[usize::from(self.fixture.number(intent))].status;
                if matches!(status, Status::Unconfirmed | Status::Declined) {
                    cards.filter(|card| *card != Card::Unknown).map(Some).collect()
                } else {
                    vec![None]
                }
            }
            _ => vec![None],
        };
        let mut choices = Vec::new();
        for card in cards {
            choices.push((Fault::None, card));
            if may(Kind::Crash) && !matches!(step, Step::Retrieve(_)) {
                choices.push((Fault::Crash, card));
            }
            let is_write = matches!(step, Step::Write(_));
            if is_write && may(Kind::Repeat) {
                choices.push((Fault::Repeat, card));
            }
            if !is_write && may(Kind::Lost) && !matches!(step, Step::Retrieve(_)) {
                choices.push((Fault::LostAfter, card));
            }
        }
        let is_write = matches!(step, Step::Write(_));
        if !is_write && may(Kind::Lost) {
            choices.push((Fault::LostBefore, None));
        }
        choices
    }

    /// The step that a mutant takes instead.
    fn mutated(&self, read: Option<PaymentRow>, said: Said, early: bool, mut step: Step) -> Step {
        let charging = read.and_then(|row| match row.charge {
            Charge::Charging { owner, intent, ending, .. } => Some((owner, intent, ending)),
            _ => None,
        });
        match (self.mutation, charging) {
            (Some(Mutation::ChargeWithoutLookup), Some((before, ..))) => {
                if let Step::Write(payment) = &mut step
                    && let PaymentState::Charging { lease, intent, .. } = &mut payment.state
                    && lease.owner.as_u128() != u128::from(before)
                {
                    *intent = None;
                }
            }
            (Some(Mutation::ConfirmBeforeStoring), Some((_, None, None))) => {
                if let Said::Created(number) = said
                    && !early
                    && matches!(step, Step::Write(_))
                {
                    let idempotency_key = String::new();
                    return Step::Confirm { intent: self.fixture.intent(number), idempotency_key };
                }
            }
            (Some(Mutation::VoidWithoutCancelling), Some((.., Some(Ending::Void(_)))))
            | (Some(Mutation::DeclineWithoutCancelling), Some((.., Some(Ending::Decline))))
                if matches!(step, Step::Cancel(_)) =>
            {
                // Never sent: the caller takes the PaymentIntent for cancelled.
                return Step::Wait { until: None };
            }
            _ => {}
        }
        step
    }

    /// Takes the next step.
    pub(super) fn pay(
        &self,
        state: &mut State,
        at: usize,
        attempt: &Attempt,
        (read, said, early): (Option<PaymentRow>, Said, bool),
        fault: Fault,
        card: Option<Card>,
    ) -> Next {
        let now = self.now(attempt, read);
        let case = &mut state.cases[at];
        let effect = fault != Fault::LostBefore;
        let mut early = early;
        let said = match self.mutated(read, said, early, self.step(at, attempt, read, said, now)) {
            Step::Write(payment) => {
                let written = self.write_payment(case, &payment, now);
                if !written || fault == Fault::Repeat {
                    return Next::Go(Work::ReadAgain);
                }
                let read = Some(self.fixture.payment_row(&payment, now));
                let step = self.step(at, attempt, read, said, self.fixture.during());
                return self.pay_next(attempt, (read, said, early), step);
            }
            Step::CreateIntent { .. } if card == Some(Card::Unknown) => Said::Refused,
            Step::CreateIntent { .. } => {
                let number = u8::try_from(case.intents.len()).unwrap_or(u8::MAX);
                if effect {
                    case.intents.push(UNCONFIRMED);
                }
                Said::Created(number)
            }
            Step::Retrieve(intent) => {
                Said::Stands(case.intents[usize::from(self.fixture.number(&intent))].status)
            }
            Step::Confirm { intent, .. } => {
                let intent = &mut case.intents[usize::from(self.fixture.number(&intent))];
                match card.filter(|_| effect) {
                    Some(Card::Succeeds) => capture(intent),
                    Some(Card::Declines) => intent.status = Status::Declined,
                    Some(Card::Processes) => intent.status = Status::Processing,
                    _ => {}
                }
                if matches!(said, Said::Created(_)) && self.is(Mutation::ConfirmBeforeStoring) && !early {
                    early = true;
                    said
                } else {
                    Said::Stands(intent.status)
                }
            }
            Step::Cancel(intent) => {
                let intent = &mut case.intents[usize::from(self.fixture.number(&intent))];
                if effect && matches!(intent.status, Status::Unconfirmed | Status::Declined) {
                    intent.status = Status::Cancelled;
                }
                Said::Stands(intent.status)
            }
            Step::Wait { .. } => Said::Stands(Status::Cancelled),
            Step::Publish(_) => return Next::Again,
        };
        if matches!(fault, Fault::LostBefore | Fault::LostAfter) {
            return self.fail(attempt, read);
        }
        let step = self.step(at, attempt, read, said, self.fixture.during());
        self.pay_next(attempt, (read, said, early), step)
    }

    /// Writes on condition that the record is still the one before.
    fn write_payment(&self, case: &mut Case, payment: &Payment, now: Timestamp) -> bool {
        let row = self.fixture.payment_row(payment, now);
        let before = case.payment.map_or(0, |row| row.version);
        if row.version != before.saturating_add(1) && !self.is(Mutation::UnconditionalPayment) {
            return false;
        }
        let final_before = case.payment.filter(|row| !matches!(row.charge, Charge::Charging { .. }));
        case.past.final_left |= final_before.is_some_and(|before| before.charge != row.charge);
        case.payment = Some(row);
        true
    }

    /// Gives up the lease. No more than a courtesy.
    pub(super) fn give_up_payment(
        &self,
        case: &mut Case,
        at: usize,
        attempt: &Attempt,
        read: PaymentRow,
    ) -> Next {
        let now = self.fixture.during();
        let payment = self.fixture.payment(at, read);
        if let Some(given_up) = payment.release_lease(&self.fixture.attempt(attempt.owner, now)) {
            self.write_payment(case, &given_up, now);
        }
        Next::Again
    }
}

/// For reports.
impl Protocol {
    /// The step that an attempt at a payment takes next.
    pub(crate) fn next_payment_step(&self, at: usize, attempt: &Attempt) -> Option<Step> {
        let Work::Pay { read, said, early } = attempt.work else { return None };
        Some(self.mutated(read, said, early, self.step(at, attempt, read, said, self.now(attempt, read))))
    }

    /// What a record comes down to.
    pub(crate) fn row_of(&self, payment: &Payment) -> PaymentRow {
        self.fixture.payment_row(payment, self.fixture.during())
    }

    /// A PaymentIntent's number at the provider, from 0.
    pub(crate) fn intent_number(&self, intent: &domain::PaymentIntentId) -> usize {
        usize::from(self.fixture.number(intent))
    }

    /// Whether outbox rows are removed before they are published.
    pub(crate) fn removes_first(&self) -> bool {
        self.is(Mutation::RemoveFirst)
    }
}
