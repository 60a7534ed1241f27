//! The alarms that each function gets for its trigger. Decision 28 says why these, and what they cost.

use anyhow::Result;

use crate::source::{Function, Trigger};
use crate::yaml::Node;

/// The heading of the runbook for an alarm about failed records.
const RECORDS: &str = "a-function-fails-records";
/// The heading of the runbook for an alarm about failed invocations.
const ERRORS: &str = "a-function-ends-with-an-error";
/// The heading of the runbook for an alarm about messages or changes that wait.
const WAITING: &str = "messages-or-changes-wait";
/// The heading of the runbook for an alarm about durations.
const DURATION: &str = "a-scheduled-function-is-slow";

/// An alarm about one metric.
struct Alarm {
    suffix: &'static str,
    description: String,
    runbook: &'static str,
    namespace: Node,
    metric: &'static str,
    dimension: (&'static str, Node),
    statistic: &'static str,
    /// The number of minutes that are evaluated, and of those that have to breach the threshold.
    minutes: (u32, u32),
    /// The alarm is raised by a value above it.
    threshold: u64,
}

impl Function {
    /// The alarms about the function, in addition to that of its dead-letter queue.
    ///
    /// # Errors
    /// If its timeout is not a number.
    pub(crate) fn alarms(&self) -> Result<Vec<(String, Node)>> {
        let mut alarms = Vec::new();
        if self.trigger.has_queue() {
            alarms.extend([self.records_fail(), self.ends_with_an_error(), self.messages_wait()]);
        }
        match self.trigger {
            Trigger::Stream { .. } => {
                alarms.extend([self.records_fail(), self.ends_with_an_error(), self.is_behind()]);
            }
            // The invoker waits for the result, and has no dead-letter queue.
            Trigger::Invoke => alarms.push(self.ends_with_an_error()),
            // An error of a run is retried, and then in the dead-letter queue.
            Trigger::Schedule { .. } => alarms.push(self.is_slow()?),
            // A client sees the errors and the latency of an API: those alarms are about the gateway.
            Trigger::Api { .. }
            | Trigger::Events { .. }
            | Trigger::AwsEvents { .. }
            | Trigger::Queue { .. } => {}
        }
        Ok(alarms.into_iter().map(|alarm| alarm.resource(&self.id)).collect())
    }

    /// A function that reports failed records succeeds, so `AWS/Lambda Errors` does not show them. A single record that
    /// keeps failing waits (`messages_wait`) and becomes a dead letter: this is about a function that fails most of them.
    fn records_fail(&self) -> Alarm {
        let name = self.binary();
        Alarm {
            suffix: "RecordsAlarm",
            description: format!(
                "{name} has failed to handle five or more records a minute, for three minutes."
            ),
            runbook: RECORDS,
            namespace: Node::reference("AWS::StackName"),
            metric: "RecordsFailed",
            dimension: ("function", Node::text(name)),
            statistic: "Sum",
            minutes: (5, 3),
            threshold: 4,
        }
    }

    fn ends_with_an_error(&self) -> Alarm {
        Alarm {
            suffix: "ErrorsAlarm",
            description: format!(
                "Invocations of {} have crashed, timed out or failed, for three minutes.",
                self.binary()
            ),
            runbook: ERRORS,
            namespace: Node::text("AWS/Lambda"),
            metric: "Errors",
            dimension: ("FunctionName", Node::reference(&self.id)),
            statistic: "Sum",
            minutes: (5, 3),
            threshold: 0,
        }
    }

    fn messages_wait(&self) -> Alarm {
        Alarm {
            suffix: "WaitingAlarm",
            description: format!(
                "A message to {} has been waiting for more than five minutes.",
                self.binary()
            ),
            runbook: WAITING,
            namespace: Node::text("AWS/SQS"),
            metric: "ApproximateAgeOfOldestMessage",
            dimension: ("QueueName", Node::attribute(&format!("{}Queue", self.id), "QueueName")),
            statistic: "Maximum",
            minutes: (3, 3),
            threshold: 300,
        }
    }

    fn is_behind(&self) -> Alarm {
        Alarm {
            suffix: "WaitingAlarm",
            description: format!("{} is more than a minute behind its stream.", self.binary()),
            runbook: WAITING,
            namespace: Node::text("AWS/Lambda"),
            metric: "IteratorAge",
            dimension: ("FunctionName", Node::reference(&self.id)),
            statistic: "Maximum",
            minutes: (5, 3),
            threshold: 60_000,
        }
    }

    fn is_slow(&self) -> Result<Alarm> {
        let seconds = self.timeout_seconds()?;
        Ok(Alarm {
            suffix: "DurationAlarm",
            description: format!(
                "A run of {} took more than 80 % of its timeout of {seconds} s.",
                self.binary()
            ),
            runbook: DURATION,
            namespace: Node::text("AWS/Lambda"),
            metric: "Duration",
            dimension: ("FunctionName", Node::reference(&self.id)),
            statistic: "Maximum",
            minutes: (1, 1),
            threshold: seconds * 800,
        })
    }
}

impl Alarm {
    fn resource(self, function: &str) -> (String, Node) {
        let (dimension, value) = self.dimension;
        let dimension = Node::inline([("Name", Node::text(dimension)), ("Value", value)]);
        let (evaluated, breaching) = self.minutes;
        let mut properties = vec![
            (
                "AlarmDescription",
                Node::text(format!("{} docs/RUNBOOK.md#{}", self.description, self.runbook)),
            ),
            ("Namespace", self.namespace),
            ("MetricName", Node::text(self.metric)),
            ("Dimensions", Node::lines([dimension])),
            ("Statistic", Node::text(self.statistic)),
            ("Period", Node::literal(60)),
            ("EvaluationPeriods", Node::literal(evaluated)),
        ];
        if breaching < evaluated {
            properties.push(("DatapointsToAlarm", Node::literal(breaching)));
        }
        properties.extend([
            ("ComparisonOperator", Node::text("GreaterThanThreshold")),
            ("Threshold", Node::literal(self.threshold)),
            ("TreatMissingData", Node::text("notBreaching")),
            ("AlarmActions", Node::list([Node::reference("AlarmTopic")])),
        ]);
        let alarm = [("Type", Node::text("AWS::CloudWatch::Alarm")), ("Properties", Node::map(properties))];
        (format!("{function}{}", self.suffix), Node::map(alarm))
    }
}
