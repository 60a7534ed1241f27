//! Queues, rules, event source mappings and schedules: how messages reach a function, and dead letters raise an alarm.

use anyhow::Result;

use crate::source::Function;
use crate::store::policy_document;
use crate::yaml::Node;

/// The maximum retention period of SQS in seconds: 14 days.
const RETENTION: u64 = 1_209_600;
/// The visibility timeout of a queue, in timeouts of its function
/// (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>).
const VISIBILITY_TIMEOUTS: u64 = 6;
/// The service whose events other services may publish, too: the parameter `OrderSources` lists them.
const REPLACEABLE: &str = "orders";

/// The rule of the stack's bus for these event types, with the services that publish them as the sources.
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

/// The rule of the account's default bus for events of an AWS service.
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

/// The queue that triggers a function.
pub(crate) fn queue(function: &Function) -> Result<Node> {
    let count = function.max_receive_count.clone().unwrap_or_else(|| Node::reference("MaxReceiveCount"));
    let redrive = Node::map([
        ("deadLetterTargetArn", Node::attribute(&format!("{}DeadLetters", function.id), "Arn")),
        ("maxReceiveCount", count),
    ]);
    let visibility = ("VisibilityTimeout", Node::literal(function.timeout_seconds()? * VISIBILITY_TIMEOUTS));
    Ok(queue_with([visibility], [("RedrivePolicy", redrive)]))
}

fn queue_with<const N: usize, const M: usize>(first: [(&str, Node); N], last: [(&str, Node); M]) -> Node {
    let retention = ("MessageRetentionPeriod", Node::literal(RETENTION));
    let encryption = ("SqsManagedSseEnabled", Node::literal(true));
    let properties = first.into_iter().chain([retention, encryption]).chain(last);
    retained_when_replaced("AWS::SQS::Queue", Node::map(properties))
}

/// A resource that is deleted with its stack, but retained when an update replaces it.
pub(crate) fn retained_when_replaced(kind: &str, properties: Node) -> Node {
    Node::map([
        ("Type", Node::text(kind)),
        ("DeletionPolicy", Node::text("Delete")),
        ("UpdateReplacePolicy", Node::text("Retain")),
        ("Properties", properties),
    ])
}

/// The policy that allows the function's rule, and nothing else, to send to a queue.
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

/// The event source mapping from a function's queue to the function.
pub(crate) fn queue_mapping(function: &Function, own: &[(String, Node)]) -> Node {
    mapping(function, Node::attribute(&format!("{}Queue", function.id), "Arn"), own, [])
}

/// The event source mapping from a table's stream to a function. A record that keeps failing does not block the records
/// after it.
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
    let response_types = Node::list([Node::text("ReportBatchItemFailures")]);
    properties.push(("FunctionResponseTypes".to_owned(), response_types));
    properties.extend(fixed.into_iter().map(|(name, value)| (name.to_owned(), value)));
    Node::map([
        ("Type", Node::text("AWS::Lambda::EventSourceMapping")),
        ("Properties", Node::map(properties)),
    ])
}

/// The retries of asynchronous invocations, and the destination of failed ones.
pub(crate) fn invoke_config(function: &Function, retries: &[(String, Node)]) -> Node {
    let destination = Node::map([
        ("Type", Node::text("SQS")),
        ("Destination", Node::attribute(&format!("{}DeadLetters", function.id), "Arn")),
    ]);
    let mut config = retries.to_vec();
    config.push(("DestinationConfig".to_owned(), Node::map([("OnFailure", destination)])));
    Node::map(config)
}

/// The schedule. Its name contains the stack's, because schedule names are unique in an account.
pub(crate) fn schedule(function: &Function, own: &[(String, Node)]) -> Node {
    let mut properties =
        vec![("Name".to_owned(), Node::sub(format!("${{AWS::StackName}}-{}", function.binary())))];
    properties.extend(own.iter().cloned());
    let dead_letters = Node::attribute(&format!("{}DeadLetters", function.id), "Arn");
    properties.push(("DeadLetterConfig".to_owned(), Node::inline([("Arn", dead_letters)])));
    let event = Node::map([("Type", Node::text("ScheduleV2")), ("Properties", Node::map(properties))]);
    Node::map([("Schedule", event)])
}

/// A dead-letter queue with its alarm.
pub(crate) struct DeadLetters<'a> {
    /// The function that the queue belongs to.
    pub(crate) function: &'a Function,
    /// Whether a rule sends events there that it cannot deliver.
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
        let default = format!("{name} failed to process a message.");
        let meaning = self.function.alarm.as_ref().unwrap_or(&default);
        let dimension = Node::inline([
            ("Name", Node::text("QueueName")),
            ("Value", Node::attribute(&queue, "QueueName")),
        ]);
        let description = format!(
            "{meaning} Run \"shopctl dlq show {name}\" to see why. docs/RUNBOOK.md#a-dead-letter-queue-is-not-empty"
        );
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
