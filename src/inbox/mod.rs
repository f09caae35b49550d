//! Notifications: small events for one person, by an object a user.
//!
//! - [`notification`] is what is told somebody, read at the border, and what is published of it.
//! - [`object`] is the state machine of a user's object, over its own SQL: it takes each notification once, and publishes them in order by
//!   the outbox that jobs have.

pub mod notification;
pub mod object;
mod store;

pub use self::notification::{BODY_MAX, Notification};
pub use self::object::{Inbox, Request, Settings, Taken};
