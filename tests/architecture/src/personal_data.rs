//! Where personal data may be stored: what `docs/PERSONAL_DATA.md` says, and what a search finds.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use crate::Violations;
use crate::template::Template;
use crate::workspace::root;

/// The document that lists the stores with personal data.
const DOCUMENT: &str = "docs/PERSONAL_DATA.md";
/// The types of the resources that store data.
const STORES: [&str; 2] = ["AWS::DynamoDB::Table", "AWS::S3::Bucket"];

/// A kind of personal data, as the document names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Datum {
    Name,
    EmailAddress,
    PostalAddress,
}

/// The personal data that each table and bucket may hold, by logical id.
pub type Places = BTreeMap<String, BTreeSet<Datum>>;

/// Reads the list of the document.
///
/// # Errors
/// When the document cannot be read, or names an unknown kind of data.
pub fn documented() -> Result<Places> {
    parse(&std::fs::read_to_string(root().join(DOCUMENT))?)
}

fn parse(document: &str) -> Result<Places> {
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    rows.map(|(place, rest)| {
        let data = rest.split(" |").next().unwrap_or_default();
        let data = data.split(", ").filter(|name| *name != "none").map(|name| {
            Ok(match name {
                "name" => Datum::Name,
                "e-mail address" => Datum::EmailAddress,
                "postal address" => Datum::PostalAddress,
                other => anyhow::bail!("{DOCUMENT}: {place} has an unknown kind of data: {other}"),
            })
        });
        Ok((place.to_owned(), data.collect::<Result<_>>()?))
    })
    .collect()
}

/// The document lists each table and bucket of the template, and no other.
pub fn every_store_is_listed(template: &Template, places: &Places) -> Violations {
    let stores: BTreeSet<&str> = STORES.iter().flat_map(|kind| template.all(kind).into_keys()).collect();
    let listed: BTreeSet<&str> = places.keys().map(String::as_str).collect();
    let missing = stores
        .difference(&listed)
        .map(|id| format!("{DOCUMENT}: add {id}, with the personal data that it may hold, or `none`"));
    let gone = listed
        .difference(&stores)
        .map(|id| format!("{DOCUMENT}: remove {id}: the template has no such store"));
    missing.chain(gone).collect()
}

/// A customer whose data occurs nowhere else, so that it can be searched for.
#[derive(Debug, Clone)]
pub struct Person {
    /// The name. Each of its words is personal data.
    pub name: String,
    /// The e-mail address, or a part of it that occurs nowhere else.
    pub email: String,
    /// The street of the postal address.
    pub street: String,
}

impl Person {
    /// The data of this person that occurs in `content`, in any case.
    pub fn data_in(&self, content: &str) -> BTreeSet<Datum> {
        let content = content.to_lowercase();
        let contains = |text: &str| content.contains(&text.to_lowercase());
        let found = [
            (Datum::Name, self.name.split_whitespace().any(contains)),
            (Datum::EmailAddress, contains(&self.email)),
            (Datum::PostalAddress, contains(&self.street)),
        ];
        found.into_iter().filter_map(|(datum, is_found)| is_found.then_some(datum)).collect()
    }

    /// The violations of the document by the content of a table or bucket.
    ///
    /// # Errors
    /// When the document does not list `place`.
    pub fn undocumented(&self, places: &Places, place: &str, content: &str) -> Result<Violations> {
        let allowed = places.get(place).with_context(|| format!("{DOCUMENT} does not list {place}"))?;
        let found = self.data_in(content);
        let surplus = found.difference(allowed);
        Ok(surplus
            .map(|datum| format!("{place} holds the {datum:?}, which {DOCUMENT} does not say"))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutant::{assert_reports, repository, without};

    fn ada() -> Person {
        Person { name: "Ada Lovelace".into(), email: "ada@example.com".into(), street: "1 High St".into() }
    }

    #[test]
    fn the_document_is_parsed() {
        let places = parse("| `A` | name, postal address | x |\n| `B` | none | |\n|---|---|\n").unwrap();
        assert_eq!(places["A"], BTreeSet::from([Datum::Name, Datum::PostalAddress]));
        assert!(places["B"].is_empty() && places.len() == 2);
        assert!(parse("| `A` | shoe size | x |").is_err());
    }

    #[test]
    fn a_store_that_is_missing_or_gone() {
        let mut places = documented().unwrap();
        assert_reports(
            &every_store_is_listed(&without("OrdersTable"), &places),
            &["OrdersTable", "no such store"],
        );
        places.remove("OrdersTable");
        assert_reports(&every_store_is_listed(&repository(), &places), &["add OrdersTable"]);
    }

    #[test]
    fn data_in_an_undocumented_place() {
        let places = parse("| `A` | name | |\n| `B` | none | |").unwrap();
        let undocumented = |place: &str, content: &str| ada().undocumented(&places, place, content).unwrap();
        assert_eq!(undocumented("A", "lovelace"), Violations::new());
        assert_reports(&undocumented("A", r#"{"email":"ADA@example.com"}"#), &["A", "EmailAddress"]);
        assert_reports(&undocumented("B", "Lovelace"), &["B", "Name"]);
        assert_reports(&undocumented("B", "1 High St."), &["B", "PostalAddress"]);
        assert_eq!(undocumented("B", "somebody else"), Violations::new());
        assert!(ada().undocumented(&places, "C", "").is_err());
    }
}
