//! The alarms of the template.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use architecture::template::{Template, list};
use serde_json::Value;

use crate::band::band;
use crate::data::{Data, Metric};
use crate::expression::Expression;
use crate::rule::Rule;
use crate::state::{Evaluation, Missing, State};
use crate::statistic::Statistic;

/// The name of the stack, which `AWS::StackName` refers to.
pub const STACK: &str = "shop";

/// An alarm of the template.
#[derive(Debug, Clone)]
pub struct Alarm {
    /// The logical id.
    pub id: String,
    /// `AlarmDescription`.
    pub description: String,
    /// Whether it notifies anybody: the others are parts of composite alarms.
    pub has_actions: bool,
    /// When it is raised.
    pub condition: Condition,
}

/// When an alarm is raised.
#[derive(Debug, Clone)]
pub enum Condition {
    /// A metric, or an expression over several, breaches a threshold.
    Metrics(MetricCondition),
    /// By the states of other alarms.
    Composite(Rule),
}

/// When a metric alarm is raised.
#[derive(Debug, Clone)]
pub struct MetricCondition {
    /// What is compared, and what it is computed from, by id.
    series: BTreeMap<String, Series>,
    /// The id of what is compared.
    compared: String,
    threshold: Threshold,
    period_seconds: i64,
    evaluation: Evaluation,
}

#[derive(Debug, Clone)]
enum Series {
    Metric(Metric, Statistic),
    Expression(Expression),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Threshold {
    Above(f64),
    AtLeast(f64),
    Below(f64),
    AtMost(f64),
    BelowBand(f64),
}

/// The alarms of a template.
///
/// # Errors
/// If an alarm has a property that is not known here.
pub fn alarms(template: &Template) -> Result<Vec<Alarm>> {
    let mut found = Vec::new();
    for kind in ["AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"] {
        for (id, alarm) in template.all(kind) {
            let condition = if kind.ends_with("CompositeAlarm") {
                let rule = text(alarm.property("/AlarmRule")).and_then(|rule| Rule::parse(&rule));
                rule.map(Condition::Composite)
            } else {
                MetricCondition::read(alarm.property("")).map(Condition::Metrics)
            };
            found.push(Alarm {
                id: id.to_owned(),
                description: alarm.property("/AlarmDescription").as_str().unwrap_or_default().to_owned(),
                has_actions: !list(alarm.property("/AlarmActions")).is_empty(),
                condition: condition.with_context(|| format!("the alarm {id}"))?,
            });
        }
    }
    Ok(found)
}

/// A text of the template. A reference to a resource, or to an attribute of one, is its logical id: the simulated
/// metrics have those too.
///
/// # Errors
/// If it is an intrinsic function that is not known here.
pub fn text(value: &Value) -> Result<String> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    if let Some(text) = value["Fn::Sub"].as_str() {
        return Ok(text.replace("${AWS::StackName}", STACK).replace("${", "").replace('}', ""));
    }
    match architecture::template::target(value) {
        Some("AWS::StackName") => Ok(STACK.to_owned()),
        Some(id) => Ok(id.to_owned()),
        None => bail!("{value} is not a text"),
    }
}

fn metric(namespace: &Value, name: &Value, dimensions: &Value) -> Result<Metric> {
    let dimensions = list(dimensions).iter().map(|it| Ok((text(&it["Name"])?, text(&it["Value"])?)));
    Ok(Metric {
        namespace: text(namespace)?,
        name: text(name)?,
        dimensions: dimensions.collect::<Result<_>>()?,
    })
}

impl MetricCondition {
    fn read(alarm: &Value) -> Result<Self> {
        let number = |name: &str| alarm[name].as_f64().with_context(|| format!("{name} is no number"));
        let whole = |name: &str| {
            let value = alarm[name].as_u64().with_context(|| format!("{name} is no whole number"))?;
            anyhow::Ok(usize::try_from(value)?)
        };
        let mut series = BTreeMap::new();
        let mut periods = Vec::new();
        let compared;
        if let Some(metrics) = alarm["Metrics"].as_array() {
            for entry in metrics {
                let id = text(&entry["Id"])?;
                let one = if let Some(expression) = entry["Expression"].as_str() {
                    Series::Expression(Expression::parse(expression)?)
                } else {
                    let (stat, it) = (&entry["MetricStat"], &entry["MetricStat"]["Metric"]);
                    periods.extend(stat["Period"].as_i64());
                    let statistic = Statistic::parse(&text(&stat["Stat"])?)?;
                    Series::Metric(metric(&it["Namespace"], &it["MetricName"], &it["Dimensions"])?, statistic)
                };
                series.insert(id, one);
            }
            let band_id = alarm["ThresholdMetricId"].as_str();
            let is_compared =
                |entry: &&Value| entry["ReturnData"] != false && entry["Id"].as_str() != band_id;
            let returned: Vec<_> = metrics.iter().filter(is_compared).collect();
            ensure!(returned.len() == 1, "exactly one metric must be returned, not {}", returned.len());
            compared = text(&returned.first().context("no metric is returned")?["Id"])?;
        } else {
            let name = alarm["Statistic"].as_str().or(alarm["ExtendedStatistic"].as_str());
            let statistic = Statistic::parse(name.context("no statistic")?)?;
            let one = metric(&alarm["Namespace"], &alarm["MetricName"], &alarm["Dimensions"])?;
            compared = "metric".to_owned();
            series.insert(compared.clone(), Series::Metric(one, statistic));
            periods.extend(alarm["Period"].as_i64());
        }
        periods.dedup();
        let [period_seconds] = periods[..] else { bail!("all metrics need the same period: {periods:?}") };
        let periods = whole("EvaluationPeriods")?;
        let to_alarm =
            if alarm["DatapointsToAlarm"].is_null() { periods } else { whole("DatapointsToAlarm")? };
        let threshold = match text(&alarm["ComparisonOperator"])?.as_str() {
            "GreaterThanThreshold" => Threshold::Above(number("Threshold")?),
            "GreaterThanOrEqualToThreshold" => Threshold::AtLeast(number("Threshold")?),
            "LessThanThreshold" => Threshold::Below(number("Threshold")?),
            "LessThanOrEqualToThreshold" => Threshold::AtMost(number("Threshold")?),
            "LessThanLowerThreshold" => {
                match series.get(alarm["ThresholdMetricId"].as_str().unwrap_or_default()) {
                    Some(Series::Expression(Expression::Band(id, width))) if *id == compared => {
                        Threshold::BelowBand(*width)
                    }
                    _ => bail!("the band must be about what is compared"),
                }
            }
            other => bail!("the comparison {other} is unknown"),
        };
        let missing = alarm["TreatMissingData"].as_str().unwrap_or("missing");
        let evaluation = Evaluation { periods, to_alarm, missing: Missing::parse(missing)? };
        Ok(Self { series, compared, threshold, period_seconds, evaluation })
    }

    /// The metrics that it is about.
    pub fn metrics(&self) -> Vec<&Metric> {
        let mut metrics = Vec::new();
        for series in self.series.values() {
            if let Series::Metric(metric, _) = series {
                metrics.push(metric);
            }
        }
        metrics
    }

    /// The number of metrics for which CloudWatch charges: an anomaly detector adds the two bounds of its band.
    pub fn billed_metrics(&self) -> usize {
        let bounds = if matches!(self.threshold, Threshold::BelowBand(_)) { 2 } else { 0 };
        self.metrics().len() + bounds
    }

    /// The next state at a time in seconds, which is the end of the last period.
    pub fn next(&self, data: &Data, second: i64, current: State) -> State {
        let range = i64::try_from(self.evaluation.range()).unwrap_or(i64::MAX);
        let points: Vec<Option<bool>> = (0..range)
            .rev()
            .map(|back| {
                let end = second.saturating_sub(back.saturating_mul(self.period_seconds));
                self.is_breaching(data, end)
            })
            .collect();
        self.evaluation.next(&points, current)
    }

    /// The value that is compared, in the period that ends at `end`.
    pub fn value(&self, data: &Data, end: i64) -> Option<f64> {
        self.value_of(&self.compared, data, end)
    }

    fn value_of(&self, id: &str, data: &Data, end: i64) -> Option<f64> {
        match self.series.get(id)? {
            Series::Metric(metric, statistic) => {
                statistic.of(&data.values(metric, end - self.period_seconds, end))
            }
            Series::Expression(expression) => expression.value(&|id| self.value_of(id, data, end)),
        }
    }

    fn is_breaching(&self, data: &Data, end: i64) -> Option<bool> {
        let value = self.value(data, end)?;
        Some(match self.threshold {
            Threshold::Above(threshold) => value > threshold,
            Threshold::AtLeast(threshold) => value >= threshold,
            Threshold::Below(threshold) => value < threshold,
            Threshold::AtMost(threshold) => value <= threshold,
            Threshold::BelowBand(width) => {
                band(&self.earlier_values(data, end), width).is_some_and(|(lower, _)| value < lower)
            }
        })
    }

    /// The values before the evaluation range, which a band is derived from.
    fn earlier_values(&self, data: &Data, end: i64) -> Vec<f64> {
        let begin = data.begins_at();
        let range = i64::try_from(self.evaluation.range()).unwrap_or(i64::MAX);
        let mut values = Vec::new();
        let mut end = end.saturating_sub(range.saturating_mul(self.period_seconds));
        while end - self.period_seconds >= begin {
            values.extend(self.value(data, end));
            end -= self.period_seconds;
        }
        values
    }
}
