//! Channels: pure state, told the time, that puts frames into the mailboxes of those who are attached and knows nothing of I/O.

mod attachment;
mod change;
mod delta;
mod history;
mod log;
mod members;
mod messages;
mod name;
mod occupancy;
mod params;
mod presence;
mod publish;
mod rules;
mod serial;
mod summary;
#[cfg(test)]
mod tests;
mod timeline;
mod traffic;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ably::{ErrorInfo, Operations};

use crate::clock::Millis;
use crate::errors::mode_not_requested;
use crate::mailbox::{Mailbox, MailboxId};
use crate::protocol::{Action, Attach, Flags, Frame, Modes};

use attachment::Attachment;
pub(crate) use change::{Change, is_change, prepare_change};
pub(crate) use history::{HistoryQuery, Page};
use log::{Log, Missed};
pub(crate) use members::MEMBERS_MAX;
use members::Members;
pub(crate) use messages::{Annotator, prepare_annotations};
pub(crate) use name::ChannelName;
pub(crate) use occupancy::Occupancy;
use params::AttachParams;
pub(crate) use presence::MemberFilter;
pub(crate) use publish::{MESSAGES_MAX, Prepared, Publisher, prepare};
pub(crate) use rules::Rules;
pub(crate) use timeline::Memory;
pub(crate) use traffic::{Seat, Traffic};

/// How long a channel that nobody is attached to is kept: as long as a client may come back and resume on it.
const IDLE_TTL: Millis = crate::protocol::STATE_TTL;

/// A channel that several hold at a time.
pub(crate) type ChannelRef = Arc<Mutex<Channel>>;

/// A channel: what was published on it, who is present, and who is attached.
#[derive(Debug)]
pub(crate) struct Channel {
    name: String,
    rules: Rules,
    log: Log,
    members: Members,
    /// By mailbox and by the name that its client used: `[?rewind=1]a` and `a` are two attachments to one channel.
    attachments: BTreeMap<(MailboxId, String), Attachment>,
    /// Since when nobody has been attached, no member present, and nothing published.
    idle_since: Option<Millis>,
    traffic: Traffic,
}

/// What a publish came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    /// What the publish as a whole is called: the base of its messages' ids.
    pub(crate) id: String,
    pub(crate) serials: Vec<String>,
}

impl Channel {
    /// A channel of a canonical name, which so many members may be present on.
    pub(crate) fn new(
        name: &str,
        rules: Rules,
        members_max: usize,
        memory: &Arc<Memory>,
        now: Millis,
    ) -> Self {
        Self {
            name: name.to_owned(),
            rules,
            log: Log::new(rules, memory, now),
            members: Members::new(members_max),
            attachments: BTreeMap::new(),
            idle_since: Some(now),
            traffic: Traffic::default(),
        }
    }

    /// Attaches a mailbox, or changes its attachment in place: ATTACHED, then the members, then what it missed or asked to see
    /// again. From then on it receives what happens.
    ///
    /// # Errors
    /// 40160 where the operations allow none of the modes or not to watch the occupancy, 40000 for parameters that cannot be
    /// read.
    pub(crate) fn attach(
        &mut self,
        mailbox: &Arc<Mailbox>,
        request: &Attach,
        name: &ChannelName,
        operations: Option<&Operations>,
        now: Millis,
    ) -> Result<(), ErrorInfo> {
        let params = AttachParams::read(name.params().iter().chain(&request.params))?;
        let requested = Modes::requested(params.modes.as_deref(), request.flags);
        let rewind = params.rewind;
        let mut attachment =
            Attachment::new(Arc::clone(mailbox), &request.channel, requested, params, operations)?;
        let key = (mailbox.id(), request.channel.clone());
        let before = self.attachments.get(&key);
        // A client that could not decode a delta asks in place for all since the message that it decoded last (features.md,
        // RTL18c); it takes no message before ATTACHED.
        let recovers = before.is_some_and(Attachment::sends_deltas) && request.channel_serial.is_some();
        let in_place = before.is_some();
        if let Some(before) = before {
            attachment.follow(before);
        }

        let mut error = None;
        let mut resumed = in_place;
        let backlog = match &request.channel_serial {
            Some(_) if in_place && !recovers => Vec::new(),
            Some(serial) => match self.log.since(serial, now) {
                Some(missed) => {
                    resumed = true;
                    missed
                }
                None => {
                    resumed = false;
                    error = Some(ErrorInfo::new(
                        90003,
                        404,
                        "the channelSerial is unreadable or too old: continuity is lost",
                    ));
                    Vec::new()
                }
            },
            None if attachment.has_sent() || request.flags.has(Flags::ATTACH_RESUME) => Vec::new(),
            // Also in place, as long as nothing comes twice by it: a client that is given a rewind while its first ATTACH is on
            // its way attaches anew, and says so by sending neither a serial nor ATTACH_RESUME.
            None => rewind.map(|rewind| self.log.rewind(rewind, now)).unwrap_or_default(),
        };
        let wanted = |missed: &Missed| {
            // Annotations are not deltas: in place they have all come.
            attachment.wants_missed(missed) && !(in_place && matches!(missed, Missed::Annotations(_)))
        };
        let backlog: Vec<_> = backlog
            .into_iter()
            .filter(wanted)
            .filter_map(|missed| match missed {
                Missed::Messages(publication) if attachment.wants_appends_in_full() => {
                    self.log.in_full(&publication).map(Missed::Messages)
                }
                missed => Some(missed),
            })
            .collect();
        let flags =
            Flags::default().with(Flags::HAS_BACKLOG, !backlog.is_empty()).with(Flags::RESUMED, resumed);
        self.send_attached(&attachment, flags, error);
        for missed in &backlog {
            attachment.send_missed(missed);
        }
        self.attachments.insert(key, attachment);
        self.note_change(now);
        Ok(())
    }

    /// Sends ATTACHED, with the attachment's modes and parameters besides the flags, and then the members, if there are any.
    fn send_attached(&self, attachment: &Attachment, flags: Flags, error: Option<ErrorInfo>) {
        let modes = attachment.modes();
        let has_presence = modes.has(Modes::PRESENCE_SUBSCRIBE) && !self.members.is_empty();
        attachment.send(Frame {
            channel_serial: Some(self.log.last_serial()),
            flags: Some(flags.with(modes.into(), true).with(Flags::HAS_PRESENCE, has_presence)),
            params: Some(attachment.params().clone()).filter(|params| !params.is_empty()),
            error,
            ..Frame::on(Action::Attached, attachment.sent_name())
        });
        if has_presence {
            self.send_members(attachment);
        }
    }

    /// The serial of what happened last.
    pub(crate) fn last_serial(&self) -> String {
        self.log.last_serial()
    }

    /// Whether a text is a serial of this channel.
    pub(crate) fn has_series_of(&self, serial: &str) -> bool {
        self.log.has_series_of(serial)
    }

    /// Detaches a mailbox; false where it was not attached. The members of its connection leave with its last attachment.
    pub(crate) fn detach(&mut self, mailbox: &Mailbox, sent_name: &str, now: Millis) -> bool {
        let was_attached = self.attachments.remove(&(mailbox.id(), sent_name.to_owned())).is_some();
        if was_attached && !self.is_attached(mailbox.id()) {
            self.leave_all(mailbox.connection_id(), now);
        }
        self.note_change(now);
        was_attached
    }

    /// Forgets a mailbox whose socket is gone. The members of its connection stay: it may come back.
    pub(crate) fn drop_mailbox(&mut self, mailbox: MailboxId, now: Millis) {
        self.attachments.retain(|(owner, _), _| *owner != mailbox);
        self.note_change(now);
    }

    /// Whether a mailbox is attached, by whichever name.
    pub(crate) fn is_attached(&self, mailbox: MailboxId) -> bool {
        self.attachments_of(mailbox).next().is_some()
    }

    fn attachments_of(&self, mailbox: MailboxId) -> impl Iterator<Item = &Attachment> {
        self.attachments
            .range((mailbox, String::new())..)
            .take_while(move |((owner, _), _)| *owner == mailbox)
            .map(|(_, attachment)| attachment)
    }

    /// Gives an attachment what new credentials allow; false where that is nothing, and the mailbox is detached by an ERROR.
    pub(crate) fn reauthorise(
        &mut self,
        mailbox: &Mailbox,
        sent_name: &str,
        operations: Option<&Operations>,
        now: Millis,
    ) -> bool {
        let Some(attachment) = self.attachments.get_mut(&(mailbox.id(), sent_name.to_owned())) else {
            return false;
        };
        if attachment.reauthorise(operations) {
            self.note_change(now);
            return true;
        }
        attachment.send(Frame::channel_error(sent_name, attachment::nothing_allowed(sent_name)));
        self.detach(mailbox, sent_name, now);
        false
    }

    /// Refuses what a client did not ask to do when it attached. One that is not attached may do it.
    ///
    /// # Errors
    /// 40165.
    pub(crate) fn require_mode(&self, mailbox: MailboxId, mode: Modes) -> Result<(), ErrorInfo> {
        let mut attachments = self.attachments_of(mailbox).peekable();
        if attachments.peek().is_none() || attachments.any(|attachment| attachment.requested(mode)) {
            Ok(())
        } else {
            Err(mode_not_requested(mode.name()))
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// To how many attachments a message is delivered, the page's apart: who looks on is not to be noticed.
    pub(crate) fn receivers(&self) -> usize {
        let receives = |attachment: &&Attachment| {
            attachment.modes().has(Modes::SUBSCRIBE) && !attachment.mailbox().is_page()
        };
        self.attachments.values().filter(receives).count()
    }

    /// How many of each there are, the page apart.
    pub(crate) fn occupancy(&self) -> Occupancy {
        let mut by_connection = BTreeMap::<&str, Modes>::new();
        for attachment in self.attachments.values().filter(|attachment| !attachment.mailbox().is_page()) {
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

    /// Whether anybody is attached or present, or was, or published or asked for the channel, not long ago.
    pub(crate) fn is_active(&self, now: Millis) -> bool {
        self.idle_since.is_none_or(|since| now - since <= IDLE_TTL)
    }

    /// Notes that somebody uses the channel without being attached to it.
    pub(crate) fn touch(&mut self, now: Millis) {
        self.idle_since = self.idle_since.map(|_| now);
    }

    /// Attends to a change of who is attached, and how, and of who is present.
    fn note_change(&mut self, now: Millis) {
        let is_used = !self.attachments.is_empty() || !self.members.is_empty();
        self.idle_since = if is_used { None } else { self.idle_since.or(Some(now)) };
        if self.attachments.values().any(Attachment::watches) {
            let occupancy = self.occupancy();
            for attachment in self.attachments.values_mut() {
                attachment.tell(occupancy, now);
            }
        }
    }

    /// Does what is due by time alone; true where the channel itself can be forgotten.
    pub(crate) fn sweep(&mut self, now: Millis) -> bool {
        if self.attachments.values().any(|attachment| attachment.is_due(now)) {
            self.note_change(now);
        }
        self.log.trim(now);
        self.log.is_empty() && !self.is_active(now)
    }
}
