//! Where everything stands: on which page, how far from its left and upper edges. Nothing is drawn here, so that a test can
//! look at it.

#![expect(clippy::float_arithmetic, reason = "lengths on paper, in points")]

use std::fmt;

use super::fonts::Weight;
use super::text::{Line, Style, line, wrap};
use crate::invoice::content::Content;

/// A4, in points (ISO 216).
pub(super) const PAGE: (f32, f32) = (595.28, 841.89);
/// What stays free at the left and at the right.
const MARGIN: f32 = 56.0;
const TOP: f32 = 60.0;
/// Where the page ends for all but its number.
pub(super) const BOTTOM: f32 = 780.0;
/// Where the page's number stands.
const FOOT: f32 = 806.0;
/// From one baseline to the next, in sizes.
const LEADING: f32 = 1.4;
/// Between two columns.
const GAP: f32 = 8.0;

const BODY: Style = Style { size: 9.0, weight: Weight::Regular };
const STRONG: Style = Style { size: 9.0, weight: Weight::Bold };
const SMALL: Style = Style { size: 7.5, weight: Weight::Regular };
const TITLE: Style = Style { size: 20.0, weight: Weight::Bold };
const TOTAL: Style = Style { size: 11.0, weight: Weight::Bold };

/// What a thing on the page is to who cannot see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// Nothing: it is there for the eye, or there before.
    Artifact,
    /// The number of the page.
    PageNumber,
    /// The heading.
    Heading,
    /// A paragraph: the same number is the same one.
    Paragraph(usize),
    /// Within the table of the lines or the taxes: row (0 is the header) and column.
    Cell(Table, usize, usize),
}

/// The tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    Lines,
    Taxes,
}

/// Something on a page.
#[derive(Clone)]
pub struct Item {
    pub(super) x: f32,
    /// The baseline of a text, the middle of a rule.
    pub(super) y: f32,
    pub(super) role: Role,
    pub(super) mark: Mark,
}

/// What it is.
#[derive(Clone)]
pub(super) enum Mark {
    Text(Line),
    /// A line across, so wide and so thick.
    Rule {
        width: f32,
        thickness: f32,
    },
}

/// One line for each: what it is, where, and the text.
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

/// A page.
#[derive(Clone, Default)]
pub struct Page {
    /// What is on it.
    pub items: Vec<Item>,
}

/// All pages.
#[derive(Clone)]
pub struct Layout {
    /// One at least.
    pub pages: Vec<Page>,
}

/// How a column stands in its table.
struct Column {
    left: f32,
    width: f32,
    right_aligned: bool,
}

/// Columns that share the width of the page, one of them all that the others leave.
fn columns(widths: &[Option<f32>], right_aligned: &[bool], from: f32) -> Vec<Column> {
    let taken: f32 = widths.iter().flatten().sum();
    let gaps: f32 = widths.iter().skip(1).map(|_| GAP).sum();
    let rest = PAGE.0 - MARGIN - from - taken - gaps;
    let mut left = from;
    let column = |(width, right): (&Option<f32>, &bool)| {
        let column = Column { left, width: width.unwrap_or(rest), right_aligned: *right };
        left += column.width + GAP;
        column
    };
    widths.iter().zip(right_aligned).map(column).collect()
}

/// Puts one thing under the other, and begins a new page where none fits any more.
struct Composer {
    done: Vec<Page>,
    page: Page,
    y: f32,
    paragraphs: usize,
    replaced: bool,
}

impl Composer {
    fn text(&mut self, x: f32, y: f32, role: Role, line: Line) {
        self.replaced |= line.replaced;
        self.page.items.push(Item { x, y, role, mark: Mark::Text(line) });
    }

    fn rule(&mut self, x: f32, y: f32, thickness: f32) {
        let mark = Mark::Rule { width: PAGE.0 - MARGIN - x, thickness };
        self.page.items.push(Item { x, y, role: Role::Artifact, mark });
    }

    fn next_page(&mut self) {
        self.done.push(std::mem::take(&mut self.page));
        self.y = TOP;
    }

    /// Begins a new page if less than so much is left of this one.
    fn need(&mut self, height: f32) -> bool {
        let full = self.y + height > BOTTOM;
        if full {
            self.next_page();
        }
        full
    }

    /// Texts one under the other, each its own paragraph, or all one. Gives back where they end.
    fn block(&mut self, texts: &[String], place: (f32, f32, f32), style: Style) -> anyhow::Result<f32> {
        let (x, mut y, width) = place;
        self.paragraphs += 1;
        for text in texts {
            for line in wrap(text, style, width)? {
                y += style.size * LEADING;
                self.text(x, y, Role::Paragraph(self.paragraphs), line);
            }
        }
        Ok(y)
    }

    /// A row of a table: each cell in lines of its column's width. All of it on one page, with the table's header again
    /// where a page begins.
    fn row(
        &mut self,
        columns: &[Column],
        cells: &[&str],
        style: Style,
        place: Option<(Table, usize)>,
        header: Option<&[&str]>,
    ) -> anyhow::Result<()> {
        let wrapped: Vec<Vec<Line>> = columns
            .iter()
            .zip(cells)
            .map(|(column, cell)| wrap(cell, style, column.width))
            .collect::<anyhow::Result<_>>()?;
        let step = style.size * LEADING;
        let lines = wrapped.iter().map(Vec::len).max().unwrap_or_default();
        let height: f32 = (0..lines).map(|_| step).sum();
        if self.need(height + 6.0)
            && let Some(header) = header
        {
            self.header(columns, header, None)?;
        }
        for (index, (column, lines)) in columns.iter().zip(wrapped).enumerate() {
            let mut y = self.y;
            for line in lines {
                y += step;
                let x =
                    if column.right_aligned { column.left + column.width - line.width } else { column.left };
                let role = place.map_or(Role::Artifact, |(table, row)| Role::Cell(table, row, index));
                self.text(x, y, role, line);
            }
        }
        self.y += height + 5.0;
        Ok(())
    }

    /// `table` is left out where it is only there again for the eye.
    fn header(&mut self, columns: &[Column], labels: &[&str], table: Option<Table>) -> anyhow::Result<()> {
        self.row(columns, labels, STRONG, table.map(|table| (table, 0)), None)?;
        let left = columns.first().map_or(MARGIN, |column| column.left);
        self.rule(left, self.y, 0.8);
        self.y += 2.0;
        Ok(())
    }
}

/// Lays an invoice out.
///
/// # Errors
/// When a font that is in the binary cannot be read.
pub fn lay_out(content: &Content) -> anyhow::Result<Layout> {
    let page = Page::default();
    let mut composer = Composer { done: Vec::new(), page, y: TOP, paragraphs: 0, replaced: false };
    head(&mut composer, content)?;
    lines(&mut composer, content)?;
    sums(&mut composer, content)?;
    composer.done.push(composer.page);
    let mut pages = composer.done;
    let count = pages.len();
    for (index, page) in pages.iter_mut().enumerate() {
        let (left, right) =
            (line(&content.title(), SMALL)?, line(&content.tongue.page(index + 1, count), SMALL)?);
        let x = PAGE.0 - MARGIN - right.width;
        page.items.push(Item { x: MARGIN, y: FOOT, role: Role::PageNumber, mark: Mark::Text(left) });
        page.items.push(Item { x, y: FOOT, role: Role::PageNumber, mark: Mark::Text(right) });
    }
    Ok(Layout { pages })
}

/// Title, addresses, and what it is about.
fn head(composer: &mut Composer, content: &Content) -> anyhow::Result<()> {
    let words = content.words();
    composer.y += TITLE.size;
    composer.text(MARGIN, composer.y, Role::Heading, line(words.invoice, TITLE)?);
    let top = composer.y + 14.0;
    let half = (PAGE.0 - 2.0 * MARGIN - 24.0) / 2.0;
    let right = MARGIN + half + 24.0;

    let (name, address) = content
        .seller
        .split_first()
        .map_or((&[][..], &[][..]), |(name, rest)| (std::slice::from_ref(name), rest));
    let under_name = composer.block(name, (right, top - 14.0 - TITLE.size, half), STRONG)?;
    let seller_end = composer.block(address, (right, under_name, half), BODY)?;

    let label = composer.block(&[words.buyer.to_owned()], (MARGIN, top, half), SMALL)?;
    let buyer_end = composer.block(&content.buyer, (MARGIN, label, half), BODY)?;

    composer.y = seller_end.max(buyer_end) + 18.0;
    for (label, fact) in &content.facts {
        composer.paragraphs += 1;
        let role = Role::Paragraph(composer.paragraphs);
        composer.y += BODY.size * LEADING;
        composer.text(MARGIN, composer.y, role, line(label, BODY)?);
        composer.text(MARGIN + 170.0, composer.y, role, line(fact, BODY)?);
    }
    composer.y += 22.0;
    Ok(())
}

/// What was bought.
fn lines(composer: &mut Composer, content: &Content) -> anyhow::Result<()> {
    let widths = [Some(70.0), None, Some(44.0), Some(70.0), Some(34.0), Some(72.0)];
    let columns = columns(&widths, &[false, false, true, true, true, true], MARGIN);
    let labels = content.words().columns;
    composer.header(&columns, &labels, Some(Table::Lines))?;
    for (index, row) in content.rows.iter().enumerate() {
        let cells =
            [&row.sku, &row.name, &row.quantity, &row.unit_price, &row.rate, &row.price].map(String::as_str);
        composer.row(&columns, &cells, BODY, Some((Table::Lines, index + 1)), Some(&labels))?;
    }
    composer.rule(MARGIN, composer.y, 0.4);
    Ok(())
}

/// Total, taxes, and how it was paid: all on one page.
fn sums(composer: &mut Composer, content: &Content) -> anyhow::Result<()> {
    let words = content.words();
    let rows: f32 = content.taxes.iter().map(|_| 18.0).sum();
    composer.need(rows + 150.0);
    composer.y += 10.0 + TOTAL.size;
    let total = line(&content.total, TOTAL)?;
    composer.paragraphs += 1;
    let role = Role::Paragraph(composer.paragraphs);
    let left = MARGIN + 180.0;
    composer.text(left, composer.y, role, line(words.total, TOTAL)?);
    composer.text(PAGE.0 - MARGIN - total.width, composer.y, role, total);
    composer.y += 16.0;

    let columns = columns(&[None, Some(72.0), Some(72.0), Some(76.0)], &[false, true, true, true], left);
    composer.header(&columns, &words.tax_columns, Some(Table::Taxes))?;
    for (index, row) in content.taxes.iter().enumerate() {
        let cells = row.each_ref().map(String::as_str);
        composer.row(&columns, &cells, BODY, Some((Table::Taxes, index + 1)), None)?;
    }
    composer.y += 10.0;
    let width = PAGE.0 - 2.0 * MARGIN;
    let notes = [content.paid.clone(), words.inclusive.to_owned()];
    for note in notes {
        composer.y = composer.block(&[note], (MARGIN, composer.y, width), BODY)?;
    }
    if composer.replaced {
        composer.y =
            composer.block(&[words.replaced.to_owned()], (MARGIN, composer.y + 4.0, width), SMALL)?;
    }
    Ok(())
}
