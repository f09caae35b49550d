//! The realtime protocol on the wire: frames, flags and the two formats. No logic lives here.

mod codec;
mod command;
mod flags;
mod frame;

pub(crate) use codec::{Format, decode, encode};
pub(crate) use command::{Attach, Command, Publish};
pub(crate) use flags::{Flags, Modes};
pub(crate) use frame::{Action, ConnectionDetails, Frame, PublishResult, SharedFrame};
