//! Orders are found by the spellings that people type: parts of names in scripts without spaces, names with and
//! without spaces, and amounts as they are printed.

use domain::money::{MAX_AMOUNT, format_decimal};
use proptest::prelude::*;
use proptest::sample::select;
use search::adapters::memory::InMemoryRows;
use search::document::Document;
use search::postings::PostingsIndex;
use search::store::OrderIndex;
use search::term::Field;
use serde_json::json;

use crate::support::{clock, document, numbers, order_with, unrestricted_query};

type Index = PostingsIndex<InMemoryRows>;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// An order of this customer, its product of this name, and its total.
fn named(number: u32, customer: &str, product: &str) -> Document {
    document(&order_with(number, "u-1", customer, "ada@example.com", &["TEA-001"]), &[("TEA-001", product)])
}

/// Order 1 with these names, and others.
fn index(customer: &str, product: &str) -> Index {
    let index = PostingsIndex::new(InMemoryRows::default(), clock());
    block_on(async {
        index.index(named(1, customer, product)).await.unwrap();
        index.index(named(2, "Eve Hopper", "Darjeeling")).await.unwrap();
        index.index(named(3, "山", "水")).await.unwrap();
    });
    index
}

fn found(index: &Index, words: &str) -> Vec<u32> {
    numbers(&block_on(index.search(&unrestricted_query(words))).unwrap())
}

#[test]
fn parts_of_names_in_scripts_without_spaces_are_found() {
    for (name, queries) in [
        ("田中太郎", vec!["太郎", "田中", "中太", "田中太郎", "田中 太郎", "田中　太郎", "郎", "太"]),
        ("田中 太郎", vec!["太郎", "田中太郎", "中太", "太郎 田中"]),
        ("佐々木・ジョン", vec!["佐々木", "々木", "ジョン", "ｼﾞｮﾝ", "佐々木ジョン"]),
        ("静岡産深蒸し緑茶100g", vec!["緑茶", "蒸し緑", "静岡産深蒸し緑茶", "茶100g", "100g", "緑茶100"]),
        ("オーガニックTシャツ", vec!["Tシャツ", "ｵｰｶﾞﾆｯｸ", "シャツ"]),
        ("王小明", vec!["小明", "王", "明"]),
        ("김민수", vec!["민수", "김", "김 민수"]),
        ("제주 녹차세트", vec!["녹차", "제주녹차", "차세"]),
        ("ชาเขียวมะลิ", vec!["เขียว", "มะลิ", "ชา"]),
        ("ຊາຂຽວ", vec!["ຂຽວ"]),
        ("តែបៃតង", vec!["បៃតង"]),
        ("လက်ဖက်ရည်", vec!["ရည်", "ဖက်ရည်"]),
        ("葛\u{e0100}城 ⼤⽥", vec!["葛城", "大田"]),
    ] {
        for index in [index(name, "Mug"), index("Ada", name)] {
            for query in &queries {
                assert_eq!(found(&index, query), [1], "{query} in {name}");
            }
            for query in ["太田", "茶緑", "수민", "木ジャン", "ขาเ"] {
                assert_eq!(found(&index, query), [0; 0], "{query} in {name}");
            }
        }
    }
}

#[test]
fn other_spellings_of_a_name_are_found() {
    for (name, queries) in [
        ("Jan van der Berg", vec!["vanderberg", "Van Derberg", "janvander", "VAN DER BERG", "berg jan"]),
        ("Jan Vanderberg", vec!["van der Berg", "jan van der berg", "vander berg"]),
        (
            "Müller-Lüdenscheidt",
            vec![
                "muller ludenscheidt",
                "MÜLLERLÜDENSCHEIDT",
                "Müller–Lüdenscheidt",
                "Mu\u{308}ller",
                "lüden",
            ],
        ),
        (
            "Müller Lüdenscheidt",
            vec!["Müller-Lüdenscheidt", "Müller\u{2011}Lüdenscheidt", "Müller—Lüdenscheidt"],
        ),
        (
            "O´Brien",
            vec![
                "O'Brien",
                "O’Brien",
                "O‘Brien",
                "O`Brien",
                "OʼBrien",
                "O＇Brien",
                "OBrien",
                "O Brien",
                "brien",
            ],
        ),
        ("OBrien", vec!["O'Brien", "o brien"]),
        ("Łukasz Sørensen", vec!["lukasz", "SORENSEN", "Sørensen", "Ｌｕｋａｓｚ"]),
        ("Strauß", vec!["strauss", "STRAUSS", "strauß"]),
        ("ISTANBUL İŞIK", vec!["ışık", "istanbul", "Istanbul"]),
        ("ﬁrst ﬂush", vec!["first flush", "firstflush"]),
        ("مُحَمَّد أحمد", vec!["محمد", "احمد", "محـــمد"]),
        ("Earl Grey 100 g", vec!["EarlGrey", "100g", "grey100g"]),
        ("Earl Grey 100g", vec!["100 g", "earlgrey 100 g"]),
    ] {
        for index in [index(name, "Mug"), index("Nobody", name)] {
            for query in &queries {
                assert_eq!(found(&index, query), [1], "{query} for {name}");
            }
            for query in ["bergvan", "derx", "obrian", "greyearl"] {
                assert_eq!(found(&index, query), [0; 0], "{query} for {name}");
            }
        }
    }
}

/// All orders cost the same in `index`.
fn priced(minor_units: u32, currency: &str) -> Index {
    let index = PostingsIndex::new(InMemoryRows::default(), clock());
    for (number, total) in [(1, minor_units), (2, minor_units.checked_sub(1).unwrap_or(7))] {
        let mut priced = named(number, "Ada", "Mug");
        priced.total = serde_json::from_value(json!({ "amount": total, "currency": currency })).unwrap();
        block_on(index.index(priced)).unwrap();
    }
    index
}

#[test]
fn a_total_is_found_as_it_is_printed() {
    for (units, currency, queries) in [
        (
            1250,
            "EUR",
            vec![
                "12.50 EUR",
                "12.50\u{a0}EUR",
                "EUR 12.50",
                "EUR\u{a0}12.50",
                "€12.50",
                "€ 12.50",
                "12,50 €",
                "12,50\u{202f}€",
                "12,50€",
                "12.50",
                "12,50",
                "１２．５０　ＥＵＲ",
                "ada 12.50 EUR mug",
            ],
        ),
        (
            123_450,
            "EUR",
            vec![
                "1.234,50 €",
                "1 234,50",
                "1\u{202f}234,50\u{a0}€",
                "€1,234.50",
                "1234.50 EUR",
                "1’234.50 EUR",
                "1.234,50",
                "1,234.50",
                "1234,5",
                "1.234",
                "€1234.50",
            ],
        ),
        (
            1250,
            "JPY",
            vec!["1250 JPY", "¥1,250", "￥1,250", "1.250 ¥", "1 250 JPY", "JPY 1250", "1,250", "1250"],
        ),
        (5, "JPY", vec!["5 JPY", "¥5", "5"]),
        (1_234_567, "KWD", vec!["1234.567 KWD", "KWD 1,234.567", "1.234,567 KWD", "1 234,567"]),
        (999, "GBP", vec!["£9.99", "9,99 £", "9,99 GBP", "9.99 GBP"]),
        (1250, "USD", vec!["USD 12.50", "$12.50", "12,50 USD"]),
    ] {
        let index = priced(units, currency);
        for query in queries {
            assert!(found(&index, query).contains(&1), "{query} for {units} {currency}");
        }
    }
    let index = priced(1250, "EUR");
    for query in ["12.50 USD", "£12.50", "12.51 EUR", "€12.51", "1250 EUR", "12.50 JPY"] {
        assert_eq!(found(&index, query), [0; 0], "{query}");
    }
    let page = block_on(index.search(&unrestricted_query("€12.50"))).unwrap();
    assert_eq!(page.hits[0].fields.iter().collect::<Vec<_>>(), [&Field::Total]);
}

/// The ways to write a name: words, and what is between them.
fn latin_names() -> impl Strategy<Value = (Vec<&'static str>, Vec<&'static str>, Vec<&'static str>)> {
    let word = select(vec![
        "Müller",
        "Lüdenscheidt",
        "O'Brien",
        "van",
        "der",
        "Berg",
        "Łukasz",
        "Øre",
        "Straße",
        "d'Été",
        "Ł",
        "Señor",
        "İnci",
        "ﬁsh",
        "Ἀθηνᾶ",
        "Пётр",
    ]);
    let between = || proptest::collection::vec(select(vec![" ", "-", "", " ", "\u{a0}", "–"]), 4);
    (proptest::collection::vec(word, 1..5), between(), between())
}

fn join(words: &[&str], between: &[&str]) -> String {
    let mut name = String::new();
    for (number, word) in words.iter().enumerate() {
        name.push_str(if number == 0 { "" } else { between[number % between.len()] });
        name.push_str(word);
    }
    name
}

/// Names in scripts without spaces.
fn unspaced_names() -> impl Strategy<Value = Vec<char>> {
    let words = |words: &'static [&'static str]| {
        proptest::collection::vec(select(words), 1..5).prop_map(|words| words.concat())
    };
    prop_oneof![
        "[一-鿿々]{2,30}",
        "[ぁ-ゖァ-ヺー一-鿿]{2,30}",
        "[가-힣]{2,20}",
        words(&["ชา", "เขียว", "มะลิ", "น้ำผึ้ง"]),
        words(&["តែ", "បៃតង", "ទឹក"]),
        words(&["လက်ဖက်", "ရည်", "ရွှေ"]),
        words(&["ຊາ", "ຂຽວ", "ນ້ຳ"]),
    ]
    .prop_map(|name| name.chars().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn any_part_of_a_name_without_spaces_finds_it(
        letters in unspaced_names(),
        (start, length) in (any::<usize>(), any::<usize>()),
        (space, separator) in (any::<usize>(), select(vec!["", " ", "\u{3000}", "・"])),
        is_separator_in_query in any::<bool>(),
        suffix in select(vec!["", " 100g", "T"]),
    ) {
        let start = start % (letters.len() - 1);
        let length = 2 + length % (letters.len() - start - 1);
        let mut part = letters[start..start + length].to_vec();
        let mut name = letters.clone();
        let separated = if is_separator_in_query { &mut part } else { &mut name };
        let at = space % separated.len();
        drop(separated.splice(at..at, separator.chars()));
        let (name, part): (String, String) = (name.iter().collect(), part.iter().collect());
        let index = index("Ada", &format!("{name}{suffix}"));
        prop_assert_eq!(found(&index, &part), [1], "{} in {}", part, name);
    }

    #[test]
    fn any_spelling_of_a_name_finds_it((words, one, other) in latin_names(), upper in any::<bool>()) {
        let name = join(&words, &one);
        let query = join(&words, &other).replace('\'', "’");
        let query = if upper { query.to_uppercase() } else { query };
        let index = index(&name, "Mug");
        prop_assert_eq!(found(&index, &query), [1], "{} for {}", query, name);
        prop_assert_eq!(found(&index, &name), [1], "{}", name);
    }

    #[test]
    fn any_printed_form_of_a_total_finds_it(
        units in prop_oneof![0..=MAX_AMOUNT, 0..20_000_u32],
        (currency, digits, sign) in select(vec![
            ("EUR", 2, "€"), ("GBP", 2, "£"), ("JPY", 0, "¥"), ("KWD", 3, "KWD"), ("CHF", 2, "CHF"),
        ]),
        (point, group) in select(vec![
            ('.', None), (',', None), ('.', Some(',')), (',', Some('.')), (',', Some(' ')),
            (',', Some('\u{202f}')), ('.', Some('’')),
        ]),
        space in select(vec!["", " ", "\u{a0}"]),
        form in 0..5,
    ) {
        let number = format_decimal(units.into(), digits, point, group);
        let query = match form {
            0 => number,
            1 => format!("{number}{space}{currency}"),
            2 => format!("{currency}{space}{number}"),
            3 => format!("{sign}{space}{number}"),
            _ => format!("{number}{space}{sign}"),
        };
        prop_assert!(found(&priced(units, currency), &query).contains(&1), "{}", query);
    }
}
