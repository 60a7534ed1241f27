//! Checks that the metrics of log lines and of alarms are declared in `platform::metrics::METRICS`, and what the documents
//! say they cost.

use std::collections::{BTreeMap, BTreeSet};

use heck::ToKebabCase;
use platform::metrics::{METRICS, Metric, metric};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use serde_json::{Value, json};

use crate::Violations;
use crate::template::{FUNCTION, MAPPING, QUEUE, Template, list, target};
use crate::workspace::Workspace;

/// The resource type of an alarm.
const ALARM: &str = "AWS::CloudWatch::Alarm";
/// The resource type of a composite alarm.
const COMPOSITE: &str = "AWS::CloudWatch::CompositeAlarm";
/// The resource type of a dashboard.
const DASHBOARD: &str = "AWS::CloudWatch::Dashboard";
/// The document with the costs.
const COSTS: &str = "docs/DEPLOY.md";
/// The metrics of each function that handles records, while none fails.
const OF_RECORDS: [&str; 2] = ["RecordsHandled", "RecordAgeSeconds"];
/// The other metrics, of which there are values although nobody orders: the health check does, and scheduled functions run.
const IDLE: [&str; 4] = ["Orders", "OrderSeconds", "OldestOpenOrderSeconds", "UnhealthyChecks"];
/// The module of `platform` with the log line of each record.
const RECORD_LINE: &str = "shared/platform/src/host/record.rs";

/// The fields of a log line with `target: TARGET`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    fields: BTreeSet<String>,
}

impl Line {
    /// The declared metrics of the line.
    fn metrics(&self) -> impl Iterator<Item = &'static Metric> {
        self.fields.iter().filter_map(|name| metric(name))
    }
}

/// The fields of metric lines are declared: a name with a capital letter is a metric, and its line has its dimensions. Each
/// declared metric is on some line.
pub fn lines_are_declared(workspace: &Workspace) -> Violations {
    let mut logged = BTreeSet::new();
    let mut violations = Vec::new();
    for (path, text) in &workspace.sources {
        for line in lines(text) {
            for name in line.fields.iter().filter(|name| name.starts_with(|it: char| it.is_ascii_uppercase()))
            {
                let Some(metric) = metric(name) else {
                    violations.push(format!(
                        "{path}: {name} is not declared: add it to platform::metrics::METRICS"
                    ));
                    continue;
                };
                logged.insert(metric.name);
                let dimensions = metric.dimensions.iter().flat_map(|set| set.iter());
                let missing = dimensions.filter(|it| **it != "function" && !line.fields.contains(**it));
                violations.extend(
                    missing.map(|it| format!("{path}: the line with {name} lacks its dimension {it}")),
                );
            }
        }
    }
    let unused = METRICS.iter().filter(|metric| !logged.contains(metric.name));
    violations.extend(unused.map(|metric| format!("{} is declared and on no line: remove it", metric.name)));
    violations
}

/// Each alarm about a metric of the stack's own namespace can fire: its function logs the metric, with exactly the
/// dimensions of the alarm.
pub fn alarms_have_metrics(template: &Template, workspace: &Workspace) -> Violations {
    let lines = lines_by_function(template, workspace);
    let is_logged = |function: &str, metric: &str| {
        let logged = lines.iter().find(|(id, _)| id.to_kebab_case() == function).map(|(_, lines)| lines);
        logged.into_iter().flatten().any(|line| line.metrics().any(|it| it.name == metric))
    };
    let mut violations = Vec::new();
    for (id, alarm) in template.all(ALARM) {
        for about in metrics_of(alarm.property("")).filter(|about| about["Namespace"] == namespace()) {
            let name = about["MetricName"].as_str().unwrap_or_default();
            let dimensions = list(&about["Dimensions"]).iter();
            let dimensions: BTreeMap<&str, &str> =
                dimensions.filter_map(|it| Some((it["Name"].as_str()?, it["Value"].as_str()?))).collect();
            let declared = metric(name).is_some_and(|metric| {
                let mut sets = metric.dimensions.iter();
                sets.any(|set| {
                    set.iter().copied().collect::<BTreeSet<_>>() == dimensions.keys().copied().collect()
                })
            });
            let function = dimensions.get("function");
            if !declared || function.is_some_and(|function| !is_logged(function, name)) {
                violations.push(format!("{id}: it never fires: nothing logs {name} with {dimensions:?}"));
            }
        }
    }
    violations
}

/// The metrics of an alarm: its own properties, or those of its list.
fn metrics_of(alarm: &Value) -> impl Iterator<Item = &Value> {
    let listed = list(&alarm["Metrics"]).iter().map(|entry| &entry["MetricStat"]["Metric"]);
    let own = (!alarm["MetricName"].is_null()).then_some(alarm);
    listed.filter(|metric| !metric.is_null()).chain(own)
}

/// Each function logs its metrics in the namespace of the stack.
pub fn functions_have_a_namespace(template: &Template) -> Violations {
    let functions = template.all(FUNCTION).into_iter();
    let own = functions.map(|(id, it)| (id, it.property("/Environment/Variables/METRICS_NAMESPACE")));
    let global = ("Globals", &template.globals()["Environment"]["Variables"]["METRICS_NAMESPACE"]);
    let wrong = own.filter(|(_, value)| !value.is_null() && **value != namespace());
    let global = Some(global).filter(|(_, value)| **value != namespace());
    let wrong = wrong.chain(global).map(|(id, _)| id);
    wrong.map(|id| format!("{id}: set METRICS_NAMESPACE: !Ref AWS::StackName in its Environment")).collect()
}

/// The table of costs has the numbers of the template: alarms, custom metrics, polled queues and metrics of queues.
pub fn costs_are_counted(template: &Template, costs: &str) -> Violations {
    let alarms = template.all(ALARM);
    // An anomaly detector adds the two bounds of its band.
    let billed =
        |alarm: &Value| metrics_of(alarm).count() + if alarm["ThresholdMetricId"].is_null() { 0 } else { 2 };
    let about: usize = alarms.values().map(|alarm| billed(alarm.property(""))).sum();
    let composite = template.all(COMPOSITE).len();
    let dashboards = template.all(DASHBOARD).len();
    let consumers = template.all(MAPPING).len();
    let metrics = OF_RECORDS.len() * consumers + IDLE.len();
    let queues = template.all(QUEUE);
    let sources = template.all(MAPPING).into_values().filter_map(|it| target(it.property("/EventSourceArn")));
    let polled = sources.filter(|id| queues.contains_key(id)).count();
    let expected = [
        format!(
            "| Alarms | {} about {about} metrics at 0.10, {composite} composite at 0.50 | {} |",
            alarms.len(),
            dollars(about * 10 + composite * 50)
        ),
        format!("| Dashboards | {dashboards} at 3.00 | {} |", dollars(dashboards * 300)),
        format!("| Custom metrics | {metrics} while nobody orders, "),
        format!(" | {} |", dollars(metrics * 30)),
        format!("| Queue polling | {polled} mappings × "),
        format!("`check-health` reads {} metrics every ", source_queues(template)),
    ];
    let missing = expected.iter().filter(|text| !costs.contains(text.as_str()));
    missing.map(|text| format!("{COSTS}: correct the table of costs: it does not say {text:?}")).collect()
}

fn dollars(cents: usize) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// The value of `Namespace` that log lines get from `METRICS_NAMESPACE`.
fn namespace() -> Value {
    json!({ "Ref": "AWS::StackName" })
}

fn source_queues(template: &Template) -> usize {
    let dead_letters = template.all(QUEUE).keys().filter(|id| id.ends_with("DeadLetters")).count();
    template.all(QUEUE).len() - dead_letters
}

/// The metric lines of each function: those of the modules of its service that its `main` names, and that of each record of a
/// queue or a stream.
fn lines_by_function<'a>(template: &'a Template, workspace: &Workspace) -> BTreeMap<&'a str, Vec<Line>> {
    let mappings = template.all(MAPPING).into_values();
    let consumers: BTreeSet<&str> = mappings.filter_map(|it| target(it.property("/FunctionName"))).collect();
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
                    || path.as_str() == RECORD_LINE && consumers.contains(id)
            };
            let sources = workspace.sources.iter().filter(|(path, _)| is_named(path));
            (id, sources.flat_map(|(_, text)| lines(text)).collect())
        })
        .collect()
}

/// The metric lines of a source file.
fn lines(source: &str) -> Vec<Line> {
    let mut found = Vec::new();
    // Tests may log what nothing declares.
    let shipped = source.split_once("#[cfg(test)]\nmod ").map_or(source, |(shipped, _)| shipped);
    collect(shipped.parse().unwrap_or_default(), &mut found);
    found
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
            found.push(Line { fields: names.collect() });
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
        let fields = ["A", "B", "step", "queue", "mail"].map(str::to_owned);
        assert_eq!(found, [Line { fields: fields.into_iter().collect() }]);
        collect(r#"info!(target: "x", A = 1, "m"); warn!(error, A = 1)"#.parse().unwrap(), &mut found);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn a_line_that_is_not_as_declared() {
        let expire = "lambdas/orders/src/expire.rs";
        let changed = |from: &str, to: &str| {
            let mut sources = workspace();
            let text = sources.sources.get_mut(expire).unwrap();
            assert!(text.contains(from));
            *text = text.replace(from, to);
            lines_are_declared(&sources)
        };
        assert_reports(&changed("Orders = 0", "OpenOrders = 0"), &[expire, "OpenOrders"]);
        assert_reports(&changed("outcome = OrderStatus", "result = OrderStatus"), &["Orders", "outcome"]);
        assert_reports(&changed("UnfinishedRuns = ", "unfinished = "), &["UnfinishedRuns", "on no line"]);
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
        let less = with("ProviderAlarm/Properties/Dimensions", json!([]));
        assert_reports(&alarms_have_metrics(&less, &sources), &["ProviderAlarm"]);
        let other = with(&format!("{UNFINISHED}/Dimensions/0/Value"), json!("relay-outbox"));
        assert_reports(&alarms_have_metrics(&other, &sources), &["relay-outbox"]);
        let no_records = with("SendEmailRecordsAlarm/Properties/Dimensions/0/Value", json!("orders-api"));
        assert_reports(&alarms_have_metrics(&no_records, &sources), &["SendEmailRecordsAlarm"]);
        let math = with("NoOrdersAlarm/Properties/Metrics/0/MetricStat/Metric/MetricName", json!("Order"));
        assert_reports(&alarms_have_metrics(&math, &sources), &["NoOrdersAlarm"]);
    }

    #[test]
    fn a_function_without_a_namespace() {
        let none = repository().changed(|root| {
            root["Globals"]["Function"]["Environment"]["Variables"]["METRICS_NAMESPACE"].take();
        });
        assert_reports(&functions_have_a_namespace(&none), &["Globals", "METRICS_NAMESPACE"]);
        let other = with("CheckHealth/Properties/Environment/Variables/METRICS_NAMESPACE", json!("other"));
        assert_reports(&functions_have_a_namespace(&other), &["CheckHealth", "METRICS_NAMESPACE"]);
    }

    #[test]
    fn a_cost_that_is_no_longer_right() {
        let costs = std::fs::read_to_string(root().join(COSTS)).unwrap();
        let more = |kind: &str| {
            let properties = json!({ "MetricName": "M" });
            let changed = repository().changed(|root| {
                root["Resources"]["More"] = json!({ "Type": kind, "Properties": properties });
            });
            costs_are_counted(&changed, &costs)
        };
        assert_reports(&more(ALARM), &["| Alarms | "]);
        assert_reports(&more(COMPOSITE), &["| Alarms | "]);
        assert_reports(&more(DASHBOARD), &["| Dashboards | "]);
        assert!(more(QUEUE).iter().any(|it| it.contains("reads 13 metrics")));
        assert!(more(MAPPING).iter().any(|it| it.contains("| Custom metrics | ")));
        let mapping = with("SendEmailMapping/Properties/EventSourceArn", json!({ "Ref": "OrdersTable" }));
        assert_reports(&costs_are_counted(&mapping, &costs), &["11 mappings"]);
    }
}
