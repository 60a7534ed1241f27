//! Writes readable YAML with comments.

use crate::yaml::{Content, Node, is_plain};

/// The maximum width of a line, in characters.
const MAX_WIDTH: usize = 118;

/// Formats an entry of a mapping as complete lines, indented by `indent` spaces.
pub(crate) fn entry(key: &str, node: &Node, indent: usize) -> String {
    let mut text = String::new();
    write_entry(&mut text, key, node, indent);
    text
}

fn write_comments(text: &mut String, node: &Node, indent: usize) {
    for line in &node.above {
        text.push_str(&" ".repeat(indent));
        text.push('#');
        text.push_str(line);
        text.push('\n');
    }
}

fn write_entry(text: &mut String, key: &str, node: &Node, indent: usize) {
    write_comments(text, node, indent);
    let head = format!("{}{}:", " ".repeat(indent), key_text(key, false));
    write_value(text, head, node, indent + 2);
}

/// Writes a value on the line that begins with `head`, or on the lines below it.
fn write_value(text: &mut String, head: String, node: &Node, indent: usize) {
    let beside = node.beside.as_ref().map(|note| format!(" #{note}")).unwrap_or_default();
    let tag = node.tag.as_ref().map(|tag| format!(" !{tag}")).unwrap_or_default();
    if let Some(flow) = flow(node, head.chars().count() + 1) {
        text.push_str(&format!("{head} {flow}{beside}\n"));
        return;
    }
    match &node.content {
        Content::Scalar { .. } => text.push_str(&format!("{head} {}{beside}\n", flow_text(node))),
        Content::Sequence { items, .. } if items.iter().all(is_short) && node.tag.is_none() => {
            text.push_str(&format!("{head}{beside}\n"));
            write_wrapped(text, items, indent);
        }
        Content::Sequence { items, .. } => {
            text.push_str(&format!("{head}{tag}{beside}\n"));
            items.iter().for_each(|item| write_item(text, item, indent));
        }
        Content::Mapping { entries, .. } => {
            text.push_str(&format!("{head}{tag}{beside}\n"));
            entries.iter().for_each(|(key, value)| write_entry(text, key, value, indent));
        }
    }
}

fn write_item(text: &mut String, item: &Node, indent: usize) {
    write_comments(text, item, indent);
    let head = format!("{}-", " ".repeat(indent));
    match &item.content {
        // The first key is on the line of the dash.
        Content::Mapping { entries, .. }
            if item.tag.is_none()
                && flow(item, head.len() + 1).is_none()
                && entries.first().is_some_and(|(_, first)| first.above.is_empty()) =>
        {
            let mut lines = String::new();
            entries.iter().for_each(|(key, value)| write_entry(&mut lines, key, value, indent + 2));
            text.push_str(&head);
            text.push(' ');
            text.push_str(lines.trim_start());
        }
        _ => write_value(text, head, item, indent + 2),
    }
}

/// Writes short items, as many on a line as fit.
fn write_wrapped(text: &mut String, items: &[Node], indent: usize) {
    let mut line = format!("{}[", " ".repeat(indent));
    for (index, item) in items.iter().enumerate() {
        let end = if index + 1 == items.len() { "]" } else { "," };
        let item = format!("{}{end}", flow_text(item));
        if line.chars().count() + item.chars().count() > MAX_WIDTH {
            text.push_str(line.trim_end());
            text.push('\n');
            line = " ".repeat(indent + 1);
        }
        line.push_str(&item);
        line.push(' ');
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

fn is_short(item: &Node) -> bool {
    let scalar = matches!(&item.content, Content::Scalar { text, .. } if text.len() <= 12);
    scalar && item.above.is_empty() && item.beside.is_none() && item.tag.is_none()
}

/// The node in flow style, if it has that style and fits on a line after `before` characters.
fn flow(node: &Node, before: usize) -> Option<String> {
    let allowed = match &node.content {
        Content::Scalar { .. } => return Some(flow_or_plain(node)),
        Content::Sequence { items, flow } => *flow || items.is_empty(),
        Content::Mapping { entries, flow } => *flow || entries.is_empty(),
    };
    if !allowed || has_comments(node) {
        return None;
    }
    let text = flow_text(node);
    (before + text.chars().count() <= MAX_WIDTH).then_some(text)
}

/// Whether the node contains comments.
fn has_comments(node: &Node) -> bool {
    let inside = |child: &Node| !child.above.is_empty() || child.beside.is_some() || has_comments(child);
    match &node.content {
        Content::Scalar { .. } => false,
        Content::Sequence { items, .. } => items.iter().any(inside),
        Content::Mapping { entries, .. } => entries.iter().any(|(_, value)| inside(value)),
    }
}

/// A scalar in block style, in which braces need no quotes.
fn flow_or_plain(node: &Node) -> String {
    let tag = node.tag.as_ref().map(|tag| format!("!{tag} ")).unwrap_or_default();
    match &node.content {
        Content::Scalar { text, quoted } => format!("{tag}{}", scalar(text, *quoted, false)),
        _ => flow_text(node),
    }
}

fn flow_text(node: &Node) -> String {
    let tag = node.tag.as_ref().map(|tag| format!("!{tag} ")).unwrap_or_default();
    let inside = match &node.content {
        Content::Scalar { text, quoted } => scalar(text, *quoted, true),
        Content::Sequence { items, .. } => {
            format!("[{}]", items.iter().map(flow_text).collect::<Vec<_>>().join(", "))
        }
        Content::Mapping { entries, .. } if entries.is_empty() => "{}".to_owned(),
        Content::Mapping { entries, .. } => {
            let entry =
                |(key, value): &(String, Node)| format!("{}: {}", key_text(key, true), flow_text(value));
            format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    };
    format!("{tag}{inside}")
}

fn key_text(key: &str, in_flow: bool) -> String {
    if is_plain(key, in_flow) { key.to_owned() } else { quote(key) }
}

fn scalar(text: &str, quoted: bool, in_flow: bool) -> String {
    if quoted || (in_flow && text.contains([',', '[', ']', '{', '}'])) {
        quote(text)
    } else {
        text.to_owned()
    }
}

/// Quotes a text: with single quotes, if only double quotes would need escapes.
fn quote(text: &str) -> String {
    if text.contains(['"', '\\']) && !text.contains('\'') && !text.chars().any(char::is_control) {
        return format!("'{text}'");
    }
    serde_json::Value::from(text).to_string()
}
