//! Checks that each service has the same files for the same things, as `CONTRIBUTING.md` lists them.

use crate::Violations;
use crate::workspace::{Package, Workspace};

/// Files that may define a port: `store.rs`, and for a port to another system, or to slow work, one that is named after it.
const PORTS: [&str; 7] =
    ["store.rs", "client.rs", "provider.rs", "rendition.rs", "scan.rs", "secrets.rs", "shop.rs"];

/// Whether a line of code belongs in a certain place only.
type Belongs = fn(&str) -> bool;

/// What the code of a service consists of, how a line with it is recognized, and the file or folder that it belongs to.
/// A service with several areas has a folder for each, with the same files.
const PLACES: [(&str, Belongs, &str); 6] = [
    ("routes", |line| line.contains("Routes::default()"), "api.rs"),
    ("the description of a route", |line| line.contains("&mut OperationDescription)"), "contract.rs"),
    ("a request body", |line| line.contains("eserde::Deserialize"), "request.rs"),
    ("a response body", |line| struct_name(line).is_some_and(|name| name.ends_with("View")), "view.rs"),
    (
        "a port in memory",
        |line| struct_name(line).is_some_and(|name| name.starts_with("InMemory")),
        "adapters/memory.rs",
    ),
    ("a client over HTTP", |line| line.starts_with("impl<") && line.contains("HttpClient"), "adapters/"),
];

/// Each service has its tests, routes, bodies, ports and adapters where the others have theirs.
pub fn have_the_same_files(workspace: &Workspace) -> Violations {
    workspace.services().flat_map(|service| misplaced(workspace, service)).collect()
}

fn misplaced(workspace: &Workspace, service: &Package) -> Violations {
    let folder = &service.folder;
    let mut found = Violations::new();
    if !workspace.sources.contains_key(&format!("{folder}/tests/service/main.rs")) {
        found.push(format!("{folder}/tests/service/main.rs: add tests of the service over ports in memory"));
    }
    let src = format!("{folder}/src/");
    for (path, text) in &workspace.sources {
        let Some(path_in_src) = path.strip_prefix(&src).filter(|path| path.ends_with(".rs")) else {
            continue;
        };
        let is_in = |place: &str| match place.strip_suffix('/') {
            Some(folder) => path_in_src.split('/').any(|part| part == folder),
            None => path_in_src == place || path_in_src.ends_with(&format!("/{place}")),
        };
        for line in text.lines().map(without_visibility) {
            for (thing, _, place) in PLACES.iter().filter(|(_, is, place)| is(line) && !is_in(place)) {
                found.push(format!("{path}: move {thing} to {place}: {line}"));
            }
        }
        let defines_port = text.contains("#[async_trait]\npub trait ");
        if defines_port && !PORTS.into_iter().any(is_in) {
            found.push(format!("{path}: move the port to store.rs"));
        }
    }
    found
}

/// A line without indentation and visibility.
fn without_visibility(line: &str) -> &str {
    let line = line.trim_start();
    ["pub(crate) ", "pub(super) ", "pub "].iter().find_map(|public| line.strip_prefix(public)).unwrap_or(line)
}

fn struct_name(line: &str) -> Option<&str> {
    let name = line.strip_prefix("struct ")?;
    name.split(|c: char| !c.is_alphanumeric()).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutant::{assert_reports, workspace};

    #[test]
    fn a_thing_in_the_wrong_file() {
        for (file, code, place) in [
            ("src/place.rs", "    Routes::default()", "api.rs"),
            ("src/api.rs", "pub(crate) fn describe_place(it: &mut OperationDescription) {", "contract.rs"),
            ("src/place.rs", "#[derive(Debug, eserde::Deserialize, JsonSchema)]", "request.rs"),
            ("src/api.rs", "struct OrderView<'a> {", "view.rs"),
            ("src/track.rs", "pub struct InMemoryOrders {", "adapters/memory.rs"),
            ("src/place.rs", "impl<C: HttpClient> HttpOrders<C> {", "adapters/"),
            ("src/place.rs", "#[async_trait]\npub trait Orders: Send + Sync {", "store.rs"),
        ] {
            let mut workspace = workspace();
            let path = format!("lambdas/orders/{file}");
            workspace.sources.entry(path.clone()).or_default().push_str(code);
            assert_reports(&have_the_same_files(&workspace), &[&path, place]);
        }
    }

    #[test]
    fn a_service_without_tests() {
        let mut workspace = workspace();
        workspace.sources.remove("lambdas/orders/tests/service/main.rs").unwrap();
        assert_reports(&have_the_same_files(&workspace), &["lambdas/orders/tests/service"]);
    }
}
