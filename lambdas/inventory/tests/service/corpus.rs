//! The files of the corpus, one for each kind of CSV that was sent to shops, and their outcomes.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::dialects::{read_rejected, run};
use crate::imports::import;

#[test]
fn each_file_of_the_corpus_has_its_outcome() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus"));
    let outcomes = std::fs::read(folder.join("outcomes.json")).unwrap();
    let mut outcomes: BTreeMap<String, Value> = serde_json::from_slice(&outcomes).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name == "outcomes.json" {
            continue;
        }
        let expected = outcomes.remove(&name).unwrap_or_else(|| panic!("outcomes.json: add {name}"));
        let (world, status, [_, applied, _]) = run(import(std::fs::read(folder.join(&name)).unwrap()));
        let rejected = world.rejected();
        assert_eq!(
            (status.as_str(), applied),
            (text(&expected["status"]), count(&expected)),
            "{name}: {rejected}"
        );
        for (sku, product) in expected["names"].as_object().into_iter().flatten() {
            assert_eq!(world.product(sku).unwrap().name.as_str(), text(product), "{name}");
        }
        if let Some(reason) = expected["reason"].as_str() {
            let summary = world.summary();
            assert!(text(&summary["reason"]).contains(reason), "{name}: {summary}");
            continue;
        }
        let rows = if rejected.is_empty() { Vec::new() } else { read_rejected(&world).split_off(1) };
        let expected = expected["rejected"].as_array().cloned().unwrap_or_default();
        assert_eq!(rows.len(), expected.len(), "{name}: {rejected}");
        for (row, expected) in rows.iter().zip(&expected) {
            let start = (row[0].parse::<u64>().ok(), row[1].as_str());
            assert_eq!(start, (expected[0].as_u64(), text(&expected[1])), "{name}: {rejected}");
            assert!(row[2].contains(text(&expected[2])), "{name}: {rejected}");
        }
    }
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), Vec::<&String>::new(), "files that do not exist");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn count(outcome: &Value) -> u64 {
    outcome["applied"].as_u64().unwrap()
}
