//! The second job: a driver's fixes get a sequence number, are kept, and reach Ably in order, once.
//!
//! - [`post`] reads a body into [`fix`]es, at the border.
//! - [`protocol`] is what the Worker and a job's object say to each other.
//! - [`job`] is the object's state machine: [`dedupe`], [`clock`], [`sequence`], write, answer; and from the same place the
//!   [`outbox`], which publishes what was written as [`event`]s.
//! - [`alarm`] says when it goes on, [`limits`] how much it takes.
//! - [`log`] is what a job keeps, over the SQL of a Durable Object, with a [`print`] of each fix.
//! - [`trail`] tells what was accepted, by each fix's [`place`] in the job's order.

pub mod alarm;
pub mod clock;
pub mod dedupe;
pub mod event;
pub mod fix;
pub mod job;
pub mod limits;
pub mod log;
pub mod outbox;
pub mod place;
pub mod post;
pub mod print;
pub mod protocol;
pub mod sequence;
pub mod trail;

use crate::objects::Millis;

pub use fix::{DedupeId, Field, Fix, Reason, Rejection};
pub use job::{Job, Need, Publication, Settings, Telling, Ticket, UserNotice};
pub use post::{Post, PostError, Sender};
pub use protocol::{Identity, JobAnswer, JobRefusal, JobRequest, Only, Reply, StreamRequest};
