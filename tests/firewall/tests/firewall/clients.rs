//! Every request of ours says who sends it: there is one place that sends.

use std::fs;

use architecture::workspace::root;
use walkdir::WalkDir;

/// The sources of what is deployed, with their paths below the repository's root.
fn sources() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for folder in ["lambdas", "shared"] {
        for entry in WalkDir::new(root().join(folder)).sort_by_file_name() {
            let path = entry.unwrap().into_path();
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            let is_source = name.ends_with(".rs") && name.contains("/src/") && !name.contains("/tests");
            if is_source || name.ends_with("Cargo.toml") {
                all.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    all
}

const CLIENT: &str = "shared/aws/src/http_client.rs";

#[test]
fn one_place_sends_requests() {
    let sources = sources();
    assert!(sources.len() > 100);
    let (_, client) = sources.iter().find(|(name, _)| name == CLIENT).unwrap();
    assert_eq!(client.matches("connector.call(").count(), 1, "a second place in {CLIENT} sends");
    let (before, _) = client.split_once("connector.call(").unwrap();
    let inside = &before[before.rfind("fn exchange(").unwrap()..];
    assert!(inside.contains("with_user_agent(request)"), "`exchange` sends without a User-Agent");
    for (name, text) in sources.iter().filter(|(name, _)| name != CLIENT) {
        assert!(!text.contains("connector.call("), "{name} sends past `exchange` in {CLIENT}");
        // The SDK's own clients send one of their own.
        for other in [
            "reqwest",
            "ureq",
            "isahc",
            "hyper_util::client",
            "hyper::client",
            "curl::",
            "TcpStream::connect(",
        ] {
            let is_exempt = name.ends_with("lambdas/media/src/adapters/clamd.rs");
            assert!(
                is_exempt || !text.contains(other),
                "{name} sends with {other}, which sends no User-Agent of ours"
            );
        }
    }
}
