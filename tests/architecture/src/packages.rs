//! That the layers stay apart.

use crate::Violations;
use crate::workspace::Workspace;

/// What `domain` is not built on: runtimes, SDKs, and ways to the network.
const RUNTIMES: &[&str] =
    &["aws", "axum", "futures", "http", "hyper", "lambda", "mio", "reqwest", "tokio", "tower", "tracing"];

/// What a local stack is known by.
const EMULATORS: &[&str] = &["ministack", "localstack", "4577"];

/// Where the types of the SDKs may be named: the adapters of a service, and the platform's own.
const ADAPTERS: &[&str] = &["/src/adapters/", "/src/adapters.rs", "/src/bin/", "shared/aws"];

/// The most lines that a file has. About 400 is where it asks to be split; this leaves room for its tests.
const LONGEST_FILE: usize = 450;

/// The domain knows no runtime, SDK or network.
pub fn domain_is_pure(workspace: &Workspace) -> Violations {
    let is_runtime = |name: &&String| {
        RUNTIMES.iter().any(|runtime| {
            name.strip_prefix(runtime).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
        })
    };
    workspace
        .under_domain
        .iter()
        .filter(is_runtime)
        .map(|name| {
            format!("domain: do without {name}: `cargo tree -p domain -i {name}` shows who brings it")
        })
        .collect()
}

/// A service does not depend on another: they meet through events and HTTP APIs.
pub fn services_are_apart(workspace: &Workspace) -> Violations {
    let is_service = |name: &str| workspace.services().any(|service| service.name == name);
    let mut found = Violations::new();
    for service in workspace.services() {
        for other in service.dependencies.iter().filter(|name| is_service(name)) {
            found.push(format!(
                "{}: do without {other}: put what both need into domain or platform, or ask {other} \
                 through its API",
                service.folder
            ));
        }
    }
    found
}

/// What is deployed does not know what it is tested with.
pub fn emulator_is_unknown(workspace: &Workspace) -> Violations {
    let mut found = Violations::new();
    for (path, text) in &workspace.sources {
        let text = text.to_lowercase();
        for word in EMULATORS.iter().filter(|word| text.contains(**word)) {
            found.push(format!("{path}: remove {word}: AWS_ENDPOINT_URL is all that a local stack needs"));
        }
    }
    found
}

/// The types of the SDKs do not leave the adapters: handlers see only their ports.
pub fn sdk_stays_in_adapters(workspace: &Workspace) -> Violations {
    workspace
        .sources
        .iter()
        .filter(|(path, _)| path.ends_with(".rs") && !ADAPTERS.iter().any(|place| path.contains(place)))
        .filter(|(_, text)| text.contains("aws_sdk_"))
        .map(|(path, _)| {
            format!(
                "{path}: name no aws_sdk_* here: put a trait in its place, and the SDK behind it into \
             src/adapters"
            )
        })
        .collect()
}

/// A file is short enough to be read in one go.
pub fn files_are_short(workspace: &Workspace) -> Violations {
    workspace
        .sources
        .iter()
        .filter(|(path, _)| path.ends_with(".rs"))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(path, lines)| format!("{path}: split it: it has {lines} lines, more than {LONGEST_FILE}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutant::{assert_tells, workspace};

    /// The repository with one more file.
    fn with_file(path: &str, text: &str) -> Workspace {
        let mut workspace = workspace();
        workspace.sources.insert(path.into(), text.into());
        workspace
    }

    #[test]
    fn a_domain_on_a_runtime() {
        let mut workspace = workspace();
        assert!(workspace.under_domain.contains(&"serde".to_owned()), "{:?}", workspace.under_domain);
        workspace.under_domain.extend(["tokio-util".into(), "awsome".into()]);
        assert_tells(&domain_is_pure(&workspace), &["tokio-util"]);
    }

    #[test]
    fn a_service_on_another() {
        let mut workspace = workspace();
        let payments = workspace.packages.iter_mut().find(|package| package.name == "payments").unwrap();
        payments.dependencies.push("orders".into());
        assert_tells(&services_are_apart(&workspace), &["lambdas/payments", "orders"]);
    }

    #[test]
    fn a_function_that_knows_the_emulator() {
        let workspace = with_file("lambdas/orders/src/local.rs", "// MiniStack takes any key");
        assert_tells(&emulator_is_unknown(&workspace), &["lambdas/orders/src/local.rs", "ministack"]);
    }

    #[test]
    fn an_sdk_outside_the_adapters() {
        let text = "use aws_sdk_dynamodb::Client;";
        let workspace = with_file("lambdas/orders/src/place.rs", text);
        assert_tells(&sdk_stays_in_adapters(&workspace), &["lambdas/orders/src/place.rs"]);
        for fine in ["lambdas/orders/src/adapters/table.rs", "lambdas/orders/src/bin/x.rs"] {
            assert_eq!(sdk_stays_in_adapters(&with_file(fine, text)), Violations::new());
        }
    }

    #[test]
    fn a_file_that_goes_on_and_on() {
        let workspace = with_file("shared/domain/src/all.rs", &"//\n".repeat(LONGEST_FILE + 1));
        assert_tells(&files_are_short(&workspace), &["shared/domain/src/all.rs", "451"]);
    }
}
