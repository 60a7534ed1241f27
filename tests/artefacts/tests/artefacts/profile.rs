//! Checks that the deployed binaries unwind on a panic: a host cannot isolate a panic that aborts.

use architecture::workspace::root;
use bench::functions::Function;

use crate::{artefact, artefacts_dir};

/// A message of the standard library for a caught panic that is dropped. A binary that aborts does not
/// contain it.
const UNWINDS: &[u8] = b"Rust panics must be rethrown";

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

#[test]
fn every_function_unwinds() {
    // Tests unwind: if this fails, the standard library has changed the message, and UNWINDS has to follow.
    let this = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    assert!(contains(&this, UNWINDS), "UNWINDS is out of date");
    artefacts_dir();
    let functions = Function::of_repository(&[]).unwrap();
    assert!(!functions.is_empty());
    for function in functions {
        let binary = std::fs::read(artefact(&function.name)).unwrap();
        assert!(
            contains(&binary, UNWINDS),
            "{} aborts on a panic: is panic = \"unwind\" in [profile.release] of Cargo.toml?",
            function.name
        );
    }
}

#[test]
fn the_release_profile_sets_the_panic_strategy() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, release) = manifest.split_once("[profile.release]\n").unwrap();
    let release = release.split("\n[").next().unwrap();
    assert!(
        release.lines().any(|line| line.trim() == "panic = \"unwind\""),
        "cargo lambda adds panic = \"abort\" to a release profile that sets no strategy"
    );
}
