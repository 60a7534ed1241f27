//! How a contract says what is wrong.

use std::fmt::Debug;

/// Fails unless `actual` is `expected`; `what` says what was looked at.
pub(crate) fn same<T: PartialEq + Debug>(what: &str, actual: T, expected: T) -> anyhow::Result<()> {
    anyhow::ensure!(actual == expected, "{what}: is {actual:?}, should be {expected:?}");
    Ok(())
}

/// Makes `broken` out of a family's contracts.
macro_rules! family {
    ($world:ty: $($contract:ident),+ $(,)?) => {
        /// Checks every contract of this family, each in a world that `make` makes for it.
        ///
        /// # Errors
        /// When a world cannot be made. A contract that does not hold is no error, but in the answer.
        pub async fn broken(make: impl AsyncFn() -> anyhow::Result<$world>) -> anyhow::Result<$crate::Broken> {
            let mut broken = $crate::Broken::new();
            $(
                let world = make().await?;
                if let Err(error) = $contract(&world).await {
                    broken.insert(stringify!($contract), format!("{error:#}"));
                }
            )+
            Ok(broken)
        }
    };
}
pub(crate) use family;
