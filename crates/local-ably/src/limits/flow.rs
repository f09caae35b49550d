//! What one connection may send and receive.

use std::sync::{Arc, Mutex};

use ably::ErrorInfo;

use super::bucket::{Bucket, Take, take};
use super::metric::Metric;
use super::{Meter, State, to_i64};
use crate::clock::Millis;
use crate::lock::lock;
use crate::protocol::Command;

/// What limits the frames and messages that one connection sends, if anything does.
#[derive(Debug)]
pub(crate) struct Inflow(Option<Metered>);

#[derive(Debug)]
struct Metered {
    meter: Arc<Meter>,
    frames: Bucket,
    flood: Bucket,
    messages: Bucket,
}

impl Inflow {
    pub(super) fn new(meter: Option<Arc<Meter>>, now: Millis) -> Self {
        Self(meter.map(|meter| {
            let bucket = |metric: Metric| metric.bucket(&meter.figures, now);
            Metered {
                frames: bucket(Metric::Frames),
                flood: bucket(Metric::Flood),
                messages: bucket(Metric::Inbound),
                meter: Arc::clone(&meter),
            }
        }))
    }

    /// Takes a frame into account, and the messages that it is to publish, whether they are published then or not.
    ///
    /// # Errors
    /// 42924 for too many frames, 42921 for far too many messages. Either ends the connection.
    pub(crate) fn frame(&mut self, command: &Command, now: Millis) -> Result<(), ErrorInfo> {
        self.take(Metric::Frames, 1, now, |metered| &mut metered.frames)?;
        match command {
            Command::Publish(publish) => {
                self.take(Metric::Flood, publish.messages.len(), now, |metered| &mut metered.flood)
            }
            _ => Ok(()),
        }
    }

    /// Takes messages into account that are published.
    ///
    /// # Errors
    /// 42911.
    pub(crate) fn publish(&mut self, messages: usize, now: Millis) -> Result<(), ErrorInfo> {
        self.take(Metric::Inbound, messages, now, |metered| &mut metered.messages)
    }

    fn take(
        &mut self,
        metric: Metric,
        count: usize,
        now: Millis,
        bucket: impl FnOnce(&mut Metered) -> &mut Bucket,
    ) -> Result<(), ErrorInfo> {
        let Some(metered) = &mut self.0 else { return Ok(()) };
        let meter = Arc::clone(&metered.meter);
        let State { counts, .. } = &mut *meter.state();
        take([Take::of(metric, bucket(metered), to_i64(count))], counts, &meter.figures, now)
    }
}

/// What limits the messages that one connection receives.
#[derive(Debug)]
pub(crate) struct Outflow {
    meter: Arc<Meter>,
    bucket: Mutex<Bucket>,
}

impl Outflow {
    pub(super) fn new(meter: Arc<Meter>, now: Millis) -> Self {
        let bucket = Mutex::new(Metric::Outbound.bucket(&meter.figures, now));
        Self { meter, bucket }
    }

    /// Takes messages into account that are delivered.
    ///
    /// # Errors
    /// 80020: they are not to be.
    pub(crate) fn deliver(&self, messages: usize, now: Millis) -> Result<(), ErrorInfo> {
        let mut bucket = lock(&self.bucket);
        let State { counts, .. } = &mut *self.meter.state();
        take([Take::of(Metric::Outbound, &mut bucket, to_i64(messages))], counts, &self.meter.figures, now)
    }
}
