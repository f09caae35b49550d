//! Server-sent events of a job (HTML standard, "Server-sent events"): who reads them, how far each has come, and how one is written.
//!
//! - [`mark`] is an event's id, by which a reader who was cut off goes on, and [`cursor`] where in the log that is.
//! - [`readers`] are those of one job, with their limits and deadlines.
//! - [`frame`] writes an event.
//!
//! What of the job each of them sees, the job says: [`locations::job`](crate::locations::job).

pub mod cursor;
pub mod frame;
pub mod mark;
pub mod readers;

pub use self::cursor::Cursor;
pub use self::frame::End;
pub use self::mark::Mark;
pub use self::readers::{Delivery, Moved, Newcomer, Reader, Readers};
