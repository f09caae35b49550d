//! The connections of an app, those included whose client lost its socket and may resume.

use std::collections::HashMap;
use std::sync::Arc;

use ably::ErrorInfo;

use crate::clock::Millis;
use crate::credentials::ClientIdentity;
use crate::errors::{incompatible_client_id, not_found};
use crate::protocol::STATE_TTL;
use crate::random;
use crate::socket::{Connection, Socket};

/// How long members outlive their connection's socket, unless the client asked for something else.
const PRESENCE_TTL: Millis = 15_000;
/// How many connections an app may have, those that may still be resumed included.
const CONNECTIONS_MAX: usize = 10_000;
/// A connection as the app knows it.
#[derive(Debug)]
struct Entry {
    connection: Arc<Connection>,
    client: ClientIdentity,
    key: String,
    /// The key before this one, until the present socket has sent a frame: its CONNECTED may have been lost.
    previous_key: Option<String>,
    /// The present socket, or the last one.
    socket: Arc<Socket>,
    lost: Option<Lost>,
    presence_ttl: Millis,
}

/// A connection without a socket.
#[derive(Debug, Clone, Copy)]
struct Lost {
    at: Millis,
    members_left: bool,
}

/// A connection that a socket has been opened for.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) key: String,
    /// The socket that had the connection before, if it is still there.
    pub(crate) superseded: Option<Arc<Socket>>,
    /// Why the connection is a new one although another was asked for.
    pub(crate) not_resumed: Option<ErrorInfo>,
}

/// A connection, for those who look on.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Its present socket, or the last one.
    pub(crate) socket: Arc<Socket>,
    /// Since when it has been without one.
    pub(crate) lost: Option<Millis>,
}

/// The connections of an app.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    by_id: HashMap<String, Entry>,
    /// Whether the app is gone, and takes no connections any more.
    closed: bool,
}

impl Connections {
    /// Opens a connection for a socket: the one whose key is given if it can be resumed, else a new one.
    ///
    /// `socket` makes the socket for the connection that is chosen.
    ///
    /// # Errors
    /// 40400 where the app is gone, 40102 where the connection to resume belongs to another identity, 40111 where there are too
    /// many.
    pub(crate) fn open(
        &mut self,
        resume: Option<&str>,
        client: &ClientIdentity,
        presence_ttl: Option<Millis>,
        socket: impl FnOnce(Arc<Connection>) -> Arc<Socket>,
        now: Millis,
    ) -> Result<Opened, ErrorInfo> {
        if self.closed {
            return Err(app_removed());
        }
        if let Some(key) = resume
            && let Some(entry) = self.resumable(key, now)
        {
            if entry.client != *client {
                return Err(incompatible_client_id());
            }
            let superseded = match entry.lost.take() {
                None => Some(Arc::clone(&entry.socket)),
                Some(_) => None,
            };
            entry.previous_key = Some(key.to_owned());
            entry.key = new_key(entry.connection.id());
            entry.socket = socket(Arc::clone(&entry.connection));
            entry.presence_ttl = presence_ttl.unwrap_or(entry.presence_ttl);
            return Ok(Opened { key: entry.key.clone(), superseded, not_resumed: None });
        }
        if self.by_id.len() >= CONNECTIONS_MAX && !self.forget_longest_lost() {
            return Err(ErrorInfo::new(40111, 403, format!("the app has {CONNECTIONS_MAX} connections")));
        }
        let connection = Connection::new();
        let key = new_key(connection.id());
        let entry = Entry {
            socket: socket(Arc::clone(&connection)),
            connection: Arc::clone(&connection),
            client: client.clone(),
            key: key.clone(),
            previous_key: None,
            lost: None,
            presence_ttl: presence_ttl.unwrap_or(PRESENCE_TTL),
        };
        self.by_id.insert(connection.id().to_owned(), entry);
        let not_resumed = resume.map(|_| {
            ErrorInfo::new(
                80018,
                400,
                "Unable to recover connection: its connectionKey is invalid or too old",
            )
        });
        Ok(Opened { key, superseded: None, not_resumed })
    }

    fn resumable(&mut self, key: &str, now: Millis) -> Option<&mut Entry> {
        let (id, _) = key.split_once('!')?;
        let entry = self.by_id.get_mut(id)?;
        let known = entry.key == key || entry.previous_key.as_deref() == Some(key);
        let alive = entry.lost.is_none_or(|lost| now - lost.at <= STATE_TTL);
        (known && alive).then_some(entry)
    }

    /// Makes room by forgetting the connection that has been without a socket for longest, and has no members.
    fn forget_longest_lost(&mut self) -> bool {
        let longest = self
            .by_id
            .iter()
            .filter_map(|(id, entry)| Some((entry.lost.filter(|_| !entry.connection.is_present())?.at, id)))
            .min();
        let id = longest.map(|(_, id)| id.clone());
        id.is_some_and(|id| self.by_id.remove(&id).is_some())
    }

    /// The id of the connection that has a key.
    pub(crate) fn id_of(&self, key: &str) -> Option<&str> {
        let (id, _) = key.split_once('!')?;
        let entry = self.by_id.get(id)?;
        (entry.key == key).then(|| entry.connection.id())
    }

    /// Notes the identity that a socket's connection has after a re-authorisation. Answers its key, which does not change; nothing
    /// where another socket has the connection.
    pub(crate) fn reauthorised(&mut self, socket: &Socket, client: &ClientIdentity) -> Option<String> {
        let entry = self.entry_of(socket)?;
        entry.client = client.clone();
        Some(entry.key.clone())
    }

    /// Notes that the present socket has sent a frame: it knows its key, so the one before is over.
    pub(crate) fn heard_from(&mut self, socket: &Socket) {
        if let Some(entry) = self.entry_of(socket) {
            entry.previous_key = None;
        }
    }

    /// The socket is gone; the connection may be resumed.
    pub(crate) fn lost(&mut self, socket: &Socket, now: Millis) {
        if let Some(entry) = self.entry_of(socket) {
            entry.lost = Some(Lost { at: now, members_left: false });
        }
    }

    /// The connection is over; false where the socket no longer had it.
    pub(crate) fn close(&mut self, socket: &Socket) -> bool {
        self.entry_of(socket).is_some() && self.by_id.remove(socket.connection().id()).is_some()
    }

    /// The entry of the connection that a socket has, unless another socket has it now.
    fn entry_of(&mut self, socket: &Socket) -> Option<&mut Entry> {
        let entry = self.by_id.get_mut(socket.connection().id())?;
        (entry.socket.id() == socket.id()).then_some(entry)
    }

    /// Forgets what can no longer be resumed. Answers the connections whose members are to leave now.
    pub(crate) fn sweep(&mut self, now: Millis) -> Vec<Arc<Connection>> {
        let mut due = Vec::new();
        self.by_id.retain(|_, entry| {
            let Some(lost) = &mut entry.lost else { return true };
            let over = now - lost.at > STATE_TTL;
            if !lost.members_left && (over || now - lost.at >= entry.presence_ttl) {
                lost.members_left = true;
                due.push(Arc::clone(&entry.connection));
            }
            !over
        });
        due
    }

    /// All connections, those that may be resumed included.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let all = self.by_id.values();
        all.map(|entry| Seen { socket: Arc::clone(&entry.socket), lost: entry.lost.map(|lost| lost.at) })
            .collect()
    }

    /// Ends all connections, and lets none be opened from now on: the app is gone.
    pub(super) fn close_all(&mut self) {
        self.closed = true;
        for socket in self.sockets() {
            socket.mailbox().disconnect(app_removed());
        }
    }

    /// Lets no connection be opened from now on, unless there is one that has a socket: then all stays as it is.
    pub(super) fn close_if_unused(&mut self) -> bool {
        self.closed = !self.by_id.values().any(|entry| entry.lost.is_none());
        self.closed
    }

    /// The sockets of all connections that have one.
    pub(crate) fn sockets(&self) -> Vec<Arc<Socket>> {
        let live = self.by_id.values().filter(|entry| entry.lost.is_none());
        live.map(|entry| Arc::clone(&entry.socket)).collect()
    }
}

/// What a client of an app is told that is gone.
fn app_removed() -> ErrorInfo {
    not_found("the app was removed")
}

fn new_key(connection_id: &str) -> String {
    format!("{connection_id}!{}", random::text::<12>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Format, Shape};

    fn open(connections: &mut Connections, resume: Option<&str>, now: Millis) -> (Opened, Arc<Socket>) {
        let mut made = None;
        let opened = connections
            .open(
                resume,
                &ClientIdentity::Any,
                None,
                |connection| {
                    Arc::clone(made.insert(Socket::new(connection, Format::Json, Shape::Current, true).0))
                },
                now,
            )
            .unwrap();
        (opened, made.unwrap())
    }

    #[test]
    fn a_known_key_resumes_the_same_connection_under_a_new_key() {
        let mut connections = Connections::default();
        let (first, socket) = open(&mut connections, None, 0);
        connections.lost(&socket, 10);
        let (second, again) = open(&mut connections, Some(&first.key), 20);
        assert_eq!(socket.connection().id(), again.connection().id());
        assert_ne!(first.key, second.key);
        assert!(second.not_resumed.is_none() && second.superseded.is_none());
    }

    #[test]
    fn an_unknown_malformed_or_expired_key_gets_a_new_connection_and_80018() {
        let mut connections = Connections::default();
        let (first, socket) = open(&mut connections, None, 0);
        connections.lost(&socket, 0);
        for (key, now) in [("", 1), ("nonsense", 1), ("a!b", 1), (first.key.as_str(), STATE_TTL + 1)] {
            let (other, new) = open(&mut connections, Some(key), now);
            assert_ne!(new.connection().id(), socket.connection().id(), "{key}");
            assert_eq!(other.not_resumed.unwrap().code, 80018, "{key}");
        }
    }

    #[test]
    fn the_key_before_is_good_until_the_new_socket_has_sent_a_frame() {
        let mut connections = Connections::default();
        let (first, socket) = open(&mut connections, None, 0);
        let (second, _) = open(&mut connections, Some(&first.key), 1);
        let (third, again) = open(&mut connections, Some(&first.key), 2);
        assert_eq!(again.connection().id(), socket.connection().id());
        assert_ne!(third.key, second.key);
        connections.heard_from(&again);
        let (_, new) = open(&mut connections, Some(&first.key), 3);
        assert_ne!(new.connection().id(), socket.connection().id());
    }

    #[test]
    fn a_socket_that_is_superseded_touches_nothing() {
        let mut connections = Connections::default();
        let (first, old) = open(&mut connections, None, 0);
        let (second, _) = open(&mut connections, Some(&first.key), 1);
        assert_eq!(second.superseded.map(|socket| socket.id()), Some(old.id()));
        connections.lost(&old, 2);
        assert!(!connections.close(&old));
        assert_eq!(connections.id_of(&second.key), Some(old.connection().id()));
        assert!(connections.sweep(2 + STATE_TTL + 1).is_empty());
    }

    #[test]
    fn members_of_a_lost_connection_leave_after_15_seconds_once() {
        let mut connections = Connections::default();
        let (_, socket) = open(&mut connections, None, 0);
        connections.lost(&socket, 1_000);
        assert!(connections.sweep(15_999).is_empty());
        assert_eq!(connections.sweep(16_000).len(), 1);
        assert!(connections.sweep(17_000).is_empty());
        assert!(connections.by_id.contains_key(socket.connection().id()));
        connections.sweep(1_000 + STATE_TTL + 1);
        assert!(connections.by_id.is_empty());
    }

    #[test]
    fn only_without_a_socket_is_an_app_closed_and_then_it_opens_no_connection() {
        let mut connections = Connections::default();
        let (_, socket) = open(&mut connections, None, 0);
        assert!(!connections.close_if_unused());
        let (opened, lost) = open(&mut connections, None, 0);
        connections.close(&socket);
        assert!(!connections.close_if_unused());
        connections.lost(&lost, 1);
        assert!(connections.close_if_unused(), "what may be resumed is no use");
        for resume in [None, Some(opened.key.as_str())] {
            let make = |connection| Socket::new(connection, Format::Json, Shape::Current, true).0;
            let error = connections.open(resume, &ClientIdentity::Any, None, make, 2).unwrap_err();
            assert_eq!((error.code, error.status_code), (40400, 404));
        }
    }

    #[test]
    fn another_identity_cannot_resume() {
        let mut connections = Connections::default();
        let (first, _) = open(&mut connections, None, 0);
        let other = ClientIdentity::Named("x".into());
        let make = |connection| Socket::new(connection, Format::Json, Shape::Current, true).0;
        let error = connections.open(Some(&first.key), &other, None, make, 1).unwrap_err();
        assert_eq!(error.code, 40102);
    }

    #[test]
    fn a_lost_connection_makes_room_for_another_unless_it_has_members() {
        let mut connections = Connections::default();
        let (first, socket) = open(&mut connections, None, 0);
        socket.connection().note_presence("a");
        connections.lost(&socket, 1);
        let (second, socket) = open(&mut connections, None, 0);
        connections.lost(&socket, 2);
        for _ in 2..=CONNECTIONS_MAX {
            open(&mut connections, None, 3);
        }
        assert_eq!(connections.by_id.len(), CONNECTIONS_MAX);
        assert!(connections.id_of(&first.key).is_some() && connections.id_of(&second.key).is_none());
    }
}
