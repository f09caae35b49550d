//! The REST client, with real reqwest, against servers that misbehave.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod fallbacks;
mod faults;
mod revoking;
mod server;
