//! A small world around one effect: a record with a condition, an outside that carries the effect out, and attempts
//! that pause and crash between any two steps, see their lease end and wake up late.

use domain::Attempt;
use domain::claim::{Claim, Decision, Fingerprint, Intent, Outcome, Policy, RECORD_LIFETIME, Status, decide};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

const LEASE: i64 = 60;

/// A protection that is switched off, to see that it is missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// All are on.
    None,
    /// That it was done is written whoever holds the claim.
    UnconditionalCompletion,
    /// A claim is given up whoever holds it.
    UnconditionalGiveUp,
    /// Every payload is taken for the one that the key was first used with.
    NoFingerprintCheck,
    /// A failure of which nothing is known gives the claim up.
    UnknownAsNotDone,
    /// However old a request is, it counts as new.
    NoAgeCheck,
    /// The policy is taken for `Retry`.
    PolicyIgnored,
}

/// What is explored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) policy: Policy,
    /// Whether an effect may begin after its lease has ended. Lambda ends a function before that.
    pub(crate) late_effects: bool,
    pub(crate) mutant: Mutant,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Step {
    Waiting,
    Read { claim: Option<Claim>, now: i64 },
    Asking { claim: Claim },
    Holding { claim: Claim },
    Ended { claim: Claim, outcome: Outcome },
    Gone,
}

/// One run, for one delivery.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Run {
    payload: u8,
    step: Step,
}

/// The world at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    record: Option<Claim>,
    written_at: i64,
    now: i64,
    ticks: u8,
    forgettable: bool,
    runs: Vec<Run>,
    /// Who had the effect, with which payload.
    pub(crate) effects: Vec<(usize, u8)>,
    /// The payload that was claimed first.
    first: Option<u8>,
    /// Whether a lease has ended without an outcome, and another run has taken over.
    pub(crate) unknown: bool,
    /// What was answered to those who asked.
    answers: Vec<String>,
}

/// What can happen next, what it is called, and what it breaks.
pub(crate) struct Next {
    pub(crate) name: String,
    pub(crate) world: World,
    pub(crate) breaks: Option<String>,
}

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn owner(run: usize) -> Uuid {
    Uuid::from_u128(run as u128)
}

fn stamp(claim: &Claim) -> (u64, Uuid) {
    (claim.version, claim.owner())
}

fn receipt(run: usize) -> String {
    format!("receipt of {run}")
}

impl World {
    /// Nothing has happened, and each of `payloads` is going to be asked for.
    pub(crate) fn new(payloads: &[u8]) -> Self {
        let run = |payload: &u8| Run { payload: *payload, step: Step::Waiting };
        Self {
            record: None,
            written_at: 0,
            now: 0,
            ticks: 2,
            forgettable: true,
            runs: payloads.iter().map(run).collect(),
            effects: Vec::new(),
            first: None,
            unknown: false,
            answers: Vec::new(),
        }
    }

    /// All that can happen next.
    pub(crate) fn next(&self, setup: Setup) -> Vec<Next> {
        let mut found = Vec::new();
        let mut add = |name: String, world: Self, broken: Option<String>| {
            let breaks = broken.or_else(|| self.broken_by(&world, setup));
            found.push(Next { name, world, breaks });
        };
        if self.ticks > 0 {
            let later = Self { now: self.now + LEASE, ticks: self.ticks - 1, ..self.clone() };
            add("all leases end".into(), later, None);
        }
        if self.forgettable {
            let mut later = Self { now: self.now + RECORD_LIFETIME.as_secs(), ..self.clone() };
            later.forgettable = false;
            // A function runs for 15 minutes at most: none is left of those that have begun.
            later
                .runs
                .iter_mut()
                .filter(|run| run.step != Step::Waiting)
                .for_each(|run| run.step = Step::Gone);
            add("60 days pass".into(), later, None);
        }
        if self.record.is_some() && self.now >= self.written_at + RECORD_LIFETIME.as_secs() {
            // With it goes what payload was asked for, but for what the outside has.
            let first = self.effects.first().map(|(_, payload)| *payload);
            add("the record is removed".into(), Self { record: None, first, ..self.clone() }, None);
        }
        for (id, run) in self.runs.iter().enumerate() {
            let with = |step: Step| {
                let mut world = self.clone();
                world.runs[id].step = step;
                world
            };
            if !matches!(run.step, Step::Waiting | Step::Gone) {
                add(format!("{id} crashes"), with(Step::Gone), None);
            }
            match &run.step {
                Step::Gone => {}
                Step::Waiting => {
                    let read = Step::Read { claim: self.record.clone(), now: self.now };
                    add(format!("{id} reads"), with(read), None);
                }
                Step::Read { claim, now } => {
                    let (name, world) = self.decided(setup, id, claim.as_ref(), *now);
                    add(name, world, None);
                }
                Step::Asking { claim } => {
                    add(format!("{id} learns nothing"), with(Step::Gone), None);
                    let next = match self.effects.first() {
                        Some((by, _)) => {
                            let outcome = Outcome::Done { receipt: receipt(*by) };
                            Step::Ended { claim: claim.clone(), outcome }
                        }
                        None => Step::Holding { claim: claim.clone().reconciled() },
                    };
                    add(format!("{id} learns how it is"), with(next), None);
                }
                Step::Holding { claim } => {
                    let over = claim.lease().is_none_or(|lease| lease.expires_at <= time(self.now));
                    let ended = |world: &mut Self, outcome: Outcome| {
                        world.runs[id].step = Step::Ended { claim: claim.clone(), outcome };
                    };
                    let mut nothing = self.clone();
                    ended(&mut nothing, Outcome::NotDone);
                    add(format!("{id} certainly has no effect"), nothing, None);
                    if over && !setup.late_effects {
                        continue;
                    }
                    let mut unknown = self.clone();
                    ended(&mut unknown, Outcome::Unknown);
                    add(format!("{id} has no effect and does not know"), unknown.clone(), None);
                    unknown.effects.push((id, run.payload));
                    add(format!("{id} has the effect and does not know"), unknown.clone(), None);
                    ended(&mut unknown, Outcome::Done { receipt: receipt(id) });
                    add(format!("{id} has the effect"), unknown, None);
                }
                Step::Ended { claim, outcome } => {
                    let (name, world, broken) = self.noted(setup, id, claim, outcome);
                    add(name, world, broken);
                }
            }
        }
        found
    }

    fn decided(&self, setup: Setup, id: usize, read: Option<&Claim>, now: i64) -> (String, Self) {
        let mut world = self.clone();
        let mut fingerprint = Fingerprint::from([self.runs[id].payload; 32]);
        if let (Mutant::NoFingerprintCheck, Some(claim)) = (setup.mutant, read) {
            fingerprint = claim.fingerprint.clone();
        }
        let since = if setup.mutant == Mutant::NoAgeCheck { now } else { 0 };
        let policy = if setup.mutant == Mutant::PolicyIgnored { Policy::Retry } else { setup.policy };
        let intent = Intent { fingerprint: &fingerprint, requested_at: time(since), policy };
        let attempt =
            Attempt { owner: owner(id), now: time(now), lease_duration: SignedDuration::from_secs(LEASE) };
        let step = &mut world.runs[id].step;
        *step = Step::Gone;
        let claim = match decide(read, &intent, &attempt) {
            Decision::Execute(claim) => {
                *step = Step::Holding { claim: claim.clone() };
                claim
            }
            Decision::Reconcile(claim) => {
                *step = Step::Asking { claim: claim.clone() };
                claim
            }
            Decision::Done { receipt } => {
                world.answers.push(receipt);
                return (format!("{id} finds it done"), world);
            }
            Decision::Wait { .. } => return (format!("{id} has to wait"), world),
            Decision::Refuse(refusal) => return (format!("{id} refuses: {refusal}"), world),
        };
        if self.record.as_ref().map(stamp) != read.map(stamp) {
            world.runs[id].step = Step::Gone;
            return (format!("{id} is too slow to claim it"), world);
        }
        let lapsed = |claim: &Claim| claim.lease().is_some_and(|lease| lease.expires_at <= time(self.now));
        world.unknown |= self.record.as_ref().is_some_and(lapsed);
        world.first = world.first.or(Some(self.runs[id].payload));
        world.record = Some(claim);
        world.written_at = self.now;
        (format!("{id} claims it"), world)
    }

    fn noted(
        &self,
        setup: Setup,
        id: usize,
        claim: &Claim,
        outcome: &Outcome,
    ) -> (String, Self, Option<String>) {
        let mut world = self.clone();
        world.runs[id].step = Step::Gone;
        let outcome = match (setup.mutant, outcome) {
            (Mutant::UnknownAsNotDone, Outcome::Unknown) => Outcome::NotDone,
            _ => outcome.clone(),
        };
        let Some(next) = claim.with_outcome(outcome, time(self.now)) else {
            return (format!("{id} leaves the claim"), world, None);
        };
        let held = self.record.as_ref().map(stamp) == Some(stamp(claim));
        let completes = matches!(next.status, Status::Completed { .. });
        let unconditional = match setup.mutant {
            Mutant::UnconditionalCompletion => completes,
            Mutant::UnconditionalGiveUp => !completes,
            _ => false,
        };
        let name = format!("{id} {}", if completes { "notes that it is done" } else { "gives it up" });
        if !held && !unconditional {
            if let (true, Some(Status::Completed { receipt, .. })) =
                (completes, self.record.as_ref().map(|claim| &claim.status))
            {
                world.answers.push(receipt.clone());
            }
            return (format!("{name}, too late"), world, None);
        }
        let broken = (!held).then(|| "a run wrote although the claim was not its own any more".to_owned());
        if let Status::Completed { receipt, .. } = &next.status {
            world.answers.push(receipt.clone());
        }
        world.record = Some(next);
        world.written_at = self.now;
        (name, world, broken)
    }

    /// What going on to `next` breaks.
    fn broken_by(&self, next: &Self, setup: Setup) -> Option<String> {
        let twice = next.effects.len() > 1;
        let once = match setup.policy {
            Policy::Block => twice,
            Policy::Retry => twice && !next.unknown,
            Policy::Reconcile => twice && !setup.late_effects,
        };
        if once {
            return Some(format!("the effect happened {} times", next.effects.len()));
        }
        if next.effects.iter().any(|(_, payload)| Some(*payload) != next.first) {
            return Some("the effect happened with another payload".into());
        }
        // Where it happened twice, which is not promised then, the outside has two receipts to tell of.
        let told_by_outside = setup.policy == Policy::Reconcile && twice && !next.forgettable;
        if !told_by_outside && next.answers.windows(2).any(|pair| pair[0] != pair[1]) {
            return Some(format!("two who asked got different receipts: {:?}", next.answers));
        }
        let done = |world: &Self| match world.record.as_ref().map(|claim| &claim.status) {
            Some(Status::Completed { receipt, .. }) => Some(receipt.clone()),
            _ => None,
        };
        (done(self).is_some() && next.record.is_some() && done(self) != done(next))
            .then(|| "what was done was undone, or done otherwise".into())
    }

    /// Whether another run, after all leases, would come to an end of some kind: nothing waits for ever.
    pub(crate) fn hangs(&self, setup: Setup) -> bool {
        let fingerprint = Fingerprint::from([self.first.unwrap_or_default(); 32]);
        let intent = Intent { fingerprint: &fingerprint, requested_at: time(0), policy: setup.policy };
        let attempt = Attempt {
            owner: owner(99),
            now: time(self.now + LEASE),
            lease_duration: SignedDuration::from_secs(LEASE),
        };
        matches!(decide(self.record.as_ref(), &intent, &attempt), Decision::Wait { .. })
    }
}
