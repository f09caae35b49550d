//! What operators hear: objects report a change of how they are doing, one object merges the reports, and publishes them on
//! `admin:ops`.
//!
//! - [`report`] is what an object says, and [`queue`] how it sees to it that this is heard.
//! - [`desk`] is the state machine of the object that merges them, over its own SQL.

pub mod desk;
pub mod queue;
pub mod report;

pub use self::desk::{Announcement, Desk, Next};
pub use self::queue::Queue;
pub use self::report::{Kind, Report};

/// The channel on which operators hear.
pub const CHANNEL: &str = "admin:ops";
