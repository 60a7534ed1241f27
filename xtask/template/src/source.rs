//! The services' templates, `lambdas/<service>/template.yaml`, as types.
//!
//! Properties of CloudFormation keep their names and their form. The other keys describe how functions with the same
//! resources differ.

use anyhow::{Context as _, Result, bail, ensure};

use crate::yaml::{Content, Node};

/// The template of a service.
#[derive(Debug)]
pub(crate) struct Service {
    /// The name of the service's folder.
    pub(crate) name: String,
    /// What the service is for (key `Service`).
    pub(crate) description: String,
    pub(crate) tables: Vec<Table>,
    pub(crate) buckets: Vec<Bucket>,
    pub(crate) functions: Vec<Function>,
    /// Other resources, in plain CloudFormation.
    pub(crate) resources: Vec<(String, Node)>,
    pub(crate) outputs: Vec<(String, Node)>,
}

/// A DynamoDB table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) id: String,
    pub(crate) above: Vec<String>,
    /// What is stored in it (key `Holds`): the description of the output with the table's name.
    pub(crate) content: String,
    /// The partition key and, optionally, the sort key.
    pub(crate) key: Vec<String>,
    /// Key attributes that are numbers; all others are strings.
    pub(crate) numbers: Vec<String>,
    pub(crate) indexes: Vec<Index>,
    pub(crate) stream: Option<Node>,
    pub(crate) time_to_live: Option<Node>,
    /// Whether its content can be rebuilt from other data: then it has no backups and no deletion protection.
    pub(crate) rebuildable: bool,
}

/// A global secondary index.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) name: String,
    pub(crate) above: Vec<String>,
    pub(crate) key: Vec<String>,
    pub(crate) projection: Node,
}

/// A private S3 bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) id: String,
    pub(crate) above: Vec<String>,
    /// What is stored in it (key `Holds`).
    pub(crate) content: String,
    /// The properties that differ between buckets: notifications, lifecycle, CORS, versioning.
    pub(crate) properties: Vec<(String, Node)>,
}

/// A function with its trigger.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) id: String,
    pub(crate) above: Vec<String>,
    pub(crate) description: Node,
    pub(crate) trigger: Trigger,
    /// Whether it only observes the order process: it subscribes to events, but publishes none, and writes nothing that
    /// the process depends on.
    pub(crate) observer: bool,
    pub(crate) memory: Option<Node>,
    pub(crate) timeout: Option<Node>,
    pub(crate) environment: Vec<(String, Node)>,
    /// IAM statements without `Effect`, which is always `Allow`.
    pub(crate) permissions: Vec<Node>,
    /// The event types that it may put on the bus.
    pub(crate) publishes: Vec<String>,
    /// The `maxReceiveCount` of its queue, if it is not that of the parameter `MaxReceiveCount`.
    pub(crate) max_receive_count: Option<Node>,
    /// What a dead letter means: the beginning of the alarm's description.
    pub(crate) alarm: Option<String>,
    /// Whether it monitors all queues of the stack.
    pub(crate) watches_queues: bool,
}

/// The trigger of a function.
#[derive(Debug)]
pub(crate) enum Trigger {
    /// Requests of the gateway to the routes of the function's router.
    Api {
        /// The condition under which a container serves the routes instead, and the parameter with the container's URL.
        container: Option<(String, String)>,
    },
    /// Events of the stack's bus, through a queue.
    Events { types: Vec<String>, mapping: Vec<(String, Node)> },
    /// Events of AWS services on the account's default bus, through a queue.
    AwsEvents { pattern: Node, mapping: Vec<(String, Node)> },
    /// Messages that another function of the service sends to a queue.
    Queue { mapping: Vec<(String, Node)> },
    /// The stream of a table.
    Stream { table: String, mapping: Vec<(String, Node)> },
    /// A schedule of EventBridge Scheduler.
    Schedule { properties: Vec<(String, Node)>, retries: Vec<(String, Node)> },
    /// Direct invocation by an AWS service, whose permission is among the other resources.
    Invoke,
}

impl Trigger {
    /// Whether the function has a dead-letter queue.
    pub(crate) fn has_dead_letters(&self) -> bool {
        !matches!(self, Self::Api { .. } | Self::Invoke)
    }

    /// Whether the function is triggered by a queue.
    pub(crate) fn has_queue(&self) -> bool {
        matches!(self, Self::Events { .. } | Self::AwsEvents { .. } | Self::Queue { .. })
    }
}

impl Service {
    /// Parses the template of a service.
    ///
    /// # Errors
    /// If a key is missing, unknown or invalid. The error names the block and the key.
    pub(crate) fn read(name: &str, text: &str) -> Result<Self> {
        let mut root = Fields::from_mapping("the file", Node::parse(text)?)?;
        let description = root.required("Service")?;
        let tables = root.blocks("Tables")?.into_iter().map(Table::read).collect::<Result<_>>()?;
        let buckets = root.blocks("Buckets")?.into_iter().map(Bucket::read).collect::<Result<_>>()?;
        let functions = root.blocks("Functions")?.into_iter().map(Function::read).collect::<Result<_>>()?;
        let resources = root.blocks("Resources")?;
        let outputs = root.blocks("Outputs")?;
        root.finish()?;
        Ok(Self { name: name.to_owned(), description, tables, buckets, functions, resources, outputs })
    }
}

/// The buckets of the base template, which several services use.
///
/// # Errors
/// If a key is missing, unknown or invalid. The error names the block and the key.
pub(crate) fn shared_buckets(base: &Node) -> Result<Vec<Bucket>> {
    let Some(Content::Mapping { entries, .. }) = base.get("Buckets").map(|node| &node.content) else {
        return Ok(Vec::new());
    };
    entries.iter().cloned().map(Bucket::read).collect()
}

impl Table {
    fn read((id, mut node): (String, Node)) -> Result<Self> {
        let above = std::mem::take(&mut node.above);
        let mut table = Fields::from_mapping(&id, node)?;
        let read = Self {
            above,
            content: table.required("Holds")?,
            key: table.texts("Key")?,
            numbers: table.texts("Numbers")?,
            indexes: table.blocks("Indexes")?.into_iter().map(Index::read).collect::<Result<_>>()?,
            stream: table.take("Stream"),
            time_to_live: table.take("TimeToLive"),
            rebuildable: table.flag("Rebuildable")?,
            id: id.clone(),
        };
        table.finish()?;
        ensure!(
            matches!(read.key.len(), 1 | 2),
            "{id}: set Key to [partition key] or [partition key, sort key]"
        );
        Ok(read)
    }
}

impl Index {
    fn read((name, mut node): (String, Node)) -> Result<Self> {
        let above = std::mem::take(&mut node.above);
        let mut index = Fields::from_mapping(&name, node)?;
        let key = index.texts("Key")?;
        let projection = index.take("Projection").unwrap_or_else(|| Node::text("ALL"));
        index.finish()?;
        Ok(Self { name, above, key, projection })
    }
}

impl Bucket {
    fn read((id, mut node): (String, Node)) -> Result<Self> {
        let above = std::mem::take(&mut node.above);
        let mut bucket = Fields::from_mapping(&id, node)?;
        let content = bucket.required("Holds")?;
        let properties = bucket.blocks("Properties")?;
        bucket.finish()?;
        Ok(Self { id, above, content, properties })
    }
}

impl Function {
    fn read((id, mut node): (String, Node)) -> Result<Self> {
        let above = std::mem::take(&mut node.above);
        let mut function = Fields::from_mapping(&id, node)?;
        let read = Self {
            above,
            description: function.take("Description").with_context(|| format!("{id}: set Description"))?,
            trigger: Trigger::read(&id, &mut function)?,
            observer: function.flag("Observer")?,
            memory: function.take("MemorySize"),
            timeout: function.take("Timeout"),
            environment: function.blocks("Environment")?,
            permissions: function.items("Permissions")?,
            publishes: function.texts("Publishes")?,
            max_receive_count: function.take("MaxReceiveCount"),
            alarm: function.text("Alarm")?,
            watches_queues: function.flag("WatchesQueues")?,
            id,
        };
        function.finish()?;
        ensure!(
            read.alarm.is_none() || read.trigger.has_dead_letters(),
            "{}: remove Alarm: it words the alarm of the dead-letter queue, and a function with the trigger Api or Invoke \
             has none. Define an AWS::CloudWatch::Alarm under Resources",
            read.id
        );
        Ok(read)
    }
}

impl Trigger {
    const KEYS: [&'static str; 7] = ["Api", "Events", "AwsEvents", "Queue", "Stream", "Schedule", "Invoke"];

    fn read(id: &str, function: &mut Fields) -> Result<Self> {
        let found: Vec<&str> = Self::KEYS.into_iter().filter(|key| function.has(key)).collect();
        let [key] = found[..] else {
            bail!("{id}: set exactly one trigger of {}; it has {found:?}", Self::KEYS.join(", "));
        };
        let node = function.take(key).unwrap_or_default();
        let mapping = function.blocks("Mapping")?;
        let trigger = match key {
            "Api" => {
                let mut api = Fields::from_mapping(
                    &format!("{id}.Api"),
                    if node.as_text() == Some("true") { Node::default() } else { node },
                )?;
                let (condition, url) = (api.text("ContainerCondition")?, api.text("ContainerUrl")?);
                ensure!(
                    condition.is_some() == url.is_some(),
                    "{id}: set both ContainerCondition and ContainerUrl, or neither"
                );
                let container = condition.zip(url);
                api.finish()?;
                Self::Api { container }
            }
            "Events" => Self::Events { types: texts(id, node)?, mapping },
            "AwsEvents" => Self::AwsEvents { pattern: node, mapping },
            "Queue" => Self::Queue { mapping },
            "Stream" => Self::Stream {
                table: node.as_text().context("set Stream to the name of a table")?.to_owned(),
                mapping,
            },
            "Schedule" => {
                let mut schedule = Fields::from_mapping(&format!("{id}.Schedule"), node)?;
                let retries = schedule.blocks("Retries")?;
                Self::Schedule { properties: schedule.entries, retries }
            }
            _ => Self::Invoke,
        };
        Ok(trigger)
    }
}

/// The entries of a block. They are taken one by one; those that are left in the end are unknown.
struct Fields {
    path: String,
    entries: Vec<(String, Node)>,
}

impl Fields {
    fn from_mapping(path: &str, node: Node) -> Result<Self> {
        match node.content {
            Content::Mapping { entries, .. } => Ok(Self { path: path.to_owned(), entries }),
            _ => bail!("line {}: {path} must be a mapping", node.line),
        }
    }

    fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| name == key)
    }

    fn take(&mut self, key: &str) -> Option<Node> {
        let index = self.entries.iter().position(|(name, _)| name == key)?;
        Some(self.entries.remove(index).1)
    }

    fn text(&mut self, key: &str) -> Result<Option<String>> {
        let Some(node) = self.take(key) else { return Ok(None) };
        let text = node
            .as_text()
            .with_context(|| format!("line {}: {}.{key} must be a string", node.line, self.path))?;
        Ok(Some(text.to_owned()))
    }

    fn required(&mut self, key: &str) -> Result<String> {
        self.text(key)?.with_context(|| format!("{}: set {key}", self.path))
    }

    fn flag(&mut self, key: &str) -> Result<bool> {
        match self.text(key)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => bail!("{}.{key} must be true or false, not {other}", self.path),
        }
    }

    fn texts(&mut self, key: &str) -> Result<Vec<String>> {
        self.take(key).map_or_else(|| Ok(Vec::new()), |node| texts(&format!("{}.{key}", self.path), node))
    }

    fn items(&mut self, key: &str) -> Result<Vec<Node>> {
        match self.take(key).map(|node| (node.content, node.line)) {
            None => Ok(Vec::new()),
            Some((Content::Sequence { items, .. }, _)) => Ok(items),
            Some((_, line)) => bail!("line {line}: {}.{key} must be a list", self.path),
        }
    }

    /// The named blocks under `key`.
    fn blocks(&mut self, key: &str) -> Result<Vec<(String, Node)>> {
        let Some(node) = self.take(key) else { return Ok(Vec::new()) };
        Ok(Self::from_mapping(&format!("{}.{key}", self.path), node)?.entries)
    }

    fn finish(self) -> Result<()> {
        match self.entries.first() {
            None => Ok(()),
            Some((key, node)) => bail!("line {}: {} has an unknown key {key}", node.line, self.path),
        }
    }
}

fn texts(path: &str, node: Node) -> Result<Vec<String>> {
    let Content::Sequence { items, .. } = node.content else {
        bail!("line {}: {path} must be a list", node.line)
    };
    items
        .into_iter()
        .map(|item| {
            item.as_text()
                .map(str::to_owned)
                .with_context(|| format!("line {}: {path} must be a list of strings", item.line))
        })
        .collect()
}
