//! A table in any dialect of CSV is read as it was written. A damaged one is read as it was meant, or rejected
//! with line and column.

use inventory::import::records::{Position, Record, RecordReader};
use inventory::import::row::REJECTED_COLUMNS;
use proptest::prelude::*;

use crate::imports::{World, import};

const COLUMNS: [&str; 6] = ["sku", "name", "price", "currency", "tax_rate", "quantity"];

/// A row, with its fields in the order of [`COLUMNS`].
type Fields = [String; 6];

/// A dialect of CSV.
#[derive(Debug, Clone)]
struct Dialect {
    separator: char,
    /// The line terminators, in turn.
    line_ends: Vec<&'static str>,
    has_bom: bool,
    has_separator_line: bool,
    /// Whether all fields are quoted, or only those that need it.
    quotes_all: bool,
    /// Blanks around each field.
    blanks: &'static str,
    /// The number of columns without a name, at the end.
    empty_columns: usize,
    /// The number of empty lines after each row.
    empty_lines: usize,
    has_decimal_comma: bool,
    order: Vec<usize>,
}

fn dialect() -> impl Strategy<Value = Dialect> {
    let line_ends = prop::collection::vec(prop::sample::select(vec!["\n", "\r\n", "\r"]), 1..4);
    let form = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let blanks = prop::sample::select(vec!["", "", " ", "  "]);
    let order = Just((0..COLUMNS.len()).collect::<Vec<_>>()).prop_shuffle();
    let separator = prop::sample::select(vec![',', ';', '\t']);
    (separator, line_ends, form, blanks, 0..3_usize, 0..3_usize, order).prop_map(
        |(separator, line_ends, form, blanks, empty_columns, empty_lines, order)| Dialect {
            separator,
            line_ends,
            has_bom: form.0,
            has_separator_line: form.1,
            quotes_all: form.2,
            has_decimal_comma: form.3,
            blanks,
            empty_columns,
            empty_lines,
            order,
        },
    )
}

/// Tables of rows with distinct SKUs.
fn table() -> impl Strategy<Value = Vec<Fields>> {
    let name = "[A-Zäö茶'\"=+@＝-][a-zß緑'\"=+@,;\\\\ -]{0,12}[a-z\"')=é]";
    let tax = prop::sample::select(vec!["", "7", "19", "5.5"]);
    let row = (name, 100..99_999_u32, tax, 1..9_u8);
    prop::collection::vec(row, 1..6).prop_map(|rows| {
        let row = |(number, (name, cents, tax, quantity)): (usize, (String, u32, &str, u8))| {
            [
                format!("T-{number}"),
                name,
                format!("{}.{:02}", cents / 100, cents % 100),
                "EUR".to_owned(),
                tax.to_owned(),
                quantity.to_string(),
            ]
        };
        rows.into_iter().enumerate().map(row).collect()
    })
}

fn count(table: &[Fields]) -> u64 {
    u64::try_from(table.len()).unwrap()
}

/// A file, with the offsets of its structure.
#[derive(Default)]
struct File {
    text: String,
    separators: Vec<usize>,
    quotes: Vec<usize>,
    line_ends: Vec<usize>,
    /// The offset after the header.
    header_end: usize,
}

impl File {
    fn write(table: &[Fields], dialect: &Dialect) -> Self {
        let mut file = Self::default();
        file.text.push_str(if dialect.has_bom { "\u{feff}" } else { "" });
        let mut line_ends = dialect.line_ends.iter().cycle();
        let mut end_line = |file: &mut Self| {
            file.line_ends.push(file.text.len());
            file.text.push_str(line_ends.next().unwrap());
        };
        if dialect.has_separator_line {
            file.text.push_str(&format!("sep={}", dialect.separator));
            end_line(&mut file);
        }
        let header = COLUMNS.map(str::to_owned);
        for row in std::iter::once(&header).chain(table) {
            for (position, column) in dialect.order.iter().enumerate() {
                if position > 0 {
                    file.push_separator(dialect);
                }
                let is_price = *column == 2 && dialect.has_decimal_comma;
                let field = if is_price { row[2].replace('.', ",") } else { row[*column].clone() };
                file.push_field(&field, dialect);
            }
            for _ in 0..dialect.empty_columns {
                file.push_separator(dialect);
            }
            for _ in 0..=dialect.empty_lines {
                end_line(&mut file);
            }
            file.header_end = if file.header_end == 0 { file.text.len() } else { file.header_end };
        }
        file
    }

    fn push_separator(&mut self, dialect: &Dialect) {
        self.separators.push(self.text.len());
        self.text.push(dialect.separator);
    }

    fn push_field(&mut self, field: &str, dialect: &Dialect) {
        let needs_quotes = field.contains([dialect.separator, '"', '\r', '\n']);
        self.text.push_str(dialect.blanks);
        if dialect.quotes_all || needs_quotes {
            self.quotes.push(self.text.len());
            self.text.push('"');
            for c in field.chars() {
                if c == '"' {
                    self.quotes.push(self.text.len());
                    self.text.push('"');
                }
                self.text.push(c);
            }
            self.quotes.push(self.text.len());
            self.text.push('"');
        } else {
            self.text.push_str(field);
        }
        self.text.push_str(dialect.blanks);
    }
}

/// A change of one byte in the structure of a file.
#[derive(Debug, Clone, Copy)]
enum Damage {
    RemoveSeparator,
    RemoveQuote,
    RemoveLineEnd,
    /// Instead of doubling it, as some programs do.
    EscapeQuote,
    AddSeparator,
    AddQuote,
    AddLineEnd,
}

impl Damage {
    /// Returns the damaged file and the place of the damage; `None` if the file has no such place.
    fn apply(self, file: &File, dialect: &Dialect, place: prop::sample::Index) -> Option<(Vec<u8>, usize)> {
        let anywhere: Vec<usize> = (0..file.text.len()).collect();
        let places = match self {
            Self::RemoveSeparator | Self::AddSeparator | Self::AddLineEnd => &file.separators,
            Self::RemoveQuote | Self::EscapeQuote => &file.quotes,
            Self::RemoveLineEnd => &file.line_ends,
            Self::AddQuote => &anywhere,
        };
        let at = *places.get(place.index(places.len().max(1)))?;
        let mut text = file.text.clone().into_bytes();
        match self {
            Self::RemoveSeparator | Self::RemoveQuote => {
                text.remove(at);
            }
            Self::RemoveLineEnd => {
                let len = if text[at..].starts_with(b"\r\n") { 2 } else { 1 };
                text.drain(at..at + len);
            }
            Self::EscapeQuote => text[at] = b'\\',
            Self::AddSeparator => text.insert(at, u8::try_from(dialect.separator).unwrap()),
            Self::AddQuote => text.insert(at, b'"'),
            Self::AddLineEnd => text.insert(at, b'\n'),
        }
        Some((text, at))
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    prop::sample::select(vec![
        Damage::RemoveSeparator,
        Damage::RemoveQuote,
        Damage::RemoveLineEnd,
        Damage::EscapeQuote,
        Damage::AddSeparator,
        Damage::AddQuote,
        Damage::AddLineEnd,
    ])
}

/// The row of which an imported product is the result.
fn imported(world: &World, sku: &str) -> Option<Fields> {
    let product = world.product(sku)?;
    let percent = |rate: domain::TaxRate| match rate.basis_points() {
        550 => "5.5".to_owned(),
        points => (points / 100).to_string(),
    };
    Some([
        product.sku.to_string(),
        product.name.as_str().to_owned(),
        product.price.to_string().trim_end_matches(" EUR").to_owned(),
        product.price.currency.code().to_owned(),
        product.tax_rate.map(percent).unwrap_or_default(),
        product.available.to_string(),
    ])
}

pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

/// The rows of `rejected.csv`, with the header.
pub(crate) fn read_rejected(world: &World) -> Vec<Vec<String>> {
    let text = world.rejected();
    let mut input = text.strip_prefix('\u{feff}').unwrap().as_bytes();
    let separator = input[REJECTED_COLUMNS[0].len()];
    let mut reader = RecordReader::new(separator, Position::START);
    let fields = |record: Record| {
        assert_eq!(record.defect, None, "{text}");
        record.fields.into_iter().map(|field| String::from_utf8(field).unwrap()).collect::<Vec<_>>()
    };
    std::iter::from_fn(|| reader.next(&mut input)).map(fields).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn a_table_in_any_dialect_is_read_as_it_was_written(table in table(), dialect in dialect()) {
        let file = File::write(&table, &dialect);
        let (world, status, [rows, applied, _]) = run(import(file.text.clone()));
        prop_assert_eq!(status, "imported", "{:?}\n{}", &file.text, world.rejected());
        prop_assert_eq!([rows, applied], [count(&table); 2]);
        for row in &table {
            prop_assert_eq!(imported(&world, &row[0]), Some(row.clone()), "{:?}", &file.text);
        }
    }

    #[test]
    fn a_damaged_table_is_read_as_it_was_meant_or_rejected(
        table in table(),
        dialect in dialect(),
        damage in damage(),
        place in any::<prop::sample::Index>(),
    ) {
        // The rest of a row that is broken before its first separator is a row without its first field, which
        // is valid if that is the tax rate.
        prop_assume!(!matches!(damage, Damage::AddLineEnd) || COLUMNS[dialect.order[0]] != "tax_rate");
        let file = File::write(&table, &dialect);
        let Some((damaged, at)) = damage.apply(&file, &dialect, place) else { return Ok(()) };
        let shown = String::from_utf8_lossy(&damaged).into_owned();
        let (world, status, [_, applied, rejected]) = run(import(damaged));
        let mut missing = 0;
        for row in &table {
            match imported(&world, &row[0]) {
                Some(found) => prop_assert_eq!(&found, row, "{:?}", shown),
                None => missing += 1,
            }
        }
        prop_assert_eq!(applied, count(&table) - missing, "another product was imported: {:?}", shown);
        if status == "refused" {
            prop_assert_eq!(applied, 0, "{:?}", shown);
            prop_assert!(!world.summary()["reason"].as_str().unwrap().is_empty());
            return Ok(());
        }
        prop_assert!(missing <= 2 || at < file.header_end, "{missing} rows are missing: {shown:?}");
        prop_assert!(missing == 0 || rejected > 0, "{shown:?}");
        if rejected > 0 {
            for row in read_rejected(&world).iter().skip(1) {
                prop_assert!(row[0].parse::<u64>().unwrap() > 0 && !row[1].is_empty() && !row[2].is_empty(), "{row:?}");
            }
        }
    }

    /// A rejected row that is corrected in a spreadsheet, which may save the file in another dialect, has the
    /// values of the original file, and no cell of `rejected.csv` is a formula.
    #[test]
    fn a_corrected_row_has_its_original_values(
        table in table(),
        dialect in dialect(),
        separator in prop::sample::select(vec![',', ';', '\t']),
        has_separator_line in any::<bool>(),
    ) {
        let mut wrong = table.clone();
        for row in &mut wrong {
            row[2] = "free".to_owned();
        }
        let file = File::write(&wrong, &dialect);
        let (world, _, counts) = run(import(file.text.clone()));
        prop_assert_eq!(counts, [count(&table), 0, count(&table)], "{:?}", &file.text);
        let text = world.rejected();
        for cell in text.split([',', ';', '\t', '\r', '\n']) {
            let start = cell.trim_start_matches([' ', '"']);
            prop_assert!(!start.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']), "{text:?}");
        }

        let mut rows = read_rejected(&world);
        let price = rows[0].iter().position(|name| name == "price").unwrap();
        for (row, meant) in rows.iter_mut().skip(1).zip(&table) {
            row[price].clone_from(&meant[2]);
        }
        let dialect = Dialect { separator, has_separator_line, ..dialect };
        let mut corrected = File::default();
        corrected.text.push_str(if dialect.has_separator_line { "" } else { "\u{feff}" });
        if dialect.has_separator_line {
            corrected.text.push_str(&format!("sep={separator}\r\n"));
        }
        for row in &rows {
            for (index, field) in row.iter().enumerate() {
                if index > 0 {
                    corrected.push_separator(&dialect);
                }
                corrected.push_field(field, &dialect);
            }
            corrected.text.push_str("\r\n");
        }
        let (world, status, _) = run(import(corrected.text.clone()));
        prop_assert_eq!(status, "imported", "{:?}\n{}", &corrected.text, world.rejected());
        for row in &table {
            prop_assert_eq!(imported(&world, &row[0]), Some(row.clone()), "{:?}", &corrected.text);
        }
        prop_assert_eq!(&rows[0][..3], &REJECTED_COLUMNS.map(str::to_owned)[..]);
    }
}
