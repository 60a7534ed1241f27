//! Draws a layout as PDF/A-2a and PDF/UA-1, for archiving and accessibility. krilla reports everything that
//! would violate either standard, including missing glyphs, as an error.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use anyhow::{Context, anyhow};
use jiff::tz::TimeZone;
use krilla::color::luma;
use krilla::configure::{Accessibility, Archival, Configuration, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::{DateTime, Metadata};
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::surface::Surface;
use krilla::tagging::{
    Artifact, ArtifactType, ContentTag, Identifier, SpanTag, TableHeaderScope, Tag, TagGroup, TagTree,
};
use krilla::{Document, SerializeSettings};

use super::layout::{BOTTOM, Item, Layout, Mark, PAGE_SIZE, Role, Table, lay_out};
use super::text::printable;
use crate::Invoice;
use crate::content::Content;

/// Renders the invoice as a PDF. The same invoice always results in the same bytes, on any machine and at any
/// time.
///
/// # Errors
/// When a font cannot be read, or the document would not conform to PDF/A or PDF/UA, which no text causes: it is
/// the same each time.
pub fn render(invoice: &Invoice) -> anyhow::Result<Vec<u8>> {
    let content = Content::from_invoice(invoice);
    let layout = lay_out(&content)?;
    let mut document =
        Document::new_with(SerializeSettings { configuration: configuration()?, ..Default::default() });
    let mut tagged = BTreeMap::new();
    for page in &layout.pages {
        draw_page(&mut document, &page.items, &content, &mut tagged)?;
    }
    document.set_tag_tree(tags(&content, &layout, tagged));
    document.set_outline(outline(&content));
    document.set_metadata(metadata(invoice, &content)?);
    document.finish().map_err(|error| anyhow!("the invoice could not be written as PDF: {error:?}"))
}

fn configuration() -> anyhow::Result<Configuration> {
    ConfigurationBuilder::new()
        .with_archival_validator(Archival::A2_A)
        .with_accessibility_validator(Accessibility::UA1)
        .finish()
        .map_err(|error| anyhow!("PDF/A-2a and PDF/UA-1 cannot be combined: {error:?}"))
}

/// The metadata depends only on the invoice, and not on the current time or the machine.
fn metadata(invoice: &Invoice, content: &Content) -> anyhow::Result<Metadata> {
    let at = TimeZone::UTC.to_datetime(invoice.issued_at);
    let part = |part: i8| u8::try_from(part).context("a part of a date is negative");
    let issued = DateTime::new(u16::try_from(at.year())?)
        .month(part(at.month())?)
        .day(part(at.day())?)
        .hour(part(at.hour())?)
        .minute(part(at.minute())?)
        .second(part(at.second())?)
        .utc_offset_hour(0)
        .utc_offset_minute(0);
    Ok(Metadata::new()
        .title(content.title())
        .language(content.language.code().to_owned())
        .authors(vec![printable(&invoice.seller.name)])
        .document_id(format!("{}/{}", invoice.order_id, invoice.number))
        .creation_date(issued))
}

fn outline(content: &Content) -> Outline {
    let mut outline = Outline::new();
    outline.push_child(OutlineNode::new(content.title(), XyzDestination::new(0, Point::from_xy(0.0, 0.0))));
    outline
}

/// The identifiers of the drawn content for each role that assistive technology reads, in drawing order.
type TaggedContent = BTreeMap<Role, Vec<Identifier>>;

fn draw_page(
    document: &mut Document,
    items: &[Item],
    content: &Content,
    tagged: &mut TaggedContent,
) -> anyhow::Result<()> {
    let settings = PageSettings::from_wh(PAGE_SIZE.0, PAGE_SIZE.1).context("the page size is invalid")?;
    let mut page = document.start_page_with(settings);
    let mut surface = page.surface();
    surface.set_fill(Some(Fill { paint: luma::Color::black().into(), ..Fill::default() }));
    for item in items {
        let tag = match item.role {
            Role::Artifact => ContentTag::Artifact(Artifact::new(ArtifactType::Other, None)),
            Role::PageNumber => {
                let below = Rect::from_ltrb(0.0, BOTTOM, PAGE_SIZE.0, PAGE_SIZE.1);
                ContentTag::Artifact(Artifact::new(ArtifactType::Footer, below))
            }
            Role::Heading | Role::Paragraph(_) | Role::Cell(..) => {
                ContentTag::Span(SpanTag::empty().with_lang(Some(content.language.code())))
            }
        };
        let identifier = surface.start_tagged(tag);
        draw_item(&mut surface, item);
        surface.end_tagged();
        if !matches!(item.role, Role::Artifact | Role::PageNumber) {
            tagged.entry(item.role).or_default().push(identifier);
        }
    }
    surface.finish();
    page.finish();
    Ok(())
}

#[expect(clippy::float_arithmetic, reason = "lengths on paper, in points")]
fn draw_item(surface: &mut Surface<'_>, item: &Item) {
    match &item.mark {
        Mark::Text(line) => {
            let mut x = item.x;
            for run in &line.runs {
                let start = Point::from_xy(x, item.y);
                surface.draw_glyphs(start, &run.glyphs, run.font.clone(), &line.text, line.size, false);
                x += run.width;
            }
        }
        Mark::Rule { width, thickness } => {
            let mut path = PathBuilder::new();
            if let Some(rect) = Rect::from_xywh(item.x, item.y, *width, *thickness) {
                path.push_rect(rect);
            }
            if let Some(path) = path.finish() {
                surface.draw_path(&path);
            }
        }
    }
}

/// Returns the structure that screen readers use: the heading, the paragraphs, and the tables by row and
/// column.
fn tags(content: &Content, layout: &Layout, mut tagged: TaggedContent) -> TagTree {
    let labels = content.labels();
    let mut tree = TagTree::new();
    let mut tables: BTreeMap<Table, ()> = BTreeMap::new();
    let mut roles: Vec<Role> = Vec::new();
    for item in layout.pages.iter().flat_map(|page| &page.items) {
        if !roles.contains(&item.role) {
            roles.push(item.role);
        }
    }
    for role in roles {
        match role {
            Role::Artifact | Role::PageNumber => {}
            Role::Heading => {
                let heading = Tag::Hn(NonZeroU16::MIN, Some(content.title()));
                tree.push(group(heading, tagged.remove(&role)));
            }
            Role::Paragraph(_) => tree.push(group(Tag::P, tagged.remove(&role))),
            Role::Cell(table, ..) => {
                if tables.insert(table, ()).is_none() {
                    let caption = match table {
                        Table::Lines => labels.lines_caption,
                        Table::Taxes => labels.taxes_caption,
                    };
                    tree.push(table_tag(table, caption, &mut tagged));
                }
            }
        }
    }
    tree
}

fn group(tag: impl Into<krilla::tagging::TagKind>, parts: Option<Vec<Identifier>>) -> TagGroup {
    let mut group = TagGroup::new(tag);
    for part in parts.unwrap_or_default() {
        group.push(part);
    }
    group
}

fn table_tag(table: Table, caption: &str, tagged: &mut TaggedContent) -> TagGroup {
    let (mut head, mut body) = (TagGroup::new(Tag::THead), TagGroup::new(Tag::TBody));
    let mut row = 0;
    loop {
        let mut cells = TagGroup::new(Tag::TR);
        let mut column = 0;
        while let Some(parts) = tagged.remove(&Role::Cell(table, row, column)) {
            let cell = if row == 0 {
                group(Tag::TH(TableHeaderScope::Column), Some(parts))
            } else {
                group(Tag::TD, Some(parts))
            };
            cells.push(cell);
            column += 1;
        }
        if column == 0 {
            break;
        }
        if row == 0 {
            head.push(cells);
        } else {
            body.push(cells);
        }
        row += 1;
    }
    let mut table_group = TagGroup::new(Tag::Table.with_summary(Some(caption.to_owned())));
    table_group.push(head);
    table_group.push(body);
    table_group
}
