//! The page: its content, and the escaping of markup.

use invoices::page::render;
use serde_json::json;

use crate::support::{ada, invoice, largest};

#[test]
fn the_page_matches_the_snapshot() {
    let tea = [("TEA-001", "Darjeeling First Flush", 2, 1250, 700), ("POT-001", "Teapot", 1, 3999, 1900)];
    let page = render(&invoice("de", &ada(), "EUR", &tea)).unwrap();
    if let Some(folder) = std::env::var_os("INVOICES") {
        let folder = std::path::Path::new(&folder);
        std::fs::write(folder.join("page.html"), &page).unwrap();
        std::fs::write(folder.join("largest.html"), render(&largest("ja")).unwrap()).unwrap();
    }
    insta::assert_snapshot!("page", page);
}

#[test]
fn order_data_is_escaped() {
    let markup = "<script>alert(1)</script>\"'&{{";
    let buyer = json!({ "name": markup, "address": {
        "recipient": markup, "street": markup, "city": markup, "region": markup, "addition": markup, "country": "DE" } });
    let page = render(&invoice("en", &buyer, "EUR", &[("A", markup, 1, 1, 0)])).unwrap();
    assert!(!page.contains("<script") && page.contains("&#60;script&#62;"), "{page}");
    assert!(!page.contains("alert(1)</script>\""));
}
