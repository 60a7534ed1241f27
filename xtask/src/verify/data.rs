//! Which rows, objects and messages are a run's test data.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

/// Something that the tests made and that does not hold the run's mark: a line of the file that `E2E_MADE` names.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct Made {
    /// `user`, `client`, `user_pool`, `api_key`, `customer` or `export`.
    pub(crate) kind: String,
    /// Its id: for a user the name, for a customer the `sub`.
    pub(crate) id: String,
    /// The user pool that it is in.
    pub(crate) within: Option<String>,
}

/// What tells test data from the shop's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    /// What the names of the run's products, files and messages begin with.
    mark: String,
    /// The ids of orders, customers, partners and exports of the run.
    ids: BTreeSet<String>,
}

impl Made {
    /// Reads the file; where there is none, nothing was made.
    ///
    /// # Errors
    /// When it cannot be read, or a line is not as it should be.
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
    /// Of a run, and of what its tests made.
    pub(crate) fn of(run: &str, made: &[Made]) -> Self {
        let named = made.iter().filter(|made| ["customer", "client", "export"].contains(&made.kind.as_str()));
        Self { mark: format!("TEST-{run}-"), ids: named.map(|made| made.id.clone()).collect() }
    }

    /// Learns the id of an order whose row is test data.
    pub(crate) fn learn(&mut self, id: &str) {
        self.ids.insert(id.to_owned());
    }

    /// Whether a text holds the mark or one of the ids.
    pub(crate) fn are_in(&self, text: &str) -> bool {
        text.contains(&self.mark) || self.ids.iter().any(|id| text.contains(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_data_holds_the_mark_or_an_id_and_nothing_else_is_taken_for_it() {
        let made = |kind: &str, id: &str| Made { kind: kind.to_owned(), id: id.to_owned(), within: None };
        let made = [made("client", "7abc"), made("user", "success+x@simulator.amazonses.com")];
        let mut ids = Ids::of("01234567", &made);
        for text in ["TEST-01234567-89ab", "{\"sku\":\"TEST-01234567-89ab\"}", "partner#7abc"] {
            assert!(ids.are_in(text), "{text}");
        }
        for text in ["TEST-76543210-89ab", "TEA-001", "", "7ab"] {
            assert!(!ids.are_in(text), "{text}");
        }
        ids.learn("01890a5d-ac96-774b-bcce-b302099a8057");
        assert!(ids.are_in("order#01890a5d-ac96-774b-bcce-b302099a8057"));
    }
}
