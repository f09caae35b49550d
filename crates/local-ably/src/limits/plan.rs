//! What each of Ably's packages allows.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use thiserror::Error;

/// One of Ably's packages, whose limits the server keeps to (Ably docs, "Limits").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// The package without a price.
    Free,
    /// The smaller of the two that have one.
    Standard,
    /// The larger.
    Pro,
}

/// A name that no package has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the limits are free, standard or pro")]
pub struct NoSuchPlan;

impl FromStr for Plan {
    type Err = NoSuchPlan;

    fn from_str(text: &str) -> Result<Self, NoSuchPlan> {
        match text {
            "free" => Ok(Self::Free),
            "standard" => Ok(Self::Standard),
            "pro" => Ok(Self::Pro),
            _ => Err(NoSuchPlan),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Free => "free",
            Self::Standard => "standard",
            Self::Pro => "pro",
        })
    }
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The figures of a plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    /// Messages published on a channel, per second.
    pub(super) channel_messages: i64,
    /// Bytes published on a channel, per second.
    pub(super) channel_bytes: i64,
    /// Messages published and received, over all apps, per second.
    pub(super) messages: i64,
    /// HTTP requests, per second.
    pub(super) requests: i64,
    /// HTTP requests, per hour.
    pub(super) hourly_requests: i64,
    /// Token requests, per second.
    pub(super) token_requests: i64,
    /// Token requests, per hour.
    pub(super) hourly_token_requests: i64,
    /// New connections, over all apps, per second.
    pub(super) new_connections: i64,
    /// New channels, over all apps, per second.
    pub(super) new_channels: i64,
    /// Messages published by a connection, per second.
    pub(super) inbound: u32,
    /// Messages that a connection receives, per second.
    pub(super) outbound: u32,
    /// Connections at a time.
    pub(super) connections: usize,
    /// The bytes of a publish.
    pub(super) message_size: usize,
}

impl Plan {
    pub(super) fn figures(self) -> Figures {
        let (messages, connections, created) = match self {
            Self::Free => (500, 200, 42),
            Self::Standard => (2_500, 10_000, 250),
            Self::Pro => (10_000, 50_000, 500),
        };
        let (requests, hourly_requests, token_requests, hourly_token_requests) = match self {
            Self::Free => (50, 25_000, 50, 60_000),
            Self::Standard => (362, 521_000, 250, 360_000),
            Self::Pro => (1_447, 2_083_300, 500, 720_000),
        };
        Figures {
            channel_messages: 50,
            channel_bytes: 1 << 20,
            messages,
            requests,
            hourly_requests,
            token_requests,
            hourly_token_requests,
            new_connections: created,
            new_channels: created,
            inbound: 50,
            outbound: 50,
            connections,
            message_size: if self == Self::Pro { 256 << 10 } else { 64 << 10 },
        }
    }
}
