//! Deserializes Lambda payloads so that no payload can end the process and no error contains its values.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::redact::redact_values;

/// A payload whose deserialization neither panics nor quotes values. `lambda_runtime` deserializes payloads
/// outside of its panic guard, and returns the full message of the parser to the invoker.
#[derive(Debug)]
pub(super) struct Payload<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Payload<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match catch_unwind(AssertUnwindSafe(|| T::deserialize(deserializer))) {
            Ok(Ok(event)) => Ok(Self(event)),
            Ok(Err(error)) => Err(D::Error::custom(redact_values(&error.to_string()))),
            Err(_) => Err(D::Error::custom("parsing the event panicked")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Panics;

    impl<'de> Deserialize<'de> for Panics {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            panic!("ada@example.com")
        }
    }

    #[test]
    fn errors_contain_no_values_of_the_event() {
        let error = serde_json::from_str::<Payload<u8>>("\"ada@example.com\"").unwrap_err().to_string();
        assert!(error.contains("expected u8") && !error.contains("ada"), "{error}");
        let error = serde_json::from_str::<Payload<Panics>>("1").unwrap_err().to_string();
        assert!(error.contains("panicked") && !error.contains("ada"), "{error}");
        assert_eq!(serde_json::from_str::<Payload<u8>>("7").unwrap().0, 7);
    }
}
