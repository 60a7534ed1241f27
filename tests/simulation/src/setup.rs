//! The parameters of a run.

use std::time::Duration;

use crate::clients::OrderRequest;
use crate::faults::{FaultRates, Plan};
use crate::mutation::Mutation;
use crate::services;

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
    /// For how many minutes faults occur.
    pub fault_minutes: u32,
    /// After which time every delivered message is delivered a second time, if at all.
    pub redeliver_after: Option<Duration>,
    /// Whether every message is sent again at the end.
    pub replay: bool,
    /// Whether a trace is recorded.
    pub trace: bool,
}

impl Setup {
    /// The random run of a seed.
    pub fn from_seed(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let rates = FaultRates::random(&mut rng);
        Self {
            seed,
            plan: Plan::Random(rates),
            mutation: None,
            stock: [rng.u32(0..=8), rng.u32(0..=4)],
            requests: (0..rng.usize(1..=4)).map(|_| OrderRequest::random(&mut rng)).collect(),
            services: services::draw(&mut fastrand::Rng::with_seed(seed ^ 0x5e41)),
            fault_minutes: rng.u32(2..=90),
            redeliver_after: None,
            replay: true,
            trace: false,
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
            fault_minutes: 5,
            redeliver_after: None,
            replay: false,
            trace: false,
        }
    }
}
