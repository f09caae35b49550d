//! Lists of jobs: those that go on, of everybody and of each user.
//!
//! Each list is an object of its own. A job's object tells it how the job is now, whenever what is listed of it changes, and goes on
//! telling it until that is heard. A list is only ever a list: nothing asks it whether somebody may do something.
//!
//! - [`change`] is what a job tells a list, and how the lists are named.
//! - [`lists`] is the state machine of a list's object, over its own SQL.

pub mod change;
pub mod lists;

pub use self::change::{Change, Entry, List};
pub use self::lists::{Listed, Wanted};
