//! One attempt, call by call: what follows from each answer.

use domain::payment::{Ending, Goal, IntentStatus, Payment, PaymentState, ProviderObservation, Request};
use domain::{DeclineReason, Fact, OrderDetails, VoidReason};
use jiff::Timestamp;
use payments::finalization::{Finalization, Next, Progress, ProviderRequest, Query, goal_of};
use payments::provider::ProviderError;
use platform::Failure;
use uuid::Uuid;

use crate::support::{cause, details, details_at, order_id};

const OWNER: Uuid = Uuid::from_u128(7);

fn now() -> Timestamp {
    Timestamp::from_second(1_795_428_930).unwrap()
}

/// An attempt with this goal for an order, run up to the next request to the provider, in a world in which nobody
/// else writes.
struct Attempt {
    order: OrderDetails,
    goal: Goal,
    written: Vec<Payment>,
}

impl Attempt {
    fn new(goal: Goal) -> Self {
        Self { order: details("pm_card_visa"), goal, written: Vec::new() }
    }

    fn next(&self, progress: Progress) -> Next {
        let (order, cause) = (&self.order, cause());
        let request = Request { order_id: order_id(), order, cause: &cause };
        Finalization { owner: OWNER, goal: self.goal, request }.next(progress, now())
    }

    /// Performs reads and writes until the attempt sends a request or ends.
    fn run(&mut self, mut progress: Progress) -> Next {
        loop {
            progress = match self.next(progress) {
                Next::Read => Progress::after_read(Ok(self.written.last().cloned())),
                Next::Write(write) => {
                    self.written.push(*write.payment.clone());
                    write.answered(Ok(true))
                }
                Next::Release(release) => {
                    self.written.push(release.payment.clone());
                    release.done()
                }
                next => return next,
            }
        }
    }

    fn request(&mut self, progress: Progress) -> Query {
        match self.run(progress) {
            Next::Ask(query) => query,
            next => panic!("{next:?}"),
        }
    }

    fn end(&mut self, progress: Progress) -> Result<Fact, Failure> {
        match self.run(progress) {
            Next::End(result) => result.map(|event| event.fact),
            next => panic!("{next:?}"),
        }
    }

    /// Answers the request to create a PaymentIntent, and returns the one to confirm it.
    fn confirm(&mut self) -> Query {
        let create = self.request(Progress::Unread);
        assert!(matches!(create.request, ProviderRequest::Create(_)), "{create:?}");
        self.request(create.answered(Ok(ProviderObservation::Created("pi_1".parse().unwrap()))))
    }

    /// An attempt to void a payment whose PaymentIntent exists, up to the request to cancel it.
    fn cancel() -> (Self, Query) {
        let mut charge = Self::new(Goal::Charge);
        let confirm = charge.confirm();
        charge.end(confirm.answered(Err(unknown()))).unwrap_err();
        let mut attempt = Self { goal: Goal::Void(VoidReason::CustomerRequest), ..charge };
        let retrieve = attempt.request(Progress::Unread);
        assert!(matches!(retrieve.request, ProviderRequest::Retrieve(_)), "{retrieve:?}");
        let cancel = attempt.request(retrieve.answered(status(IntentStatus::Unconfirmed)));
        assert!(matches!(cancel.request, ProviderRequest::Cancel(_)), "{cancel:?}");
        (attempt, cancel)
    }

    fn state(&self) -> &PaymentState {
        &self.written.last().unwrap().state
    }
}

fn unknown() -> ProviderError {
    ProviderError::Unknown(anyhow::anyhow!("no response"))
}

fn status(status: IntentStatus) -> Result<ProviderObservation, ProviderError> {
    Ok(ProviderObservation::Status(status))
}

fn declined() -> DeclineReason {
    DeclineReason::from_code("card_declined")
}

/// Asserts that the attempt has failed and released its lease, and that nothing was decided.
fn assert_undecided(attempt: &Attempt, result: &Result<Fact, Failure>) {
    assert!(matches!(result, Err(Failure::Retry(_))), "{result:?}");
    let PaymentState::Charging { lease, .. } = attempt.state() else { panic!("{:?}", attempt.state()) };
    assert_eq!((lease.owner, lease.expires_at), (OWNER, now()), "the lease is released");
}

#[test]
fn an_unknown_answer_to_any_request_decides_nothing() {
    let mut attempt = Attempt::new(Goal::Charge);
    let create = attempt.request(Progress::Unread);
    let result = attempt.end(create.answered(Err(unknown())));
    assert_undecided(&attempt, &result);

    let mut attempt = Attempt::new(Goal::Charge);
    let confirm = attempt.confirm();
    let result = attempt.end(confirm.answered(Err(unknown())));
    assert_undecided(&attempt, &result);

    // The payment would be voided while a late confirmation could still charge it.
    let (mut attempt, cancel) = Attempt::cancel();
    let result = attempt.end(cancel.answered(Err(unknown())));
    assert_undecided(&attempt, &result);
    let retrieve = attempt.request(Progress::Unread);
    assert!(matches!(retrieve.request, ProviderRequest::Retrieve(_)), "{retrieve:?}");
    let result = attempt.end(retrieve.answered(Err(unknown())));
    assert_undecided(&attempt, &result);
}

/// The first event of an order decides what is charged. Another one may be forged, or come from a faulty publisher.
#[test]
fn what_is_charged_is_in_the_record_whatever_a_later_event_says() {
    let mut attempt = Attempt::new(Goal::Charge);
    let create = attempt.request(Progress::Unread);
    attempt.end(create.answered(Err(unknown()))).unwrap_err();
    let recorded = std::mem::replace(&mut attempt.order, details_at("pm_card_mastercard", 9999));
    let create = attempt.request(Progress::Unread);
    let ProviderRequest::Create(intent) = create.request else { panic!("{create:?}") };
    assert_eq!((intent.amount, intent.payment_method), (recorded.total, recorded.payment_method));
}

#[test]
fn each_status_after_a_confirmation_has_its_consequence() {
    let names = [
        (IntentStatus::Succeeded, Ok("payment.succeeded")),
        (IntentStatus::Cancelled, Ok("payment.voided")),
        (IntentStatus::Processing, Err("still processing")),
        // Confirmed again, until the number of calls is exceeded.
        (IntentStatus::Unconfirmed, Err("confirm")),
        (IntentStatus::Declined(declined()), Err("cancel")),
    ];
    for (answer, expected) in names {
        let mut attempt = Attempt::new(Goal::Charge);
        let confirm = attempt.confirm();
        let next = attempt.run(confirm.answered(status(answer.clone())));
        match (next, expected) {
            (Next::End(Ok(event)), Ok(name)) => assert_eq!(event.fact.name(), name),
            (Next::End(Err(Failure::Retry(why))), Err(text)) => {
                assert!(why.to_string().contains(text), "{why}");
            }
            (next @ Next::Ask(_), Err(name)) => assert_eq!(next.name(), name, "{answer:?}"),
            (next, _) => panic!("{answer:?}: {next:?}"),
        }
    }
}

#[test]
fn each_status_after_a_cancellation_has_its_consequence() {
    for (answer, expected) in [
        (IntentStatus::Succeeded, Some("payment.succeeded")),
        (IntentStatus::Cancelled, Some("payment.voided")),
        (IntentStatus::Processing, None),
    ] {
        let (mut attempt, cancel) = Attempt::cancel();
        let result = attempt.end(cancel.answered(status(answer)));
        match expected {
            Some(name) => assert_eq!(result.unwrap().name(), name),
            None => assert_undecided(&attempt, &result),
        }
    }
    for answer in [IntentStatus::Unconfirmed, IntentStatus::Declined(declined())] {
        let (mut attempt, cancel) = Attempt::cancel();
        let again = attempt.request(cancel.answered(status(answer)));
        assert!(matches!(again.request, ProviderRequest::Cancel(_)), "{again:?}");
    }
}

#[test]
fn a_refused_payment_is_declined_and_an_invalid_request_is_for_an_operator() {
    let mut attempt = Attempt::new(Goal::Charge);
    let create = attempt.request(Progress::Unread);
    let fact = attempt.end(create.answered(Err(ProviderError::Refused(declined())))).unwrap();
    assert!(matches!(fact, Fact::PaymentFailed(failed) if failed.reason == declined()));

    let (mut attempt, cancel) = Attempt::cancel();
    let result = attempt.end(cancel.answered(Err(ProviderError::InvalidRequest("why".to_owned()))));
    assert!(
        matches!(&result, Err(Failure::Reject(error)) if error.to_string().contains("why")),
        "{result:?}"
    );
    assert!(matches!(attempt.state(), PaymentState::Charging { .. }));
}

#[test]
fn a_recorded_cancellation_keeps_its_reason_when_another_one_is_requested() {
    let (attempt, cancel) = Attempt::cancel();
    let mut expiry = Attempt { goal: Goal::Void(VoidReason::Expired), ..attempt };
    expiry.end(cancel.answered(Err(unknown()))).unwrap_err();
    let retrieve = expiry.request(Progress::Unread);
    let PaymentState::Charging { ending, .. } = expiry.state() else { panic!("{:?}", expiry.state()) };
    assert_eq!(*ending, Some(Ending::Void(VoidReason::CustomerRequest)));
    let fact = expiry.end(retrieve.answered(status(IntentStatus::Cancelled))).unwrap();
    assert!(matches!(fact, Fact::PaymentVoided(voided) if voided.reason == VoidReason::CustomerRequest));
}

#[test]
fn a_failed_table_ends_the_attempt_and_a_failed_condition_reads_again() {
    let attempt = Attempt::new(Goal::Charge);
    let unavailable = || anyhow::anyhow!("unavailable");
    let after = attempt.next(Progress::after_read(Err(unavailable())));
    assert!(matches!(after, Next::End(Err(Failure::Retry(_)))), "{after:?}");
    for (written, expected) in [(Err(unavailable()), "end"), (Ok(false), "read")] {
        let Next::Write(write) = attempt.next(Progress::after_read(Ok(None))) else { panic!("no write") };
        assert_eq!(attempt.next(write.answered(written)).name(), expected);
    }
}

#[test]
fn an_attempt_that_is_stopped_releases_its_lease() {
    let mut attempt = Attempt::new(Goal::Charge);
    let confirm = attempt.confirm();
    let progress = confirm.answered(status(IntentStatus::Unconfirmed));
    let result = attempt.end(progress.stopped(Failure::retry(anyhow::anyhow!("too many calls"))));
    assert_undecided(&attempt, &result);
    // Nothing is released of what is not held.
    let stopped = Progress::Unread.stopped(Failure::retry(anyhow::anyhow!("too many calls")));
    assert!(matches!(attempt.next(stopped), Next::End(Err(Failure::Retry(_)))));
}

#[test]
fn only_a_reservation_and_a_cancellation_request_have_a_goal() {
    let order = details("pm_card_visa");
    let created = Fact::OrderCreated(domain::fact::OrderCreated { order: order.clone() });
    assert_eq!(goal_of(&created), None);
    for reason in [VoidReason::CustomerRequest, VoidReason::Expired] {
        let request = domain::fact::CancellationRequested { order: order.clone(), reason };
        assert_eq!(goal_of(&Fact::CancellationRequested(request)), Some((Goal::Void(reason), &order)));
    }
}
