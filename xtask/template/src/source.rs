//! The services' parts of the template, `lambdas/<service>/template.yaml`, as types.
//!
//! What is AWS's keeps AWS's name and its form. What is ours says what differs between functions of one shape.

use anyhow::{Context as _, Result, bail, ensure};

use crate::yaml::{Content, Node};

/// A service's part.
#[derive(Debug)]
pub(crate) struct Service {
    /// The service's name: that of its folder.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) about: String,
    pub(crate) tables: Vec<Table>,
    pub(crate) buckets: Vec<Bucket>,
    pub(crate) functions: Vec<Function>,
    /// Resources that have no shape in common with others: plain CloudFormation.
    pub(crate) resources: Vec<(String, Node)>,
    pub(crate) outputs: Vec<(String, Node)>,
}

/// A DynamoDB table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) id: String,
    pub(crate) above: Vec<String>,
    /// What is in it: the description of the output with its name.
    pub(crate) holds: String,
    /// Partition key and sort key.
    pub(crate) key: Vec<String>,
    /// Attributes that are numbers; all others are texts.
    pub(crate) numbers: Vec<String>,
    pub(crate) indexes: Vec<Index>,
    pub(crate) stream: Option<Node>,
    pub(crate) time_to_live: Option<Node>,
    /// Whether its content can be made anew from elsewhere: then it has no backups and no protection.
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

/// An S3 bucket that nobody reaches but through this stack.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) id: String,
    pub(crate) above: Vec<String>,
    pub(crate) holds: String,
    /// What differs: notifications, lifecycle, CORS, versions.
    pub(crate) properties: Vec<(String, Node)>,
}

/// A function, with what calls it.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) id: String,
    pub(crate) above: Vec<String>,
    pub(crate) description: Node,
    pub(crate) trigger: Trigger,
    /// Reads events and neither publishes any nor writes what the order protocol depends on.
    pub(crate) observer: bool,
    pub(crate) memory: Option<Node>,
    pub(crate) timeout: Option<Node>,
    pub(crate) environment: Vec<(String, Node)>,
    /// Statements that allow something, without `Effect`.
    pub(crate) permissions: Vec<Node>,
    /// The types of event that it may put on the bus.
    pub(crate) publishes: Vec<String>,
    /// Attempts before a message is a dead letter, where they are not those of the parameter `MaxReceiveCount`.
    pub(crate) max_receive_count: Option<Node>,
    /// What its dead letters mean, for whoever gets the alarm.
    pub(crate) alarm: Option<String>,
    /// Whether it looks at each queue of the stack.
    pub(crate) watches_queues: bool,
}

/// What calls a function.
#[derive(Debug)]
pub(crate) enum Trigger {
    /// The gateway, on the routes of the function's router.
    Api {
        /// The condition under which a container at the URL of that parameter answers instead.
        container: Option<(String, String)>,
    },
    /// Events of the stack's bus, through a queue.
    Events { types: Vec<String>, mapping: Vec<(String, Node)> },
    /// Events of the account's own bus, where AWS services publish, through a queue.
    AwsEvents { pattern: Node, mapping: Vec<(String, Node)> },
    /// A queue that another function of the service sends to.
    Queue { mapping: Vec<(String, Node)> },
    /// A table's stream.
    Stream { table: String, mapping: Vec<(String, Node)> },
    /// A schedule.
    Schedule { properties: Vec<(String, Node)>, retries: Vec<(String, Node)> },
    /// An AWS service whose permission is a resource of its own.
    Invoke,
}

impl Trigger {
    /// Whether there is a queue for what the function cannot handle.
    pub(crate) fn has_dead_letters(&self) -> bool {
        !matches!(self, Self::Api { .. } | Self::Invoke)
    }

    /// Whether messages come from a queue.
    pub(crate) fn has_queue(&self) -> bool {
        matches!(self, Self::Events { .. } | Self::AwsEvents { .. } | Self::Queue { .. })
    }
}

impl Service {
    /// Reads a part.
    ///
    /// # Errors
    /// Says which key of which block is not understood.
    pub(crate) fn read(name: &str, text: &str) -> Result<Self> {
        let mut part = Fields::of("the file", Node::parse(text)?)?;
        let about = part.required("Service")?;
        let tables = part.blocks("Tables")?.into_iter().map(Table::read).collect::<Result<_>>()?;
        let buckets = part.blocks("Buckets")?.into_iter().map(Bucket::read).collect::<Result<_>>()?;
        let functions = part.blocks("Functions")?.into_iter().map(Function::read).collect::<Result<_>>()?;
        let resources = part.blocks("Resources")?;
        let outputs = part.blocks("Outputs")?;
        part.done()?;
        Ok(Self { name: name.to_owned(), about, tables, buckets, functions, resources, outputs })
    }
}

impl Table {
    fn read((id, mut node): (String, Node)) -> Result<Self> {
        let above = std::mem::take(&mut node.above);
        let mut table = Fields::of(&id, node)?;
        let read = Self {
            above,
            holds: table.required("Holds")?,
            key: table.texts("Key")?,
            numbers: table.texts("Numbers")?,
            indexes: table.blocks("Indexes")?.into_iter().map(Index::read).collect::<Result<_>>()?,
            stream: table.take("Stream"),
            time_to_live: table.take("TimeToLive"),
            rebuildable: table.flag("Rebuildable")?,
            id: id.clone(),
        };
        table.done()?;
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
        let mut index = Fields::of(&name, node)?;
        let key = index.texts("Key")?;
        let projection = index.take("Projection").unwrap_or_else(|| Node::text("ALL"));
        index.done()?;
        Ok(Self { name, above, key, projection })
    }
}

impl Bucket {
    fn read((id, mut node): (String, Node)) -> Result<Self> {
        let above = std::mem::take(&mut node.above);
        let mut bucket = Fields::of(&id, node)?;
        let holds = bucket.required("Holds")?;
        let properties = bucket.blocks("Properties")?;
        bucket.done()?;
        Ok(Self { id, above, holds, properties })
    }
}

impl Function {
    fn read((id, mut node): (String, Node)) -> Result<Self> {
        let above = std::mem::take(&mut node.above);
        let mut function = Fields::of(&id, node)?;
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
        function.done()?;
        Ok(read)
    }
}

impl Trigger {
    const KEYS: [&'static str; 7] = ["Api", "Events", "AwsEvents", "Queue", "Stream", "Schedule", "Invoke"];

    fn read(id: &str, function: &mut Fields) -> Result<Self> {
        let found: Vec<&str> = Self::KEYS.into_iter().filter(|key| function.has(key)).collect();
        let [key] = found[..] else {
            bail!("{id}: say what calls it, with one of {}; it has {found:?}", Self::KEYS.join(", "));
        };
        let node = function.take(key).unwrap_or_default();
        let mapping = function.blocks("Mapping")?;
        let trigger = match key {
            "Api" => {
                let mut api = Fields::of(
                    &format!("{id}.Api"),
                    if node.as_text() == Some("true") { Node::default() } else { node },
                )?;
                let (condition, url) = (api.text("ContainerCondition")?, api.text("ContainerUrl")?);
                ensure!(
                    condition.is_some() == url.is_some(),
                    "{id}: set ContainerCondition and ContainerUrl, or none of them"
                );
                let container = condition.zip(url);
                api.done()?;
                Self::Api { container }
            }
            "Events" => Self::Events { types: texts(id, node)?, mapping },
            "AwsEvents" => Self::AwsEvents { pattern: node, mapping },
            "Queue" => Self::Queue { mapping },
            "Stream" => Self::Stream { table: node.as_text().context("name the table")?.to_owned(), mapping },
            "Schedule" => {
                let mut schedule = Fields::of(&format!("{id}.Schedule"), node)?;
                let retries = schedule.blocks("Retries")?;
                Self::Schedule { properties: schedule.entries, retries }
            }
            _ => Self::Invoke,
        };
        Ok(trigger)
    }
}

/// The entries of a block, taken one by one; what is left is not understood.
struct Fields {
    path: String,
    entries: Vec<(String, Node)>,
}

impl Fields {
    fn of(path: &str, node: Node) -> Result<Self> {
        match node.content {
            Content::Mapping { entries, .. } => Ok(Self { path: path.to_owned(), entries }),
            _ => bail!("line {}: {path} has keys and values", node.line),
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
        let text =
            node.as_text().with_context(|| format!("line {}: {}.{key} is a text", node.line, self.path))?;
        Ok(Some(text.to_owned()))
    }

    fn required(&mut self, key: &str) -> Result<String> {
        self.text(key)?.with_context(|| format!("{}: set {key}", self.path))
    }

    fn flag(&mut self, key: &str) -> Result<bool> {
        match self.text(key)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => bail!("{}.{key} is true or false, and not {other}", self.path),
        }
    }

    fn texts(&mut self, key: &str) -> Result<Vec<String>> {
        self.take(key).map_or_else(|| Ok(Vec::new()), |node| texts(&format!("{}.{key}", self.path), node))
    }

    fn items(&mut self, key: &str) -> Result<Vec<Node>> {
        match self.take(key).map(|node| (node.content, node.line)) {
            None => Ok(Vec::new()),
            Some((Content::Sequence { items, .. }, _)) => Ok(items),
            Some((_, line)) => bail!("line {line}: {}.{key} is a list", self.path),
        }
    }

    /// The named blocks under `key`.
    fn blocks(&mut self, key: &str) -> Result<Vec<(String, Node)>> {
        let Some(node) = self.take(key) else { return Ok(Vec::new()) };
        Ok(Self::of(&format!("{}.{key}", self.path), node)?.entries)
    }

    fn done(self) -> Result<()> {
        match self.entries.first() {
            None => Ok(()),
            Some((key, node)) => bail!("line {}: {} has no {key} that is understood", node.line, self.path),
        }
    }
}

fn texts(path: &str, node: Node) -> Result<Vec<String>> {
    let Content::Sequence { items, .. } = node.content else { bail!("line {}: {path} is a list", node.line) };
    items
        .into_iter()
        .map(|item| {
            item.as_text()
                .map(str::to_owned)
                .with_context(|| format!("line {}: {path} lists texts", item.line))
        })
        .collect()
}
