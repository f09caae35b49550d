//! Towline: an edge service that issues Ably tokens and sequences drivers' locations.
//!
//! - [`hints`]: what a developer is told of a refusal.
//! - [`http`]: the endpoints, and the steps from a request to its answer.
//! - [`config`]: the settings, checked as a whole.
//! - [`ids`]: the identifiers that every room shares, parsed once at the border.
//! - [`inbox`]: notifications, small events for one person.
//! - [`index`]: lists of the jobs that go on.
//! - [`members`]: JSON objects of which every member is known.
//! - [`jobs`]: a job's life: who takes part, since when and until when.
//! - [`objects`]: what every Durable Object is made of.
//! - [`operations`]: what operators hear.
//! - [`sessions`]: who is asking: credentials → verification → session.
//! - [`tokens`]: the first job: session → policy → capability → Ably token.
//! - [`locations`]: the second job: fix → sequence → outbox → event.
//! - [`publishers`]: publishing for many jobs at once.
//! - [`streams`]: a job's events for those who read them from us.
//!
//! All of these are plain Rust, with time, randomness, storage and HTTP passed in. Only `edge` knows Workers, and it
//! exists on wasm alone, so the compiler keeps the rest free of the runtime.

pub mod config;
pub mod hints;
pub mod http;
pub mod ids;
pub mod inbox;
pub mod index;
pub mod jobs;
pub mod locations;
pub mod members;
pub mod objects;
pub mod operations;
pub mod publishers;
pub mod sessions;
pub mod streams;
pub mod tokens;

#[cfg(target_arch = "wasm32")]
mod edge;
