//! A job's life: who takes part, since when, and until when.
//!
//! A job that the platform has told us about is *registered*; of any other the session's claim decides, or nobody's does where
//! [`JobRegistry`] says so.
//!
//! - [`wanted`] reads what the platform says of a job, at the border.
//! - [`registration`] is what is kept of it, and how it changes: put, join, leave, close.
//! - [`gate`] keeps a role from seeing the driver before it is their turn.
//! - [`sight`] says what somebody may see of it, and [`standing`] what a token may have.
//! - [`listed`] is what a list tells of it, and who has to hear that it has changed.
//! - [`update`] is what the platform says has changed of it beside that.
//! - [`news`] is what those who come or go are told on their own channels.
//! - [`told`] is what the platform and who takes part are told of it.
//! - [`revocation`] ends what was issued to whoever has left.
//! - [`vitals`] says whether its driver is heard of, and [`figures`] what has become of their fixes.

pub mod figures;
pub mod gate;
mod heartbeat;
mod joined;
pub mod listed;
pub mod news;
pub mod registration;
mod registry;
pub mod revocation;
pub mod sight;
pub mod standing;
pub mod told;
pub mod update;
mod viewer;
pub mod vitals;
pub mod wanted;

pub use self::heartbeat::Heartbeat;
pub use self::registration::{Ended, Registration};
pub use self::registry::JobRegistry;
pub use self::sight::Sight;
pub use self::standing::{Admission, Standing};
pub use self::update::Update;
pub use self::viewer::Viewer;
pub use self::wanted::{CloseReason, JobError, Wanted};
