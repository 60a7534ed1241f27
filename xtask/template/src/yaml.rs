//! YAML with comments, which can be read, changed and written. `architecture::template` reads the template without
//! comments.

use std::borrow::Cow;

use anyhow::{Context as _, Result, bail};
use granit_parser::{Event, Parser, Placement, ScalarStyle, StructureStyle, Tag};

/// A value with its comments.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    /// The comment lines above it, without `#`.
    pub(crate) above: Vec<String>,
    /// The comment at the end of its line, without `#`.
    pub(crate) beside: Option<String>,
    /// Its YAML tag, which is an intrinsic function: `Ref`, `GetAtt`, `Sub`.
    pub(crate) tag: Option<String>,
    /// The value itself.
    pub(crate) content: Content,
    /// Its line number in the source, from 1; 0 for generated nodes.
    pub(crate) line: usize,
}

/// The value of a node.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// A string, a number or a boolean.
    Scalar {
        /// The text, without quotes.
        text: String,
        /// Whether it is quoted: a string, even if it looks like another type.
        quoted: bool,
    },
    /// A list, in block or flow style.
    Sequence {
        /// The items, in order.
        items: Vec<Node>,
        /// Whether it has flow style: `[a, b]`, on one line if it fits.
        flow: bool,
    },
    /// Keys and values.
    Mapping {
        /// The entries, in order.
        entries: Vec<(String, Node)>,
        /// Whether it has flow style: `{a: b}`, on one line if it fits.
        flow: bool,
    },
}

impl Default for Content {
    fn default() -> Self {
        Self::Mapping { entries: Vec::new(), flow: false }
    }
}

impl Node {
    /// Parses one document.
    ///
    /// # Errors
    /// If it is not YAML, or has anchors, aliases, duplicate keys or keys that are not strings.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut reader = Reader { events: Parser::new_from_str(text), above: Vec::new() };
        loop {
            match reader.next()? {
                (Event::StreamStart | Event::DocumentStart(..), _) => {}
                (Event::StreamEnd | Event::DocumentEnd, _) => return Ok(Self::default()),
                (event, line) => return reader.node(event, line),
            }
        }
    }

    /// A string. It is quoted if it would otherwise not be read as one.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        let quoted = !is_plain(&text, false);
        Self { content: Content::Scalar { text, quoted }, ..Self::default() }
    }

    /// A number or a boolean.
    pub(crate) fn literal(value: impl ToString) -> Self {
        Self { content: Content::Scalar { text: value.to_string(), quoted: false }, ..Self::default() }
    }

    /// A list in flow style.
    pub(crate) fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self {
            content: Content::Sequence { items: items.into_iter().collect(), flow: true },
            ..Self::default()
        }
    }

    /// A list in block style: one item a line.
    pub(crate) fn lines(items: impl IntoIterator<Item = Self>) -> Self {
        Self {
            content: Content::Sequence { items: items.into_iter().collect(), flow: false },
            ..Self::default()
        }
    }

    /// A mapping in block style: one entry a line.
    pub(crate) fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        let entries = entries.into_iter().map(|(key, value)| (key.into(), value)).collect();
        Self { content: Content::Mapping { entries, flow: false }, ..Self::default() }
    }

    /// A mapping in flow style.
    pub(crate) fn inline<K: Into<String>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        let entries = entries.into_iter().map(|(key, value)| (key.into(), value)).collect();
        Self { content: Content::Mapping { entries, flow: true }, ..Self::default() }
    }

    /// Applies an intrinsic function: `Node::text("X").tagged("Ref")` is `!Ref X`.
    #[must_use]
    pub(crate) fn tagged(mut self, tag: &str) -> Self {
        self.tag = Some(tag.to_owned());
        self
    }

    /// Sets the comments above the node.
    #[must_use]
    pub(crate) fn with_above(mut self, above: Vec<String>) -> Self {
        self.above = above;
        self
    }

    /// `!Ref name`
    pub(crate) fn reference(name: impl Into<String>) -> Self {
        Self::text(name).tagged("Ref")
    }

    /// `!GetAtt name.attribute`
    pub(crate) fn attribute(name: &str, attribute: &str) -> Self {
        Self::text(format!("{name}.{attribute}")).tagged("GetAtt")
    }

    /// `!Sub text`
    pub(crate) fn sub(text: impl Into<String>) -> Self {
        Self::text(text).tagged("Sub")
    }

    /// Converts JSON. Intrinsic functions in their long form become tags.
    pub(crate) fn from_json(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::String(text) => Self::text(text),
            Value::Array(items) => Self::list(items.iter().map(Self::from_json)),
            Value::Object(fields) => {
                if let Some((name, argument)) = fields.iter().next().filter(|_| fields.len() == 1) {
                    if name == "Ref" {
                        return Self::from_json(argument).tagged("Ref");
                    }
                    if let Some(function) = name.strip_prefix("Fn::") {
                        return Self::from_json(argument).tagged(function);
                    }
                }
                Self::inline(fields.iter().map(|(key, value)| (key.clone(), Self::from_json(value))))
            }
            other => Self::literal(other),
        }
    }

    /// Converts to JSON. Comments are lost, and tags are not allowed.
    ///
    /// # Errors
    /// If a node has a tag.
    pub(crate) fn to_json(&self) -> Result<serde_json::Value> {
        use serde_json::Value;
        Ok(match &self.content {
            _ if self.tag.as_ref().is_some_and(|tag| tag != "Json") => {
                bail!("line {}: write an intrinsic function in JSON as ${{Name}}", self.line)
            }
            Content::Scalar { text, quoted: true } => Value::from(text.as_str()),
            Content::Scalar { text, .. } => {
                serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()))
            }
            Content::Sequence { items, .. } => {
                Value::Array(items.iter().map(Self::to_json).collect::<Result<_>>()?)
            }
            Content::Mapping { entries, .. } => {
                let fields = entries.iter().map(|(key, value)| Ok((key.clone(), value.to_json()?)));
                Value::Object(fields.collect::<Result<_>>()?)
            }
        })
    }

    /// The value of `key`, if this is a mapping that contains it.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match &self.content {
            Content::Mapping { entries, .. } => {
                entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
            }
            _ => None,
        }
    }

    /// The text of a scalar without an intrinsic function.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. } if self.tag.is_none() => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar, whatever intrinsic function is applied to it.
    pub(crate) fn as_text_under_tag(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Replaces every node for which `change` returns another one.
    ///
    /// # Errors
    /// Those of `change`.
    pub(crate) fn replace(&mut self, change: &dyn Fn(&Self) -> Result<Option<Self>>) -> Result<()> {
        if let Some(mut other) = change(self)? {
            other.above.splice(0..0, std::mem::take(&mut self.above));
            *self = other;
            return Ok(());
        }
        match &mut self.content {
            Content::Scalar { .. } => Ok(()),
            Content::Sequence { items, .. } => items.iter_mut().try_for_each(|item| item.replace(change)),
            Content::Mapping { entries, .. } => {
                entries.iter_mut().try_for_each(|(_, value)| value.replace(change))
            }
        }
    }
}

struct Reader<'a> {
    events: Parser<'a, granit_parser::StrInput<'a>>,
    above: Vec<String>,
}

impl<'a> Reader<'a> {
    /// The next event that is not a comment, and its line. Comments are stored for the node that follows.
    fn next(&mut self) -> Result<(Event<'a>, usize)> {
        loop {
            let (event, span) = self.events.next_event().context("unexpected end of the document")??;
            match event {
                Event::Comment(text, _) => self.above.push(text.into_owned()),
                other => return Ok((other, span.start.line())),
            }
        }
    }

    /// The comment at the end of the line that was just read.
    fn beside(&mut self) -> Result<Option<String>> {
        let beside = matches!(self.events.peek(), Some(Ok((Event::Comment(_, Placement::Right), _))));
        if !beside {
            return Ok(None);
        }
        match self.events.next_event().context("unexpected end of the document")?? {
            (Event::Comment(text, _), _) => Ok(Some(text.into_owned())),
            _ => Ok(None),
        }
    }

    fn node(&mut self, event: Event<'a>, line: usize) -> Result<Node> {
        let above = std::mem::take(&mut self.above);
        let name = |tag: Option<Cow<'_, Tag>>| tag.map(|tag| tag.suffix().to_owned());
        let mut node = Node { above, line, ..Node::default() };
        match event {
            Event::Scalar(text, style, 0, tag) => {
                node.tag = name(tag);
                let quoted = style != ScalarStyle::Plain;
                node.content = Content::Scalar { text: text.into_owned(), quoted };
                node.beside = self.beside()?;
            }
            Event::SequenceStart(style, 0, tag) => {
                node.tag = name(tag);
                node.beside = self.beside()?;
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (event, line) => items.push(self.node(event, line)?),
                    }
                }
                let flow = style == StructureStyle::Flow;
                node.content = Content::Sequence { items, flow };
                node.beside = node.beside.or(if flow { self.beside()? } else { None });
            }
            Event::MappingStart(style, 0, tag) => {
                node.tag = name(tag);
                node.beside = self.beside()?;
                let mut entries: Vec<(String, Node)> = Vec::new();
                loop {
                    let (key, above) = match self.next()? {
                        (Event::MappingEnd, _) => break,
                        (Event::Scalar(key, _, 0, None), _) => {
                            (key.into_owned(), std::mem::take(&mut self.above))
                        }
                        (other, line) => bail!("line {line}: a key must be a string, not {other:?}"),
                    };
                    if entries.iter().any(|(name, _)| *name == key) {
                        bail!("line {line}: duplicate key {key}");
                    }
                    let (event, line) = self.next()?;
                    let mut value = self.node(event, line)?;
                    value.above.splice(0..0, above);
                    entries.push((key, value));
                }
                let flow = style == StructureStyle::Flow;
                node.content = Content::Mapping { entries, flow };
                node.beside = node.beside.or(if flow { self.beside()? } else { None });
            }
            other => bail!("line {line}: {other:?} is not supported in these files"),
        }
        Ok(node)
    }
}

/// Whether a text needs no quotes, inside or outside a flow collection.
pub(crate) fn is_plain(text: &str, in_flow: bool) -> bool {
    let first = text.chars().next();
    let special = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"];
    let starts_well = first.is_some_and(|c| c.is_ascii_alphabetic() || "_/$".contains(c));
    starts_well
        && !special.contains(&text.to_lowercase().as_str())
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([':', ' '])
        && !text.chars().any(char::is_control)
        && !(in_flow && text.contains([',', '[', ']', '{', '}']))
}
