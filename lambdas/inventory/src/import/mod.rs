//! `import-stock`: a file of products and deliveries, dropped into a bucket, is read and counted in, row by row.
//!
//! | module | does |
//! |---|---|
//! | [`notice`] | reads what S3 tells of a file |
//! | [`sniff`] | tells what is no CSV at all |
//! | [`lines`] | takes records out of bytes as they come, in bounded memory |
//! | [`row`] | reads the header and rows, with the domain's types |
//! | [`apply`] | decides what a row does, once, and does it in batches |
//! | `feed` | makes batches of rows |
//! | [`progress`] | how far an import is: what is kept of it between two runs |
//! | [`results`] | writes what was rejected, and the summary |
//! | [`run`] | puts them together: reads on until the function's time is up |
//!
//! How it stays safe: each row leaves a mark, named after the file's content, in the same transaction as its effect. A
//! row that is met again, because the event came twice or a run was cut off, finds its mark and does nothing. How far
//! the file is read is only a matter of speed.

pub mod apply;
mod feed;
pub mod lines;
pub mod notice;
pub mod progress;
pub mod results;
pub mod row;
pub mod run;
pub mod sniff;

pub use run::ImportStock;
