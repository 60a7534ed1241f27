//! The deployed binaries against a simulated Runtime API and simulated AWS services.
//!
//! `ARTEFACTS_DIR` is the directory of the binaries, in one of these layouts: `orders-api`,
//! `orders-api/bootstrap` (from `cargo lambda`) or `OrdersApi/bootstrap` (from `sam build`).
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing helper fails the test")]

mod corpus;
mod events;
mod isolation;
mod profile;

use std::path::{Path, PathBuf};

use heck::ToUpperCamelCase;

/// Returns the directory of the binaries.
fn artefacts_dir() -> PathBuf {
    let dir = std::env::var_os("ARTEFACTS_DIR").map(PathBuf::from);
    let dir = dir.unwrap_or_else(|| {
        panic!(
            "ARTEFACTS_DIR is not set. Run `cargo xtask test end-to-end`, which sets it, or build the functions and set it: \
             cargo build --workspace --bins && ARTEFACTS_DIR=$PWD/target/debug cargo test --workspace --test artefacts"
        )
    });
    // Cargo runs a test in the directory of its package.
    architecture::workspace::root().join(dir)
}

/// Returns the path of a function's binary.
fn artefact(name: &str) -> PathBuf {
    let dir = artefacts_dir();
    let folder = name.to_upper_camel_case();
    let places = [Path::new(name).join("bootstrap"), Path::new(&folder).join("bootstrap"), name.into()];
    let found = places.iter().map(|place| dir.join(place)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} has no binary in {}: build it", dir.display()))
}
