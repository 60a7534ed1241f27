use jiff::SignedDuration;

use super::*;

const FIRST: u128 = 1;
const SECOND: u128 = 2;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn attempt(owner: u128, second: i64) -> Attempt {
    Attempt { owner: Uuid::from_u128(owner), now: at(second), lease_duration: SignedDuration::from_secs(60) }
}

fn fingerprint(byte: u8) -> Fingerprint {
    Fingerprint::from([byte; 32])
}

fn decided(read: Option<&Claim>, policy: Policy, attempt: &Attempt) -> Decision {
    decide(read, &Intent { fingerprint: &fingerprint(1), requested_at: at(0), policy }, attempt)
}

/// A claim that the first attempt acquired at second 0.
fn claimed() -> Claim {
    let Decision::Execute(claim) = decided(None, Policy::Block, &attempt(FIRST, 0)) else {
        panic!("there was no claim")
    };
    claim
}

#[test]
fn a_claim_blocks_others_until_its_lease_expires() {
    let claim = claimed();
    assert_eq!((claim.version, claim.owner(), claim.unknown_outcomes), (1, Uuid::from_u128(FIRST), 0));
    for policy in [Policy::Retry, Policy::Block, Policy::Reconcile] {
        assert_eq!(decided(Some(&claim), policy, &attempt(SECOND, 59)), Decision::Wait { until: at(60) });
    }
}

#[test]
fn the_policy_decides_once_a_lease_has_expired() {
    let claim = claimed();
    let now = attempt(SECOND, 60);
    let Decision::Execute(again) = decided(Some(&claim), Policy::Retry, &now) else { panic!("not retried") };
    assert_eq!((again.version, again.owner(), again.unknown_outcomes), (2, now.owner, 1));
    assert_eq!(decided(Some(&claim), Policy::Block, &now), Decision::Refuse(Refusal::UnknownOutcome));
    assert_eq!(decided(Some(&claim), Policy::Reconcile, &now), Decision::Reconcile(again));
}

#[test]
fn a_completed_claim_is_final_and_returns_its_receipt() {
    let done = claimed().with_outcome(Outcome::Done { receipt: "mail-1".into() }, at(5)).unwrap();
    assert_eq!((done.version, done.owner()), (2, Uuid::from_u128(FIRST)));
    for policy in [Policy::Retry, Policy::Block, Policy::Reconcile] {
        let much_later = attempt(SECOND, MAX_REQUEST_AGE.as_secs() * 2);
        assert_eq!(
            decided(Some(&done), policy, &much_later),
            Decision::Done { receipt: "mail-1".into() },
            "an existing record counts, however old it is"
        );
    }
}

#[test]
fn a_released_claim_can_be_acquired_immediately() {
    let released = claimed().with_outcome(Outcome::NotDone, at(5)).unwrap();
    let Decision::Execute(claim) = decided(Some(&released), Policy::Block, &attempt(SECOND, 5)) else {
        panic!("the effect was not performed, so the policy does not matter")
    };
    assert_eq!((claim.version, claim.unknown_outcomes), (3, 0));
}

#[test]
fn an_unknown_outcome_leaves_the_claim_until_its_lease_expires() {
    assert_eq!(claimed().with_outcome(Outcome::Unknown, at(5)), None);
}

#[test]
fn an_attempt_without_effect_does_not_settle_previous_unknown_outcomes() {
    let Decision::Execute(second) = decided(Some(&claimed()), Policy::Retry, &attempt(SECOND, 60)) else {
        panic!("not retried")
    };
    let released = second.with_outcome(Outcome::NotDone, at(61)).unwrap();
    let third = attempt(3, 62);
    assert_eq!(
        decided(Some(&released), Policy::Block, &third),
        Decision::Refuse(Refusal::UnknownOutcome),
        "the outcome of the first attempt is unknown"
    );
    let certain = second.reconciled().with_outcome(Outcome::NotDone, at(61)).unwrap();
    assert!(matches!(decided(Some(&certain), Policy::Block, &third), Decision::Execute(_)));
}

#[test]
fn another_payload_is_refused_in_every_state() {
    let claim = claimed();
    let other = fingerprint(2);
    let states = [
        claim.clone(),
        claim.with_outcome(Outcome::NotDone, at(1)).unwrap(),
        claim.with_outcome(Outcome::Done { receipt: "r".into() }, at(1)).unwrap(),
    ];
    for read in &states {
        for second in [1, 1000] {
            let intent = Intent { fingerprint: &other, requested_at: at(0), policy: Policy::Retry };
            let decision = decide(Some(read), &intent, &attempt(SECOND, second));
            assert_eq!(decision, Decision::Refuse(Refusal::PayloadMismatch), "{}", read.status.as_ref());
        }
    }
}

#[test]
fn without_a_record_only_recent_requests_are_executed() {
    let last = MAX_REQUEST_AGE.as_secs() - 1;
    for policy in [Policy::Retry, Policy::Block, Policy::Reconcile] {
        assert!(matches!(decided(None, policy, &attempt(FIRST, last)), Decision::Execute(_)));
        let later = decided(None, policy, &attempt(FIRST, last + 1));
        match policy {
            Policy::Reconcile => {
                assert!(matches!(later, Decision::Reconcile(claim) if claim.unknown_outcomes == 1));
            }
            Policy::Retry | Policy::Block => assert_eq!(later, Decision::Refuse(Refusal::TooLate)),
        }
    }
}

#[test]
fn a_request_from_the_future_is_recent() {
    let early = decided(None, Policy::Block, &attempt(FIRST, -100));
    assert!(matches!(early, Decision::Execute(_)), "clocks differ");
}

#[test]
fn the_lease_of_a_claim_can_be_renewed() {
    let renewed = claimed().with_renewed_lease(&attempt(FIRST, 50));
    assert_eq!((renewed.version, renewed.lease().unwrap().expires_at), (2, at(110)));
    assert_eq!(
        decided(Some(&renewed), Policy::Retry, &attempt(SECOND, 60)),
        Decision::Wait { until: at(110) }
    );
}

#[test]
fn a_record_outlives_every_request_that_is_served_without_one() {
    let days = |duration: SignedDuration| duration.as_hours() / 24;
    assert_eq!((days(MAX_REQUEST_AGE), days(RECORD_LIFETIME)), (57, 60));
    // The retries of the bus, one delivery and one redrive, each as late as possible.
    let latest = BUS_RETENTION + QUEUE_RETENTION * 2 + QUEUE_RETENTION * 2;
    assert!(latest <= MAX_REQUEST_AGE && MAX_REQUEST_AGE + CLOCK_SKEW_MARGIN <= RECORD_LIFETIME);
}

#[test]
fn a_record_is_flat_json() {
    let done = claimed().with_outcome(Outcome::Done { receipt: "mail-1".into() }, at(5)).unwrap();
    let json = serde_json::to_value(&done).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "version": 2, "fingerprint": "01".repeat(32), "unknown": 0, "status": "completed",
            "by": "00000000-0000-0000-0000-000000000001", "at": "1970-01-01T00:00:05Z", "receipt": "mail-1",
        })
    );
    assert_eq!(serde_json::from_value::<Claim>(json).unwrap(), done);
}
