//! The services, each with its functions, its part of the world, its clients and its invariants.
//!
//! The functions of the order process are in [`order_process`] and run in every run. Every other service has a
//! module of its own, and a run has those that [`Setup::services`](crate::setup::Setup::services) names: each costs
//! time, and a random run draws a few of them, so that the number of runs of the order process per second stays
//! high.

pub mod accounts;
pub mod bucket;
pub mod client;
pub mod handler;
pub mod imports;
pub mod invoices;
pub mod media;
pub mod operations;
pub mod order_process;
pub mod partners;
pub mod sales;
pub mod search;

use std::sync::Arc;

use anyhow::Context;
use domain::Event;
use heck::ToKebabCase;

use crate::ports::Ports;
use crate::queue::DeadLetter;
use crate::world::World;
use handler::Handler;

/// A service with its functions, its invariants and its clients.
pub trait Service: Sync {
    /// The name, which a run is set up with.
    fn name(&self) -> &'static str;

    /// The functions: the name of each binary, and how its `main` assembles the handler.
    fn functions(&self) -> &'static [(&'static str, Assemble)];

    /// Whether a scheduled function would find something to do. If not, it is not invoked, which saves time.
    fn has_work(&self, _world: &World, _function: &str) -> bool {
        true
    }

    /// Starts the clients of the service at the start of a run.
    fn start(&self, _world: &Arc<World>) {}

    /// Starts what happens the next morning, when all orders have settled: faults occur again for some minutes,
    /// schedules fall due, and the system settles once more.
    fn finish(&self, _world: &Arc<World>) {}

    /// Removes the rows whose time to live has passed.
    fn expire_rows(&self, _world: &World) {}

    /// Learns of an event that reached the bus.
    fn published(&self, _world: &World, _event: &Event) {}

    /// Returns the violations of the invariants of the service in a settled world. Also called after the late
    /// replays.
    fn check(&self, _world: &World) -> Vec<String> {
        Vec::new()
    }

    /// Returns what no replay may change.
    fn final_state(&self, _world: &World) -> String {
        String::new()
    }

    /// Whether a function of the service may send this message to its dead-letter queue before its attempts are
    /// exhausted.
    fn may_reject(&self, _world: &World, _letter: &DeadLetter) -> bool {
        false
    }
}

/// Assembles the handler of a function for one invocation.
pub type Assemble = fn(&Ports) -> Handler;

/// The services, each once.
pub static SERVICES: &[&dyn Service] = &[
    &order_process::OrderProcess,
    &accounts::Accounts,
    &imports::StockImports,
    &invoices::InvoiceService,
    &media::Media,
    &operations::Operations,
    &partners::Partners,
    &sales::SalesService,
    &search::Search,
];

/// The parts of the world that belong to one service each.
#[derive(Default)]
#[expect(missing_docs, reason = "each is named after its service")]
pub struct Parts {
    pub accounts: accounts::State,
    pub imports: imports::State,
    pub invoices: invoices::Invoices,
    pub media: media::State,
    pub operations: operations::State,
    pub partners: partners::State,
    pub sales: sales::Sales,
    pub search: search::State,
}

/// The functions that the simulation does not run, and why.
pub const NOT_RUN: &[(&str, &str)] = &[("serve-reference", "it returns constant files, and calls nothing")];

/// A function, as the simulation runs it.
#[derive(Clone, Copy)]
pub struct Function {
    /// The name of the binary.
    pub name: &'static str,
    /// Assembles its handler.
    pub assemble: Assemble,
    /// The service that it belongs to.
    pub service: &'static dyn Service,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The function with this binary name.
pub fn function(name: &str) -> Option<Function> {
    SERVICES.iter().find_map(|service| {
        let (name, assemble) = service.functions().iter().find(|(found, _)| *found == name)?;
        Some(Function { name, assemble: *assemble, service: *service })
    })
}

/// The function with this logical id; `None` if the simulation does not run it.
///
/// # Errors
/// If the simulation does not know the function.
pub fn by_logical_id(id: &str) -> anyhow::Result<Option<Function>> {
    let name = id.to_kebab_case();
    if NOT_RUN.iter().any(|(not_run, _)| *not_run == name) {
        return Ok(None);
    }
    function(&name).map(Some).with_context(|| {
        format!(
            "the simulation does not know the function {name}: add it to the functions of its service in \
             tests/simulation/src/services, or to NOT_RUN there with the reason"
        )
    })
}

/// The function with this logical id, if it belongs to the order process or one of `services`.
pub fn running(id: &str, services: &[&'static dyn Service]) -> Option<Function> {
    let function = by_logical_id(id).unwrap_or_else(|error| unreachable!("{error:#}"))?;
    let name = function.service.name();
    let runs = name == order_process::NAME || services.iter().any(|service| service.name() == name);
    runs.then_some(function)
}

/// The service with this name.
pub fn optional_service(name: &str) -> &'static dyn Service {
    let found = SERVICES.iter().find(|service| service.name() == name);
    *found.unwrap_or_else(|| unreachable!("the simulation has no service {name}"))
}

/// The names of all services besides the order process.
pub fn optional() -> impl Iterator<Item = &'static str> {
    SERVICES.iter().map(|service| service.name()).filter(|name| *name != order_process::NAME)
}

/// The names of the services that a random run has besides the order process: none in half of the runs, or
/// each with a probability of a half.
pub fn draw(rng: &mut fastrand::Rng) -> Vec<&'static str> {
    if rng.bool() {
        return Vec::new();
    }
    optional().filter(|_| rng.bool()).collect()
}
