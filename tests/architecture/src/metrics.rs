//! Checks the metrics of the log lines of `platform::metrics`, the alarms about them, and what the documents say they
//! cost.

use std::collections::{BTreeMap, BTreeSet};

use heck::ToKebabCase;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use serde_json::json;

use crate::Violations;
use crate::template::{FUNCTION, MAPPING, QUEUE, Template, list, target};
use crate::workspace::Workspace;

/// The resource type of an alarm.
const ALARM: &str = "AWS::CloudWatch::Alarm";
/// The document with the costs.
const COSTS: &str = "docs/DEPLOY.md";
/// The functions that publish metrics while no orders come in.
const SCHEDULED: [&str; 2] = ["CheckHealth", "ExpireOrders"];

/// The fields of a log line with `target: metrics::TARGET`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    /// The names of the metrics.
    metrics: BTreeSet<String>,
    /// The dimensions besides `function`.
    dimensions: BTreeSet<String>,
}

/// Each alarm about a metric of the stack's own namespace can fire: its function logs the metric, with exactly the
/// dimensions of the alarm.
pub fn alarms_have_metrics(template: &Template, workspace: &Workspace) -> Violations {
    let lines = lines_by_function(template, workspace);
    let own =
        template.all(ALARM).into_iter().filter(|(_, alarm)| *alarm.property("/Namespace") == namespace());
    own.filter_map(|(id, alarm)| {
        let metric = alarm.property("/MetricName").as_str().unwrap_or_default();
        let value = |name: &str| {
            let dimension = list(alarm.property("/Dimensions")).iter().find(|it| it["Name"] == name)?;
            dimension["Value"].as_str()
        };
        let names = list(alarm.property("/Dimensions")).iter().filter_map(|it| it["Name"].as_str());
        let dimensions: BTreeSet<&str> = names.filter(|name| *name != "function").collect();
        let function = value("function").unwrap_or_default();
        let logged = lines.iter().find(|(id, _)| id.to_kebab_case() == function).map(|(_, lines)| lines);
        let about: Vec<&Line> =
            logged.into_iter().flatten().filter(|line| line.metrics.contains(metric)).collect();
        if about.iter().any(|line| line.dimensions.iter().map(String::as_str).collect::<BTreeSet<_>>() == dimensions) {
            return None;
        }
        let with: Vec<_> = about.iter().map(|line| &line.dimensions).collect();
        Some(format!(
            "{id}: it never fires: it is about {metric} of the function {function:?} with {dimensions:?}, besides \
             `function`, and the function logs it with one of {with:?}"
        ))
    })
    .collect()
}

/// Each function that logs metrics has the namespace of the stack.
pub fn functions_have_a_namespace(template: &Template, workspace: &Workspace) -> Violations {
    let functions = template.all(FUNCTION);
    let lines = lines_by_function(template, workspace);
    let with_metrics = lines.iter().filter(|(_, lines)| !lines.is_empty()).map(|(id, _)| *id);
    with_metrics
        .filter(|id| *functions[id].property("/Environment/Variables/METRICS_NAMESPACE") != namespace())
        .map(|id| {
            format!("{id}: set METRICS_NAMESPACE: !Ref AWS::StackName in its Environment: it logs metrics")
        })
        .collect()
}

/// The table of costs has the numbers of the template: alarms, custom metrics, polled queues and metrics of queues.
pub fn costs_are_counted(template: &Template, workspace: &Workspace, costs: &str) -> Violations {
    let alarms = template.all(ALARM).len();
    let metrics = count_metrics(template, workspace);
    let queues = template.all(QUEUE);
    let sources = template.all(MAPPING).into_values().filter_map(|it| target(it.property("/EventSourceArn")));
    let polled = sources.filter(|id| queues.contains_key(id)).count();
    let expected = [
        (format!("| Alarms | {alarms} at 0.10 | {} |", dollars(alarms * 10))),
        (format!("| Custom metrics | {metrics} of `check-health` and `expire-orders`, ")),
        (format!(" | {} |", dollars(metrics * 30))),
        (format!("| Queue polling | {polled} mappings × ")),
        (format!("`check-health` reads {} metrics every ", source_queues(template))),
    ];
    let missing = expected.iter().filter(|text| !costs.contains(text.as_str()));
    missing.map(|text| format!("{COSTS}: correct the table of costs: it does not say {text:?}")).collect()
}

fn dollars(cents: usize) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// The value of `Namespace` that log lines get from `METRICS_NAMESPACE`.
fn namespace() -> serde_json::Value {
    json!({ "Ref": "AWS::StackName" })
}

/// The number of custom metrics that the scheduled functions publish: each combination of values of the dimensions is
/// one.
fn count_metrics(template: &Template, workspace: &Workspace) -> usize {
    let lines = lines_by_function(template, workspace);
    let lines = SCHEDULED.iter().filter_map(|id| lines.get(id)).flatten();
    lines
        .map(|line| {
            let values = |dimension: &String| match dimension.as_str() {
                "queue" if line.metrics.contains("DeadLetters") => dead_letter_queues(template),
                "queue" => source_queues(template),
                "step" => steps(workspace),
                _ => 0,
            };
            line.metrics.len() * line.dimensions.iter().map(values).product::<usize>()
        })
        .sum()
}

fn dead_letter_queues(template: &Template) -> usize {
    template.all(QUEUE).keys().filter(|id| id.ends_with("DeadLetters")).count()
}

fn source_queues(template: &Template) -> usize {
    template.all(QUEUE).len() - dead_letter_queues(template)
}

/// The number of steps of the health check.
fn steps(workspace: &Workspace) -> usize {
    let source = workspace.sources.get("lambdas/operations/src/report.rs").map_or("", String::as_str);
    let body = source.split_once("pub enum Step {").and_then(|(_, rest)| rest.split_once("\n}"));
    let is_variant = |line: &&str| line.trim().ends_with(',');
    body.map_or(0, |(body, _)| body.lines().filter(is_variant).count())
}

/// The metric lines of each function: those of the modules of its service that its `main` names.
fn lines_by_function<'a>(template: &'a Template, workspace: &Workspace) -> BTreeMap<&'a str, Vec<Line>> {
    let functions = template.all(FUNCTION).into_iter();
    functions
        .map(|(id, function)| {
            let folder = format!("{}/src/", function.property("/CodeUri").as_str().unwrap_or_default());
            let main = workspace.sources.get(&format!("{folder}bin/{}.rs", id.to_kebab_case()));
            let main = main.map_or("", String::as_str);
            let is_named = |path: &&String| {
                let module = path.strip_prefix(&folder).and_then(|rest| rest.strip_suffix(".rs"));
                let module = module.map(|path| path.trim_end_matches("/mod").replace('/', "::"));
                module.is_some_and(|module| main.contains(&format!("::{module}::")))
            };
            let sources = workspace.sources.iter().filter(|(path, _)| is_named(path));
            let lines = sources.flat_map(|(_, text)| {
                let mut found = Vec::new();
                collect(text.parse().unwrap_or_default(), &mut found);
                found
            });
            (id, lines.collect())
        })
        .collect()
}

/// Collects the metric lines in `tokens`.
fn collect(tokens: TokenStream, found: &mut Vec<Line>) {
    for token in tokens {
        let TokenTree::Group(group) = token else { continue };
        let arguments: Vec<TokenTree> = group.stream().into_iter().collect();
        let is_macro = group.delimiter() == Delimiter::Parenthesis;
        let mut parts = arguments.split(|token| is_punct(token, ','));
        let first = parts.next().unwrap_or_default();
        let starts_with = first.first().is_some_and(|token| token.to_string() == "target");
        if is_macro && starts_with && first.last().is_some_and(|token| token.to_string() == "TARGET") {
            // A field is `name = value`, `name`, `%name` or `?name`; the message is a literal.
            let names = parts.filter_map(|part| match part {
                [TokenTree::Ident(name), ..] | [TokenTree::Punct(_), TokenTree::Ident(name), ..] => {
                    Some(name.to_string())
                }
                _ => None,
            });
            let (metrics, dimensions) =
                names.partition(|name| name.starts_with(|first: char| first.is_ascii_uppercase()));
            found.push(Line { metrics, dimensions });
        } else {
            collect(group.stream(), found);
        }
    }
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutant::{assert_reports, repository, with, workspace};
    use crate::workspace::root;

    const UNFINISHED: &str = "ExpireOrdersUnfinishedAlarm/Properties";

    #[test]
    fn the_fields_of_a_metric_line() {
        let mut found = Vec::new();
        let code = r#"fn f() { info!(target: metrics::TARGET, A = f(1, 2), B = u32::from(x), step = s.as_ref(), %queue, mail, "m"); }"#;
        collect(code.parse().unwrap(), &mut found);
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(found, [Line { metrics: set(&["A", "B"]), dimensions: set(&["step", "queue", "mail"]) }]);
        collect(r#"info!(target: "x", A = 1, "m"); warn!(error, A = 1)"#.parse().unwrap(), &mut found);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn an_alarm_that_never_fires() {
        let sources = workspace();
        let renamed = with(&format!("{UNFINISHED}/MetricName"), json!("UnfinishedRun"));
        assert_reports(
            &alarms_have_metrics(&renamed, &sources),
            &["ExpireOrdersUnfinishedAlarm", "UnfinishedRun"],
        );
        let more =
            json!([{ "Name": "function", "Value": "expire-orders" }, { "Name": "step", "Value": "x" }]);
        let more = with(&format!("{UNFINISHED}/Dimensions"), more);
        assert_reports(&alarms_have_metrics(&more, &sources), &["ExpireOrdersUnfinishedAlarm", "step"]);
        let less = with("CheckHealthUnhealthyAlarm/Properties/MetricName", json!("StepFailures"));
        assert_reports(&alarms_have_metrics(&less, &sources), &["CheckHealthUnhealthyAlarm", "step"]);
        let other = with(&format!("{UNFINISHED}/Dimensions/0/Value"), json!("relay-outbox"));
        assert_reports(&alarms_have_metrics(&other, &sources), &["relay-outbox"]);
    }

    #[test]
    fn a_function_without_a_namespace() {
        let none =
            with("CheckHealth/Properties/Environment/Variables/METRICS_NAMESPACE", serde_json::Value::Null);
        assert_reports(
            &functions_have_a_namespace(&none, &workspace()),
            &["CheckHealth", "METRICS_NAMESPACE"],
        );
    }

    #[test]
    fn a_cost_that_is_no_longer_right() {
        let costs = std::fs::read_to_string(root().join(COSTS)).unwrap();
        let check = |template: &Template, sources: &Workspace| costs_are_counted(template, sources, &costs);
        let sources = workspace();
        let alarm = repository().changed(|root| {
            root["Resources"]["MoreAlarm"] = json!({ "Type": ALARM, "Properties": {} });
        });
        assert_reports(&check(&alarm, &sources), &["| Alarms | 22 at 0.10 | 2.20 |"]);
        let mut logs_more = sources.clone();
        let expire = logs_more.sources.get_mut("lambdas/orders/src/expire.rs").unwrap();
        *expire = expire.replace("OpenOrders = self.open,", "OpenOrders = self.open, Runs = 1,");
        let found = check(&repository(), &logs_more);
        assert!(found.iter().any(|it| it.contains("| Custom metrics | 72 of")), "{found:?}");
        let queue = repository().changed(|root| {
            root["Resources"]["MoreQueue"] = json!({ "Type": QUEUE, "Properties": {} });
        });
        let found = check(&queue, &sources);
        assert!(found.iter().any(|it| it.contains("reads 13 metrics")), "{found:?}");
        let mapping = with("SendEmailMapping/Properties/EventSourceArn", json!({ "Ref": "OrdersTable" }));
        assert_reports(&check(&mapping, &sources), &["11 mappings"]);
    }
}
