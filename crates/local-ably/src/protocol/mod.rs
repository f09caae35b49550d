//! The realtime protocol on the wire: frames, flags and the two formats. No logic lives here.

mod codec;
mod command;
mod few;
mod flags;
mod frame;

pub(crate) use codec::{Format, Shape, decode, encode};
pub(crate) use command::{Attach, Command, ITEMS_MAX, Publish};
pub(crate) use few::Few;
pub(crate) use flags::{Flags, Modes};
pub(crate) use frame::{Action, ConnectionDetails, Frame, PublishResult, SharedFrame};

/// How long the state of a connection outlives its socket: `connectionStateTtl` (features.md, CD2f).
pub(crate) const STATE_TTL: crate::clock::Millis = 120_000;
