//! The dashboards of the template, with the metrics of a run.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use architecture::template::Template;
use serde_json::Value;

use crate::alarm::text;
use crate::data::{Data, Metric};
use crate::expression::Expression;
use crate::statistic::Statistic;

/// The most points that a line has: a longer period than that of the widget is drawn if there would be more.
const MAX_POINTS: i64 = 400;

/// A dashboard of the template, whose body is parsed.
#[derive(Debug, Clone)]
pub struct Dashboard {
    /// The logical id.
    pub id: String,
    /// The widgets, in the order of the body.
    pub widgets: Vec<Widget>,
}

/// A widget with metrics. Sizes are in the grid of CloudWatch, which is 24 wide.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names of CloudWatch")]
pub struct Widget {
    pub title: String,
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    pub is_single_value: bool,
    /// Horizontal lines with their labels.
    pub annotations: Vec<(String, f64)>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    id: String,
    label: String,
    is_visible: bool,
    period: i64,
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Metric(Metric, Statistic),
    Expression(Expression),
    Search(Search),
}

/// `SEARCH('{namespace,dimension} MetricName="name" …', 'statistic', period)`. Further terms select the resources of the stack, of
/// which a run has no others.
#[derive(Debug, Clone)]
struct Search {
    namespace: String,
    dimensions: BTreeSet<String>,
    name: String,
    statistic: Statistic,
}

/// A line of a widget: its label, and its values by the time in seconds.
pub type Line = (String, Vec<(i64, f64)>);

/// The dashboards of a template.
///
/// # Errors
/// If a widget has something that is not known here.
pub fn dashboards(template: &Template) -> Result<Vec<Dashboard>> {
    let all = template.all("AWS::CloudWatch::Dashboard").into_iter();
    all.map(|(id, dashboard)| {
        let body: Value = serde_json::from_str(&body_text(dashboard.property("/DashboardBody"))?)?;
        let widgets = body["widgets"].as_array().context("a dashboard without widgets")?.iter();
        let widgets = widgets.map(|widget| {
            Widget::read(widget).with_context(|| format!("{id}: {}", widget["properties"]["title"]))
        });
        Ok(Dashboard { id: id.to_owned(), widgets: widgets.collect::<Result<_>>()? })
    })
    .collect()
}

fn body_text(value: &Value) -> Result<String> {
    let body = value["Fn::Sub"].as_str().context("DashboardBody is no Fn::Sub")?;
    let stack = text(&serde_json::json!({ "Ref": "AWS::StackName" }))?;
    Ok(body.replace("${AWS::StackName}", &stack).replace("${AWS::Region}", "eu-central-1"))
}

impl Widget {
    fn read(widget: &Value) -> Result<Self> {
        let properties = &widget["properties"];
        let number = |name: &str| widget[name].as_f64().with_context(|| format!("{name} is no number"));
        let annotations = properties["annotations"]["horizontal"].as_array().into_iter().flatten();
        let entries = properties["metrics"].as_array().context("no metrics")?.iter();
        Ok(Self {
            title: text(&properties["title"])?,
            x: number("x")?,
            y: number("y")?,
            width: number("width")?,
            height: number("height")?,
            is_single_value: properties["view"] == "singleValue",
            annotations: annotations
                .filter_map(|it| Some((it["label"].as_str()?.to_owned(), it["value"].as_f64()?)))
                .collect(),
            entries: entries.map(|entry| Entry::read(entry, properties)).collect::<Result<_>>()?,
        })
    }

    /// The metrics that it names, in as far as each is one: a search names those that it finds.
    pub fn metrics<'a>(&'a self) -> Vec<&'a Metric> {
        let metric = |entry: &'a Entry| match &entry.source {
            Source::Metric(metric, _) => Some(metric),
            Source::Expression(_) | Source::Search(_) => None,
        };
        self.entries.iter().filter_map(metric).collect()
    }

    /// The searches that find nothing in the data.
    pub fn empty_searches(&self, data: &Data) -> Vec<String> {
        let searches = self.entries.iter().filter_map(|entry| match &entry.source {
            Source::Search(search) if search.find(data).next().is_none() => Some(search.name.clone()),
            _ => None,
        });
        searches.collect()
    }

    /// The visible lines from one time to another, in seconds.
    pub fn lines(&self, data: &Data, from: i64, until: i64) -> Vec<Line> {
        let mut by_id: BTreeMap<&str, Vec<(i64, f64)>> = BTreeMap::new();
        let mut lines = Vec::new();
        // Expressions come first in a widget, and use the metrics after them.
        let (computed, plain): (Vec<_>, Vec<_>) =
            self.entries.iter().partition(|entry| matches!(entry.source, Source::Expression(_)));
        for entry in plain {
            match &entry.source {
                Source::Search(search) => {
                    for metric in search.find(data) {
                        let label = metric.dimensions.values().cloned().collect::<Vec<_>>().join(" ");
                        let values = entry.values(data, metric, search.statistic, from, until);
                        lines.push((label, values));
                    }
                }
                Source::Metric(metric, statistic) => {
                    let values = entry.values(data, metric, *statistic, from, until);
                    if entry.is_visible {
                        lines.push((entry.label.clone(), values.clone()));
                    }
                    by_id.insert(&entry.id, values);
                }
                Source::Expression(_) => {}
            }
        }
        for entry in computed {
            let Source::Expression(expression) = &entry.source else { continue };
            let times: BTreeSet<i64> = by_id.values().flatten().map(|(second, _)| *second).collect();
            let value = |second: i64| {
                expression.value(&|id| {
                    by_id.get(id)?.iter().find(|(other, _)| *other == second).map(|(_, value)| *value)
                })
            };
            let values = times.into_iter().filter_map(|second| Some((second, value(second)?)));
            lines.push((entry.label.clone(), values.collect()));
        }
        lines.retain(|(_, values)| !values.is_empty());
        lines
    }
}

impl Entry {
    fn read(entry: &Value, properties: &Value) -> Result<Self> {
        let parts = entry.as_array().context("an entry is no list")?;
        let options = parts.last().filter(|part| part.is_object()).unwrap_or(&Value::Null);
        let names: Vec<String> = parts.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let stat = options["stat"].as_str().or(properties["stat"].as_str()).unwrap_or("Average");
        let source = match (options["expression"].as_str(), names.as_slice()) {
            (Some(expression), _) if expression.starts_with("SEARCH(") => {
                Source::Search(Search::parse(expression)?)
            }
            (Some(expression), _) => Source::Expression(Expression::parse(expression)?),
            (None, [namespace, name, dimensions @ ..]) => {
                let pairs = dimensions.chunks(2).map(|pair| match pair {
                    [name, value] => Ok((name.clone(), value.clone())),
                    _ => anyhow::bail!("a dimension has no value"),
                });
                let dimensions = pairs.collect::<Result<_>>()?;
                let metric = Metric { namespace: namespace.clone(), name: name.clone(), dimensions };
                Source::Metric(metric, Statistic::parse(stat)?)
            }
            _ => anyhow::bail!("{entry} is neither a metric nor an expression"),
        };
        Ok(Self {
            id: options["id"].as_str().unwrap_or_default().to_owned(),
            label: options["label"]
                .as_str()
                .map_or_else(|| names.last().cloned(), |it| Some(it.to_owned()))
                .unwrap_or_default(),
            is_visible: options["visible"] != false,
            period: properties["period"].as_i64().unwrap_or(300),
            source,
        })
    }

    fn values(
        &self,
        data: &Data,
        metric: &Metric,
        statistic: Statistic,
        from: i64,
        until: i64,
    ) -> Vec<(i64, f64)> {
        let period = self.period.min(until - from).max((until - from) / MAX_POINTS).max(1);
        let mut values = Vec::new();
        let mut end = from + period;
        while end <= until {
            values.extend(statistic.of(&data.values(metric, end - period, end)).map(|value| (end, value)));
            end += period;
        }
        values
    }
}

impl Search {
    fn parse(text: &str) -> Result<Self> {
        let wrong = || format!("the search {text}");
        let schema = text.split_once('{').and_then(|(_, rest)| rest.split_once('}')).with_context(wrong)?.0;
        let (namespace, dimensions) = schema.split_once(',').with_context(wrong)?;
        let name = text.split_once("MetricName=\"").and_then(|(_, rest)| rest.split_once('"'));
        let statistic = text.rsplit('\'').nth(1).with_context(wrong)?;
        Ok(Self {
            namespace: namespace.to_owned(),
            dimensions: dimensions.split(',').map(str::to_owned).collect(),
            name: name.with_context(wrong)?.0.to_owned(),
            statistic: Statistic::parse(statistic)?,
        })
    }

    fn find<'a>(&'a self, data: &'a Data) -> impl Iterator<Item = &'a Metric> {
        data.metrics().filter(|metric| {
            metric.namespace == self.namespace
                && metric.name == self.name
                && metric.dimensions.keys().eq(&self.dimensions)
        })
    }
}
