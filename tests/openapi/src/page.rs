//! Generates `docs/reference.html`: the API reference as one self-contained page without scripts.

use anyhow::{Context as _, Result};
use askama::Template;
use pulldown_cmark::{Parser, html};
use serde_json::Value;

use crate::fields::{Entry, Field, ProblemKind, Section, problem_kinds, sections};

#[derive(Template)]
#[template(path = "reference.html")]
struct Page {
    title: String,
    version: String,
    introduction: String,
    topics: Vec<(String, String)>,
    sections: Vec<Section>,
    problems: Vec<ProblemKind>,
}

#[derive(Template)]
#[template(path = "fields.html")]
struct Fields<'a> {
    fields: &'a [Field],
}

/// Renders the document as one HTML page.
pub(crate) fn page(document: &Value) -> Result<String> {
    let info = &document["info"];
    let text = |name: &str| info[name].as_str().unwrap_or_default().to_owned();
    let prose = text("description");
    let mut parts = prose.split("\n## ");
    let introduction = parts.next().map(markdown).unwrap_or_default();
    let topics = parts.filter_map(|part| part.split_once('\n'));
    let page = Page {
        title: text("title"),
        version: text("version"),
        introduction,
        topics: topics.map(|(title, text)| (title.to_owned(), markdown(text))).collect(),
        sections: sections(document),
        problems: problem_kinds(document),
    };
    page.render().map(|page| page + "\n").context("rendering templates/reference.html")
}

fn table(fields: &[Field]) -> askama::Result<String> {
    Fields { fields }.render()
}

fn markdown(text: &str) -> String {
    let mut page = String::new();
    html::push_html(&mut page, Parser::new(text));
    page
}

/// Renders one line of Markdown, without the surrounding paragraph.
fn inline_markdown(text: &str) -> String {
    let page = markdown(text);
    page.trim().trim_start_matches("<p>").trim_end_matches("</p>").to_owned()
}

/// The URL fragment of a section.
fn anchor(title: &str) -> String {
    title.to_lowercase().replace(' ', "-")
}

/// The CSS class of a status.
fn status_class(status: &str) -> &'static str {
    match status.as_bytes().first() {
        Some(b'2') => "good",
        Some(b'5') => "bad",
        _ => "wrong",
    }
}

impl Entry {
    fn method_class(&self) -> String {
        self.method.to_lowercase()
    }

    fn is_for_partners(&self) -> bool {
        self.path.starts_with("/partner/")
    }
}
