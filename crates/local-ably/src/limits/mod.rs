//! Ably's limits, for those who want to meet them on the laptop: rates by token buckets, told the time.
//!
//! The limits of an account hold for all apps of the server together.

mod bucket;
mod plan;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use ably::ErrorInfo;
use serde::Serialize;

use crate::app::lock;
use crate::clock::Millis;
use plan::Figures;

pub(crate) use bucket::Bucket;
pub use plan::{NoSuchPlan, Plan};

const SECOND: Millis = 1_000;
const HOUR: Millis = 3_600_000;
/// The longest publish, in bytes, where there is no plan.
const MESSAGE_SIZE: usize = 65_536;
/// How many messages a connection may publish in a second, as CONNECTED says where there is no plan; nobody checks.
const INBOUND: u32 = 250;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Metric {
    ChannelMessages,
    ChannelBytes,
    Messages,
    Requests,
    HourlyRequests,
    TokenRequests,
    Inbound,
    Connections,
}

impl Metric {
    const ALL: [Self; 8] = [
        Self::ChannelMessages,
        Self::ChannelBytes,
        Self::Messages,
        Self::Requests,
        Self::HourlyRequests,
        Self::TokenRequests,
        Self::Inbound,
        Self::Connections,
    ];

    /// As error messages and the report call it.
    fn name(self) -> &'static str {
        match self {
            Self::ChannelMessages => "channel.maxRate",
            Self::ChannelBytes => "channel.bandwidth",
            Self::Messages => "messages.maxRate",
            Self::Requests => "apiRequests.maxRate",
            Self::HourlyRequests => "apiRequests.hourly",
            Self::TokenRequests => "tokenRequests.maxRate",
            Self::Inbound => "connection.inboundRate",
            Self::Connections => "connections.peak",
        }
    }

    /// Ably's code and status for what exceeds it (Ably docs, "Error codes").
    fn code(self) -> (u32, u16) {
        match self {
            Self::ChannelMessages => (42913, 429),
            Self::ChannelBytes => (42914, 429),
            Self::Messages => (42917, 429),
            Self::Requests => (42918, 429),
            Self::HourlyRequests => (40115, 403),
            // Of token requests by the second the table knows no code; this is the one for any rate.
            Self::TokenRequests => (42910, 429),
            Self::Inbound => (42911, 429),
            Self::Connections => (40111, 403),
        }
    }

    fn permitted(self, figures: &Figures) -> i64 {
        match self {
            Self::ChannelMessages => figures.channel_messages,
            Self::ChannelBytes => figures.channel_bytes,
            Self::Messages => figures.messages,
            Self::Requests => figures.requests,
            Self::HourlyRequests => figures.hourly_requests,
            Self::TokenRequests => figures.token_requests,
            Self::Inbound => figures.inbound.into(),
            Self::Connections => i64::try_from(figures.connections).unwrap_or(i64::MAX),
        }
    }

    /// The interval of the rate; none for what is counted at a time.
    fn per(self) -> Option<Millis> {
        match self {
            Self::Connections => None,
            Self::HourlyRequests => Some(HOUR),
            _ => Some(SECOND),
        }
    }

    fn bucket(self, figures: &Figures, now: Millis) -> Bucket {
        Bucket::new(self.permitted(figures), self.per().unwrap_or(SECOND), now)
    }

    fn exceeded(self, figures: &Figures) -> ErrorInfo {
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

/// A publish, as the limits see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Publish<'a> {
    pub(crate) app: &'a str,
    pub(crate) channel: &'a str,
    /// How many messages it has.
    pub(crate) messages: usize,
    /// Their bytes.
    pub(crate) bytes: usize,
}

/// The limits of a server: none, or those of a plan.
#[derive(Debug)]
pub(crate) struct Limits(Option<Meter>);

#[derive(Debug)]
struct Meter {
    plan: Plan,
    figures: Figures,
    state: Mutex<State>,
    /// Held while a connection is counted and opened.
    opening: Mutex<()>,
}

#[derive(Debug)]
struct State {
    messages: Bucket,
    requests: Bucket,
    hourly_requests: Bucket,
    token_requests: Bucket,
    /// By app and channel: only those that are not full.
    channels: HashMap<(String, String), ChannelBuckets>,
    counts: Counts,
}

#[derive(Debug, Clone, Default)]
struct Counts {
    channel_messages: Count,
    channel_bytes: Count,
    messages: Count,
    requests: Count,
    hourly_requests: Count,
    token_requests: Count,
    inbound: Count,
    connections: Count,
}

impl Counts {
    fn of(&mut self, metric: Metric) -> &mut Count {
        match metric {
            Metric::ChannelMessages => &mut self.channel_messages,
            Metric::ChannelBytes => &mut self.channel_bytes,
            Metric::Messages => &mut self.messages,
            Metric::Requests => &mut self.requests,
            Metric::HourlyRequests => &mut self.hourly_requests,
            Metric::TokenRequests => &mut self.token_requests,
            Metric::Inbound => &mut self.inbound,
            Metric::Connections => &mut self.connections,
        }
    }
}

#[derive(Debug)]
struct ChannelBuckets {
    messages: Bucket,
    bytes: Bucket,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    admitted: i64,
    refused: i64,
}

/// What is limited, and how much of it there has been since the start.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    plan: Option<Plan>,
    #[serde(rename = "maxMessageSize")]
    message_size: usize,
    metrics: Vec<MetricReport>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MetricReport {
    metric: &'static str,
    permitted: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    per_ms: Option<Millis>,
    code: u32,
    admitted: i64,
    refused: i64,
}

impl Limits {
    /// The limits of a plan, or none.
    pub(crate) fn new(plan: Option<Plan>, now: Millis) -> Self {
        Self(plan.map(|plan| {
            let figures = plan.figures();
            let bucket = |metric: Metric| metric.bucket(&figures, now);
            let state = State {
                messages: bucket(Metric::Messages),
                requests: bucket(Metric::Requests),
                hourly_requests: bucket(Metric::HourlyRequests),
                token_requests: bucket(Metric::TokenRequests),
                channels: HashMap::new(),
                counts: Default::default(),
            };
            Meter { plan, figures, state: Mutex::new(state), opening: Mutex::default() }
        }))
    }

    /// Whose limits hold, if any do.
    pub(crate) fn plan(&self) -> Option<Plan> {
        self.0.as_ref().map(|meter| meter.plan)
    }

    /// The most that the messages of one publish may hold, in bytes.
    pub(crate) fn message_size(&self) -> usize {
        self.0.as_ref().map_or(MESSAGE_SIZE, |meter| meter.figures.message_size)
    }

    /// How many messages a connection may publish in a second.
    pub(crate) fn inbound_rate(&self) -> u32 {
        self.0.as_ref().map_or(INBOUND, |meter| meter.figures.inbound)
    }

    /// Takes a publish into account. `receivers` counts how many times each of its messages is delivered.
    ///
    /// # Errors
    /// 42913 and 42914 for its channel, 42917 for the account. A publish that is refused counts for nothing.
    pub(crate) fn publish(
        &self,
        publish: &Publish<'_>,
        receivers: impl FnOnce() -> usize,
        now: Millis,
    ) -> Result<(), ErrorInfo> {
        let Some(meter) = &self.0 else { return Ok(()) };
        let figures = &meter.figures;
        let messages = to_i64(publish.messages);
        let bytes = to_i64(publish.bytes);
        let delivered = messages.saturating_mul(to_i64(receivers()));
        let mut state = meter.state();
        let State { messages: account, channels, counts, .. } = &mut *state;
        let key = (publish.app.to_owned(), publish.channel.to_owned());
        let channel = channels.entry(key).or_insert_with(|| ChannelBuckets {
            messages: Metric::ChannelMessages.bucket(figures, now),
            bytes: Metric::ChannelBytes.bucket(figures, now),
        });
        // What is received counts too, but what cannot be received any more is not known before: it is taken on credit.
        let mut takes = [
            (Metric::ChannelMessages, &mut channel.messages, messages, messages),
            (Metric::ChannelBytes, &mut channel.bytes, bytes, bytes),
            (Metric::Messages, account, messages, messages.saturating_add(delivered)),
        ];
        for (metric, bucket, needed, _) in &mut takes {
            if !bucket.allows(*needed, now) {
                counts.of(*metric).refused += *needed;
                return Err(metric.exceeded(figures));
            }
        }
        for (metric, bucket, _, taken) in takes {
            bucket.take(taken, now);
            counts.of(metric).admitted += taken;
        }
        Ok(())
    }

    /// Takes an HTTP request into account.
    ///
    /// # Errors
    /// 42918 by the second, 40115 by the hour.
    pub(crate) fn request(&self, now: Millis) -> Result<(), ErrorInfo> {
        let Some(meter) = &self.0 else { return Ok(()) };
        let mut state = meter.state();
        let State { requests, hourly_requests, counts, .. } = &mut *state;
        let mut takes = [(Metric::HourlyRequests, hourly_requests), (Metric::Requests, requests)];
        for (metric, bucket) in &mut takes {
            if !bucket.allows(1, now) {
                counts.of(*metric).refused += 1;
                return Err(metric.exceeded(&meter.figures));
            }
        }
        for (metric, bucket) in takes {
            bucket.take(1, now);
            counts.of(metric).admitted += 1;
        }
        Ok(())
    }

    /// Takes a request for a token into account.
    ///
    /// # Errors
    /// 42910.
    pub(crate) fn token_request(&self, now: Millis) -> Result<(), ErrorInfo> {
        let Some(meter) = &self.0 else { return Ok(()) };
        let mut state = meter.state();
        let allowed = state.token_requests.allows(1, now);
        if allowed {
            state.token_requests.take(1, now);
        }
        meter.settle(&mut state, Metric::TokenRequests, 1, allowed)
    }

    /// What limits the messages that one connection publishes.
    pub(crate) fn inbound(&self, now: Millis) -> Option<Bucket> {
        self.0.as_ref().map(|meter| Metric::Inbound.bucket(&meter.figures, now))
    }

    /// Takes messages that a connection publishes into account.
    ///
    /// # Errors
    /// 42911.
    pub(crate) fn inbound_publish(
        &self,
        bucket: Option<&mut Bucket>,
        messages: usize,
        now: Millis,
    ) -> Result<(), ErrorInfo> {
        let (Some(meter), Some(bucket)) = (&self.0, bucket) else { return Ok(()) };
        let messages = to_i64(messages);
        let allowed = bucket.allows(messages, now);
        if allowed {
            bucket.take(messages, now);
        }
        meter.settle(&mut meter.state(), Metric::Inbound, messages, allowed)
    }

    /// Opens a connection if there may be one more. `live` counts those that there are; between that and the end of `open`
    /// no other is opened.
    ///
    /// # Errors
    /// 40111, and those of `open`.
    pub(crate) fn connect<T>(
        &self,
        resumes: bool,
        live: impl FnOnce() -> usize,
        open: impl FnOnce() -> Result<T, ErrorInfo>,
    ) -> Result<T, ErrorInfo> {
        let Some(meter) = &self.0 else { return open() };
        let _opening = lock(&meter.opening);
        let allowed = resumes || live() < meter.figures.connections;
        meter.settle(&mut meter.state(), Metric::Connections, 1, allowed)?;
        open()
    }

    /// Forgets the channels that have had no publish lately.
    pub(crate) fn sweep(&self, now: Millis) {
        if let Some(meter) = &self.0 {
            meter.state().channels.retain(|_, channel| {
                // Both are asked, so that both are refilled.
                let (messages, bytes) = (channel.messages.is_full(now), channel.bytes.is_full(now));
                !(messages && bytes)
            });
        }
    }

    /// What is limited, and how much of it there has been.
    pub(crate) fn report(&self) -> Report {
        let Some(meter) = &self.0 else {
            return Report { plan: None, message_size: MESSAGE_SIZE, metrics: Vec::new() };
        };
        let mut state = meter.state();
        let metrics = Metric::ALL.into_iter().map(|metric| {
            let Count { admitted, refused } = *state.counts.of(metric);
            MetricReport {
                metric: metric.name(),
                permitted: metric.permitted(&meter.figures),
                per_ms: metric.per(),
                code: metric.code().0,
                admitted,
                refused,
            }
        });
        Report {
            plan: Some(meter.plan),
            message_size: meter.figures.message_size,
            metrics: metrics.collect(),
        }
    }
}

impl Meter {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn settle(&self, state: &mut State, metric: Metric, count: i64, allowed: bool) -> Result<(), ErrorInfo> {
        let counted = state.counts.of(metric);
        if allowed {
            counted.admitted += count;
            return Ok(());
        }
        counted.refused += count;
        Err(metric.exceeded(&self.figures))
    }
}

fn to_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_700_000_000_000;

    fn limits(plan: &str) -> Limits {
        Limits::new(Some(plan.parse().unwrap()), NOW)
    }

    fn publish(channel: &str, messages: usize, bytes: usize) -> Publish<'_> {
        Publish { app: "app", channel, messages, bytes }
    }

    fn nobody() -> usize {
        0
    }

    fn count(limits: &Limits, metric: Metric) -> (i64, i64) {
        let report = limits.report();
        let found = report.metrics.iter().find(|report| report.metric == metric.name()).unwrap();
        (found.admitted, found.refused)
    }

    /// How many of a thing are allowed at a moment, and the code of the refusal.
    fn until_refused(mut once: impl FnMut() -> Result<(), ErrorInfo>) -> (usize, u32, u16) {
        for done in 0..3_000_000 {
            if let Err(error) = once() {
                return (done, error.code, error.status_code);
            }
        }
        panic!("nothing is refused");
    }

    #[test]
    fn without_a_plan_nothing_is_limited() {
        let limits = Limits::new(None, NOW);
        for _ in 0..1_000 {
            limits.publish(&publish("a", 1_000, 1 << 20), || 1_000, NOW).unwrap();
            limits.request(NOW).unwrap();
            limits.token_request(NOW).unwrap();
            limits.inbound_publish(limits.inbound(NOW).as_mut(), 1_000, NOW).unwrap();
        }
        limits.connect(false, || panic!("nobody counts"), || Ok(())).unwrap();
        assert_eq!((limits.message_size(), limits.inbound_rate()), (65_536, 250));
    }

    #[test]
    fn a_channel_takes_50_messages_a_second_and_other_channels_as_many() {
        let limits = limits("pro");
        let one = || limits.publish(&publish("a", 1, 10), nobody, NOW);
        assert_eq!(until_refused(one), (50, 42913, 429));
        limits.publish(&publish("b", 1, 10), nobody, NOW).unwrap();
        limits.publish(&Publish { app: "other", ..publish("a", 1, 10) }, nobody, NOW).unwrap();
        limits.publish(&publish("a", 1, 10), nobody, NOW + 20).unwrap();
        assert_eq!(limits.publish(&publish("a", 1, 10), nobody, NOW + 20).unwrap_err().code, 42913);
        assert_eq!(count(&limits, Metric::ChannelMessages), (53, 2));
    }

    #[test]
    fn a_channel_takes_a_mebibyte_a_second() {
        let limits = limits("free");
        let large = || limits.publish(&publish("a", 1, 64 << 10), nobody, NOW);
        assert_eq!(until_refused(large), (16, 42914, 429));
        limits.publish(&publish("a", 1, 64 << 10), nobody, NOW + 63).unwrap();
        assert_eq!(count(&limits, Metric::ChannelBytes), (17 << 16, 1 << 16));
    }

    #[test]
    fn the_account_counts_what_is_published_and_what_is_received_on_all_channels() {
        for (plan, rate) in [("free", 500), ("standard", 2_500), ("pro", 10_000)] {
            let limits = limits(plan);
            let mut channel = 0;
            let next = || {
                channel += 1;
                limits.publish(&publish(&channel.to_string(), 1, 1), || 4, NOW)
            };
            assert_eq!(until_refused(next), (rate / 5, 42917, 429), "{plan}");
            assert_eq!(count(&limits, Metric::Messages), (i64::try_from(rate).unwrap(), 1));
        }
    }

    #[test]
    fn a_publish_that_is_refused_counts_for_nothing() {
        let limits = limits("free");
        for channel in 0..10 {
            limits.publish(&publish(&channel.to_string(), 50, 1), nobody, NOW).unwrap();
        }
        assert_eq!(limits.publish(&publish("new", 1, 1), nobody, NOW).unwrap_err().code, 42917);
        for _ in 0..50 {
            assert_eq!(limits.publish(&publish("0", 1, 1), nobody, NOW).unwrap_err().code, 42913);
        }
        // A fifth of a second later the account has 100 again, and so has the channel that was refused.
        limits.publish(&publish("new", 50, 1), nobody, NOW + 200).unwrap();
    }

    #[test]
    fn requests_are_limited_by_the_second_and_by_the_hour() {
        for (plan, second, hour) in
            [("free", 50, 25_000), ("standard", 362, 521_000), ("pro", 1_447, 2_083_300)]
        {
            let limits = limits(plan);
            assert_eq!(until_refused(|| limits.request(NOW)), (second, 42918, 429), "{plan}");
            let hourly = || limits.0.as_ref().unwrap().state().hourly_requests.clone();
            let mut left = hourly();
            left.take(hour - i64::try_from(second).unwrap(), NOW);
            limits.0.as_ref().unwrap().state().hourly_requests = left;
            let error = limits.request(NOW).unwrap_err();
            assert_eq!((error.code, error.status_code), (40115, 403), "{plan}");
            limits.request(NOW + 1_000).unwrap();
        }
    }

    #[test]
    fn token_requests_and_connections_have_limits_of_their_own() {
        for (plan, tokens, connections) in
            [("free", 50, 200), ("standard", 250, 10_000), ("pro", 500, 50_000)]
        {
            let limits = limits(plan);
            assert_eq!(until_refused(|| limits.token_request(NOW)), (tokens, 42910, 429), "{plan}");
            limits.request(NOW).unwrap();
            let open = |resumes, live| limits.connect(resumes, || live, || Ok(()));
            open(false, connections - 1).unwrap();
            let error = open(false, connections).unwrap_err();
            assert_eq!((error.code, error.status_code), (40111, 403), "{plan}");
            open(true, connections).unwrap();
        }
    }

    #[test]
    fn a_connection_publishes_50_messages_a_second() {
        let limits = limits("pro");
        let mut bucket = limits.inbound(NOW);
        let one = || limits.inbound_publish(bucket.as_mut(), 1, NOW);
        assert_eq!(until_refused(one), (50, 42911, 429));
        limits.inbound_publish(bucket.as_mut(), 25, NOW + 500).unwrap();
        limits.inbound_publish(limits.inbound(NOW).as_mut(), 50, NOW).unwrap();
    }

    #[test]
    fn channels_without_recent_publishes_are_forgotten() {
        let limits = limits("pro");
        for channel in 0..100 {
            limits.publish(&publish(&channel.to_string(), 1, 1), nobody, NOW).unwrap();
        }
        let known = || limits.0.as_ref().unwrap().state().channels.len();
        limits.sweep(NOW + 1);
        assert_eq!(known(), 100);
        limits.sweep(NOW + 1_000);
        assert_eq!(known(), 0);
    }

    #[test]
    fn only_pro_has_long_messages() {
        assert_eq!(
            ["free", "standard", "pro"].map(|plan| limits(plan).message_size()),
            [65_536, 65_536, 262_144]
        );
    }
}
