//! The functions of the workspace, by the names of their binaries.

use std::ffi::OsStr;

use crate::paths::repo_root;

/// The binary of the payment provider's stand-in, which the local stack needs besides the functions.
pub const STAND_IN: &str = "stripe-stand-in";

/// The services that process an order from its placement to its email.
const PIPELINE: [&str; 5] = ["accounts", "inventory", "notifications", "orders", "payments"];

/// The functions to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Every function there is.
    All,
    /// Those of the services that process an order, which compile in a fifth of the time.
    Pipeline,
}

impl Selection {
    /// The names of the functions: those of their binaries, `lambdas/<service>/src/bin/<name>.rs`.
    ///
    /// # Errors
    /// When the folders of the services cannot be read.
    pub fn functions(self) -> anyhow::Result<Vec<String>> {
        let mut found = Vec::new();
        for service in std::fs::read_dir(repo_root().join("lambdas"))? {
            let service = service?;
            let Ok(binaries) = std::fs::read_dir(service.path().join("src/bin")) else { continue };
            if !self.includes(&service.file_name()) {
                continue;
            }
            for binary in binaries {
                found.extend(binary?.path().file_stem().map(|name| name.to_string_lossy().into_owned()));
            }
        }
        found.sort();
        Ok(found)
    }

    fn includes(self, service: &OsStr) -> bool {
        self == Self::All || PIPELINE.iter().any(|name| service == *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pipeline_is_a_part_of_all_functions() {
        let (all, pipeline) = (Selection::All.functions().unwrap(), Selection::Pipeline.functions().unwrap());
        assert!(pipeline.iter().all(|name| all.contains(name)) && pipeline.len() < all.len());
        for name in ["orders-api", "reserve-inventory", "process-payment", "send-email", "grant-scopes"] {
            assert!(pipeline.iter().any(|function| function == name), "{name}");
        }
    }
}
