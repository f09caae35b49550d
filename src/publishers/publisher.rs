//! A publisher: it gathers the messages of many jobs, and sends them to Ably together.
//!
//! What it keeps to:
//!
//! - **Every hand-over is answered once**, with what became of that message and no other.
//! - **No job is in two requests at once**, so that its messages cannot overtake each other.
//! - **A request leaves no sooner than a window after the one before**, and what comes meanwhile gathers; so the account's rate holds,
//!   however many jobs there are.
//! - **A request that is refused as a whole blames no message**: what was in it is sent once more, each message by itself.
//! - **What every request would meet is met by one**: once key or account are refused, or Ably takes no more or cannot be reached, all
//!   jobs wait for the same time, and then one request finds out.

use std::collections::{HashSet, VecDeque};

use ably::rest::{Batch, BatchResult, ErrorClass, PublishBody, PublishError};

use super::handing_over::Outcome;
use crate::objects::backoff::wait;
use crate::objects::{Cause, Millis};

mod failing;

#[cfg(test)]
mod tests;

use self::failing::Trouble;

/// As many requests are under way at once, of the six that the runtime lets an object have.
const FLIGHTS_MAX: usize = 4;

/// The longest that the time between two requests may be set to.
const WINDOW_MAX: Millis = 2_000;

/// The longest that a message waits here to be sent with others. With what a request may take after that, on all hosts together, it is
/// less than [`HAND_OVER_MAX`](super::handing_over::HAND_OVER_MAX).
const WAIT_MAX: Millis = 4_500;

/// The most that waits, in bytes of messages.
const QUEUE_MAX: usize = 8 * 1024 * 1024;

/// How often requests leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The least time between one and the next.
    pub window: Millis,
}

impl Pace {
    /// The pace at which so many publishers come to so many requests a second together.
    pub fn of(publishers: u64, requests_per_second: u64) -> Self {
        let window = publishers.saturating_mul(1_000).div_ceil(requests_per_second.max(1));
        Self { window: Millis::try_from(window).unwrap_or(Millis::MAX) }
    }

    /// Whether jobs would wait for so long that they might take what they have handed over for lost.
    pub fn is_too_slow(self) -> bool {
        self.window > WINDOW_MAX
    }
}

/// A message that a job has handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedOver<T> {
    /// Where it goes. No other job has the same.
    pub channel: String,
    /// What is to be sent.
    pub body: PublishBody,
    /// How the job is answered.
    pub reply: T,
}

/// A request to Ably.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it is known by here.
    pub ticket: u64,
    /// What is sent.
    pub content: Content,
}

/// What a request sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// One message, as any client would publish it.
    One {
        /// Where it goes.
        channel: String,
        /// What is sent.
        body: PublishBody,
    },
    /// Several.
    Many(Batch),
}

/// What a publisher wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Send this, then say by [`Publisher::ended`] how it went; and ask again at once.
    Send(Request),
    /// Ask again then, if nothing happens before.
    Wait {
        /// Unix milliseconds.
        until: Millis,
    },
    /// Ask again when something was handed over, or a request has ended.
    Idle,
}

/// A publisher. `T` is how a job is answered.
#[derive(Debug)]
pub struct Publisher<T> {
    pace: Pace,
    queue: VecDeque<Waiting<T>>,
    /// Of the messages in the queue.
    bytes: usize,
    flights: Vec<Flight<T>>,
    /// The channels in them.
    busy: HashSet<String>,
    tickets: u64,
    /// When the last request has left.
    left_at: Option<Millis>,
    trouble: Option<Trouble>,
    answers: Vec<(T, Outcome)>,
    /// The time at the last call. A clock that has gone back since shows by it.
    clock: Millis,
}

#[derive(Debug)]
struct Waiting<T> {
    handed_over: HandedOver<T>,
    since: Millis,
    /// Whether it is to be sent by itself, after a request with others was refused.
    is_alone: bool,
}

impl<T> Waiting<T> {
    /// When it has waited for too long. What is sent by itself has no such time: else it would come back with others, and they would be
    /// refused together again.
    fn stale_at(&self) -> Option<Millis> {
        (!self.is_alone).then_some(self.since + WAIT_MAX)
    }
}

#[derive(Debug)]
struct Flight<T> {
    ticket: u64,
    left_at: Millis,
    messages: Vec<Waiting<T>>,
}

impl<T> Publisher<T> {
    /// A publisher with nothing to do.
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            queue: VecDeque::new(),
            bytes: 0,
            flights: Vec::new(),
            busy: HashSet::new(),
            tickets: 0,
            left_at: None,
            trouble: None,
            answers: Vec::new(),
            clock: Millis::MIN,
        }
    }

    /// Takes a message. What the same job has waiting is replaced by it: a job hands over anew what it has given up waiting for.
    pub fn take(&mut self, handed_over: HandedOver<T>, now: Millis) {
        self.follow_clock(now);
        if let Some((trouble, until)) = self.closed().filter(|(_, until)| now < *until) {
            let outcome = Outcome::Failed { cause: trouble.cause, wait: Some(until - now) };
            return self.answers.push((handed_over.reply, outcome));
        }
        let length = handed_over.body.as_str().len();
        let before = self.queue.iter_mut().find(|waiting| waiting.handed_over.channel == handed_over.channel);
        let freed = before.as_ref().map_or(0, |before| before.handed_over.body.as_str().len());
        if self.bytes - freed + length > QUEUE_MAX {
            return self.answers.push((handed_over.reply, Outcome::Busy));
        }
        self.bytes = self.bytes - freed + length;
        match before {
            Some(before) => {
                before.since = now;
                let before = std::mem::replace(&mut before.handed_over, handed_over);
                self.answers.push((before.reply, UNANSWERED));
            }
            None => self.queue.push_back(Waiting { handed_over, since: now, is_alone: false }),
        }
    }

    /// What is to be done now.
    pub fn next(&mut self, now: Millis) -> Next {
        self.follow_clock(now);
        self.drop_stale(now);
        let stale_at = self.queue.iter().filter_map(Waiting::stale_at).min();
        let closed = self.closed();
        // What left before it was closed says nothing of whether it still is.
        let is_probing = closed
            .is_some_and(|(trouble, _)| self.flights.iter().any(|flight| flight.left_at >= trouble.noted_at));
        let is_full = is_probing || self.flights.len() >= FLIGHTS_MAX;
        if is_full || !self.queue.iter().any(|waiting| self.may_leave(waiting)) {
            return stale_at.map_or(Next::Idle, |until| Next::Wait { until });
        }
        let paced = self.left_at.map(|left_at| left_at + self.pace.window);
        if let Some(until) = paced.max(closed.map(|(_, until)| until)).filter(|until| now < *until) {
            return Next::Wait { until: stale_at.map_or(until, |stale_at| until.min(stale_at)) };
        }
        let (messages, batch) = self.gather();
        self.tickets += 1;
        self.left_at = Some(now);
        let content = match messages.as_slice() {
            [Waiting { handed_over: HandedOver { channel, body, .. }, .. }] => {
                Content::One { channel: channel.clone(), body: body.clone() }
            }
            _ => Content::Many(batch),
        };
        self.busy.extend(messages.iter().map(|message| message.handed_over.channel.clone()));
        self.flights.push(Flight { ticket: self.tickets, left_at: now, messages });
        Next::Send(Request { ticket: self.tickets, content })
    }

    /// Notes how a request has ended: what became of each message, in their order, nothing where that is not known; or what the request
    /// has met as a whole. `jitter` is random, from 0 to 1.
    pub fn ended(
        &mut self,
        ticket: u64,
        result: Result<Vec<Option<BatchResult>>, PublishError>,
        now: Millis,
        jitter: f64,
    ) {
        self.follow_clock(now);
        let Some(place) = self.flights.iter().position(|flight| flight.ticket == ticket) else { return };
        let Flight { left_at, messages, .. } = self.flights.swap_remove(place);
        for message in &messages {
            self.busy.remove(&message.handed_over.channel);
        }
        let is_one = messages.len() == 1;
        match result {
            // Whatever it says of the messages: key, account and network are in order.
            Ok(results) => {
                self.went_through(left_at);
                // Not one of them is told of: it would be the same for ever.
                if !is_one && results.iter().all(Option::is_none) {
                    return self.again_alone(messages, now);
                }
                let mut results = results.into_iter();
                for message in messages {
                    let outcome = match results.next().flatten() {
                        Some(Ok(())) => Outcome::Published,
                        Some(Err(error)) => of_one_channel(&error, jitter),
                        None => UNANSWERED,
                    };
                    self.answers.push((message.handed_over.reply, outcome));
                }
            }
            Err(error) if is_one && error.is_of_one_channel() => {
                self.went_through(left_at);
                let outcome = of_one_channel(&error, jitter);
                self.answers.extend(messages.into_iter().map(|message| (message.handed_over.reply, outcome)));
            }
            Err(error) if !is_one && blames_what_is_sent(&error) => {
                self.went_through(left_at);
                self.again_alone(messages, now);
            }
            Err(error) => self.failed(&error, messages, left_at, now, jitter),
        }
    }

    /// What jobs are to be told since it was last asked.
    pub fn answers(&mut self) -> Vec<(T, Outcome)> {
        std::mem::take(&mut self.answers)
    }

    /// Sends messages of a request that was refused once more, before all others and each by itself.
    fn again_alone(&mut self, messages: Vec<Waiting<T>>, now: Millis) {
        for message in messages.into_iter().rev() {
            // What its job has handed over since then stands for it.
            let channel = &message.handed_over.channel;
            if self.queue.iter().any(|waiting| waiting.handed_over.channel == *channel) {
                self.answers.push((message.handed_over.reply, UNANSWERED));
                continue;
            }
            self.bytes += message.handed_over.body.as_str().len();
            self.queue.push_front(Waiting { is_alone: true, since: now, ..message });
        }
    }

    /// Takes out of the queue what leaves together.
    fn gather(&mut self) -> (Vec<Waiting<T>>, Batch) {
        let mut batch = Batch::default();
        let mut messages: Vec<Waiting<T>> = Vec::new();
        let mut left = VecDeque::with_capacity(self.queue.len());
        let mut is_full = false;
        for waiting in std::mem::take(&mut self.queue) {
            let HandedOver { channel, body, .. } = &waiting.handed_over;
            is_full = is_full
                || !messages.is_empty() && waiting.is_alone
                || self.may_leave(&waiting) && !batch.add(channel, body) && !messages.is_empty();
            if is_full || !self.may_leave(&waiting) {
                left.push_back(waiting);
                continue;
            }
            self.bytes -= body.as_str().len();
            is_full = waiting.is_alone || batch.channels().len() <= messages.len();
            messages.push(waiting);
        }
        self.queue = left;
        (messages, batch)
    }

    fn may_leave(&self, waiting: &Waiting<T>) -> bool {
        !self.busy.contains(&waiting.handed_over.channel)
    }

    /// Drops what has waited for too long.
    fn drop_stale(&mut self, now: Millis) {
        let is_stale = |waiting: &Waiting<T>| waiting.stale_at().is_some_and(|at| at <= now);
        if !self.queue.iter().any(is_stale) {
            return;
        }
        // A job that is held for what a probe is to find out is held for that.
        let outcome = self
            .closed()
            .map_or(UNANSWERED, |(Trouble { cause, .. }, _)| Outcome::Failed { cause, wait: None });
        for waiting in std::mem::take(&mut self.queue) {
            if is_stale(&waiting) {
                self.bytes -= waiting.handed_over.body.as_str().len();
                self.answers.push((waiting.handed_over.reply, outcome));
            } else {
                self.queue.push_back(waiting);
            }
        }
    }

    /// Where the clock has gone back, all times go back with it.
    fn follow_clock(&mut self, now: Millis) {
        let back = self.clock.saturating_sub(now).max(0);
        self.clock = now;
        if back == 0 {
            return;
        }
        let flights = self.flights.iter_mut().map(|flight| &mut flight.left_at);
        let waiting = self.queue.iter_mut().map(|waiting| &mut waiting.since);
        let trouble = self
            .trouble
            .iter_mut()
            .flat_map(|trouble| std::iter::once(&mut trouble.noted_at).chain(&mut trouble.closed_until));
        flights.chain(waiting).chain(trouble).chain(&mut self.left_at).for_each(|time| *time -= back);
    }
}

/// Nobody knows what became of a message: its job hands it over again.
const UNANSWERED: Outcome = Outcome::Failed { cause: Cause::UNANSWERED, wait: None };

/// Whether a refusal of several messages is about what was sent, so that each of them has to be tried.
fn blames_what_is_sent(error: &PublishError) -> bool {
    matches!(error.class, ErrorClass::BlamesMessage | ErrorClass::Unknown)
}

/// What a job is told that has met something alone.
fn of_one_channel(error: &PublishError, jitter: f64) -> Outcome {
    let asked = match error.class {
        ErrorClass::Throttled { retry_after } | ErrorClass::Transient { retry_after } => retry_after,
        ErrorClass::BlamesMessage | ErrorClass::BlamesAccess | ErrorClass::Unknown => None,
    };
    Outcome::Failed { cause: Cause::of(error), wait: asked.map(|_| wait(error.class, 0, jitter)) }
}
