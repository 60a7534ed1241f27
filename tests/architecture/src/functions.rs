//! Checks that the template's functions, the binaries, the sample events and the log groups match.

use std::collections::BTreeMap;

use heck::ToKebabCase;
use serde_json::Value;

use crate::Violations;
use crate::template::{FUNCTION, Template, target};
use crate::workspace::Workspace;

/// Each function of the template has a binary of the same name in the package of its `CodeUri`, and each binary of a
/// service has a function in the template.
pub fn match_binaries(template: &Template, workspace: &Workspace) -> Violations {
    let mut found = Violations::new();
    let functions = template.all(FUNCTION);
    for (id, function) in &functions {
        let name = id.to_kebab_case();
        let folder = function.property("/CodeUri").as_str().unwrap_or_default();
        let package = workspace.services().find(|package| package.folder == folder);
        if !package.is_some_and(|package| package.binaries.contains(&name)) {
            found.push(format!(
                "{id}: there is no binary {name} in {folder:?}: add {folder}/src/bin/{name}.rs, or \
                 set CodeUri to the package that has it"
            ));
        }
    }
    for package in workspace.services() {
        for binary in &package.binaries {
            if !functions.keys().any(|id| id.to_kebab_case() == *binary) {
                found.push(format!(
                    "{}: the binary {binary} has no function in template.yaml: add one, with its \
                     trigger and its policies",
                    package.folder
                ));
            }
        }
    }
    found
}

/// Binary names are unique in the workspace, because all binaries share one target directory.
pub fn have_unique_binary_names(workspace: &Workspace) -> Violations {
    let mut owners: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in &workspace.packages {
        for binary in &package.binaries {
            owners.entry(binary).or_default().push(&package.folder);
        }
    }
    owners
        .into_iter()
        .filter(|(_, folders)| folders.len() > 1)
        .map(|(name, folders)| format!("rename all but one of the binaries {name} in {}", folders.join(", ")))
        .collect()
}

/// Each function has a sample event, and each sample event belongs to a function.
pub fn have_sample_events(template: &Template, samples: &BTreeMap<String, Value>) -> Violations {
    let names: Vec<String> = template.all(FUNCTION).keys().map(|id| id.to_kebab_case()).collect();
    let missing = names
        .iter()
        .filter(|name| !samples.contains_key(*name))
        .map(|name| format!("{name}: add events/{name}.json, an event that the function accepts"));
    let orphans = samples
        .keys()
        .filter(|name| !names.contains(name))
        .map(|name| format!("events/{name}.json: there is no function {name}: rename or remove the file"));
    missing.chain(orphans).collect()
}

/// Each function has its own log group, which is named after it and has a retention period.
pub fn have_log_groups(template: &Template) -> Violations {
    let groups = template.all("AWS::Logs::LogGroup");
    let mut found = Violations::new();
    for (id, function) in template.all(FUNCTION) {
        let name = id.to_kebab_case();
        let group = target(function.property("/LoggingConfig/LogGroup")).and_then(|group| groups.get(group));
        let Some(group) = group else {
            found.push(format!("{id}: set LoggingConfig.LogGroup to its own AWS::Logs::LogGroup"));
            continue;
        };
        if group.property("/LogGroupName/Fn::Sub") != format!("/${{AWS::StackName}}/{name}").as_str() {
            found.push(format!(
                "{}: set LogGroupName to /${{AWS::StackName}}/{name}, where the tools expect it",
                group.id
            ));
        }
        if !group.property("/RetentionInDays").is_u64() {
            found.push(format!(
                "{}: set RetentionInDays: without it, logs are stored, and billed, for ever",
                group.id
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mutant::{assert_reports, repository, with, workspace};
    use crate::workspace::samples;

    /// A workspace whose binaries match the template, whether or not they are written.
    fn matching_workspace() -> Workspace {
        let mut workspace = workspace();
        let template = repository();
        for package in &mut workspace.packages {
            let in_folder = template
                .all(FUNCTION)
                .into_iter()
                .filter(|(_, function)| function.property("/CodeUri") == package.folder.as_str());
            package.binaries = in_folder.map(|(id, _)| id.to_kebab_case()).collect();
        }
        workspace
    }

    #[test]
    fn a_function_without_a_binary() {
        let elsewhere = with("OrdersApi/Properties/CodeUri", json!("lambdas/payments"));
        assert_reports(
            &match_binaries(&elsewhere, &matching_workspace()),
            &["OrdersApi", "lambdas/payments"],
        );
    }

    #[test]
    fn a_binary_without_a_function() {
        let mut workspace = matching_workspace();
        let orders = workspace.packages.iter_mut().find(|package| package.name == "orders").unwrap();
        orders.binaries.push("ship-order".into());
        assert_reports(&match_binaries(&repository(), &workspace), &["lambdas/orders", "ship-order"]);
    }

    #[test]
    fn two_binaries_with_one_name() {
        let mut workspace = matching_workspace();
        assert_eq!(have_unique_binary_names(&workspace), Violations::new());
        workspace.packages.iter_mut().find(|p| p.name == "xtask").unwrap().binaries.push("orders-api".into());
        assert_reports(&have_unique_binary_names(&workspace), &["orders-api", "lambdas/orders", "xtask"]);
    }

    #[test]
    fn a_function_without_a_sample_and_a_sample_without_a_function() {
        let mut samples = samples().unwrap();
        let sample = samples.remove("send-email").unwrap();
        assert_reports(&have_sample_events(&repository(), &samples), &["events/send-email.json"]);
        samples.insert("send-email".into(), sample.clone());
        samples.insert("send-mail".into(), sample);
        assert_reports(&have_sample_events(&repository(), &samples), &["events/send-mail.json"]);
    }

    #[test]
    fn a_function_without_a_log_group() {
        let none = with("SendEmail/Properties/LoggingConfig", Value::Null);
        assert_reports(&have_log_groups(&none), &["SendEmail", "LogGroup"]);
        let shared = with("SendEmail/Properties/LoggingConfig/LogGroup/Ref", json!("TrackOrderLogGroup"));
        assert_reports(&have_log_groups(&shared), &["TrackOrderLogGroup", "send-email"]);
        let for_ever = with("SendEmailLogGroup/Properties/RetentionInDays", Value::Null);
        assert_reports(&have_log_groups(&for_ever), &["SendEmailLogGroup", "RetentionInDays"]);
    }
}
