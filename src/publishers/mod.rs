//! Publishing for many jobs at once: a job hands its message to one of a few publisher objects, which send what has gathered to Ably by
//! one request and tell each job what became of its own message.
//!
//! - [`handing_over`] is what a job and its publisher say to each other, and which publisher a job has.
//! - [`publisher`] is the state machine of a publisher. It keeps nothing on disk: whatever is lost with it, the job hands over again.

pub mod handing_over;
pub mod publisher;

pub use self::handing_over::{Outcome, Publishers};
pub use self::publisher::{HandedOver, Next, Pace, Publisher, Request};

/// How messages leave for Ably.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publishing {
    /// Each job sends its own.
    Direct,
    /// Jobs hand them to publishers.
    Batched(Publishers),
}
