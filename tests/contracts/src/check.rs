//! Assertions of the contracts, and the macro that runs them.

use std::fmt::Debug;

/// Fails unless `actual` equals `expected`; `what` names the value in the error.
pub(crate) fn same<T: PartialEq + Debug>(what: &str, actual: T, expected: T) -> anyhow::Result<()> {
    anyhow::ensure!(actual == expected, "{what}: is {actual:?}, should be {expected:?}");
    Ok(())
}

/// Defines the list `CONTRACTS` and the functions `violation` and `violations`, which check the listed contracts.
macro_rules! contract_suite {
    ($world:ty: $($contract:ident),+ $(,)?) => {
        /// The names of the contracts of this module.
        pub const CONTRACTS: &[&str] = &[$(stringify!($contract)),+];

        /// Checks one contract in a new world that `make` creates. Returns the error if it is violated.
        ///
        /// # Errors
        /// If the world cannot be created, or no contract has this name.
        pub async fn violation(
            contract: &str,
            make: impl AsyncFn() -> anyhow::Result<$world>,
        ) -> anyhow::Result<Option<String>> {
            let world = make().await?;
            let checked = match contract {
                $(stringify!($contract) => $contract(&world).await,)+
                other => anyhow::bail!("there is no contract {other}"),
            };
            Ok(checked.err().map(|error| format!("{error:#}")))
        }

        /// Checks every contract of this module, each in a new world that `make` creates.
        ///
        /// # Errors
        /// If a world cannot be created. A violated contract is not an error, but part of the result.
        pub async fn violations(make: impl AsyncFn() -> anyhow::Result<$world>) -> anyhow::Result<$crate::Violations> {
            let mut violations = $crate::Violations::new();
            for contract in CONTRACTS {
                if let Some(error) = violation(contract, &make).await? {
                    violations.insert(contract, error);
                }
            }
            Ok(violations)
        }
    };
}
pub(crate) use contract_suite;
