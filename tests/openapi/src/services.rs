//! The services that have an API.

use std::sync::Arc;

use axum::Router;
use inventory::adapters::memory::InMemoryInventory;
use orders::adapters::memory::InMemoryOrders;
use platform::clock::SystemClock;
use platform::http::Operation;

/// A service with an API.
pub struct Service {
    /// What the contract calls it.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// What it does.
    pub operations: Vec<Operation>,
    /// Its routes, over ports in memory: what the contract is tested against.
    pub router: Router,
}

/// All of them. One more is a function like those below, and a line here.
pub fn services() -> Vec<Service> {
    vec![orders(), inventory(), reference()]
}

fn orders() -> Service {
    let api = orders::api::Api { orders: Arc::new(InMemoryOrders::default()), clock: Arc::new(SystemClock) };
    Service {
        name: "orders",
        about: "Place orders, follow them, cancel them.",
        operations: orders::api::routes().operations(),
        router: orders::api::router(api),
    }
}

fn inventory() -> Service {
    let stock = Arc::new(InMemoryInventory::default());
    let api =
        inventory::api::Api { products: stock.clone(), reservations: stock, clock: Arc::new(SystemClock) };
    Service {
        name: "inventory",
        about: "Products, their stock, and what is set aside for orders.",
        operations: inventory::api::routes().operations(),
        router: inventory::api::router(api),
    }
}

fn reference() -> Service {
    Service {
        name: "reference",
        about: "This contract.",
        operations: reference::routes().operations(),
        router: reference::router(),
    }
}
