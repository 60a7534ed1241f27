//! The media service: pictures of products, from a client's upload to what a shop shows.
//!
//! | function | module |
//! |---|---|
//! | `media-api` | [`api`] |
//! | `process-upload` | [`process`] |
//!
//! A client asks for an upload and sends the file straight to S3, into a quarantine that no client can read. What the
//! [`scan`]ner lets through is read ([`picture`]), made anew in the sizes that a shop needs, and only that is ever shown.

pub mod adapters;
pub mod api;
pub mod picture;
pub mod process;
pub mod scan;
pub mod store;
mod view;

/// The most bytes that an upload has: what a good camera makes, with room.
pub const MOST_BYTES: u32 = 10 * 1024 * 1024;
