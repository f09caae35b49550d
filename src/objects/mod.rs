//! What every Durable Object is made of, as plain Rust: its storage, what it says in the log, why Ably has not taken what it publishes,
//! and how long it waits then.

pub mod backoff;
mod cause;
pub mod lines;
pub mod sql;

pub use self::cause::{Cause, Class, Failure};

/// A time in Unix milliseconds, or a length of time in milliseconds.
pub type Millis = i64;
