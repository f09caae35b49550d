//! Who is asking. Both jobs of the service start here, and this room knows neither.
//!
//! 1. [`session_token`] finds the session token in a request's [`Credentials`].
//! 2. [`Verifier::verify`] turns it into a [`Session`], with a [`Role`]. One that it has verified it knows again by the whole token, and
//!    asks each time whether its time is now.
//!
//! [`Absence`] is what a request has in the place of a session.
//!
//! A [`SessionError`] knows whether the session can be renewed (401) or not (403). In which shape a route says so is the route's
//! own matter.

mod absence;
mod beside;
mod cache;
mod credentials;
mod role;
mod session;
mod verify;

pub use absence::Absence;
pub use beside::Beside;
pub use credentials::{CookieRules, Credentials, bearer, carries_jwt, session_token};
pub use role::Role;
pub use session::{SESSION_JOBS_MAX, Session, SessionError};
pub use verify::{RulesError, SessionRules, Verifier};
