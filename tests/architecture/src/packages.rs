//! Checks the dependencies between the layers.

use std::collections::BTreeSet;

use crate::Violations;
use crate::workspace::{Dependency, Workspace};

/// Prefixes of packages that `domain` must not depend on: runtimes, SDKs and network libraries.
const RUNTIMES: &[&str] =
    &["aws", "axum", "futures", "http", "hyper", "lambda", "mio", "reqwest", "tokio", "tower", "tracing"];

/// Words that reveal the emulator of a local stack.
const EMULATORS: &[&str] = &["ministack", "localstack", "4577"];

/// The AWS SDK, and the crates that implement the ports of `platform` with it.
const AWS_CRATES: &[&str] =
    &["aws_sdk_", "use aws::", "use aws_events::", "use aws_objects::", "use aws_secrets::"];

/// Where types of the SDKs may be used: the adapters of a service, and those of the platform.
const ADAPTERS: &[&str] = &["/src/adapters/", "/src/adapters.rs", "/src/bin/", "shared/aws"];

/// The feature of a crate with what only tests need, such as ports in memory.
const TEST_SUPPORT: &str = "test-support";

/// The maximum number of lines of a file. A longer one is split by concern, or its tests get a file of their own.
const MAX_FILE_LINES: usize = 400;

/// The domain depends on no runtime, SDK or network library.
pub fn domain_is_pure(workspace: &Workspace) -> Violations {
    let is_runtime = |name: &&String| {
        RUNTIMES.iter().any(|runtime| {
            name.strip_prefix(runtime).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
        })
    };
    workspace
        .domain_dependencies
        .iter()
        .filter(is_runtime)
        .map(|name| {
            format!("domain: remove the dependency on {name}: `cargo tree -p domain -i {name}` shows where it comes from")
        })
        .collect()
}

/// Services do not depend on each other: they communicate through events and HTTP APIs.
pub fn services_are_independent(workspace: &Workspace) -> Violations {
    let is_service = |name: &str| workspace.services().any(|service| service.name == name);
    let mut found = Violations::new();
    for service in workspace.services() {
        let others = service.dependencies.iter().map(|dependency| &dependency.name);
        for other in others.filter(|name| is_service(name) && **name != service.name) {
            found.push(format!(
                "{}: remove the dependency on {other}: move what both need to domain or platform, or call \
                 the API of {other}",
                service.folder
            ));
        }
    }
    found
}

/// Deployed code does not contain what only tests need: only dev-dependencies enable it.
pub fn test_support_is_not_deployed(workspace: &Workspace) -> Violations {
    let mut found = Violations::new();
    for package in workspace
        .packages
        .iter()
        .filter(|it| ["lambdas/", "shared/"].iter().any(|root| it.folder.starts_with(root)))
    {
        let enables = |dependency: &&Dependency| dependency.features.iter().any(|it| it == TEST_SUPPORT);
        for dependency in package.dependencies.iter().filter(|it| !it.is_dev).filter(enables) {
            found.push(format!(
                "{}: enable {TEST_SUPPORT} of {} in dev-dependencies only",
                package.folder, dependency.name
            ));
        }
    }
    found
}

/// Cargo selects the same features for the tests of the workspace as for a build of it. Otherwise it compiles a package
/// twice, and all that depend on it.
pub fn tests_select_no_other_features(built: &BTreeSet<String>, tested: &BTreeSet<String>) -> Violations {
    let differs = built.difference(tested);
    differs
        .map(|package| {
            format!(
                "{package}: tests need more features of it: add them to a dependency, not only a dev-dependency, of                  a package in tests/"
            )
        })
        .collect()
}

/// Deployed code does not mention the emulator that it is tested with.
pub fn emulator_is_not_mentioned(workspace: &Workspace) -> Violations {
    let mut found = Violations::new();
    for (path, text) in &workspace.sources {
        let text = text.to_lowercase();
        for word in EMULATORS.iter().filter(|word| text.contains(**word)) {
            found.push(format!("{path}: remove {word}: a local stack needs only AWS_ENDPOINT_URL"));
        }
    }
    found
}

/// Types of the SDKs are used only in adapters: handlers depend on ports.
pub fn sdk_stays_in_adapters(workspace: &Workspace) -> Violations {
    workspace
        .sources
        .iter()
        .filter(|(path, _)| path.ends_with(".rs") && !ADAPTERS.iter().any(|place| path.contains(place)))
        .filter(|(_, text)| AWS_CRATES.iter().any(|name| text.contains(name)))
        .map(|(path, _)| {
            format!(
                "{path}: do not use aws* crates here: define a trait, and implement it with the SDK in \
             src/adapters"
            )
        })
        .collect()
}

/// Each file is short enough to be read in one go.
pub fn files_are_short(workspace: &Workspace) -> Violations {
    workspace
        .sources
        .iter()
        .filter(|(path, _)| path.ends_with(".rs"))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > MAX_FILE_LINES)
        .map(|(path, lines)| {
            format!("{path}: split this file: it has {lines} lines, more than {MAX_FILE_LINES}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutant::{assert_reports, workspace};

    /// The repository with an additional file.
    fn with_file(path: &str, text: &str) -> Workspace {
        let mut workspace = workspace();
        workspace.sources.insert(path.into(), text.into());
        workspace
    }

    #[test]
    fn a_domain_that_depends_on_a_runtime() {
        let mut workspace = workspace();
        assert!(
            workspace.domain_dependencies.contains(&"serde".to_owned()),
            "{:?}",
            workspace.domain_dependencies
        );
        workspace.domain_dependencies.extend(["tokio-util".into(), "awsome".into()]);
        assert_reports(&domain_is_pure(&workspace), &["tokio-util"]);
    }

    #[test]
    fn a_service_that_depends_on_another() {
        let mut workspace = workspace();
        let payments = workspace.packages.iter_mut().find(|package| package.name == "payments").unwrap();
        payments.dependencies.push(Dependency {
            name: "orders".into(),
            is_dev: false,
            features: vec![TEST_SUPPORT.into()],
        });
        assert_reports(&services_are_independent(&workspace), &["lambdas/payments", "orders"]);
        assert_reports(&test_support_is_not_deployed(&workspace), &["lambdas/payments", "orders"]);
    }

    #[test]
    fn a_package_that_tests_compile_once_more() {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        let built = lines(&["tokio v1 net", "serde v1 std"]);
        let tested = lines(&["tokio v1 net,test-util", "serde v1 std", "proptest v1 std"]);
        assert_reports(&tests_select_no_other_features(&built, &tested), &["tokio v1 net"]);
    }

    #[test]
    fn a_function_that_mentions_the_emulator() {
        let workspace = with_file("lambdas/orders/src/local.rs", "// MiniStack takes any key");
        assert_reports(&emulator_is_not_mentioned(&workspace), &["lambdas/orders/src/local.rs", "ministack"]);
    }

    #[test]
    fn an_sdk_outside_the_adapters() {
        for text in ["use aws_sdk_dynamodb::Client;", "use aws::Aws;", "use aws_objects::Bucket;"] {
            let workspace = with_file("lambdas/orders/src/place.rs", text);
            assert_reports(&sdk_stays_in_adapters(&workspace), &["lambdas/orders/src/place.rs"]);
            for fine in ["lambdas/orders/src/adapters/table.rs", "lambdas/orders/src/bin/x.rs"] {
                assert_eq!(sdk_stays_in_adapters(&with_file(fine, text)), Violations::new());
            }
        }
    }

    #[test]
    fn a_file_that_is_too_long() {
        let workspace = with_file("shared/domain/src/all.rs", &"//\n".repeat(MAX_FILE_LINES + 1));
        assert_reports(&files_are_short(&workspace), &["shared/domain/src/all.rs", "401"]);
    }
}
