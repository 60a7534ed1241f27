//! The layout: the page and the position of each item. It is separate from drawing, so that tests can check
//! it.

#![expect(clippy::float_arithmetic, reason = "lengths on paper, in points")]

use std::fmt;

use super::fonts::Weight;
use super::text::{Line, Style, shape_line, wrap};
use crate::content::Content;
use crate::language::InvoiceTexts;

/// A4 (ISO 216), in points.
pub(super) const PAGE_SIZE: (f32, f32) = (595.28, 841.89);
/// The left and right margin.
const MARGIN: f32 = 56.0;
const TOP: f32 = 60.0;
/// The bottom of the content area. Only the page number is below it.
pub(super) const BOTTOM: f32 = 780.0;
/// The baseline of the page number.
const FOOT: f32 = 806.0;
/// The distance between baselines, as a multiple of the font size.
const LEADING: f32 = 1.4;
/// The gap between columns.
const GAP: f32 = 8.0;

const BODY: Style = Style { size: 9.0, weight: Weight::Regular };
const STRONG: Style = Style { size: 9.0, weight: Weight::Bold };
const SMALL: Style = Style { size: 7.5, weight: Weight::Regular };
const TITLE: Style = Style { size: 20.0, weight: Weight::Bold };
const TOTAL: Style = Style { size: 11.0, weight: Weight::Bold };

/// The role of an item for assistive technology.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// Decoration or repeated content, which is not read aloud.
    Artifact,
    PageNumber,
    Heading,
    /// A part of the paragraph with this number.
    Paragraph(usize),
    /// A part of a table cell, by row (0 is the header) and column.
    Cell(Table, usize, usize),
}

/// The tables of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    Lines,
    Taxes,
}

/// An item on a page.
#[derive(Clone)]
pub struct Item {
    pub(super) x: f32,
    /// The baseline of a text, or the middle of a rule.
    pub(super) y: f32,
    pub(super) role: Role,
    pub(super) mark: Mark,
}

/// The visible part of an item.
#[derive(Clone)]
pub(super) enum Mark {
    Text(Line),
    /// A horizontal line.
    Rule {
        width: f32,
        thickness: f32,
    },
}

/// Writes the position, size, role and text of the item in one line.
impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { x, y, role, mark } = self;
        match mark {
            Mark::Text(line) => {
                write!(f, "{x:6.1} {y:6.1} {:6.1} {:4.1} {role:?} {}", line.width, line.size, line.text)
            }
            Mark::Rule { width, thickness } => write!(f, "{x:6.1} {y:6.1} {width:6.1} {thickness:4.1} rule"),
        }
    }
}

/// A page of the layout.
#[derive(Clone, Default)]
pub struct Page {
    /// The items on the page.
    pub items: Vec<Item>,
}

/// The layout of an invoice.
#[derive(Clone)]
pub struct Layout {
    /// The pages; at least one.
    pub pages: Vec<Page>,
}

/// The position of a column in its table.
struct Column {
    left: f32,
    width: f32,
    is_right_aligned: bool,
}

/// Divides the width of the page between columns. The column without a width gets the rest.
fn columns(widths: &[Option<f32>], is_right_aligned: &[bool], from: f32) -> Vec<Column> {
    let fixed: f32 = widths.iter().flatten().sum();
    let gaps: f32 = widths.iter().skip(1).map(|_| GAP).sum();
    let rest = PAGE_SIZE.0 - MARGIN - from - fixed - gaps;
    let mut left = from;
    let column = |(width, right): (&Option<f32>, &bool)| {
        let column = Column { left, width: width.unwrap_or(rest), is_right_aligned: *right };
        left += column.width + GAP;
        column
    };
    widths.iter().zip(is_right_aligned).map(column).collect()
}

/// Places items from top to bottom, and starts a new page when the current one is full.
struct Composer {
    finished: Vec<Page>,
    page: Page,
    y: f32,
    paragraphs: usize,
    has_replacements: bool,
}

impl Composer {
    fn place_text(&mut self, x: f32, y: f32, role: Role, line: Line) {
        self.has_replacements |= line.has_replacements;
        self.page.items.push(Item { x, y, role, mark: Mark::Text(line) });
    }

    fn draw_rule(&mut self, x: f32, y: f32, thickness: f32) {
        let mark = Mark::Rule { width: PAGE_SIZE.0 - MARGIN - x, thickness };
        self.page.items.push(Item { x, y, role: Role::Artifact, mark });
    }

    fn next_page(&mut self) {
        self.finished.push(std::mem::take(&mut self.page));
        self.y = TOP;
    }

    /// Starts a new page if less than `height` is left on the current one. Returns whether it did.
    fn ensure_space(&mut self, height: f32) -> bool {
        let is_full = self.y + height > BOTTOM;
        if is_full {
            self.next_page();
        }
        is_full
    }

    /// Places wrapped texts one below the other as one paragraph, which continues on the next page if it has to.
    /// Returns the position of the end.
    fn write_block(&mut self, texts: &[String], place: (f32, f32, f32), style: Style) -> anyhow::Result<f32> {
        let (x, mut y, width) = place;
        self.paragraphs += 1;
        for text in texts {
            for line in wrap(text, style, width)? {
                if y + style.size * LEADING > BOTTOM {
                    self.next_page();
                    y = self.y;
                }
                y += style.size * LEADING;
                self.place_text(x, y, Role::Paragraph(self.paragraphs), line);
            }
        }
        Ok(y)
    }

    /// Places a table row, with each cell wrapped to the width of its column. A row is split between pages only
    /// if it is higher than one. At the top of a new page, the header of the table is repeated.
    fn write_row(
        &mut self,
        columns: &[Column],
        cells: &[&str],
        style: Style,
        place: Option<(Table, usize)>,
        header: Option<&[&str]>,
    ) -> anyhow::Result<()> {
        let mut wrapped: Vec<Vec<Line>> = columns
            .iter()
            .zip(cells)
            .map(|(column, cell)| wrap(cell, style, column.width))
            .collect::<anyhow::Result<_>>()?;
        let step = style.size * LEADING;
        let mut lines = wrapped.iter().map(Vec::len).max().unwrap_or_default();
        let height: f32 = (0..lines).map(|_| step).sum();
        let mut is_new_page = self.ensure_space(height + 6.0);
        loop {
            if is_new_page && let Some(header) = header {
                self.write_header(columns, header, None)?;
            }
            let mut end = self.y;
            let fits = |_: &usize| {
                end += step;
                end <= BOTTOM
            };
            let fitting = (0..lines).take_while(fits).count().max(1);
            for (index, (column, lines)) in columns.iter().zip(&mut wrapped).enumerate() {
                let mut y = self.y;
                for line in lines.drain(..fitting.min(lines.len())) {
                    y += step;
                    let x = if column.is_right_aligned {
                        column.left + column.width - line.width
                    } else {
                        column.left
                    };
                    let role = place.map_or(Role::Artifact, |(table, row)| Role::Cell(table, row, index));
                    self.place_text(x, y, role, line);
                }
            }
            self.y += (0..fitting).map(|_| step).sum::<f32>();
            lines = lines.saturating_sub(fitting);
            if lines == 0 {
                self.y += 5.0;
                return Ok(());
            }
            self.next_page();
            is_new_page = true;
        }
    }

    /// `table` is `None` for a repeated header, which is an artifact.
    fn write_header(
        &mut self,
        columns: &[Column],
        labels: &[&str],
        table: Option<Table>,
    ) -> anyhow::Result<()> {
        self.write_row(columns, labels, STRONG, table.map(|table| (table, 0)), None)?;
        let left = columns.first().map_or(MARGIN, |column| column.left);
        self.draw_rule(left, self.y, 0.8);
        self.y += 2.0;
        Ok(())
    }
}

/// Lays out an invoice.
///
/// # Errors
/// When an embedded font cannot be read.
pub fn lay_out(content: &Content) -> anyhow::Result<Layout> {
    let page = Page::default();
    let mut composer =
        Composer { finished: Vec::new(), page, y: TOP, paragraphs: 0, has_replacements: false };
    write_head(&mut composer, content)?;
    write_lines(&mut composer, content)?;
    write_totals(&mut composer, content)?;
    composer.finished.push(composer.page);
    let mut pages = composer.finished;
    let count = pages.len();
    for (index, page) in pages.iter_mut().enumerate() {
        let (left, right) = (
            shape_line(&content.title(), SMALL)?,
            shape_line(&content.language.page_label(index + 1, count), SMALL)?,
        );
        let x = PAGE_SIZE.0 - MARGIN - right.width;
        page.items.push(Item { x: MARGIN, y: FOOT, role: Role::PageNumber, mark: Mark::Text(left) });
        page.items.push(Item { x, y: FOOT, role: Role::PageNumber, mark: Mark::Text(right) });
    }
    Ok(Layout { pages })
}

/// Places the title, the addresses and the details.
fn write_head(composer: &mut Composer, content: &Content) -> anyhow::Result<()> {
    let labels = content.labels();
    composer.y += TITLE.size;
    composer.place_text(MARGIN, composer.y, Role::Heading, shape_line(labels.invoice, TITLE)?);
    let top = composer.y + 14.0;
    let half = (PAGE_SIZE.0 - 2.0 * MARGIN - 24.0) / 2.0;
    let right = MARGIN + half + 24.0;

    let (name, address) = content
        .seller
        .split_first()
        .map_or((&[][..], &[][..]), |(name, rest)| (std::slice::from_ref(name), rest));
    let under_name = composer.write_block(name, (right, top - 14.0 - TITLE.size, half), STRONG)?;
    let seller_end = composer.write_block(address, (right, under_name, half), BODY)?;
    // What continues on another page has nothing beside it.
    let top = if composer.finished.is_empty() { top } else { seller_end };
    let pages = composer.finished.len();

    let label = composer.write_block(&[labels.buyer.to_owned()], (MARGIN, top, half), SMALL)?;
    let buyer_end = composer.write_block(&content.buyer, (MARGIN, label, half), BODY)?;

    composer.y = if composer.finished.len() > pages { buyer_end } else { buyer_end.max(seller_end) } + 18.0;
    for (label, value) in &content.details {
        composer.paragraphs += 1;
        let role = Role::Paragraph(composer.paragraphs);
        composer.ensure_space(BODY.size * LEADING);
        composer.y += BODY.size * LEADING;
        composer.place_text(MARGIN, composer.y, role, shape_line(label, BODY)?);
        composer.place_text(MARGIN + 170.0, composer.y, role, shape_line(value, BODY)?);
    }
    composer.y += 22.0;
    Ok(())
}

/// Places the table of lines.
fn write_lines(composer: &mut Composer, content: &Content) -> anyhow::Result<()> {
    let widths = [Some(70.0), None, Some(44.0), Some(70.0), Some(34.0), Some(72.0)];
    let columns = columns(&widths, &[false, false, true, true, true, true], MARGIN);
    let labels = content.labels().columns;
    composer.write_header(&columns, &labels, Some(Table::Lines))?;
    for (index, row) in content.rows.iter().enumerate() {
        let cells =
            [&row.sku, &row.name, &row.quantity, &row.unit_price, &row.rate, &row.price].map(String::as_str);
        composer.write_row(&columns, &cells, BODY, Some((Table::Lines, index + 1)), Some(&labels))?;
    }
    composer.draw_rule(MARGIN, composer.y, 0.4);
    Ok(())
}

/// Places the total, the taxes and the notes, all on one page.
fn write_totals(composer: &mut Composer, content: &Content) -> anyhow::Result<()> {
    let labels = content.labels();
    let rows: f32 = content.taxes.iter().map(|_| 18.0).sum();
    composer.ensure_space(rows + 150.0);
    composer.y += 10.0 + TOTAL.size;
    let total = shape_line(&content.total, TOTAL)?;
    composer.paragraphs += 1;
    let role = Role::Paragraph(composer.paragraphs);
    let left = MARGIN + 180.0;
    composer.place_text(left, composer.y, role, shape_line(labels.total, TOTAL)?);
    composer.place_text(PAGE_SIZE.0 - MARGIN - total.width, composer.y, role, total);
    composer.y += 16.0;

    let columns = columns(&[None, Some(72.0), Some(72.0), Some(76.0)], &[false, true, true, true], left);
    composer.write_header(&columns, &labels.tax_columns, Some(Table::Taxes))?;
    for (index, row) in content.taxes.iter().enumerate() {
        let cells = row.each_ref().map(String::as_str);
        composer.write_row(&columns, &cells, BODY, Some((Table::Taxes, index + 1)), None)?;
    }
    composer.y += 10.0;
    let width = PAGE_SIZE.0 - 2.0 * MARGIN;
    let notes = [content.payment_note.clone(), labels.tax_included_note.to_owned()];
    for note in notes {
        composer.y = composer.write_block(&[note], (MARGIN, composer.y, width), BODY)?;
    }
    if composer.has_replacements {
        composer.y = composer.write_block(
            &[labels.replacement_note.to_owned()],
            (MARGIN, composer.y + 4.0, width),
            SMALL,
        )?;
    }
    Ok(())
}
