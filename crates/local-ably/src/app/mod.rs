//! Apps: keys, channels and connections that share nothing with those of another app.

mod channels;
mod connections;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ably::{ErrorInfo, KeyName};
use tokio::sync::watch;

use crate::channel::{ChannelRef, Memory, Rules};
use crate::clock::Millis;
use crate::credentials::{KeyRecord, Nonces, Revocation, Revocations, Target};
use crate::limits::Limits;
use crate::lock::lock;
use crate::socket::Connection;

pub(crate) use channels::Channels;
pub(crate) use connections::{Connections, Opened, Seen};

/// How many apps there may be at a time.
pub(crate) const APPS_MAX: usize = 200;
/// How many keys an app may have.
pub(crate) const KEYS_MAX: usize = 100;

/// Channels whose names begin alike, and the rules that they have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Namespace {
    /// What their names are, or begin with before a `:`.
    pub(crate) id: String,
    pub(crate) rules: Rules,
}

/// An app.
#[derive(Debug)]
pub(crate) struct App {
    id: String,
    /// In the order in which they were made; the first is the app's own.
    keys: Vec<Arc<KeyRecord>>,
    channels: Mutex<Channels>,
    connections: Mutex<Connections>,
    nonces: Mutex<Nonces>,
    revocations: Mutex<Revocations>,
    /// Touched when there are new revocations, for whoever holds on to a token.
    revoked: watch::Sender<()>,
    /// How many uses of any app came before its last one.
    last_use: AtomicU64,
}

impl App {
    /// An app with keys, which are all its own, and whose channels have at most so many members.
    pub(crate) fn new(
        id: impl Into<String>,
        keys: Vec<KeyRecord>,
        namespaces: Vec<Namespace>,
        members_max: usize,
        memory: &Arc<Memory>,
    ) -> Self {
        Self {
            id: id.into(),
            keys: keys.into_iter().map(Arc::new).collect(),
            channels: Mutex::new(Channels::new(namespaces, members_max, Arc::clone(memory))),
            connections: Mutex::default(),
            nonces: Mutex::default(),
            revocations: Mutex::default(),
            revoked: watch::Sender::default(),
            last_use: AtomicU64::default(),
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The record of a key.
    pub(crate) fn key(&self, name: &KeyName) -> Option<Arc<KeyRecord>> {
        self.keys.iter().find(|record| record.key.name() == name).cloned()
    }

    pub(crate) fn keys(&self) -> &[Arc<KeyRecord>] {
        &self.keys
    }

    /// The app's channels. Never to be asked for while a channel is locked: `sweep` locks in the other order.
    pub(crate) fn channels(&self) -> MutexGuard<'_, Channels> {
        lock(&self.channels)
    }

    /// A channel, made if need be.
    ///
    /// # Errors
    /// 40114 where there are as many as there may be, 90021 where too many are made.
    pub(crate) fn channel(&self, name: &str, limits: &Limits, now: Millis) -> Result<ChannelRef, ErrorInfo> {
        self.channels().get_or_make(name, limits, now)
    }

    /// The app's connections. Never to be asked for while a channel is locked.
    pub(crate) fn connections(&self) -> MutexGuard<'_, Connections> {
        lock(&self.connections)
    }

    pub(crate) fn nonces(&self) -> MutexGuard<'_, Nonces> {
        lock(&self.nonces)
    }

    /// The revocations of the keys' tokens.
    pub(crate) fn revocations(&self) -> MutexGuard<'_, Revocations> {
        lock(&self.revocations)
    }

    /// Revokes tokens of a key, and has whoever holds on to one look again.
    ///
    /// # Errors
    /// 42910 where there are too many revocations.
    pub(crate) fn revoke(
        &self,
        key: &KeyName,
        target: Target,
        revocation: Revocation,
    ) -> Result<(), ErrorInfo> {
        self.revocations().revoke(key, target, revocation)?;
        self.revoked.send_replace(());
        Ok(())
    }

    /// Changes with every revocation.
    pub(crate) fn watch_revocations(&self) -> watch::Receiver<()> {
        self.revoked.subscribe()
    }

    /// Does what is due: members of lost connections leave; old messages, idle channels and revocations go.
    pub(crate) fn sweep(&self, now: Millis) {
        let due = self.connections().sweep(now);
        for connection in due {
            self.leave_everywhere(&connection, now);
        }
        self.channels().sweep(now);
        self.revocations().sweep(now);
    }

    /// A connection's members leave every channel they are on.
    pub(crate) fn leave_everywhere(&self, connection: &Connection, now: Millis) {
        for name in connection.take_present_on() {
            let channel = self.channels().get(&name);
            if let Some(channel) = channel {
                lock(&channel).leave_all(connection.id(), now);
            }
        }
    }
}

/// All apps.
#[derive(Debug, Default)]
pub(crate) struct Apps {
    by_id: RwLock<HashMap<String, Place>>,
    /// How often any of them was used.
    uses: AtomicU64,
}

/// An app among others.
#[derive(Debug)]
struct Place {
    app: Arc<App>,
    /// Whether it makes room for others where nobody uses it.
    makes_room: bool,
}

impl Apps {
    pub(crate) fn get(&self, id: &str) -> Option<Arc<App>> {
        self.read().get(id).map(|place| Arc::clone(&place.app))
    }

    /// Adds an app that stays until it is removed; false where there are as many as there may be, or one of that id.
    pub(crate) fn add(&self, app: Arc<App>) -> bool {
        let mut apps = self.write();
        apps.len() < APPS_MAX && self.insert(&mut apps, Place { app, makes_room: false })
    }

    /// Adds an app that makes room for another when its turn comes, for which one makes room if need be: the one that has not been
    /// used for longest and has no connection. False where none can, or there is one of that id.
    pub(crate) fn provision(&self, app: Arc<App>) -> bool {
        let mut apps = self.write();
        (apps.len() < APPS_MAX || make_room(&mut apps))
            && self.insert(&mut apps, Place { app, makes_room: true })
    }

    fn insert(&self, apps: &mut HashMap<String, Place>, place: Place) -> bool {
        if apps.contains_key(place.app.id()) {
            return false;
        }
        self.note_use(&place.app);
        apps.insert(place.app.id().to_owned(), place);
        true
    }

    /// Notes that somebody uses an app: by credentials of it that are good, or by a connection that has ended just now. One that goes
    /// on is a use by itself.
    pub(crate) fn note_use(&self, app: &App) {
        app.last_use.fetch_max(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Removes an app and ends its connections.
    pub(crate) fn remove(&self, id: &str) {
        let removed = self.write().remove(id);
        if let Some(Place { app, .. }) = removed {
            app.connections().close_all();
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<App>> {
        self.read().values().map(|place| Arc::clone(&place.app)).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<String, Place>> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<String, Place>> {
        self.by_id.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes the app that has not been used for longest, of those that make room and have no connection; false where there is none.
fn make_room(apps: &mut HashMap<String, Place>) -> bool {
    let mut candidates: Vec<_> =
        apps.values().filter(|place| place.makes_room).map(|place| Arc::clone(&place.app)).collect();
    candidates.sort_by_key(|app| app.last_use.load(Ordering::Relaxed));
    // Once closed it takes no connection that is just being opened either.
    let unused = candidates.into_iter().find(|app| app.connections().close_if_unused());
    unused.is_some_and(|app| apps.remove(app.id()).is_some())
}
