//! Who is present on a channel, and who is told.

use ably::{ErrorInfo, PresenceMessage};

use super::attachment::Attachment;
use super::{Channel, HistoryQuery, Page};
use crate::clock::Millis;
use crate::errors::{mode_not_requested, not_attached};
use crate::mailbox::Mailbox;
use crate::protocol::{Action, Frame, Modes, SharedFrame};
use crate::random;

/// How many members a page of SYNC holds.
const SYNC_PAGE: usize = 100;

/// Which members a request is about.
#[derive(Debug, Default)]
pub(crate) struct MemberFilter {
    pub(crate) client_id: Option<String>,
    pub(crate) connection_id: Option<String>,
}

impl Channel {
    /// Enters, updates and leaves members of a mailbox's connection, all of them or none.
    ///
    /// `frame_id` is `<connectionId>:<msgSerial>`; the messages carry the `clientId` that they are about.
    ///
    /// # Errors
    /// 90001 where the mailbox is not attached, 40165 without the presence mode, 91003 where the channel is full.
    pub(crate) fn presence(
        &mut self,
        mailbox: &Mailbox,
        frame_id: &str,
        messages: Vec<PresenceMessage>,
        now: Millis,
    ) -> Result<(), ErrorInfo> {
        if !self.is_attached(mailbox.id()) {
            return Err(not_attached());
        }
        if !self.attachments_of(mailbox.id()).any(|attachment| attachment.requested(Modes::PRESENCE)) {
            return Err(mode_not_requested(Modes::PRESENCE.name()));
        }
        let connection_id = mailbox.connection_id();
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
    }

    /// Adds members that belong to no client and never leave: those of a provisioned app.
    pub(crate) fn add_fixtures(&mut self, connection_id: &str, members: Vec<PresenceMessage>, now: Millis) {
        let events = self.members.add_fixtures(connection_id, members, now);
        self.announce(connection_id, connection_id, events, now);
    }

    fn announce(&mut self, own_connection: &str, frame_id: &str, events: Vec<PresenceMessage>, now: Millis) {
        if events.is_empty() {
            return;
        }
        let channel_serial = self.log.append_presence(frame_id, &events, now);
        self.traffic.presence(events.len(), now);
        let shared = SharedFrame::from(Frame {
            id: Some(frame_id.to_owned()),
            connection_id: Some(own_connection.to_owned()),
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
        self.note_change(now);
    }

    /// Sends all members again, as a client may ask; false where the mailbox is not attached.
    pub(crate) fn sync(&self, mailbox: &Mailbox, sent_name: &str) -> bool {
        let Some(attachment) = self.attachments.get(&(mailbox.id(), sent_name.to_owned())) else {
            return false;
        };
        if attachment.modes().has(Modes::PRESENCE_SUBSCRIBE) {
            self.send_members(attachment);
        }
        true
    }

    /// SYNC, a page at a time. Without `presence`, be it empty, the client would wait for ever.
    pub(super) fn send_members(&self, attachment: &Attachment) {
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
}
