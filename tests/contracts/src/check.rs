//! Assertions of the contracts, and the macro that runs them.

use std::fmt::Debug;

/// Fails unless `actual` equals `expected`; `what` names the value in the error.
pub(crate) fn same<T: PartialEq + Debug>(what: &str, actual: T, expected: T) -> anyhow::Result<()> {
    anyhow::ensure!(actual == expected, "{what}: is {actual:?}, should be {expected:?}");
    Ok(())
}

/// Defines the function `violations`, which checks the listed contracts.
macro_rules! contract_suite {
    ($world:ty: $($contract:ident),+ $(,)?) => {
        /// Checks every contract of this module, each in a new world that `make` creates.
        ///
        /// # Errors
        /// If a world cannot be created. A violated contract is not an error, but part of the result.
        pub async fn violations(make: impl AsyncFn() -> anyhow::Result<$world>) -> anyhow::Result<$crate::Violations> {
            let mut violations = $crate::Violations::new();
            $(
                let world = make().await?;
                if let Err(error) = $contract(&world).await {
                    violations.insert(stringify!($contract), format!("{error:#}"));
                }
            )+
            Ok(violations)
        }
    };
}
pub(crate) use contract_suite;
