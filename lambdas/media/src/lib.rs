//! Pictures of products: checked, scanned, and made into the sizes that a shop needs.
