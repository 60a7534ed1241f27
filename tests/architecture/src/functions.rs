//! That template, binaries and log groups belong together.

use std::collections::BTreeMap;

use heck::ToKebabCase;
use serde_json::Value;

use crate::Violations;
use crate::template::{FUNCTION, Template, target};
use crate::workspace::Workspace;

/// Each function of the template is the binary of the same name, in the package that it says, and each binary
/// of a service is a function of the template.
pub fn are_binaries(template: &Template, workspace: &Workspace) -> Violations {
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
                    "{}: the binary {binary} is no function of template.yaml: add one, with its \
                     trigger and its policies",
                    package.folder
                ));
            }
        }
    }
    found
}

/// No two binaries of the workspace have the same name: they share a target directory.
pub fn have_names_of_their_own(workspace: &Workspace) -> Violations {
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

/// Each function has a sample event, and each sample event a function.
pub fn have_sample_events(template: &Template, samples: &BTreeMap<String, Value>) -> Violations {
    let names: Vec<String> = template.all(FUNCTION).keys().map(|id| id.to_kebab_case()).collect();
    let missing = names
        .iter()
        .filter(|name| !samples.contains_key(*name))
        .map(|name| format!("{name}: add events/{name}.json, an event that the function accepts"));
    let orphans = samples
        .keys()
        .filter(|name| !names.contains(name))
        .map(|name| format!("events/{name}.json: there is no such function: rename or remove the file"));
    missing.chain(orphans).collect()
}

/// Each function logs to a group of its own, named after it, that forgets after some time.
pub fn have_log_groups(template: &Template) -> Violations {
    let groups = template.all("AWS::Logs::LogGroup");
    let mut found = Violations::new();
    for (id, function) in template.all(FUNCTION) {
        let name = id.to_kebab_case();
        let group = target(function.property("/LoggingConfig/LogGroup")).and_then(|group| groups.get(group));
        let Some(group) = group else {
            found.push(format!("{id}: set LoggingConfig.LogGroup to a AWS::Logs::LogGroup of its own"));
            continue;
        };
        if group.property("/LogGroupName/Fn::Sub") != format!("/${{AWS::StackName}}/{name}").as_str() {
            found.push(format!(
                "{}: set LogGroupName to /${{AWS::StackName}}/{name}, where the tools look for it",
                group.id
            ));
        }
        if !group.property("/RetentionInDays").is_u64() {
            found.push(format!(
                "{}: set RetentionInDays: without it, logs are kept and paid for ever",
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
    use crate::mutant::{assert_tells, repository, with, workspace};
    use crate::workspace::samples;

    /// Packages that fit the template, whether or not the binaries are written.
    fn fitting() -> Workspace {
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
        assert_tells(&are_binaries(&elsewhere, &fitting()), &["OrdersApi", "lambdas/payments"]);
    }

    #[test]
    fn a_binary_without_a_function() {
        let mut workspace = fitting();
        let orders = workspace.packages.iter_mut().find(|package| package.name == "orders").unwrap();
        orders.binaries.push("ship-order".into());
        assert_tells(&are_binaries(&repository(), &workspace), &["lambdas/orders", "ship-order"]);
    }

    #[test]
    fn two_binaries_of_one_name() {
        let mut workspace = fitting();
        assert_eq!(have_names_of_their_own(&workspace), Violations::new());
        workspace.packages.iter_mut().find(|p| p.name == "xtask").unwrap().binaries.push("orders-api".into());
        assert_tells(&have_names_of_their_own(&workspace), &["orders-api", "lambdas/orders", "xtask"]);
    }

    #[test]
    fn a_function_without_a_sample_and_a_sample_without_a_function() {
        let mut samples = samples().unwrap();
        let sample = samples.remove("send-email").unwrap();
        assert_tells(&have_sample_events(&repository(), &samples), &["events/send-email.json"]);
        samples.insert("send-email".into(), sample.clone());
        samples.insert("send-mail".into(), sample);
        assert_tells(&have_sample_events(&repository(), &samples), &["events/send-mail.json"]);
    }

    #[test]
    fn a_function_without_a_log_group() {
        let none = with("SendEmail/Properties/LoggingConfig", Value::Null);
        assert_tells(&have_log_groups(&none), &["SendEmail", "LogGroup"]);
        let shared = with("SendEmail/Properties/LoggingConfig/LogGroup/Ref", json!("TrackOrderLogGroup"));
        assert_tells(&have_log_groups(&shared), &["TrackOrderLogGroup", "send-email"]);
        let for_ever = with("SendEmailLogGroup/Properties/RetentionInDays", Value::Null);
        assert_tells(&have_log_groups(&for_ever), &["SendEmailLogGroup", "RetentionInDays"]);
    }
}
