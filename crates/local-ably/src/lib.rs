//! An Ably for the laptop, in memory, that the real SDKs connect to.
//!
//! [`serve`] runs one in-process, for tests; the binary runs one for everybody. What it does is the public behaviour of Ably's
//! pub/sub: WebSocket connections and REST, in JSON and in MessagePack.
//!
//! Its layers, from the top. A module uses those on the lines below its own, and none beside or above it; a test sees to that.
//!
//! - `rest`: one handler for each endpoint.
//! - `connection`, `snapshot`: the sessions of WebSockets and the streams of events; what the page at `/` shows of a moment.
//! - `auth`: from credentials to an authorised identity.
//! - `server`: what all connections and requests share.
//! - `app`: apps, their channels and connections.
//! - `socket`: what a socket is attached to, and the connection that it has.
//! - `channel`: the log, the members and the attachments of a channel: pure logic that is told the time.
//! - `mailbox`: somebody to send frames to, and the bounded queue in which they wait.
//! - `faults`, `limits`, `inspect`: how the server misbehaves when told to, what it refuses when there is too much, and what it notes
//!   for those who look on.
//! - `credentials`, `protocol`, `http`: keys, tokens and identities; frames and formats on the wire; HTTP on each TCP connection,
//!   until it has been idle for too long.
//! - `wire`, `vcdiff`, `lock`, `clock`, `random`, `errors`: the TCP connections, which faults break off; deltas; and what all of them
//!   use.

mod app;
mod auth;
mod channel;
mod clock;
mod connection;
mod credentials;
mod errors;
mod faults;
mod http;
mod inspect;
#[cfg(test)]
mod layers;
mod limits;
mod lock;
mod mailbox;
mod protocol;
mod random;
mod rest;
mod server;
mod snapshot;
mod socket;
mod vcdiff;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ably::{Capability, Key, KeyError, KeyName, Secret};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use app::{App, Namespace};
use channel::{MEMBERS_MAX, Rules};
use credentials::KeyRecord;
use rest::Guard;
use server::Server;
use wire::Listener;

pub use limits::{NoSuchPlan, Plan};

/// How often what is due by time alone is done.
const SWEEP_EVERY: Duration = Duration::from_millis(250);
/// How long open connections have to end at shutdown.
const SHUTDOWN_MAX: Duration = Duration::from_secs(5);

/// What a server is to serve, and to whom.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The keys, of one app or of several: keys of the same app id share its channels.
    pub keys: Vec<KeyOptions>,
    /// The namespaces of all these apps that have rules of their own.
    pub namespaces: Vec<NamespaceOptions>,
    /// Values of `Host` that are served besides loopback, with or without a port.
    pub allow_hosts: Vec<String>,
    /// Values of `Origin` that are served besides loopback ones, such as `https://app.example`.
    pub allow_origins: Vec<String>,
    /// What the control endpoint is used with; one is made up where there is none.
    pub control_secret: Option<Secret>,
    /// Whose limits hold; none where there is none.
    pub limits: Option<Plan>,
}

/// A key that the server knows from the start.
#[derive(Debug, Clone)]
pub struct KeyOptions {
    /// The key.
    pub key: Key,
    /// What it may do.
    pub capability: Capability,
    /// Whether its tokens can be revoked, and so live an hour at most.
    pub revocable_tokens: bool,
}

impl KeyOptions {
    /// A key that may do everything.
    pub fn unrestricted(key: Key) -> Self {
        Self { key, capability: Capability::everything(), revocable_tokens: false }
    }

    /// A new key of a new app that may do everything.
    ///
    /// # Errors
    /// [`KeyError`]; with ids of the characters that keys are made of this does not happen.
    pub fn random() -> Result<Self, KeyError> {
        let name = KeyName::parse(format!("{}.{}", random::text::<6>(), random::text::<6>()))?;
        Ok(Self::unrestricted(Key::new(name, random::text::<24>())?))
    }
}

/// Channels whose names are an id, or begin with it before a `:`, and what is switched on for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamespaceOptions {
    /// The id.
    pub id: String,
    /// History and rewind go back for a day instead of two minutes, as far as there is room.
    pub persisted: bool,
    /// Messages can be updated, deleted, appended to and annotated.
    pub mutable_messages: bool,
}

impl From<NamespaceOptions> for Namespace {
    fn from(NamespaceOptions { id, persisted, mutable_messages }: NamespaceOptions) -> Self {
        Self { id, rules: Rules { persisted, mutable: mutable_messages } }
    }
}

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The same key was given twice.
    #[error("the key {0} is given twice")]
    KeyTwice(KeyName),
    /// More apps or keys than there may be.
    #[error("there are more apps or keys than the server takes")]
    TooMany,
    /// The listener does not work.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A server that runs. It goes on when this is dropped; [`shutdown`](Self::shutdown) ends it.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    control_secret: Secret,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

impl Running {
    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server's URL, such as `http://127.0.0.1:8788`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the control endpoint is used with.
    pub fn control_secret(&self) -> &Secret {
        &self.control_secret
    }

    /// Tells all clients, which may come back, and ends. A connection that does not end in five seconds is dropped.
    ///
    /// # Errors
    /// What ended the server before.
    pub async fn shutdown(self) -> io::Result<()> {
        self.shutdown.cancel();
        self.ended().await
    }

    /// Ends when the server does.
    ///
    /// # Errors
    /// What ended it.
    pub async fn ended(self) -> io::Result<()> {
        self.serving.await.map_err(io::Error::other)
    }
}

/// Serves on a listener until told to end.
///
/// # Errors
/// [`ServeError`].
pub async fn serve(listener: TcpListener, options: Options) -> Result<Running, ServeError> {
    let address = listener.local_addr()?;
    let server = Arc::new(Server::new(address, options.limits));
    let namespaces: Vec<Namespace> = options.namespaces.into_iter().map(Namespace::from).collect();
    for (id, keys) in by_app(options.keys)? {
        let few_keys = keys.len() <= app::KEYS_MAX;
        let app = App::new(id, keys, namespaces.clone(), MEMBERS_MAX, server.memory());
        if !few_keys || !server.apps().add(Arc::new(app)) {
            return Err(ServeError::TooMany);
        }
    }
    let guard = Arc::new(Guard::new(&options.allow_hosts, &options.allow_origins));
    let control_secret = options.control_secret.unwrap_or_else(|| Secret::new(random::text::<24>()));
    let shutdown = server.shutdown().clone();
    let serving = tokio::spawn(run(listener, server, guard, control_secret.clone()));
    Ok(Running { address, control_secret, shutdown, serving })
}

fn by_app(keys: Vec<KeyOptions>) -> Result<BTreeMap<String, Vec<KeyRecord>>, ServeError> {
    let mut apps = BTreeMap::<String, Vec<KeyRecord>>::new();
    for KeyOptions { key, capability, revocable_tokens } in keys {
        let app = apps.entry(key.name().app_id().to_owned()).or_default();
        if app.iter().any(|record| record.key.name() == key.name()) {
            return Err(ServeError::KeyTwice(key.name().clone()));
        }
        app.push(KeyRecord { key, capability: Arc::new(capability), revocable: revocable_tokens });
    }
    Ok(apps)
}

async fn run(listener: TcpListener, server: Arc<Server>, guard: Arc<Guard>, control_secret: Secret) {
    let sweeper = tokio::spawn(sweep(Arc::clone(&server)));
    let router = rest::router(Arc::clone(&server), guard, control_secret);
    let shutdown = server.shutdown().clone();
    // An HTTP connection that its client keeps open must not hold up the end.
    let at_the_latest = async {
        shutdown.cancelled().await;
        tokio::time::sleep(SHUTDOWN_MAX).await;
    };
    tokio::select! {
        () = http::serve(Listener::new(listener), router, shutdown.clone()) => {}
        () = at_the_latest => {}
    }
    server.tasks().close();
    // Sockets that do not end in time end with the process.
    let _ = tokio::time::timeout(SHUTDOWN_MAX, server.tasks().wait()).await;
    sweeper.abort();
}

/// Does what is due by time alone, until the server ends.
async fn sweep(server: Arc<Server>) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    loop {
        ticks.tick().await;
        for app in server.apps().all() {
            app.sweep(clock::now());
        }
        server.limits().sweep(clock::now());
    }
}
