//! The media service: product images, from the upload by a client to the renditions that the shop displays.
//!
//! | function | module |
//! |---|---|
//! | `media-api` | [`api`] |
//! | `process-upload` | [`process`] |
//!
//! A client creates an upload and sends the file directly to S3, into a quarantine bucket that no client can
//! read. A file that is clean according to the scanner ([`scan`]) is decoded and re-encoded in the sizes that a shop needs
//! ([`rendition`]). Only these renditions are served.

pub mod adapters;
pub mod api;
mod contract;
pub mod process;
pub mod rendition;
mod request;
pub mod scan;
pub mod store;
mod view;

/// The maximum size of an upload in bytes: more than the photographs of a good camera.
pub const MAX_UPLOAD_BYTES: u32 = 10 * 1024 * 1024;
