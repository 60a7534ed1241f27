//! The binaries that are deployed, in the half of Lambda that they see: a Runtime API, and services that answer.
//!
//! `ARTEFACTS_DIR` is the folder that they are in: `orders-api`, `orders-api/bootstrap` as `cargo lambda` puts them, or
//! `OrdersApi/bootstrap` as `sam build` does.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod corpus;
mod events;
mod isolation;
mod profile;

use std::path::{Path, PathBuf};

use heck::ToUpperCamelCase;

/// The folder that the binaries are in.
fn artefacts_dir() -> PathBuf {
    let dir = std::env::var_os("ARTEFACTS_DIR").map(PathBuf::from);
    let dir = dir.unwrap_or_else(|| {
        panic!(
            "ARTEFACTS_DIR is not set. `cargo xtask test end-to-end` sets it; or build the functions, and name the folder: \
             cargo build --workspace --bins && ARTEFACTS_DIR=$PWD/target/debug cargo test --workspace --test artefacts"
        )
    });
    // Cargo runs a test in the folder of its package.
    architecture::workspace::root().join(dir)
}

/// The binary of a function.
fn artefact(name: &str) -> PathBuf {
    let dir = artefacts_dir();
    let folder = name.to_upper_camel_case();
    let places = [Path::new(name).join("bootstrap"), Path::new(&folder).join("bootstrap"), name.into()];
    let found = places.iter().map(|place| dir.join(place)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("there is no binary of {name} in {}: build it", dir.display()))
}
