//! `import-stock`: imports products and deliveries from a CSV file that is uploaded to a bucket, row by row.
//!
//! | module | purpose |
//! |---|---|
//! | [`upload`] | parses the S3 event of an uploaded file |
//! | [`sniff`] | detects files that are not CSV, and the separator |
//! | [`records`] | splits a byte stream into records, in bounded memory |
//! | [`row`] | parses the header and the rows into the domain's types |
//! | [`apply`] | decides and applies the effect of each row exactly once, in batches |
//! | `batches` | reads batches of rows and records their outcomes |
//! | [`progress`] | the checkpoint of an import between two runs |
//! | [`store`] | the ports |
//! | [`results`] | writes the rejected rows and the summary |
//! | [`run`] | one run: resumes from the checkpoint and continues until the function's time is up |
//!
//! Each row writes a deduplication marker, whose key includes the content of the file, in the same
//! transaction as its effect. A row that is processed again, because the event was delivered twice or a run
//! was interrupted, finds its marker and has no effect. The checkpoint therefore affects only performance,
//! not correctness.

pub mod apply;
mod batches;
pub mod progress;
pub mod records;
pub mod results;
pub mod row;
pub mod run;
pub mod sniff;
pub mod store;
pub mod upload;

pub use run::ImportStock;
