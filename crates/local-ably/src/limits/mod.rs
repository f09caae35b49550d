//! Ably's limits, for those who want to meet them on the laptop: rates by token buckets, told the time.
//!
//! The limits of an account hold for all apps of the server together.

mod bucket;
mod flow;
mod metric;
mod plan;
mod report;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use ably::ErrorInfo;

use crate::clock::Millis;
use crate::lock::lock;
use metric::Metric;
use plan::Figures;
use report::Counts;

use bucket::{Bucket, Take, take};
pub(crate) use flow::{Inflow, Outflow};
pub use plan::{NoSuchPlan, Plan};
pub(crate) use report::Report;

/// The longest publish, in bytes, where there is no plan.
const MESSAGE_SIZE: usize = 65_536;
/// How many messages a connection may publish and receive in a second, as CONNECTED says where there is no plan; nobody checks.
const INBOUND: u32 = 250;
const OUTBOUND: u32 = 100;

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
pub(crate) struct Limits(Option<Arc<Meter>>);

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
    hourly_token_requests: Bucket,
    new_connections: Bucket,
    new_channels: Bucket,
    /// By app and channel: only those that are not full.
    channels: HashMap<(String, String), ChannelBuckets>,
    counts: Counts,
}

#[derive(Debug)]
struct ChannelBuckets {
    messages: Bucket,
    bytes: Bucket,
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
                hourly_token_requests: bucket(Metric::HourlyTokenRequests),
                new_connections: bucket(Metric::NewConnections),
                new_channels: bucket(Metric::NewChannels),
                channels: HashMap::new(),
                counts: Default::default(),
            };
            Arc::new(Meter { plan, figures, state: Mutex::new(state), opening: Mutex::default() })
        }))
    }

    /// The most that the messages of one publish may hold, in bytes.
    pub(crate) fn message_size(&self) -> usize {
        self.0.as_ref().map_or(MESSAGE_SIZE, |meter| meter.figures.message_size)
    }

    /// How many messages a connection may publish in a second.
    pub(crate) fn inbound_rate(&self) -> u32 {
        self.0.as_ref().map_or(INBOUND, |meter| meter.figures.inbound)
    }

    /// How many messages a connection may receive in a second.
    pub(crate) fn outbound_rate(&self) -> u32 {
        self.0.as_ref().map_or(OUTBOUND, |meter| meter.figures.outbound)
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
        let delivered = messages.saturating_mul(to_i64(receivers()));
        let mut state = meter.state();
        let State { messages: account, channels, counts, .. } = &mut *state;
        let key = (publish.app.to_owned(), publish.channel.to_owned());
        let channel = channels.entry(key).or_insert_with(|| ChannelBuckets {
            messages: Metric::ChannelMessages.bucket(figures, now),
            bytes: Metric::ChannelBytes.bucket(figures, now),
        });
        let takes = [
            Take::of(Metric::ChannelMessages, &mut channel.messages, messages),
            Take::of(Metric::ChannelBytes, &mut channel.bytes, to_i64(publish.bytes)),
            // What is received counts too, but what cannot be received any more is not known before: it is taken on credit.
            Take {
                taken: messages.saturating_add(delivered),
                ..Take::of(Metric::Messages, account, messages)
            },
        ];
        take(takes, counts, figures, now)
    }

    /// Takes an HTTP request into account.
    ///
    /// # Errors
    /// 42918 by the second, 40115 by the hour.
    pub(crate) fn request(&self, now: Millis) -> Result<(), ErrorInfo> {
        let Some(meter) = &self.0 else { return Ok(()) };
        let mut state = meter.state();
        let State { requests, hourly_requests, counts, .. } = &mut *state;
        let takes =
            [Take::of(Metric::HourlyRequests, hourly_requests, 1), Take::of(Metric::Requests, requests, 1)];
        take(takes, counts, &meter.figures, now)
    }

    /// Takes a request for a token into account.
    ///
    /// # Errors
    /// 42910 by the second, 40115 by the hour.
    pub(crate) fn token_request(&self, now: Millis) -> Result<(), ErrorInfo> {
        let Some(meter) = &self.0 else { return Ok(()) };
        let mut state = meter.state();
        let State { token_requests, hourly_token_requests, counts, .. } = &mut *state;
        let takes = [
            Take::of(Metric::HourlyTokenRequests, hourly_token_requests, 1),
            Take::of(Metric::TokenRequests, token_requests, 1),
        ];
        take(takes, counts, &meter.figures, now)
    }

    /// What limits the frames and messages that one connection sends.
    pub(crate) fn inflow(&self, now: Millis) -> Inflow {
        Inflow::new(self.0.clone(), now)
    }

    /// What limits the messages that one connection receives.
    pub(crate) fn outflow(&self, now: Millis) -> Option<Outflow> {
        self.0.clone().map(|meter| Outflow::new(meter, now))
    }

    /// Opens a connection if there may be one more. `live` counts those that there are; between that and the end of `open`
    /// no other is opened. One that resumes is no new one.
    ///
    /// # Errors
    /// 40111 where there are too many, 80021 where too many are made, and those of `open`.
    pub(crate) fn connect<T>(
        &self,
        resumes: bool,
        live: impl FnOnce() -> usize,
        open: impl FnOnce() -> Result<T, ErrorInfo>,
        now: Millis,
    ) -> Result<T, ErrorInfo> {
        let Some(meter) = &self.0 else { return open() };
        let _opening = lock(&meter.opening);
        if !resumes {
            let allowed = live() < meter.figures.connections;
            let State { new_connections, counts, .. } = &mut *meter.state();
            if !allowed {
                counts.refuse(Metric::Connections, 1);
                return Err(Metric::Connections.exceeded(&meter.figures));
            }
            let takes = [Take::of(Metric::NewConnections, new_connections, 1)];
            take(takes, counts, &meter.figures, now)?;
            counts.admit(Metric::Connections, 1);
        }
        open()
    }

    /// Takes a channel that is made into account.
    ///
    /// # Errors
    /// 90021.
    pub(crate) fn channel(&self, now: Millis) -> Result<(), ErrorInfo> {
        let Some(meter) = &self.0 else { return Ok(()) };
        let State { new_channels, counts, .. } = &mut *meter.state();
        take([Take::of(Metric::NewChannels, new_channels, 1)], counts, &meter.figures, now)
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
        match &self.0 {
            None => Report::unlimited(),
            Some(meter) => Report::new(meter.plan, &meter.figures, &meter.state().counts),
        }
    }
}

impl Meter {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn to_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
