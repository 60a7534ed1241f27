//! The parameters of a run.

use std::time::Duration;

use crate::clients::OrderRequest;
use crate::faults::{FaultRates, Plan};
use crate::mutation::Mutation;
use crate::publisher::Contradiction;
use crate::services;
use crate::staff;

/// The maximum number of tasks of the staff in a random run.
pub(crate) const MAX_TASKS: usize = 3;

/// The parameters of a run.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The seed of all randomness.
    pub seed: u64,
    /// The faults to inject.
    pub plan: Plan,
    /// The protection that is switched off, if any.
    pub mutation: Option<Mutation>,
    /// The initial stock of each product.
    pub stock: [u32; 2],
    /// The orders that clients place.
    pub requests: Vec<OrderRequest>,
    /// The names of the services that run besides the order process.
    pub services: Vec<&'static str>,
    /// How often each client reads or lists orders at random moments.
    pub reads: u32,
    /// What the staff do meanwhile.
    pub tasks: Vec<staff::Task>,
    /// For how many minutes faults occur.
    pub fault_minutes: u32,
    /// After which time every delivered message is delivered a second time, if at all.
    pub redeliver_after: Option<Duration>,
    /// How a publisher contradicts each event on the bus, if it always does.
    pub contradict: Option<Contradiction>,
    /// Whether every message is sent again at the end.
    pub replay: bool,
    /// Whether a trace is recorded.
    pub trace: bool,
    /// Whether metrics are recorded ([`crate::recording`]).
    pub is_recorded: bool,
}

impl Setup {
    /// The random run of a seed.
    pub fn from_seed(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let services = services::draw(&mut fastrand::Rng::with_seed(seed ^ 0x5e41));
        let is_short = rng.u8(0..4) == 0;
        let rates = FaultRates::random(&mut rng, is_short);
        Self {
            seed,
            plan: Plan::Random(rates),
            mutation: None,
            stock: [rng.u32(0..=8), rng.u32(0..=4)],
            requests: (0..rng.usize(1..=4)).map(|_| OrderRequest::random(&mut rng)).collect(),
            services,
            reads: rng.u32(0..=8),
            tasks: (0..rng.usize(0..=MAX_TASKS)).map(|_| staff::Task::random(&mut rng)).collect(),
            fault_minutes: if is_short { rng.u32(2..=4) } else { rng.u32(2..=90) },
            redeliver_after: None,
            contradict: None,
            replay: true,
            trace: false,
            is_recorded: false,
        }
    }

    /// A run of these orders without faults, and without services besides the order process.
    pub fn without_faults(stock: [u32; 2], requests: Vec<OrderRequest>) -> Self {
        Self {
            seed: 0,
            plan: Plan::NoFaults,
            mutation: None,
            stock,
            requests,
            services: Vec::new(),
            reads: 0,
            tasks: Vec::new(),
            fault_minutes: 5,
            redeliver_after: None,
            contradict: None,
            replay: false,
            trace: false,
            is_recorded: false,
        }
    }
}
