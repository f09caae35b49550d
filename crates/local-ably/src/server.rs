//! What all connections and requests share.

use std::net::SocketAddr;
use std::sync::Arc;

use ably::ErrorInfo;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::{App, Apps};
use crate::channel::{Channel, Memory};
use crate::clock::{Millis, now};
use crate::credentials::TokenMint;
use crate::faults::Faults;
use crate::inspect::Inspector;
use crate::limits::{self, Limits, Plan};

/// The server's state.
pub(crate) struct Server {
    apps: Apps,
    faults: Faults,
    mint: TokenMint,
    memory: Arc<Memory>,
    limits: Limits,
    inspector: Arc<Inspector>,
    /// Where the server listens.
    address: SocketAddr,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    pub(crate) fn new(address: SocketAddr, plan: Option<Plan>) -> Self {
        Self {
            apps: Apps::default(),
            faults: Faults::default(),
            mint: TokenMint::new(),
            memory: Arc::default(),
            limits: Limits::new(plan, now()),
            inspector: Arc::new(Inspector::new(now())),
            address,
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    pub(crate) fn apps(&self) -> &Apps {
        &self.apps
    }

    pub(crate) fn mint(&self) -> &TokenMint {
        &self.mint
    }

    pub(crate) fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// How the server is to misbehave.
    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What those see who look on.
    pub(crate) fn inspector(&self) -> &Arc<Inspector> {
        &self.inspector
    }

    /// Opens a connection if the limits allow one more: a new one, or by `resumes` one that there is.
    ///
    /// # Errors
    /// Those of [`Limits::connect`].
    pub(crate) fn connect<T>(
        &self,
        resumes: bool,
        open: impl FnOnce() -> Result<T, ErrorInfo>,
        now: Millis,
    ) -> Result<T, ErrorInfo> {
        self.limits.connect(resumes, || self.connected(), open, now)
    }

    /// How many connections there are that count: those of all apps, without the page's own.
    pub(crate) fn connected(&self) -> usize {
        let of_app = |app: &Arc<App>| {
            app.connections().sockets().iter().filter(|socket| !socket.mailbox().is_page()).count()
        };
        self.apps.all().iter().map(of_app).sum()
    }

    /// Takes a publish on a channel into account.
    ///
    /// # Errors
    /// Those of [`Limits::publish`].
    pub(crate) fn admit(
        &self,
        app: &App,
        channel: &Channel,
        messages: usize,
        bytes: usize,
        now: Millis,
    ) -> Result<(), ErrorInfo> {
        let publish = limits::Publish { app: app.id(), channel: channel.name(), messages, bytes };
        self.limits.publish(&publish, || channel.receivers(), now)
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cancelled when the server is to end.
    pub(crate) fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// The tasks that must end before the server has.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }
}
