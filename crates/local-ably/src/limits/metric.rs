//! What is limited: what each is called, how much of it is permitted, and how it is refused.

use ably::ErrorInfo;

use super::Bucket;
use super::plan::Figures;
use crate::clock::Millis;

const SECOND: Millis = 1_000;
const HOUR: Millis = 3_600_000;
/// How many times what a connection may publish ends it (Ably docs, "42921": around 20).
const FLOOD: i64 = 20;
/// How many frames a connection may send in a second (Ably docs, "42924": around 2,000).
const FRAMES: i64 = 2_000;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Metric {
    ChannelMessages,
    ChannelBytes,
    Messages,
    Requests,
    HourlyRequests,
    TokenRequests,
    HourlyTokenRequests,
    Inbound,
    /// Of messages that a connection tries to publish.
    Flood,
    /// Of frames that a connection sends.
    Frames,
    Outbound,
    Connections,
    NewConnections,
    NewChannels,
}

impl Metric {
    pub(super) const ALL: [Self; 14] = [
        Self::ChannelMessages,
        Self::ChannelBytes,
        Self::Messages,
        Self::Requests,
        Self::HourlyRequests,
        Self::TokenRequests,
        Self::HourlyTokenRequests,
        Self::Inbound,
        Self::Flood,
        Self::Frames,
        Self::Outbound,
        Self::Connections,
        Self::NewConnections,
        Self::NewChannels,
    ];

    /// As error messages and the report call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ChannelMessages => "channel.maxRate",
            Self::ChannelBytes => "channel.bandwidth",
            Self::Messages => "messages.maxRate",
            Self::Requests => "apiRequests.maxRate",
            Self::HourlyRequests => "apiRequests.hourly",
            Self::TokenRequests => "tokenRequests.maxRate",
            Self::HourlyTokenRequests => "tokenRequests.hourly",
            Self::Inbound => "connection.inboundRate",
            Self::Flood => "connection.inboundRate.fatal",
            Self::Frames => "connection.protocolMessageRate",
            Self::Outbound => "connection.outboundRate",
            Self::Connections => "connections.peak",
            Self::NewConnections => "connections.maxRate",
            Self::NewChannels => "channels.maxRate",
        }
    }

    /// Ably's code and status for what exceeds it (Ably docs, "Error codes").
    pub(super) fn code(self) -> (u32, u16) {
        match self {
            Self::ChannelMessages => (42913, 429),
            Self::ChannelBytes => (42914, 429),
            Self::Messages => (42917, 429),
            Self::Requests => (42918, 429),
            Self::HourlyRequests | Self::HourlyTokenRequests => (40115, 403),
            // Of token requests by the second the table knows no code; this is the one for any rate.
            Self::TokenRequests => (42910, 429),
            Self::Inbound => (42911, 429),
            Self::Flood => (42921, 429),
            Self::Frames => (42924, 429),
            // What its client is told; Ably's own statistics call it 42915.
            Self::Outbound => (80020, 400),
            Self::Connections => (40111, 403),
            Self::NewConnections => (80021, 429),
            Self::NewChannels => (90021, 429),
        }
    }

    /// How much of it there may be in an interval, or at a time.
    pub(super) fn permitted(self, figures: &Figures) -> i64 {
        match self {
            Self::ChannelMessages => figures.channel_messages,
            Self::ChannelBytes => figures.channel_bytes,
            Self::Messages => figures.messages,
            Self::Requests => figures.requests,
            Self::HourlyRequests => figures.hourly_requests,
            Self::TokenRequests => figures.token_requests,
            Self::HourlyTokenRequests => figures.hourly_token_requests,
            Self::Inbound => figures.inbound.into(),
            Self::Flood => i64::from(figures.inbound) * FLOOD,
            Self::Frames => FRAMES,
            Self::Outbound => figures.outbound.into(),
            Self::NewConnections => figures.new_connections,
            Self::NewChannels => figures.new_channels,
            Self::Connections => i64::try_from(figures.connections).unwrap_or(i64::MAX),
        }
    }

    /// The interval of the rate; none for what is counted at a time.
    pub(super) fn per(self) -> Option<Millis> {
        match self {
            Self::Connections => None,
            Self::HourlyRequests | Self::HourlyTokenRequests => Some(HOUR),
            _ => Some(SECOND),
        }
    }

    /// A full bucket of it; not for what is counted at a time.
    pub(super) fn bucket(self, figures: &Figures, now: Millis) -> Bucket {
        Bucket::new(self.permitted(figures), self.per().unwrap_or(SECOND), now)
    }

    /// The refusal of what exceeds it.
    pub(super) fn exceeded(self, figures: &Figures) -> ErrorInfo {
        let (code, status) = self.code();
        let per = match self.per() {
            None => "at a time",
            Some(HOUR) => "per hour",
            Some(_) => "per second",
        };
        let message = format!("limit exceeded: {} = {} {per}", self.name(), self.permitted(figures));
        ErrorInfo::new(code, status, message)
    }
}
