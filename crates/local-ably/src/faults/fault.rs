//! One fault: how often and for how long it fires, and what is told of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ably::{ErrorInfo, KeyName};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::body::Body;
use super::spec::{Blow, Extent, Spec};
use crate::clock::Millis;
use crate::credentials::expired;
use crate::lock::lock;

/// A fault.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(super) id: u64,
    given: Map<String, Value>,
    pub(super) spec: Spec,
    extent: Extent,
    since: Millis,
    tries: Mutex<Tries>,
    fired: watch::Sender<u64>,
    /// Cancelled when the fault is removed: what it holds up goes on.
    removed: CancellationToken,
}

#[derive(Debug)]
struct Tries {
    claimed: u64,
    dice: StdRng,
}

/// One firing of a fault.
#[derive(Debug)]
pub(crate) struct Firing<T> {
    fault: Arc<Fault>,
    pub(super) what: T,
}

impl<T> Firing<T> {
    /// What is to happen.
    pub(crate) fn what(&self) -> &T {
        &self.what
    }

    /// Counts the firing, once what it stands for has happened.
    pub(crate) fn count(&self) {
        self.fault.fired.send_modify(|fired| *fired += 1);
    }

    /// Done when the fault is removed.
    pub(crate) fn released(&self) -> CancellationToken {
        self.fault.removed.clone()
    }
}

impl Fault {
    /// A fault as it is asked for.
    ///
    /// # Errors
    /// Those of [`Body::read`].
    pub(super) fn new(id: u64, body: Body, now: Millis) -> Result<Self, ErrorInfo> {
        let given = body.as_given();
        let (spec, extent) = body.read()?;
        let dice = StdRng::seed_from_u64(extent.seed);
        Ok(Self {
            id,
            given,
            spec,
            extent,
            since: now,
            tries: Mutex::new(Tries { claimed: 0, dice }),
            fired: watch::Sender::new(0),
            removed: CancellationToken::new(),
        })
    }

    /// Whether it will not fire any more.
    pub(super) fn is_over(&self, now: Millis) -> bool {
        let is_done = matches!(self.spec, Spec::DropConnections { .. });
        is_done || self.is_used_up(lock(&self.tries).claimed) || self.is_past(now)
    }

    fn is_used_up(&self, claimed: u64) -> bool {
        self.extent.times.is_some_and(|times| claimed >= times)
    }

    fn is_past(&self, now: Millis) -> bool {
        self.extent.millis.is_some_and(|millis| now >= self.since.saturating_add(millis))
    }

    /// Whether it fires for one that it is for.
    fn claim(&self, now: Millis) -> bool {
        if self.is_past(now) {
            return false;
        }
        let mut tries = lock(&self.tries);
        if self.is_used_up(tries.claimed) {
            return false;
        }
        let fires = self.extent.share.is_none_or(|share| tries.dice.random_bool(share));
        tries.claimed += u64::from(fires);
        fires
    }

    /// Fires if it fires for one that it is for; `what` is then to happen.
    pub(super) fn fire<T>(self: &Arc<Self>, what: T, now: Millis) -> Option<Firing<T>> {
        self.claim(now).then(|| Firing { fault: Arc::clone(self), what })
    }

    /// What it holds up may go on.
    pub(super) fn let_go(&self) {
        self.removed.cancel();
    }

    /// The fault as it was given, with its id, how often it has fired, and whether it is over.
    pub(crate) fn report(&self, now: Millis) -> Value {
        let mut report = self.given.clone();
        report.insert("id".to_owned(), self.id.to_string().into());
        report.insert("fired".to_owned(), (*self.fired.borrow()).into());
        report.insert("over".to_owned(), self.is_over(now).into());
        Value::Object(report)
    }

    /// Waits until it has fired so often, or has been removed, or the time is up.
    pub(crate) async fn fired(&self, times: u64, at_most: Duration) {
        let mut fired = self.fired.subscribe();
        tokio::select! {
            _ = fired.wait_for(|fired| *fired >= times) => {}
            () = self.removed.cancelled() => {}
            () = tokio::time::sleep(at_most) => {}
        }
    }
}

/// What a fault does at once, to connections that there are.
#[derive(Debug)]
pub(crate) struct Strike {
    pub(super) fault: Arc<Fault>,
}

impl Strike {
    /// How a connection ends, if it is struck at all. `has_token` says whether it was authorised by a token.
    pub(crate) fn blow(&self, key: &KeyName, client_id: Option<&str>, has_token: bool) -> Option<Blow> {
        let (of, blow) = match &self.fault.spec {
            Spec::DropConnections { of, blow } => (of, blow.clone()),
            Spec::ExpireTokens { of } if has_token => (of, Blow::Disconnected(expired())),
            _ => return None,
        };
        of.include(key, client_id).then_some(blow)
    }

    /// Counts a connection that was struck.
    pub(crate) fn count(&self) {
        self.fault.fired.send_modify(|fired| *fired += 1);
    }
}
