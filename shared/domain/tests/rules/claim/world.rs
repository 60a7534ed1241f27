//! A model of one effect: a record with conditional writes, an external system that performs the effect, and
//! attempts that pause and crash between any two steps, lose their lease and resume late.

use domain::Attempt;
use domain::claim::{Claim, Decision, Fingerprint, Intent, Outcome, Policy, RECORD_LIFETIME, Status, decide};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

const LEASE: i64 = 60;

/// A protection that is switched off, to show that it is necessary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// All protections are on.
    None,
    /// Completion is recorded even if another attempt holds the claim.
    UnconditionalCompletion,
    /// The claim is released even if another attempt holds it.
    UnconditionalRelease,
    /// Every payload is treated as the one that the key was first used with.
    NoFingerprintCheck,
    /// An unknown outcome releases the claim.
    UnknownAsNotDone,
    /// Every request is treated as new, however old it is.
    NoAgeCheck,
    /// Every policy is treated as `Retry`.
    PolicyIgnored,
}

/// The configuration of an exploration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) policy: Policy,
    /// Whether an effect may start after the lease has expired. Lambda ends an invocation before that.
    pub(crate) late_effects: bool,
    pub(crate) mutation: Mutation,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Step {
    NotStarted,
    Read { claim: Option<Claim>, now: i64 },
    Reconciling { claim: Claim },
    Holding { claim: Claim },
    Finished { claim: Claim, outcome: Outcome },
    Stopped,
}

/// One attempt, for one delivery of the message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Run {
    payload: u8,
    step: Step,
}

/// A state of the model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    record: Option<Claim>,
    written_at: i64,
    now: i64,
    ticks: u8,
    can_expire_record: bool,
    runs: Vec<Run>,
    /// The effects: which run performed them, and with which payload.
    pub(crate) effects: Vec<(usize, u8)>,
    /// The payload of the first claim.
    first_payload: Option<u8>,
    /// Whether a lease expired without an outcome and another run took over.
    pub(crate) has_unknown_outcome: bool,
    /// The receipts that were returned to callers.
    receipts: Vec<String>,
}

/// A possible transition, with its name and the property that it violates.
pub(crate) struct Next {
    pub(crate) name: String,
    pub(crate) world: World,
    pub(crate) violation: Option<String>,
}

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn owner(run: usize) -> Uuid {
    Uuid::from_u128(run as u128)
}

fn version_and_owner(claim: &Claim) -> (u64, Uuid) {
    (claim.version, claim.owner())
}

fn receipt(run: usize) -> String {
    format!("receipt of {run}")
}

impl World {
    /// The initial state: an attempt for each of `payloads` is about to start.
    pub(crate) fn new(payloads: &[u8]) -> Self {
        let run = |payload: &u8| Run { payload: *payload, step: Step::NotStarted };
        Self {
            record: None,
            written_at: 0,
            now: 0,
            ticks: 2,
            can_expire_record: true,
            runs: payloads.iter().map(run).collect(),
            effects: Vec::new(),
            first_payload: None,
            has_unknown_outcome: false,
            receipts: Vec::new(),
        }
    }

    /// Returns all possible transitions.
    pub(crate) fn next(&self, setup: Setup) -> Vec<Next> {
        let mut transitions = Vec::new();
        let mut add = |name: String, world: Self, violation: Option<String>| {
            let violation = violation.or_else(|| self.violation_by(&world, setup));
            transitions.push(Next { name, world, violation });
        };
        if self.ticks > 0 {
            let later = Self { now: self.now + LEASE, ticks: self.ticks - 1, ..self.clone() };
            add("all leases expire".into(), later, None);
        }
        if self.can_expire_record {
            let mut later = Self { now: self.now + RECORD_LIFETIME.as_secs(), ..self.clone() };
            later.can_expire_record = false;
            // A function runs for at most 15 minutes, so every run that has started is over.
            later
                .runs
                .iter_mut()
                .filter(|run| run.step != Step::NotStarted)
                .for_each(|run| run.step = Step::Stopped);
            add("60 days pass".into(), later, None);
        }
        if self.record.is_some() && self.now >= self.written_at + RECORD_LIFETIME.as_secs() {
            // The first payload is forgotten with it, except where the external system knows it.
            let first_payload = self.effects.first().map(|(_, payload)| *payload);
            add("the record is deleted".into(), Self { record: None, first_payload, ..self.clone() }, None);
        }
        for (id, run) in self.runs.iter().enumerate() {
            let with = |step: Step| {
                let mut world = self.clone();
                world.runs[id].step = step;
                world
            };
            if !matches!(run.step, Step::NotStarted | Step::Stopped) {
                add(format!("{id} crashes"), with(Step::Stopped), None);
            }
            match &run.step {
                Step::Stopped => {}
                Step::NotStarted => {
                    let read = Step::Read { claim: self.record.clone(), now: self.now };
                    add(format!("{id} reads"), with(read), None);
                }
                Step::Read { claim, now } => {
                    let (name, world) = self.decide(setup, id, claim.as_ref(), *now);
                    add(name, world, None);
                }
                Step::Reconciling { claim } => {
                    add(format!("{id} cannot reconcile"), with(Step::Stopped), None);
                    let next = match self.effects.first() {
                        Some((by, _)) => {
                            let outcome = Outcome::Done { receipt: receipt(*by) };
                            Step::Finished { claim: claim.clone(), outcome }
                        }
                        None => Step::Holding { claim: claim.clone().reconciled() },
                    };
                    add(format!("{id} reconciles"), with(next), None);
                }
                Step::Holding { claim } => {
                    let is_expired = claim.lease().is_none_or(|lease| lease.expires_at <= time(self.now));
                    let finish = |world: &mut Self, outcome: Outcome| {
                        world.runs[id].step = Step::Finished { claim: claim.clone(), outcome };
                    };
                    let mut not_done = self.clone();
                    finish(&mut not_done, Outcome::NotDone);
                    add(format!("{id} certainly has no effect"), not_done, None);
                    if is_expired && !setup.late_effects {
                        continue;
                    }
                    let mut next = self.clone();
                    finish(&mut next, Outcome::Unknown);
                    add(format!("{id} does not perform the effect and does not know"), next.clone(), None);
                    next.effects.push((id, run.payload));
                    add(format!("{id} performs the effect and does not know"), next.clone(), None);
                    finish(&mut next, Outcome::Done { receipt: receipt(id) });
                    add(format!("{id} performs the effect"), next, None);
                }
                Step::Finished { claim, outcome } => {
                    let (name, world, violation) = self.record_outcome(setup, id, claim, outcome);
                    add(name, world, violation);
                }
            }
        }
        transitions
    }

    fn decide(&self, setup: Setup, id: usize, read: Option<&Claim>, now: i64) -> (String, Self) {
        let mut world = self.clone();
        let mut fingerprint = Fingerprint::from([self.runs[id].payload; 32]);
        if let (Mutation::NoFingerprintCheck, Some(claim)) = (setup.mutation, read) {
            fingerprint = claim.fingerprint.clone();
        }
        let since = if setup.mutation == Mutation::NoAgeCheck { now } else { 0 };
        let policy = if setup.mutation == Mutation::PolicyIgnored { Policy::Retry } else { setup.policy };
        let intent = Intent { fingerprint: &fingerprint, requested_at: time(since), policy };
        let attempt =
            Attempt { owner: owner(id), now: time(now), lease_duration: SignedDuration::from_secs(LEASE) };
        let step = &mut world.runs[id].step;
        *step = Step::Stopped;
        let claim = match decide(read, &intent, &attempt) {
            Decision::Execute(claim) => {
                *step = Step::Holding { claim: claim.clone() };
                claim
            }
            Decision::Reconcile(claim) => {
                *step = Step::Reconciling { claim: claim.clone() };
                claim
            }
            Decision::Done { receipt } => {
                world.receipts.push(receipt);
                return (format!("{id} finds it completed"), world);
            }
            Decision::Wait { .. } => return (format!("{id} has to wait"), world),
            Decision::Refuse(refusal) => return (format!("{id} refuses: {refusal}"), world),
        };
        if self.record.as_ref().map(version_and_owner) != read.map(version_and_owner) {
            world.runs[id].step = Step::Stopped;
            return (format!("{id} is too late to claim it"), world);
        }
        let is_expired =
            |claim: &Claim| claim.lease().is_some_and(|lease| lease.expires_at <= time(self.now));
        world.has_unknown_outcome |= self.record.as_ref().is_some_and(is_expired);
        world.first_payload = world.first_payload.or(Some(self.runs[id].payload));
        world.record = Some(claim);
        world.written_at = self.now;
        (format!("{id} claims it"), world)
    }

    fn record_outcome(
        &self,
        setup: Setup,
        id: usize,
        claim: &Claim,
        outcome: &Outcome,
    ) -> (String, Self, Option<String>) {
        let mut world = self.clone();
        world.runs[id].step = Step::Stopped;
        let outcome = match (setup.mutation, outcome) {
            (Mutation::UnknownAsNotDone, Outcome::Unknown) => Outcome::NotDone,
            _ => outcome.clone(),
        };
        let Some(next) = claim.with_outcome(outcome, time(self.now)) else {
            return (format!("{id} leaves the claim"), world, None);
        };
        let is_held = self.record.as_ref().map(version_and_owner) == Some(version_and_owner(claim));
        let completes = matches!(next.status, Status::Completed { .. });
        let is_unconditional = match setup.mutation {
            Mutation::UnconditionalCompletion => completes,
            Mutation::UnconditionalRelease => !completes,
            _ => false,
        };
        let name = format!("{id} {}", if completes { "records completion" } else { "releases the claim" });
        if !is_held && !is_unconditional {
            if let (true, Some(Status::Completed { receipt, .. })) =
                (completes, self.record.as_ref().map(|claim| &claim.status))
            {
                world.receipts.push(receipt.clone());
            }
            return (format!("{name}, too late"), world, None);
        }
        let violation = (!is_held).then(|| "a run wrote a claim that was no longer its own".to_owned());
        if let Status::Completed { receipt, .. } = &next.status {
            world.receipts.push(receipt.clone());
        }
        world.record = Some(next);
        world.written_at = self.now;
        (name, world, violation)
    }

    /// Returns the property that the transition to `next` violates.
    fn violation_by(&self, next: &Self, setup: Setup) -> Option<String> {
        let is_repeated = next.effects.len() > 1;
        let is_violation = match setup.policy {
            Policy::Block => is_repeated,
            Policy::Retry => is_repeated && !next.has_unknown_outcome,
            Policy::Reconcile => is_repeated && !setup.late_effects,
        };
        if is_violation {
            return Some(format!("the effect happened {} times", next.effects.len()));
        }
        if next.effects.iter().any(|(_, payload)| Some(*payload) != next.first_payload) {
            return Some("the effect happened with another payload".into());
        }
        // If the effect happened twice, which is permitted here, the external system has two receipts to
        // return.
        let has_two_receipts = setup.policy == Policy::Reconcile && is_repeated && !next.can_expire_record;
        if !has_two_receipts && next.receipts.windows(2).any(|pair| pair[0] != pair[1]) {
            return Some(format!("two callers got different receipts: {:?}", next.receipts));
        }
        let receipt = |world: &Self| match world.record.as_ref().map(|claim| &claim.status) {
            Some(Status::Completed { receipt, .. }) => Some(receipt.clone()),
            _ => None,
        };
        (receipt(self).is_some() && next.record.is_some() && receipt(self) != receipt(next))
            .then(|| "a completion was undone or replaced".into())
    }

    /// Returns whether another run would still have to wait after all leases have expired.
    pub(crate) fn hangs(&self, setup: Setup) -> bool {
        let fingerprint = Fingerprint::from([self.first_payload.unwrap_or_default(); 32]);
        let intent = Intent { fingerprint: &fingerprint, requested_at: time(0), policy: setup.policy };
        let attempt = Attempt {
            owner: owner(99),
            now: time(self.now + LEASE),
            lease_duration: SignedDuration::from_secs(LEASE),
        };
        matches!(decide(self.record.as_ref(), &intent, &attempt), Decision::Wait { .. })
    }
}
