//! Every outgoing request has a User-Agent: there is a single place that sends requests.

use std::fs;

use architecture::workspace::root;
use walkdir::WalkDir;

/// Returns the sources of the deployed code, with their paths relative to the root of the repository.
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
/// The connections of the SDK's clients and of `exchange`.
const CONNECTOR: &str = "shared/aws/src/connector.rs";

#[test]
fn a_single_function_sends_requests() {
    let sources = sources();
    assert!(sources.len() > 100);
    let (_, client) = sources.iter().find(|(name, _)| name == CLIENT).unwrap();
    assert_eq!(client.matches("connector.send(").count(), 1, "{CLIENT} sends requests in a second place");
    let (_, exchange) = client.split_once("fn exchange(").unwrap();
    assert!(
        exchange.contains("connector.send(with_user_agent(request)"),
        "`exchange` sends requests without a User-Agent"
    );
    for (name, text) in sources.iter().filter(|(name, _)| name != CLIENT) {
        assert!(!text.contains("connector.send("), "{name} sends requests without `exchange` in {CLIENT}");
        // The clients of the SDK send their own User-Agent.
        for other in [
            "reqwest",
            "ureq",
            "isahc",
            "hyper_util::client",
            "hyper::client",
            "curl::",
            "TcpStream::connect(",
        ] {
            let is_exempt = name.ends_with("lambdas/media/src/adapters/clamd.rs") || name == CONNECTOR;
            // The name that a resolver receives.
            let text = text.replace("use hyper_util::client::legacy::connect::dns::Name;", "");
            assert!(
                is_exempt || !text.contains(other),
                "{name} sends requests with {other}, which does not set our User-Agent"
            );
        }
    }
}
