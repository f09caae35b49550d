//! Channels: pure state, told the time, that pushes frames into the queues of sockets and knows nothing of I/O.

mod attachment;
mod history;
mod log;
mod members;
mod name;
mod params;
mod publish;
mod serial;
#[cfg(test)]
mod tests;
mod timeline;

use std::collections::BTreeMap;
use std::sync::Arc;

use ably::{ErrorInfo, Message, Operations, PresenceMessage};
use serde::Serialize;

use crate::clock::Millis;
use crate::connection::{Socket, SocketId};
use crate::errors::mode_not_requested;
use crate::protocol::{Action, Attach, Flags, Frame, Modes, SharedFrame};
use crate::random;

use attachment::Attachment;
pub(crate) use history::{HistoryQuery, Page};
use log::Log;
use members::Members;
pub(crate) use name::ChannelName;
use params::AttachParams;
pub(crate) use publish::{MESSAGES_MAX, Prepared, Publisher, SIZE_MAX, prepare};
pub(crate) use timeline::Memory;

/// How long a channel that nobody is attached to is kept: as long as a client may come back and resume on it.
const IDLE_TTL: Millis = crate::app::STATE_TTL;
/// How many members a page of SYNC holds.
const SYNC_PAGE: usize = 100;

/// A channel: what was published on it, who is present, and which sockets are attached.
#[derive(Debug)]
pub(crate) struct Channel {
    name: String,
    log: Log,
    members: Members,
    /// By socket and by the name that it used: `[?rewind=1]a` and `a` are two attachments to one channel.
    attachments: BTreeMap<(SocketId, String), Attachment>,
    /// Since when nobody has been attached and no member present.
    idle_since: Option<Millis>,
}

/// What a publish came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    /// What the publish as a whole is called: the base of its messages' ids.
    pub(crate) id: String,
    pub(crate) serials: Vec<String>,
}

/// How many of each there are (Ably docs, "Occupancy").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Occupancy {
    connections: usize,
    publishers: usize,
    subscribers: usize,
    presence_connections: usize,
    presence_members: usize,
    presence_subscribers: usize,
}

/// Which members a request is about.
#[derive(Debug, Default)]
pub(crate) struct MemberFilter {
    pub(crate) client_id: Option<String>,
    pub(crate) connection_id: Option<String>,
}

impl Channel {
    /// A channel of a canonical name.
    pub(crate) fn new(name: &str, memory: Arc<Memory>, now: Millis) -> Self {
        Self {
            name: name.to_owned(),
            log: Log::new(memory, now),
            members: Members::default(),
            attachments: BTreeMap::new(),
            idle_since: Some(now),
        }
    }

    /// Attaches a socket, or changes its attachment in place: ATTACHED, then the members, then what it missed or asked to see
    /// again. From then on it receives what happens.
    ///
    /// # Errors
    /// 40160 where the operations allow none of the modes, 40000 for parameters that cannot be read.
    pub(crate) fn attach(
        &mut self,
        socket: &Arc<Socket>,
        request: &Attach,
        name: &ChannelName,
        operations: Option<&Operations>,
        now: Millis,
    ) -> Result<(), ErrorInfo> {
        let params = AttachParams::read(name.params().iter().chain(&request.params))?;
        let requested = Modes::requested(params.modes.as_deref(), request.flags);
        let attachment = Attachment::new(Arc::clone(socket), &request.channel, requested, operations)
            .ok_or_else(|| attachment::nothing_allowed(&request.channel))?;
        let modes = attachment.modes();
        let key = (socket.id(), request.channel.clone());
        let in_place = self.attachments.contains_key(&key);

        let mut error = None;
        let mut resumed = in_place;
        let backlog = if in_place || !modes.has(Modes::SUBSCRIBE) {
            Vec::new()
        } else if let Some(serial) = &request.channel_serial {
            match self.log.since(serial, now) {
                Some(missed) => {
                    resumed = true;
                    missed
                }
                None => {
                    error = Some(ErrorInfo::new(
                        90003,
                        404,
                        "the channelSerial is unreadable or too old: continuity is lost",
                    ));
                    Vec::new()
                }
            }
        } else if request.flags.has(Flags::ATTACH_RESUME) {
            Vec::new()
        } else {
            params.rewind.map(|rewind| self.log.rewind(rewind, now)).unwrap_or_default()
        };
        let backlog: Vec<_> =
            backlog.into_iter().filter(|publication| attachment.wants(publication)).collect();
        let has_presence = modes.has(Modes::PRESENCE_SUBSCRIBE) && !self.members.is_empty();
        let flags = Flags::from(modes)
            .with(Flags::HAS_PRESENCE, has_presence)
            .with(Flags::HAS_BACKLOG, !backlog.is_empty())
            .with(Flags::RESUMED, resumed);
        attachment.send(Frame {
            channel_serial: Some(self.log.last_serial()),
            flags: Some(flags),
            params: Some(params.recognised).filter(|params| !params.is_empty()),
            error,
            ..Frame::on(Action::Attached, &request.channel)
        });
        if has_presence {
            self.send_members(&attachment);
        }
        for publication in backlog {
            attachment.send(publication.frame(&request.channel));
        }
        self.attachments.insert(key, attachment);
        self.idle_since = None;
        Ok(())
    }

    /// Detaches a socket; false where it was not attached. The members of its connection leave with its last attachment.
    pub(crate) fn detach(&mut self, socket: &Socket, sent_name: &str, now: Millis) -> bool {
        let was_attached = self.attachments.remove(&(socket.id(), sent_name.to_owned())).is_some();
        if was_attached && !self.is_attached(socket.id()) {
            self.leave_all(socket.connection().id(), now);
        }
        self.note_idle(now);
        was_attached
    }

    /// Forgets a socket that is gone. The members of its connection stay: it may come back.
    pub(crate) fn drop_socket(&mut self, socket: SocketId, now: Millis) {
        self.attachments.retain(|(owner, _), _| *owner != socket);
        self.note_idle(now);
    }

    fn is_attached(&self, socket: SocketId) -> bool {
        self.attachments_of(socket).next().is_some()
    }

    fn attachments_of(&self, socket: SocketId) -> impl Iterator<Item = &Attachment> {
        self.attachments
            .range((socket, String::new())..)
            .take_while(move |((owner, _), _)| *owner == socket)
            .map(|(_, attachment)| attachment)
    }

    /// Gives an attachment what new credentials allow; false where that is nothing, and the socket is detached by an ERROR.
    pub(crate) fn reauthorise(
        &mut self,
        socket: &Socket,
        sent_name: &str,
        operations: Option<&Operations>,
        now: Millis,
    ) -> bool {
        let Some(attachment) = self.attachments.get_mut(&(socket.id(), sent_name.to_owned())) else {
            return false;
        };
        if attachment.reauthorise(operations) {
            return true;
        }
        attachment.send(Frame::channel_error(sent_name, attachment::nothing_allowed(sent_name)));
        self.detach(socket, sent_name, now);
        false
    }

    /// Refuses what an attached socket did not ask to do when it attached. A socket that is not attached may publish.
    ///
    /// # Errors
    /// 40165.
    pub(crate) fn require_publish_mode(&self, socket: SocketId) -> Result<(), ErrorInfo> {
        let mut attachments = self.attachments_of(socket).peekable();
        if attachments.peek().is_none() || attachments.any(|attachment| attachment.requested(Modes::PUBLISH))
        {
            Ok(())
        } else {
            Err(mode_not_requested("publish"))
        }
    }

    /// Publishes, unless the same was published within the last two minutes: then nobody hears of it again.
    pub(crate) fn publish(&mut self, prepared: Prepared, now: Millis) -> Published {
        if let Some(before) = self.log.duplicate_of(prepared.key(), now) {
            return before;
        }
        let (publication, published) = self.log.append(prepared, now);
        let shared = SharedFrame::from(publication.frame(&self.name));
        for attachment in self.attachments.values() {
            if attachment.modes().has(Modes::SUBSCRIBE) && attachment.wants(&publication) {
                attachment.send_shared(&shared, &self.name);
            }
        }
        published
    }

    /// Enters, updates and leaves members of a socket's connection, all of them or none.
    ///
    /// `frame_id` is `<connectionId>:<msgSerial>`; the messages carry the `clientId` that they are about.
    ///
    /// # Errors
    /// 90001 where the socket is not attached, 40165 without the presence mode, 91003 where the channel is full.
    pub(crate) fn presence(
        &mut self,
        socket: &Socket,
        frame_id: &str,
        messages: Vec<PresenceMessage>,
        now: Millis,
    ) -> Result<(), ErrorInfo> {
        if !self.is_attached(socket.id()) {
            return Err(ErrorInfo::new(90001, 404, "presence needs an attached channel"));
        }
        if !self.attachments_of(socket.id()).any(|attachment| attachment.requested(Modes::PRESENCE)) {
            return Err(mode_not_requested("presence"));
        }
        let connection_id = socket.connection().id();
        let events = self.members.apply(connection_id, frame_id, messages, now)?;
        self.announce(connection_id, frame_id, events, now);
        Ok(())
    }

    /// The members of a connection leave: it was closed or detached, or lost for too long.
    pub(crate) fn leave_all(&mut self, connection_id: &str, now: Millis) {
        // An id that does not start with the connection's tells clients to compare times, not msgSerials.
        let frame_id = random::text::<9>();
        let events = self.members.leave_all(connection_id, &frame_id, now);
        self.announce(connection_id, &frame_id, events, now);
        self.note_idle(now);
    }

    /// Adds members that belong to no socket and never leave: those of a provisioned app.
    pub(crate) fn add_fixtures(&mut self, connection_id: &str, members: Vec<PresenceMessage>, now: Millis) {
        let events = self.members.add_fixtures(connection_id, members, now);
        self.log.append_presence(connection_id, &events, now);
        self.note_idle(now);
    }

    fn announce(&mut self, own_connection: &str, frame_id: &str, events: Vec<PresenceMessage>, now: Millis) {
        if events.is_empty() {
            return;
        }
        let channel_serial = self.log.append_presence(frame_id, &events, now);
        let shared = SharedFrame::from(Frame {
            id: Some(frame_id.to_owned()),
            connection_id: events.first().and_then(|event| event.connection_id.clone()),
            channel_serial: Some(channel_serial),
            timestamp: Some(now),
            presence: Some(events),
            ..Frame::on(Action::Presence, &self.name)
        });
        for attachment in self.attachments.values() {
            if attachment.modes().has(Modes::PRESENCE_SUBSCRIBE) || attachment.is_of(own_connection) {
                attachment.send_shared(&shared, &self.name);
            }
        }
    }

    /// Sends all members again, as a client may ask; false where the socket is not attached.
    pub(crate) fn sync(&self, socket: &Socket, sent_name: &str) -> bool {
        let Some(attachment) = self.attachments.get(&(socket.id(), sent_name.to_owned())) else {
            return false;
        };
        if attachment.modes().has(Modes::PRESENCE_SUBSCRIBE) {
            self.send_members(attachment);
        }
        true
    }

    /// SYNC, a page at a time. Without `presence`, be it empty, the client would wait for ever.
    fn send_members(&self, attachment: &Attachment) {
        let members: Vec<_> = self.members.present(&MemberFilter::default()).collect();
        let page = |presence: Vec<PresenceMessage>, serial: Option<String>| Frame {
            channel_serial: serial,
            presence: Some(presence),
            ..Frame::on(Action::Sync, attachment.sent_name())
        };
        if members.len() <= SYNC_PAGE {
            return attachment.send(page(members, None));
        }
        // The id holds no `.` and no `@`: with either, ably-js ends the sync at its first page.
        let id = random::text::<6>();
        let mut pages = members.chunks(SYNC_PAGE).enumerate().peekable();
        while let Some((index, members)) = pages.next() {
            let cursor = if pages.peek().is_some() { (index + 1).to_string() } else { String::new() };
            attachment.send(page(members.to_vec(), Some(format!("{id}:{cursor}"))));
        }
    }

    /// The members present, in the order of their connections and clientIds.
    pub(crate) fn present(&self, filter: &MemberFilter) -> Vec<PresenceMessage> {
        self.members.present(filter).collect()
    }

    /// Past messages.
    ///
    /// # Errors
    /// 40000 for a position that cannot be read.
    pub(crate) fn history(&self, query: &HistoryQuery, now: Millis) -> Result<Page<Message>, ErrorInfo> {
        self.log.history(query, now)
    }

    /// Who entered, was updated and left: actions 2, 3 and 4, in the order and with the paging of [`Self::history`].
    ///
    /// # Errors
    /// 40000 for a position that cannot be read.
    pub(crate) fn presence_history(
        &self,
        query: &HistoryQuery,
        now: Millis,
    ) -> Result<Page<PresenceMessage>, ErrorInfo> {
        self.log.presence_history(query, now)
    }

    /// How many of each there are.
    pub(crate) fn occupancy(&self) -> Occupancy {
        let mut by_connection = BTreeMap::<&str, Modes>::new();
        for attachment in self.attachments.values() {
            let modes = by_connection.entry(attachment.connection_id()).or_default();
            *modes = *modes | attachment.modes();
        }
        let count = |mode: Modes| by_connection.values().filter(|modes| modes.has(mode)).count();
        Occupancy {
            connections: by_connection.len(),
            publishers: count(Modes::PUBLISH),
            subscribers: count(Modes::SUBSCRIBE),
            presence_connections: count(Modes::PRESENCE),
            presence_members: self.members.len(),
            presence_subscribers: count(Modes::PRESENCE_SUBSCRIBE),
        }
    }

    /// Whether anybody is attached or present.
    pub(crate) fn is_active(&self) -> bool {
        !self.attachments.is_empty() || !self.members.is_empty()
    }

    fn note_idle(&mut self, now: Millis) {
        self.idle_since = if self.is_active() { None } else { self.idle_since.or(Some(now)) };
    }

    /// Forgets old messages; true where the channel itself can be forgotten.
    pub(crate) fn sweep(&mut self, now: Millis) -> bool {
        self.log.trim(now);
        self.log.is_empty() && self.idle_since.is_some_and(|since| now - since > IDLE_TTL)
    }
}
