//! Misbehaviour on demand: faults that are asked for, which publishes, keys, connections and tokens they are for, and how often
//! each has fired. What a fault then does is done where the answer is made.

mod body;
mod fault;
mod spec;
mod tokens;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ably::{ErrorInfo, KeyName, Secret};
use tokio_util::sync::CancellationToken;

use crate::clock::{Millis, wait};
use crate::credentials::{ClientIdentity, TokenFacts};
use crate::errors::bad_request;
use crate::lock::lock;
use spec::{Clients, Spec};
use tokens::SeenTokens;

pub(crate) use body::Body;
pub(crate) use fault::{Fault, Firing, Strike};
pub(crate) use spec::{Blow, Effect, PartRefusal, Refusal, Transport};

/// How many faults there may be at a time; beyond this those that are over go first.
const FAULTS_MAX: usize = 100;

/// All faults of a server.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    next_id: AtomicU64,
    /// Oldest first, which is the order in which they are tried.
    faults: Mutex<Vec<Arc<Fault>>>,
    seen: Mutex<SeenTokens>,
}

impl Faults {
    /// Adds a fault. Where it strikes connections that there are, the caller is to see to it.
    ///
    /// # Errors
    /// 40000 for one that makes no sense, or where there are too many.
    pub(crate) fn add(&self, body: Body, now: Millis) -> Result<(Arc<Fault>, Option<Strike>), ErrorInfo> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed) + 1;
        let fault = Arc::new(Fault::new(id, body, now)?);
        let strikes = match &fault.spec {
            Spec::DropConnections { .. } => true,
            Spec::ExpireTokens { of } => {
                lock(&self.seen).expire(id, of.clone(), now);
                true
            }
            _ => false,
        };
        let lasts = !matches!(fault.spec, Spec::DropConnections { .. });
        if lasts {
            let mut faults = lock(&self.faults);
            if faults.len() >= FAULTS_MAX {
                faults.retain(|fault| !fault.is_over(now));
            }
            if faults.len() >= FAULTS_MAX {
                lock(&self.seen).unexpire(id);
                return Err(bad_request(format!("there are {FAULTS_MAX} faults in force: remove some")));
            }
            faults.push(Arc::clone(&fault));
        }
        let strike = strikes.then(|| Strike { fault: Arc::clone(&fault) });
        Ok((fault, strike))
    }

    /// A fault by its id.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Fault>> {
        lock(&self.faults).iter().find(|fault| fault.id.to_string() == id).cloned()
    }

    /// All faults, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Fault>> {
        lock(&self.faults).clone()
    }

    /// Removes a fault, which lets go what it holds up; false where there is none of that id.
    pub(crate) fn remove(&self, id: &str) -> bool {
        let Some(fault) = self.get(id) else { return false };
        lock(&self.faults).retain(|other| other.id != fault.id);
        self.let_go(&fault);
        true
    }

    /// Removes all faults.
    pub(crate) fn clear(&self) {
        let all = std::mem::take(&mut *lock(&self.faults));
        for fault in all {
            self.let_go(&fault);
        }
    }

    fn let_go(&self, fault: &Fault) {
        fault.let_go();
        lock(&self.seen).unexpire(fault.id);
    }

    /// The first fault that fires for something.
    fn first<T>(&self, now: Millis, mut of: impl FnMut(&Spec) -> Option<T>) -> Option<Firing<T>> {
        let faults = lock(&self.faults);
        faults.iter().find_map(|fault| {
            let what = of(&fault.spec)?;
            fault.fire(what, now)
        })
    }

    /// Whether there is any fault of publishes.
    pub(crate) fn concern_publishes(&self) -> bool {
        lock(&self.faults).iter().any(|fault| matches!(fault.spec, Spec::Publish { .. }))
    }

    /// What is to become of a publish on one or more channels, if not what should.
    pub(crate) fn on_publish(
        &self,
        transport: Transport,
        channels: &[String],
        now: Millis,
    ) -> Option<Firing<Effect>> {
        self.first(now, |spec| match spec {
            Spec::Publish { of, effect } if of.include(transport, channels) => Some(effect.clone()),
            _ => None,
        })
    }

    /// How a batch is refused on one of its channels, if it is.
    pub(crate) fn on_part(&self, channel: &str, now: Millis) -> Option<Firing<PartRefusal>> {
        self.first(now, |spec| match spec {
            Spec::RefusePart { channel: of, refusal }
                if of.as_ref().is_none_or(|pattern| pattern.covers(channel)) =>
            {
                Some(refusal.clone())
            }
            _ => None,
        })
    }

    /// How a connection is refused, if it is. `who` tells its key and its `clientId`; nothing where nobody can be told.
    pub(crate) fn on_connect(
        &self,
        now: Millis,
        who: impl FnOnce() -> Option<(KeyName, Option<String>)>,
    ) -> Option<Firing<Refusal>> {
        let concerns = |spec: &Spec| matches!(spec, Spec::RefuseConnections { .. });
        // Whoever connects is not looked at twice without need.
        if !lock(&self.faults).iter().any(|fault| concerns(&fault.spec)) {
            return None;
        }
        let who = who();
        let includes = |of: &Clients| match &who {
            Some((key, client_id)) => of.include(key, client_id.as_deref()),
            None => of.is_everybody(),
        };
        self.first(now, |spec| match spec {
            Spec::RefuseConnections { of, refusal } if includes(of) => Some(refusal.clone()),
            _ => None,
        })
    }

    /// Refuses a key that is to be refused.
    ///
    /// # Errors
    /// The error that the fault is to answer.
    pub(crate) fn check_key(&self, name: &KeyName, now: Millis) -> Result<(), ErrorInfo> {
        let refused = self.first(now, |spec| match spec {
            Spec::RefuseKey { key, error } if key.as_ref().is_none_or(|key| key == name) => {
                Some(error.clone())
            }
            _ => None,
        });
        match refused {
            None => Ok(()),
            Some(firing) => {
                firing.count();
                Err(firing.what)
            }
        }
    }

    /// Refuses credentials whose key is to be refused, and tokens that were told to be over. A token comes as its text and what it
    /// says.
    ///
    /// # Errors
    /// The error that a fault is to answer, or 40142.
    pub(crate) fn check(
        &self,
        key: &KeyName,
        client: &ClientIdentity,
        token: Option<(&Secret, &TokenFacts)>,
        now: Millis,
    ) -> Result<(), ErrorInfo> {
        self.check_key(key, now)?;
        match token {
            Some((text, facts)) => lock(&self.seen).check(text, facts.issued, key, client, now),
            None => Ok(()),
        }
    }
}

/// Waits until something that a fault holds up may go on.
pub(crate) async fn held(until: Millis, released: &CancellationToken, shutdown: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(wait(crate::clock::now(), until)) => {}
        () = released.cancelled() => {}
        () = shutdown.cancelled() => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: Millis = 1_700_000_000_000;

    fn add(faults: &Faults, body: Value) -> Arc<Fault> {
        faults.add(serde_json::from_value(body).unwrap(), NOW).unwrap().0
    }

    /// Which of so many publishes a fault fires for.
    fn pattern(faults: &Faults, publishes: usize) -> Vec<bool> {
        let fires = |_| faults.on_publish(Transport::Rest, &["a".to_owned()], NOW).is_some();
        (0..publishes).map(fires).collect()
    }

    #[test]
    fn the_next_n_fire_and_no_more() {
        let faults = Faults::default();
        let fault = add(&faults, json!({"kind": "reset", "times": 2}));
        assert_eq!(pattern(&faults, 4), [true, true, false, false]);
        assert!(fault.is_over(NOW));
    }

    #[test]
    fn a_share_fires_as_often_and_the_same_seed_for_the_same_ones() {
        let with_seed = |seed: u64| {
            let faults = Faults::default();
            add(&faults, json!({"kind": "reset", "share": 0.3, "seed": seed}));
            pattern(&faults, 1_000)
        };
        assert_eq!(with_seed(7), with_seed(7));
        assert_ne!(with_seed(7), with_seed(8));
        let fired = with_seed(7).into_iter().filter(|fired| *fired).count();
        assert!((250..350).contains(&fired), "{fired}");
    }

    #[test]
    fn a_fault_for_a_while_ends_then() {
        let faults = Faults::default();
        let fault = add(&faults, json!({"kind": "reset", "forMs": 1_000}));
        assert!(faults.on_publish(Transport::Rest, &[], NOW + 999).is_some());
        assert!(faults.on_publish(Transport::Rest, &[], NOW + 1_000).is_none());
        assert!(!fault.is_over(NOW + 999) && fault.is_over(NOW + 1_000));
    }

    #[test]
    fn the_oldest_that_fires_wins_and_the_next_takes_over() {
        let faults = Faults::default();
        add(&faults, json!({"kind": "truncate", "times": 1}));
        add(&faults, json!({"kind": "reset", "times": 1}));
        let next = || faults.on_publish(Transport::Realtime, &[], NOW).map(|firing| firing.what);
        assert_eq!(next(), Some(Effect::Truncate));
        assert_eq!(next(), Some(Effect::Reset { stored: false }));
        assert_eq!(next(), None);
    }

    #[test]
    fn a_firing_is_counted_when_it_has_happened() {
        let faults = Faults::default();
        let fault = add(&faults, json!({"kind": "reset"}));
        let firing = faults.on_publish(Transport::Rest, &[], NOW).unwrap();
        assert_eq!(fault.report(NOW)["fired"], 0);
        firing.count();
        assert_eq!(fault.report(NOW), json!({"id": "1", "kind": "reset", "fired": 1, "over": false}));
    }

    #[test]
    fn faults_are_bounded_and_those_that_are_over_make_room() {
        let faults = Faults::default();
        for _ in 0..FAULTS_MAX {
            add(&faults, json!({"kind": "reset", "channel": "a", "times": 1}));
        }
        let body = || serde_json::from_value(json!({"kind": "expire-tokens"})).unwrap();
        assert_eq!(faults.add(body(), NOW).unwrap_err().code, 40000);
        assert!(lock(&faults.seen).is_empty());
        assert_eq!(pattern(&faults, 1), [true]);
        faults.add(body(), NOW).unwrap();
        assert_eq!(faults.all().len(), FAULTS_MAX);
        faults.clear();
        assert!(faults.all().is_empty() && lock(&faults.seen).is_empty());
    }

    #[test]
    fn what_is_removed_lets_go() {
        let faults = Faults::default();
        let fault = add(&faults, json!({"kind": "hang"}));
        let firing = faults.on_publish(Transport::Rest, &[], NOW).unwrap();
        assert!(!firing.released().is_cancelled());
        assert!(faults.remove(&fault.id.to_string()) && firing.released().is_cancelled());
        assert!(!faults.remove(&fault.id.to_string()));
        assert!(faults.on_publish(Transport::Rest, &[], NOW).is_none());
    }

    #[test]
    fn a_part_of_a_batch_is_refused_by_its_name_alone() {
        let faults = Faults::default();
        add(&faults, json!({"kind": "error"}));
        add(&faults, json!({"kind": "error", "transport": "rest"}));
        add(&faults, json!({"kind": "error", "transport": "rest-batch"}));
        assert!(faults.on_part("job:1", NOW).is_none());
        faults.clear();
        let body =
            json!({"kind": "error", "code": 42913, "transport": "rest-part", "channel": "job:*", "times": 1});
        add(&faults, body);
        for transport in [Transport::Rest, Transport::RestBatch, Transport::Realtime] {
            assert!(faults.on_publish(transport, &["job:1".to_owned()], NOW).is_none());
        }
        assert!(faults.on_part("other", NOW).is_none());
        let PartRefusal { error, stored } = faults.on_part("job:1", NOW).unwrap().what;
        assert_eq!((error.code, error.status_code, stored), (42913, 429, false));
        assert!(faults.on_part("job:1", NOW).is_none());
    }

    #[test]
    fn one_key_is_refused_or_all_are() {
        let name = |name: &str| KeyName::parse(name).unwrap();
        let faults = Faults::default();
        add(&faults, json!({"kind": "refuse-key", "key": "app.one", "code": 40110, "forMs": 10}));
        let error = faults.check_key(&name("app.one"), NOW).unwrap_err();
        assert_eq!((error.code, error.status_code), (40110, 401));
        assert!(faults.check_key(&name("app.two"), NOW).is_ok());
        assert!(faults.check_key(&name("app.one"), NOW + 10).is_ok());
        add(&faults, json!({"kind": "refuse-key", "code": 40400}));
        assert_eq!(faults.check_key(&name("app.two"), NOW).unwrap_err().status_code, 401);
    }

    #[test]
    fn only_those_are_refused_a_connection_that_the_fault_is_for() {
        let faults = Faults::default();
        let who = |client: &str| Some((KeyName::parse("app.one").unwrap(), Some(client.to_owned())));
        assert!(faults.on_connect(NOW, || panic!("nobody is looked at")).is_none());
        add(&faults, json!({"kind": "refuse-connections", "clientId": "x"}));
        assert!(faults.on_connect(NOW, || who("x")).is_some());
        assert!(faults.on_connect(NOW, || who("y")).is_none());
        assert!(faults.on_connect(NOW, || None).is_none());
        add(&faults, json!({"kind": "refuse-connections", "by": "http"}));
        assert!(matches!(faults.on_connect(NOW, || None).unwrap().what, Refusal::Http(_)));
    }
}
