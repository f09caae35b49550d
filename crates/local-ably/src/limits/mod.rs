//! Ably's limits, for those who want to meet them on the laptop: rates by token buckets, told the time.
//!
//! The limits of an account hold for all apps of the server together.

mod bucket;
mod metric;
mod plan;
mod report;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use ably::ErrorInfo;

use crate::app::lock;
use crate::clock::Millis;
use metric::Metric;
use plan::Figures;
use report::Counts;

pub(crate) use bucket::Bucket;
pub use plan::{NoSuchPlan, Plan};
pub(crate) use report::Report;

/// The longest publish, in bytes, where there is no plan.
const MESSAGE_SIZE: usize = 65_536;
/// How many messages a connection may publish in a second, as CONNECTED says where there is no plan; nobody checks.
const INBOUND: u32 = 250;

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
                counts.refuse(*metric, *needed);
                return Err(metric.exceeded(figures));
            }
        }
        for (metric, bucket, _, taken) in takes {
            bucket.take(taken, now);
            counts.admit(metric, taken);
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
                counts.refuse(*metric, 1);
                return Err(metric.exceeded(&meter.figures));
            }
        }
        for (metric, bucket) in takes {
            bucket.take(1, now);
            counts.admit(metric, 1);
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

    fn settle(&self, state: &mut State, metric: Metric, count: i64, allowed: bool) -> Result<(), ErrorInfo> {
        if allowed {
            state.counts.admit(metric, count);
            return Ok(());
        }
        state.counts.refuse(metric, count);
        Err(metric.exceeded(&self.figures))
    }
}

fn to_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
