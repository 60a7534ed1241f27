//! Identifies the test data of a run.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

/// A resource that the tests created and whose name does not contain the run's prefix: a line of the file in
/// `E2E_MADE`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct CreatedResource {
    /// `user`, `client`, `user_pool`, `api_key`, `customer` or `export`.
    pub(crate) kind: String,
    /// Its id: the name of a user, the `sub` of a customer.
    pub(crate) id: String,
    /// The user pool that contains it.
    pub(crate) within: Option<String>,
}

/// Identifies test data by the run's prefix and by ids.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    /// The prefix of the names of the run's products, files and messages.
    prefix: String,
    /// The ids of the run's orders, customers, partners and exports.
    ids: BTreeSet<String>,
}

impl CreatedResource {
    /// Reads the file; if it does not exist, nothing was created.
    ///
    /// # Errors
    /// When it cannot be read, or a line cannot be parsed.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Self>> {
        if !path.exists() {
            return Ok(Vec::new());
        }
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let lines = text.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned()));
        lines.collect()
    }
}

impl Ids {
    /// The ids of a run, with those of the resources that its tests created.
    pub(crate) fn new(run: &str, created: &[CreatedResource]) -> Self {
        let kinds = ["customer", "client", "export"];
        let named = created.iter().filter(|resource| kinds.contains(&resource.kind.as_str()));
        Self { prefix: format!("TEST-{run}-"), ids: named.map(|resource| resource.id.clone()).collect() }
    }

    /// Adds the id of an order with test data.
    pub(crate) fn add_order(&mut self, id: &str) {
        self.ids.insert(id.to_owned());
    }

    /// Whether a text contains the prefix or one of the ids.
    pub(crate) fn appear_in(&self, text: &str) -> bool {
        text.contains(&self.prefix) || self.ids.iter().any(|id| text.contains(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_with_the_prefix_or_an_id_are_test_data() {
        let created =
            |kind: &str, id: &str| CreatedResource { kind: kind.to_owned(), id: id.to_owned(), within: None };
        let created = [created("client", "7abc"), created("user", "success+x@simulator.amazonses.com")];
        let mut ids = Ids::new("01234567", &created);
        for text in ["TEST-01234567-89ab", "{\"sku\":\"TEST-01234567-89ab\"}", "partner#7abc"] {
            assert!(ids.appear_in(text), "{text}");
        }
        for text in ["TEST-76543210-89ab", "TEA-001", "", "7ab"] {
            assert!(!ids.appear_in(text), "{text}");
        }
        ids.add_order("01890a5d-ac96-774b-bcce-b302099a8057");
        assert!(ids.appear_in("order#01890a5d-ac96-774b-bcce-b302099a8057"));
    }
}
