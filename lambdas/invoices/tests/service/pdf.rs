//! The PDF: identical bytes, the layout, and all scripts.

use std::process::Command;

use invoices::Invoice;
use invoices::content::Content;
use invoices::pdf::{lay_out, render};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{ada, invoice, largest};

fn buyer(name: &str, street: &str, city: &str) -> Value {
    json!({ "name": name, "address": { "recipient": name, "street": street, "city": city, "country": "DE" } })
}

/// Named sample invoices, one for each potential problem.
fn samples() -> Vec<(&'static str, Invoice)> {
    let tea = [("TEA-001", "Darjeeling First Flush", 2, 1250, 700), ("POT-001", "Teapot", 1, 3999, 1900)];
    let one = |language: &str, buyer: Value, product: &str| {
        invoice(language, &buyer, "EUR", &[("TEA-001", product, 999, 1250, 1900)])
    };
    let yamada = json!({
        "name": "山田 太郎",
        "address": {
            "recipient": "山田 太郎", "postal_code": "100-0005", "region": "東京都", "city": "千代田区",
            "street": "丸の内1-1-1", "country": "JP",
        },
    });
    let scripts = [
        "Չայ Դարջիլինգ",
        "დარჯილინგი ჩაი",
        "दार्जिलिंग चाय",
        "দার্জিলিং চা",
        "ਦਾਰਜੀਲਿੰਗ ਚਾਹ",
        "દાર્જિલિંગ ચા",
        "ଦାର୍ଜିଲିଂ ଚା",
        "డార్జిలింగ్ టీ",
        "ಡಾರ್ಜಿಲಿಂಗ್ ಚಹಾ",
        "ഡാർജിലിംഗ് ചായ",
        "දාර්ජිලිං තේ",
        "ชาดาร์จีลิง",
        "ຊາດາຈີລິງ",
        "តែដាជីលីង",
        "ဒါဂျီလင်လက်ဖက်ရည်",
        "ދާރޖިލިންގ ސައި",
        "ᑎᐄ",
        "ᏗᏔᏍᏗ",
        "𠮷田の玉露 ① ★ 1\u{fe0f}\u{20e3}",
        "\u{f8ff} \u{f0b7}",
    ];
    let scripts: Vec<(&str, &str, u32, u32, u16)> =
        scripts.iter().map(|name| ("TEA-001", *name, 1, 1250, 1900)).collect();
    vec![
        ("english", invoice("en", &ada(), "EUR", &tea)),
        ("german", invoice("de", &ada(), "USD", &tea)),
        ("french", invoice("fr", &ada(), "KWD", &tea)),
        ("japanese", invoice("ja", &yamada, "JPY", &[("TEA-001", "玉露 京都宇治", 2, 123_456, 1000)])),
        ("chinese", one("zh", buyer("王小明", "长安街1号", "北京市"), "大红袍 武夷岩茶")),
        ("korean", one("ko", buyer("김민준", "세종대로 1", "서울"), "녹차 보성")),
        (
            "greek",
            one("el", buyer("Ελένη Παπαδοπούλου", "Πλατεία Συντάγματος 1", "Αθήνα"), "Τσάι του βουνού"),
        ),
        ("cyrillic", one("uk", buyer("Наталія Ґалаґан", "вул. Хрещатик, 1", "Київ"), "Чай «Карпатський»")),
        (
            "vietnamese",
            one("vi", buyer("Nguyễn Thị Ánh Tuyết", "1 Phố Tràng Tiền", "Hà Nội"), "Trà sen Tây Hồ"),
        ),
        ("arabic", one("ar", buyer("محمد علي", "شارع الحمراء 1", "بيروت"), "شاي بالنعناع 250 غ (Moroccan)")),
        ("hebrew", one("he", buyer("שלום כהן", "רחוב דיזנגוף 1", "תל אביב"), "תה ירוק 100 גרם")),
        ("tamil", one("ta", buyer("முருகன் ஸ்ரீனிவாசன்", "12 அண்ணா சாலை", "சென்னை"), "டார்ஜிலிங் தேநீர் 100 கி")),
        ("scripts", invoice("en", &ada(), "EUR", &scripts)),
        ("emoji", one("en", buyer("Ada 😀 Lovelace", "Rocket Road 🚀 1", "London"), "Tea 🍵 for 👩‍👩‍👧")),
        ("largest", largest("de")),
    ]
}

/// The layout as text.
fn laid_out(invoice: &Invoice) -> String {
    let mut text = String::new();
    for (index, page) in lay_out(&Content::from_invoice(invoice)).unwrap().pages.iter().enumerate() {
        text.push_str(&format!("page {}\n", index + 1));
        for item in &page.items {
            text.push_str(&format!("{item}\n"));
        }
    }
    text
}

fn hash(invoice: &Invoice) -> String {
    hex::encode(Sha256::digest(render(invoice).unwrap()))
}

/// For visual inspection, run `INVOICES=<folder> cargo test -p invoices pdf::samples`, then `pdftoppm -png`.
#[test]
fn samples_match_the_snapshots() {
    for (name, invoice) in samples() {
        if let Some(folder) = std::env::var_os("INVOICES") {
            std::fs::write(
                std::path::Path::new(&folder).join(format!("{name}.pdf")),
                render(&invoice).unwrap(),
            )
            .unwrap();
        }
        insta::assert_snapshot!(name, laid_out(&invoice));
    }
}

/// A change here affects all invoices that have not been rendered yet, and may be caused by krilla or a font.
/// Inspect the samples before accepting it.
#[test]
fn the_bytes_match_the_snapshot() {
    let hashes: Vec<String> =
        samples().iter().map(|(name, invoice)| format!("{name} {}", hash(invoice))).collect();
    insta::assert_snapshot!("hashes", hashes.join("\n"));
}

#[test]
fn another_process_renders_the_same_bytes() {
    let (_, invoice) = samples().remove(0);
    if std::env::var_os("PRINT_HASH").is_some() {
        println!("hash {}", hash(&invoice));
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["pdf::another_process_renders_the_same_bytes", "--exact", "--nocapture"])
        .env("PRINT_HASH", "1")
        .env("TZ", "Asia/Tokyo")
        .env("LANG", "ja_JP.UTF-8")
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains(&format!("hash {}", hash(&invoice))), "{stdout}");
}

#[test]
fn a_long_invoice_repeats_its_header_and_fits_its_pages() {
    let layout = laid_out(&largest("de"));
    let pages: Vec<&str> = layout.split("page ").skip(1).collect();
    assert!(pages.len() > 5, "{}", pages.len());
    for (index, page) in pages.iter().enumerate() {
        assert!(page.contains(&format!("Seite {} von {}", index + 1, pages.len())));
        let rows = page.lines().any(|line| line.contains("Cell(Lines"));
        assert!(!rows || page.contains("Artikelnr."), "page {} has rows without a header", index + 1);
        for item in page.lines().skip(1) {
            let mut numbers = item.split_whitespace().map(|number| number.parse::<f32>().unwrap_or_default());
            let (x, y, width) = (numbers.next().unwrap(), numbers.next().unwrap(), numbers.next().unwrap());
            assert!(x >= 55.9 && x + width <= 540.0 && (50.0..=810.0).contains(&y), "{item}");
        }
    }
    // Each row is on exactly one page.
    for row in 1..=50 {
        let count = pages.iter().filter(|page| page.contains(&format!("Cell(Lines, {row}, "))).count();
        assert_eq!(count, 1, "row {row}");
    }
    assert!(render(&largest("de")).unwrap().len() < 1_000_000);
}

/// Whether every item is on its page.
fn fits_its_pages(invoice: &Invoice) -> bool {
    let layout = laid_out(invoice);
    let items = layout.lines().filter(|line| !line.starts_with("page "));
    items
        .filter_map(|item| item.split_whitespace().nth(1)?.parse::<f32>().ok())
        .all(|y| (50.0..=810.0).contains(&y))
}

/// An invoice of one line, with texts of a stranger.
fn written_by(name: &str, line: &str, product: &str) -> Invoice {
    let buyer = json!({ "name": name, "address": {
        "recipient": name, "street": line, "addition": line, "city": line, "region": line, "country": "IN" } });
    invoice("en", &buyer, "EUR", &[("TEA-001", product, 1, 1250, 1900)])
}

#[test]
fn text_that_is_higher_than_a_page_continues_on_the_next() {
    // The three-em dash is the widest character of the fonts, and U+FDFD would be if they had it.
    for c in ['\u{2e3b}', '\u{fdfd}', 'W', '永', '\u{1f600}', ' '] {
        let text = |length: usize| format!("A{}Z", c.to_string().repeat(length - 2));
        let invoice = written_by(&text(100), &text(100), &text(200));
        assert!(fits_its_pages(&invoice), "{c:?}");
        assert!(render(&invoice).is_ok(), "{c:?}");
    }
}

/// A response is limited to 6 MB, of which Base64 takes up a quarter.
#[test]
fn the_largest_fonts_fit_into_a_response() {
    let ideographs: Vec<char> = ('\u{4e00}'..).take(50 * 200).collect();
    let names: Vec<String> = ideographs.chunks(200).map(String::from_iter).collect();
    let lines: Vec<(&str, &str, u32, u32, u16)> =
        names.iter().map(|name| ("TEA-001", name.as_str(), 1, 1250, 1900)).collect();
    let size = render(&invoice("ja", &ada(), "EUR", &lines)).unwrap().len();
    assert!(size < 4 * 1024 * 1024, "{size}");
}

#[test]
fn no_label_needs_a_replacement() {
    for language in ["en", "de", "fr", "ja"] {
        let layout = laid_out(&invoice(language, &ada(), "EUR", &[("TEA-001", "Tea", 1, 1250, 1900)]));
        assert!(!layout.contains('\u{fffd}'), "{language}");
    }
}

/// A sample of all characters of Unicode. Control characters have never been accepted.
#[test]
fn every_character_renders() {
    let characters: Vec<char> = ('\0'..=char::MAX).step_by(61).filter(|c| !c.is_control()).collect();
    let names: Vec<String> = characters.chunks(200).map(String::from_iter).collect();
    let lines: Vec<(&str, &str, u32, u32, u16)> =
        names.iter().map(|name| ("TEA-001", name.as_str(), 1, 1250, 1900)).collect();
    let invoice = invoice("en", &ada(), "EUR", &lines);
    assert!(fits_its_pages(&invoice));
    render(&invoice).unwrap();
}

/// A text of any characters but control characters, which is what the domain has ever accepted. Most are drawn in
/// a special way.
fn text(max_length: usize) -> impl Strategy<Value = String> {
    let special = "\u{f8ff}\u{f0b7}\u{fffe}\u{ffff}\u{fdd0}\u{feff}\u{fffc}\u{fffd}\u{fe0f}\u{e0100}\u{180f}\u{20e3}\u{200d}\u{200c}\u{200b}\
        \u{202e}\u{2066}\u{2028}\u{ad}\u{34f}\u{3164}\u{115f}\u{e0041}\u{1f3fd}\u{1f468}\u{1f1e9}\u{25cc}\u{10ffff}\u{2e3b}\u{fdfd}1# ";
    let c = prop_oneof![
        prop::sample::select(special.chars().collect::<Vec<char>>()),
        any::<char>(),
        prop::char::range('a', 'z'),
        prop::char::range('\u{300}', '\u{36f}'),
        prop::char::range('\u{590}', '\u{1fff}'),
        prop::char::range('\u{2000}', '\u{33ff}'),
        prop::char::range('\u{1f000}', '\u{1faff}'),
    ];
    prop::collection::vec(c.prop_filter("control characters", |c| !c.is_control()), 1..max_length)
        .prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn every_text_renders(
        name in text(30),
        line in text(30),
        product in text(60),
    ) {
        let invoice = written_by(&name, &line, &product);
        prop_assert!(fits_its_pages(&invoice));
        let rendered = render(&invoice);
        prop_assert!(rendered.is_ok(), "{rendered:?}");
    }
}
