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

/// A claim that the first attempt takes at second 0.
fn claimed() -> Claim {
    let Decision::Execute(claim) = decided(None, Policy::Block, &attempt(FIRST, 0)) else { panic!("free") };
    claim
}

#[test]
fn a_claim_bars_others_until_its_lease_ends() {
    let claim = claimed();
    assert_eq!((claim.version, claim.owner(), claim.unknown_outcomes), (1, Uuid::from_u128(FIRST), 0));
    for policy in [Policy::Retry, Policy::Block, Policy::Reconcile] {
        assert_eq!(decided(Some(&claim), policy, &attempt(SECOND, 59)), Decision::Wait { until: at(60) });
    }
}

#[test]
fn the_policy_decides_when_a_lease_has_ended() {
    let claim = claimed();
    let now = attempt(SECOND, 60);
    let Decision::Execute(again) = decided(Some(&claim), Policy::Retry, &now) else { panic!("again") };
    assert_eq!((again.version, again.owner(), again.unknown_outcomes), (2, now.owner, 1));
    assert_eq!(decided(Some(&claim), Policy::Block, &now), Decision::Refuse(Refusal::UnknownOutcome));
    assert_eq!(decided(Some(&claim), Policy::Reconcile, &now), Decision::Reconcile(again));
}

#[test]
fn what_is_done_stays_done_and_gives_its_receipt() {
    let done = claimed().with_outcome(Outcome::Done { receipt: "mail-1".into() }, at(5)).unwrap();
    assert_eq!((done.version, done.owner()), (2, Uuid::from_u128(FIRST)));
    for policy in [Policy::Retry, Policy::Block, Policy::Reconcile] {
        let much_later = attempt(SECOND, MAX_REQUEST_AGE.as_secs() * 2);
        assert_eq!(
            decided(Some(&done), policy, &much_later),
            Decision::Done { receipt: "mail-1".into() },
            "a record that is still there counts, however old it is"
        );
    }
}

#[test]
fn what_is_known_not_to_be_done_need_not_wait() {
    let given_up = claimed().with_outcome(Outcome::NotDone, at(5)).unwrap();
    let Decision::Execute(claim) = decided(Some(&given_up), Policy::Block, &attempt(SECOND, 5)) else {
        panic!("nothing happened, so no policy is asked")
    };
    assert_eq!((claim.version, claim.unknown_outcomes), (3, 0));
}

#[test]
fn an_unknown_outcome_leaves_the_claim_to_its_end() {
    assert_eq!(claimed().with_outcome(Outcome::Unknown, at(5)), None);
}

#[test]
fn that_one_run_did_nothing_says_nothing_of_the_runs_before() {
    let Decision::Execute(second) = decided(Some(&claimed()), Policy::Retry, &attempt(SECOND, 60)) else {
        panic!("again")
    };
    let given_up = second.with_outcome(Outcome::NotDone, at(61)).unwrap();
    let third = attempt(3, 62);
    assert_eq!(
        decided(Some(&given_up), Policy::Block, &third),
        Decision::Refuse(Refusal::UnknownOutcome),
        "the first run was never heard of again"
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
            assert_eq!(decision, Decision::Refuse(Refusal::PayloadMismatch), "{}", read.status.name());
        }
    }
}

#[test]
fn without_a_record_only_what_is_young_is_carried_out() {
    let last = MAX_REQUEST_AGE.as_secs() - 1;
    for policy in [Policy::Retry, Policy::Block, Policy::Reconcile] {
        assert!(matches!(decided(None, policy, &attempt(FIRST, last)), Decision::Execute(_)));
        let later = decided(None, policy, &attempt(FIRST, last + 1));
        match policy {
            Policy::Reconcile => assert!(matches!(later, Decision::Reconcile(claim) if claim.unknown_outcomes == 1)),
            Policy::Retry | Policy::Block => assert_eq!(later, Decision::Refuse(Refusal::TooLate)),
        }
    }
}

#[test]
fn a_run_that_is_asked_of_the_future_is_young() {
    let early = decided(None, Policy::Block, &attempt(FIRST, -100));
    assert!(matches!(early, Decision::Execute(_)), "clocks differ");
}

#[test]
fn a_claim_can_be_held_for_longer() {
    let extended = claimed().with_renewed_lease(&attempt(FIRST, 50));
    assert_eq!((extended.version, extended.lease().unwrap().expires_at), (2, at(110)));
    assert_eq!(
        decided(Some(&extended), Policy::Retry, &attempt(SECOND, 60)),
        Decision::Wait { until: at(110) }
    );
}

#[test]
fn a_record_outlives_every_request_that_is_served_without_one() {
    let days = |duration: SignedDuration| duration.as_hours() / 24;
    assert_eq!((days(MAX_REQUEST_AGE), days(RECORD_LIFETIME)), (57, 60));
    // One delivery and one redrive, each to the last moment, and the bus before it.
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
