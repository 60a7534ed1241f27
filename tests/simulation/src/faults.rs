//! What goes wrong, and how often.
#![expect(clippy::float_arithmetic, reason = "likelihoods")]

use std::time::Duration;

/// What becomes of one call from a function to its surroundings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing goes wrong.
    None,
    /// It fails, and has no effect: also what a caller that is throttled sees.
    Before,
    /// It has its effect, and then fails.
    After,
    /// It is made twice, because the first answer got lost on the way and the client tried again by itself: what
    /// it answers is what the second was told, such as that a condition no longer holds.
    Twice,
    /// No answer comes, or only after this long the word that none came. With or without the effect.
    Hang {
        /// Whether it has its effect.
        effect: bool,
        /// When the client gives up; never if there is none.
        gives_up: Option<Duration>,
    },
    /// The request is under way for this long, and then has its effect: its caller is long gone.
    Late(Duration),
    /// The function is killed while the call is under way.
    Kill {
        /// Whether the call has its effect.
        effect: bool,
    },
    /// The function stands still for this long, with the answer already there, and then goes on as if nothing
    /// had been: a zombie, when others have taken over.
    Stall(Duration),
}

/// How likely each thing is, at every occasion for it. Every seed draws its own, so that some runs are nearly calm
/// and others are all throttling, or all kills ("swarm testing", Groce et al., ISSTA 2012).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Swarm {
    before: f64,
    after: f64,
    twice: f64,
    hang: f64,
    late: f64,
    kill: f64,
    stall: f64,
    /// A conditional write says that somebody was faster, though nobody was: two transactions met.
    pub conflict: f64,
    /// One entry of a `PutEvents` is refused.
    pub refuse_entry: f64,
    /// The bus or a queue delivers once more.
    pub duplicate: f64,
    /// A message is long on its way.
    pub delay: f64,
    /// A function has done its work, and its answer gets lost.
    pub lose_answer: f64,
    /// The stream passes over a row.
    pub miss_row: f64,
    /// A client does not wait for its answer.
    pub impatient: f64,
    /// The provider does not tell of something.
    pub lose_report: f64,
    /// It tells of it much later.
    pub late_report: f64,
    /// The longest that a call is usually under way, in microseconds.
    pub latency: u64,
    /// How far the clock of a function is off at most, in milliseconds, in either direction.
    pub skew: i64,
}

impl Swarm {
    /// One at random.
    pub fn draw(rng: &mut fastrand::Rng) -> Self {
        let mut rate = || match rng.u8(0..10) {
            0..=4 => 0.0,
            5..=6 => 0.01,
            7..=8 => 0.05,
            _ => 0.2,
        };
        Self {
            before: rate(),
            after: rate(),
            twice: rate(),
            hang: rate() / 2.0,
            late: rate() / 2.0,
            kill: rate() / 2.0,
            stall: rate() / 4.0,
            conflict: rate(),
            refuse_entry: rate(),
            duplicate: rate(),
            delay: rate(),
            lose_answer: rate(),
            miss_row: rate(),
            impatient: rate(),
            late_report: rate(),
            lose_report: [0.0, 0.5, 1.0][rng.usize(0..3)],
            latency: [5_000, 50_000, 2_000_000][rng.usize(0..3)],
            skew: [0, 500, 5_000][rng.usize(0..3)],
        }
    }

    /// What goes wrong with one call.
    pub fn fault(&self, rng: &mut fastrand::Rng) -> Fault {
        let mut dice = rng.f64();
        let mut struck = |rate: f64| {
            dice -= rate;
            dice < 0.0
        };
        if struck(self.before) {
            Fault::Before
        } else if struck(self.after) {
            Fault::After
        } else if struck(self.twice) {
            Fault::Twice
        } else if struck(self.hang) {
            let gives_up = rng.bool().then(|| Duration::from_millis(rng.u64(1_000..20_000)));
            Fault::Hang { effect: rng.bool(), gives_up }
        } else if struck(self.late) {
            Fault::Late(Duration::from_millis(rng.u64(100..600_000)))
        } else if struck(self.kill) {
            Fault::Kill { effect: rng.bool() }
        } else if struck(self.stall) {
            Fault::Stall(Duration::from_millis(rng.u64(1_000..900_000)))
        } else {
            Fault::None
        }
    }
}

/// What goes wrong in a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Plan {
    /// Nothing. Every call takes the same time.
    Calm,
    /// Whatever chance wants.
    Random(Swarm),
    /// One call, counted from 1, gets this fault, and no other.
    Once {
        /// Which call.
        call: u64,
        /// What becomes of it.
        fault: Fault,
    },
}
