//! Expands a function into its resources: the function itself, its role, its log group and those of its trigger.

use anyhow::{Result, ensure};
use heck::ToKebabCase as _;

use crate::queue::{self, DeadLetters};
use crate::source::{Function, Trigger};
use crate::store::policy_document;
use crate::yaml::Node;

/// What the expansion of a function needs in addition to its own block.
pub(crate) struct Context<'a> {
    /// The service that the function belongs to.
    pub(crate) service: &'a str,
    /// All queues of the stack, in the order of the template.
    pub(crate) queues: &'a [String],
    /// Returns the service that publishes an event type, according to `domain`.
    pub(crate) source_of: &'a dyn Fn(&str) -> Result<&'static str>,
}

/// The default timeout of a function in seconds, which is the same as in `Globals`.
const DEFAULT_TIMEOUT: u64 = 30;

impl Function {
    /// The name of its binary.
    pub(crate) fn binary(&self) -> String {
        self.id.to_kebab_case()
    }

    /// Its timeout in seconds.
    pub(crate) fn timeout_seconds(&self) -> Result<u64> {
        match self.timeout.as_ref().and_then(Node::as_text) {
            Some(text) => Ok(text.parse()?),
            None if matches!(self.trigger, Trigger::Api { .. }) => Ok(10),
            None => Ok(DEFAULT_TIMEOUT),
        }
    }

    /// The logical ids of its queues.
    pub(crate) fn queues(&self) -> Vec<String> {
        let source = self.trigger.has_queue().then(|| format!("{}Queue", self.id));
        let dead_letters = self.trigger.has_dead_letters().then(|| format!("{}DeadLetters", self.id));
        source.into_iter().chain(dead_letters).collect()
    }

    /// All its resources, with their logical ids.
    ///
    /// # Errors
    /// If its block is inconsistent, or refers to unknown events.
    pub(crate) fn resources(&self, context: &Context<'_>) -> Result<Vec<(String, Node)>> {
        let id = &self.id;
        let can_observe = matches!(self.trigger, Trigger::Events { .. }) && self.publishes.is_empty();
        ensure!(
            !self.observer || can_observe,
            "{id}: an observer must subscribe to events and must not publish any"
        );
        let mut resources = vec![(id.clone(), self.function(context)?)];
        resources.push((format!("{id}Role"), self.role(context)?));
        let group = Node::map([
            ("LogGroupName", Node::sub(format!("/${{AWS::StackName}}/{}", self.binary()))),
            ("RetentionInDays", Node::literal(30)),
        ]);
        resources
            .push((format!("{id}LogGroup"), queue::retained_when_replaced("AWS::Logs::LogGroup", group)));
        match &self.trigger {
            Trigger::Api { .. } => resources.push((format!("{id}Permission"), self.permission())),
            Trigger::Invoke => {}
            Trigger::Events { types, mapping } => {
                let rule = queue::bus_rule(self, types, context.source_of)?;
                resources.extend(self.consumer(Some(rule), mapping)?);
            }
            Trigger::AwsEvents { pattern, mapping } => {
                let rule = queue::aws_rule(self, pattern);
                resources.extend(self.consumer(Some(rule), mapping)?);
            }
            Trigger::Queue { mapping } => resources.extend(self.consumer(None, mapping)?),
            Trigger::Stream { table, mapping } => {
                resources.push((format!("{id}Mapping"), queue::stream_mapping(self, table, mapping)));
                resources.extend(DeadLetters { function: self, rule: false }.resources());
            }
            Trigger::Schedule { .. } => {
                resources.extend(DeadLetters { function: self, rule: false }.resources());
            }
        }
        resources.extend(self.alarms()?);
        Ok(resources)
    }

    fn consumer(&self, rule: Option<Node>, mapping: &[(String, Node)]) -> Result<Vec<(String, Node)>> {
        let id = &self.id;
        let mut resources = Vec::new();
        let has_rule = rule.is_some();
        if let Some(rule) = rule {
            resources.push((format!("{id}Rule"), rule));
        }
        resources.push((format!("{id}Queue"), queue::queue(self)?));
        if has_rule {
            resources.push((format!("{id}QueuePolicy"), queue::policy(id, &format!("{id}Queue"))));
        }
        resources.push((format!("{id}Mapping"), queue::queue_mapping(self, mapping)));
        resources.extend(DeadLetters { function: self, rule: has_rule }.resources());
        Ok(resources)
    }

    fn function(&self, context: &Context<'_>) -> Result<Node> {
        let id = &self.id;
        let mut properties = vec![
            ("Description", self.description.clone()),
            ("CodeUri", Node::text(format!("lambdas/{}", context.service))),
        ];
        let is_api = matches!(self.trigger, Trigger::Api { .. });
        // A client waits for the response of an API: more memory brings twice the CPU, and the timeout is short.
        match &self.memory {
            Some(memory) => properties.push(("MemorySize", memory.clone())),
            None if is_api => properties.push(("MemorySize", Node::literal(256))),
            None => {}
        }
        match &self.timeout {
            Some(timeout) => properties.push(("Timeout", timeout.clone())),
            None if is_api => properties.push(("Timeout", Node::literal(self.timeout_seconds()?))),
            None => {}
        }
        properties.push(("Role", Node::attribute(&format!("{id}Role"), "Arn")));
        properties
            .push(("LoggingConfig", Node::inline([("LogGroup", Node::reference(format!("{id}LogGroup")))])));
        let variables = self.variables(context);
        if !variables.is_empty() {
            properties.push(("Environment", Node::map([("Variables", Node::map(variables))])));
        }
        if let Trigger::Schedule { properties: schedule, retries } = &self.trigger {
            properties.push(("EventInvokeConfig", queue::invoke_config(self, retries)));
            properties.push(("Events", queue::schedule(self, schedule)));
        }
        let protocol = if self.observer { "observer" } else { "participant" };
        Ok(Node::map([
            ("Type", Node::text("AWS::Serverless::Function")),
            (
                "Metadata",
                Node::map([
                    ("BuildMethod", Node::text("makefile")),
                    ("ContextPath", Node::sub("build/${Architecture}")),
                    ("WorkingDirectory", Node::literal(".")),
                    ("OrderProtocol", Node::text(protocol)),
                ]),
            ),
            ("Properties", Node::map(properties)),
        ])
        .with_above(self.above.clone()))
    }

    fn variables(&self, context: &Context<'_>) -> Vec<(String, Node)> {
        let id = &self.id;
        let mut variables = self.environment.clone();
        let mut set = |name: &str, value: Node| variables.push((name.to_owned(), value));
        if !self.publishes.is_empty() {
            set("EVENT_BUS", Node::reference("EventBus"));
        }
        if let Some(count) = self.max_receive_count.as_ref().and_then(Node::as_text) {
            set("MAX_RECEIVE_COUNT", Node::text(count));
        }
        if self.trigger.has_queue() {
            set("QUEUE_URL", Node::reference(format!("{id}Queue")));
        }
        if self.trigger.has_queue() || matches!(self.trigger, Trigger::Stream { .. }) || self.watches_queues {
            set("DEAD_LETTER_QUEUE_URL", Node::reference(format!("{id}DeadLetters")));
        }
        if self.watches_queues {
            let names = context.queues.iter().map(|queue| Node::attribute(queue, "QueueName"));
            set("QUEUES", Node::list([Node::text(" "), Node::lines(names)]).tagged("Join"));
        }
        variables
    }

    fn role(&self, context: &Context<'_>) -> Result<Node> {
        let id = &self.id;
        let own = |suffix: &str| Node::attribute(&format!("{id}{suffix}"), "Arn");
        let mut statements: Vec<Node> = self.permissions.iter().map(allow).collect();
        if !self.publishes.is_empty() {
            let mut sources: Vec<&str> =
                self.publishes.iter().map(|name| (context.source_of)(name)).collect::<Result<_>>()?;
            sources.dedup();
            let texts = |texts: Vec<&str>| Node::list(texts.into_iter().map(Node::text));
            let mut put = statement(&["events:PutEvents"], Node::attribute("EventBus", "Arn"));
            let types = self.publishes.iter().map(String::as_str).collect();
            let equals = Node::map([("events:source", texts(sources)), ("events:detail-type", texts(types))]);
            // The keys have several values if a request has several entries. `ForAllValues` is also met by a missing key, so
            // `Null` requires both keys.
            let present = ["events:source", "events:detail-type"].map(|key| (key, Node::text("false")));
            let condition = [("ForAllValues:StringEquals", equals), ("Null", Node::inline(present))];
            push(&mut put, "Condition", Node::map(condition));
            statements.push(put);
        }
        if let Trigger::Stream { table, .. } = &self.trigger {
            let actions = ["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"];
            let actions: Vec<String> = actions.iter().map(|name| format!("dynamodb:{name}")).collect();
            let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
            statements.push(statement(&actions, Node::attribute(table, "StreamArn")));
        }
        if self.trigger.has_queue() {
            let actions = [
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:ChangeMessageVisibility",
                "sqs:GetQueueAttributes",
            ];
            statements.push(statement(&actions, own("Queue")));
        }
        if self.trigger.has_dead_letters() {
            statements.push(statement(&["sqs:SendMessage"], own("DeadLetters")));
        }
        if self.watches_queues {
            let arns = Node::lines(context.queues.iter().map(|queue| Node::attribute(queue, "Arn")));
            statements.push(statement(&["sqs:GetQueueAttributes"], arns));
        }
        statements.push(statement(&["logs:CreateLogStream", "logs:PutLogEvents"], own("LogGroup")));
        let lambda = Node::inline([("Service", Node::text("lambda.amazonaws.com"))]);
        let assume = Node::inline([
            ("Effect", Node::text("Allow")),
            ("Principal", lambda),
            ("Action", Node::text("sts:AssumeRole")),
        ]);
        let policy = Node::map([
            ("PolicyName", Node::text(self.binary())),
            ("PolicyDocument", policy_document(statements)),
        ]);
        Ok(Node::map([
            ("Type", Node::text("AWS::IAM::Role")),
            (
                "Properties",
                Node::map([
                    ("AssumeRolePolicyDocument", policy_document([assume])),
                    ("Policies", Node::lines([policy])),
                ]),
            ),
        ]))
    }

    fn permission(&self) -> Node {
        let arn = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Gateway}/v1/*";
        Node::map([
            ("Type", Node::text("AWS::Lambda::Permission")),
            (
                "Properties",
                Node::map([
                    ("FunctionName", Node::reference(&self.id)),
                    ("Action", Node::text("lambda:InvokeFunction")),
                    ("Principal", Node::text("apigateway.amazonaws.com")),
                    ("SourceArn", Node::sub(arn)),
                ]),
            ),
        ])
    }
}

/// A statement of a block with the effect `Allow`, which blocks omit.
fn allow(permission: &Node) -> Node {
    let mut statement = permission.clone();
    if let crate::yaml::Content::Mapping { entries, flow } = &mut statement.content {
        entries.insert(0, ("Effect".to_owned(), Node::text("Allow")));
        *flow = false;
    }
    statement
}

fn statement(actions: &[&str], resource: Node) -> Node {
    let action = match actions {
        [one] => Node::text(*one),
        many => Node::list(many.iter().map(|action| Node::text(*action))),
    };
    Node::map([("Effect", Node::text("Allow")), ("Action", action), ("Resource", resource)])
}

fn push(node: &mut Node, key: &str, value: Node) {
    if let crate::yaml::Content::Mapping { entries, .. } = &mut node.content {
        entries.push((key.to_owned(), value));
    }
}
