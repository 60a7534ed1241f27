//! Queues, rules, mappings and schedules: the way of a message to a function, and of what the function cannot handle to
//! people.

use anyhow::Result;

use crate::source::Function;
use crate::store::policy_document;
use crate::yaml::Node;

/// 14 days, the longest that SQS keeps a message.
const RETENTION: u64 = 1_209_600;
/// How many times a function's timeout a message stays invisible
/// (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>).
const TIMEOUTS: u64 = 6;
/// The service whose events others may publish as well: the parameter `OrderSources` names who.
const REPLACEABLE: &str = "orders";

/// The rule of the stack's bus for events of these types, from the services that publish them.
pub(crate) fn bus_rule(
    function: &Function,
    types: &[String],
    source_of: &dyn Fn(&str) -> Result<&'static str>,
) -> Result<Node> {
    let mut sources: Vec<&str> = types.iter().map(|name| source_of(name)).collect::<Result<_>>()?;
    sources.sort_unstable();
    sources.dedup();
    let fixed: Vec<&str> = sources.iter().copied().filter(|source| *source != REPLACEABLE).collect();
    let source = if fixed.len() == sources.len() {
        Node::list(fixed.into_iter().map(Node::text))
    } else {
        let names: String = fixed.iter().map(|source| format!("{source},")).collect();
        Node::list([Node::text(","), Node::sub(format!("{names}${{OrderSources}}"))]).tagged("Split")
    };
    let types = Node::lines(types.iter().map(Node::text));
    let pattern = Node::map([("detail-type", types), ("source", source)]);
    Ok(rule(function, Some(Node::reference("EventBus")), pattern))
}

/// The rule of the account's own bus for what an AWS service publishes.
pub(crate) fn aws_rule(function: &Function, pattern: &Node) -> Node {
    rule(function, None, pattern.clone())
}

fn rule(function: &Function, bus: Option<Node>, pattern: Node) -> Node {
    let id = &function.id;
    let target = Node::map([
        ("Id", Node::text(function.binary())),
        ("Arn", Node::attribute(&format!("{id}Queue"), "Arn")),
        ("DeadLetterConfig", Node::inline([("Arn", Node::attribute(&format!("{id}DeadLetters"), "Arn"))])),
    ]);
    let mut properties = vec![("Description", Node::text(format!("Events for {}", function.binary())))];
    properties.extend(bus.map(|bus| ("EventBusName", bus)));
    properties.push(("EventPattern", pattern));
    properties.push(("Targets", Node::lines([target])));
    Node::map([("Type", Node::text("AWS::Events::Rule")), ("Properties", Node::map(properties))])
}

/// The queue that feeds a function.
pub(crate) fn queue(function: &Function) -> Result<Node> {
    let count = function.max_receive_count.clone().unwrap_or_else(|| Node::reference("MaxReceiveCount"));
    let redrive = Node::map([
        ("deadLetterTargetArn", Node::attribute(&format!("{}DeadLetters", function.id), "Arn")),
        ("maxReceiveCount", count),
    ]);
    let visibility = ("VisibilityTimeout", Node::literal(function.seconds()? * TIMEOUTS));
    Ok(queue_with([visibility], [("RedrivePolicy", redrive)]))
}

fn queue_with<const N: usize, const M: usize>(first: [(&str, Node); N], last: [(&str, Node); M]) -> Node {
    let kept = ("MessageRetentionPeriod", Node::literal(RETENTION));
    let encrypted = ("SqsManagedSseEnabled", Node::literal(true));
    let properties = first.into_iter().chain([kept, encrypted]).chain(last);
    kept_when_replaced("AWS::SQS::Queue", Node::map(properties))
}

/// A resource with content that goes with its stack, and stays when a change of the template replaces it by another.
pub(crate) fn kept_when_replaced(kind: &str, properties: Node) -> Node {
    Node::map([
        ("Type", Node::text(kind)),
        ("DeletionPolicy", Node::text("Delete")),
        ("UpdateReplacePolicy", Node::text("Retain")),
        ("Properties", properties),
    ])
}

/// Lets the function's rule, and nobody else, send to a queue.
pub(crate) fn policy(id: &str, queue: &str) -> Node {
    let source = Node::inline([("aws:SourceArn", Node::attribute(&format!("{id}Rule"), "Arn"))]);
    let statement = Node::map([
        ("Effect", Node::text("Allow")),
        ("Principal", Node::inline([("Service", Node::text("events.amazonaws.com"))])),
        ("Action", Node::text("sqs:SendMessage")),
        ("Resource", Node::attribute(queue, "Arn")),
        ("Condition", Node::inline([("ArnEquals", source)])),
    ]);
    let properties =
        [("Queues", Node::list([Node::reference(queue)])), ("PolicyDocument", policy_document([statement]))];
    Node::map([("Type", Node::text("AWS::SQS::QueuePolicy")), ("Properties", Node::map(properties))])
}

/// Feeds the function from its queue.
pub(crate) fn queue_mapping(function: &Function, own: &[(String, Node)]) -> Node {
    mapping(function, Node::attribute(&format!("{}Queue", function.id), "Arn"), own, [])
}

/// Feeds the function from a table's stream. A record that fails again and again does not hold up those behind it.
pub(crate) fn stream_mapping(function: &Function, table: &str, own: &[(String, Node)]) -> Node {
    let failure =
        Node::inline([("Destination", Node::attribute(&format!("{}DeadLetters", function.id), "Arn"))]);
    let fixed = [
        ("BisectBatchOnFunctionError", Node::literal(true)),
        ("DestinationConfig", Node::map([("OnFailure", failure)])),
    ];
    mapping(function, Node::attribute(table, "StreamArn"), own, fixed)
}

fn mapping<const N: usize>(
    function: &Function,
    source: Node,
    own: &[(String, Node)],
    fixed: [(&str, Node); N],
) -> Node {
    let mut properties = vec![
        ("FunctionName".to_owned(), Node::reference(&function.id)),
        ("EventSourceArn".to_owned(), source),
    ];
    properties.extend(own.iter().cloned());
    let answers = Node::list([Node::text("ReportBatchItemFailures")]);
    properties.push(("FunctionResponseTypes".to_owned(), answers));
    properties.extend(fixed.into_iter().map(|(name, value)| (name.to_owned(), value)));
    Node::map([
        ("Type", Node::text("AWS::Lambda::EventSourceMapping")),
        ("Properties", Node::map(properties)),
    ])
}

/// How a call without an answer is retried, and where it goes when that does not help.
pub(crate) fn invoke_config(function: &Function, retries: &[(String, Node)]) -> Node {
    let destination = Node::map([
        ("Type", Node::text("SQS")),
        ("Destination", Node::attribute(&format!("{}DeadLetters", function.id), "Arn")),
    ]);
    let mut config = retries.to_vec();
    config.push(("DestinationConfig".to_owned(), Node::map([("OnFailure", destination)])));
    Node::map(config)
}

/// The schedule, under a name of its own: else every stack of the account would use the same.
pub(crate) fn schedule(function: &Function, own: &[(String, Node)]) -> Node {
    let mut properties =
        vec![("Name".to_owned(), Node::sub(format!("${{AWS::StackName}}-{}", function.binary())))];
    properties.extend(own.iter().cloned());
    let letters = Node::attribute(&format!("{}DeadLetters", function.id), "Arn");
    properties.push(("DeadLetterConfig".to_owned(), Node::inline([("Arn", letters)])));
    let event = Node::map([("Type", Node::text("ScheduleV2")), ("Properties", Node::map(properties))]);
    Node::map([("Schedule", event)])
}

/// A dead-letter queue, and the alarm that says that there is something in it.
pub(crate) struct DeadLetters<'a> {
    /// Whose.
    pub(crate) function: &'a Function,
    /// Whether a rule sends there what it cannot deliver.
    pub(crate) rule: bool,
}

impl DeadLetters<'_> {
    pub(crate) fn resources(&self) -> Vec<(String, Node)> {
        let (id, name) = (&self.function.id, self.function.binary());
        let queue = format!("{id}DeadLetters");
        let mut resources = vec![(queue.clone(), queue_with([], []))];
        if self.rule {
            resources.push((format!("{queue}Policy"), policy(id, &queue)));
        }
        let usual = format!("{name} gave up on an event.");
        let what = self.function.alarm.as_ref().unwrap_or(&usual);
        let dimension = Node::inline([
            ("Name", Node::text("QueueName")),
            ("Value", Node::attribute(&queue, "QueueName")),
        ]);
        let description = format!("{what} To see why, \"cargo xtask dlq show {name}\".");
        let alarm = Node::map([
            ("Type", Node::text("AWS::CloudWatch::Alarm")),
            (
                "Properties",
                Node::map([
                    ("AlarmDescription", Node::text(description)),
                    ("Namespace", Node::text("AWS/SQS")),
                    ("MetricName", Node::text("ApproximateNumberOfMessagesVisible")),
                    ("Dimensions", Node::lines([dimension])),
                    ("Statistic", Node::text("Maximum")),
                    ("Period", Node::literal(60)),
                    ("EvaluationPeriods", Node::literal(1)),
                    ("ComparisonOperator", Node::text("GreaterThanThreshold")),
                    ("Threshold", Node::literal(0)),
                    ("TreatMissingData", Node::text("notBreaching")),
                    ("AlarmActions", Node::list([Node::reference("AlarmTopic")])),
                ]),
            ),
        ]);
        resources.push((format!("{queue}Alarm"), alarm));
        resources
    }
}
