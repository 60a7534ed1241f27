//! The PDF: identical bytes, the layout, and all scripts.

use std::process::Command;

use invoices::Invoice;
use invoices::content::Content;
use invoices::pdf::{lay_out, render};
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
    vec![
        ("english", invoice("en", &ada(), "EUR", &tea)),
        ("german", invoice("de", &ada(), "USD", &tea)),
        ("french", invoice("fr", &ada(), "KWD", &tea)),
        (
            "japanese",
            invoice(
                "ja",
                &buyer("山田 太郎", "千代田区丸の内1-1-1", "東京都"),
                "JPY",
                &[("TEA-001", "玉露 京都宇治", 2, 123_456, 1000)],
            ),
        ),
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
