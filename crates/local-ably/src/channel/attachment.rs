//! One client's attachment to a channel.

use std::collections::BTreeMap;
use std::sync::Arc;

use ably::{ErrorInfo, Message, Operation, Operations};

use super::delta::{Before, Copies, frame_after};
use super::log::Missed;
use super::occupancy::{Occupancy, Watch};
use super::params::AttachParams;
use super::timeline::Publication;
use crate::clock::Millis;
use crate::errors::not_allowed;
use crate::mailbox::Mailbox;
use crate::protocol::{Frame, Modes, SharedFrame};

/// An attachment.
#[derive(Debug)]
pub(super) struct Attachment {
    mailbox: Arc<Mailbox>,
    /// The name that the client used, which every frame about the attachment carries.
    sent_name: String,
    /// What the client asked for: new credentials may allow more of it, without another ATTACH.
    requested: Modes,
    allowed: Modes,
    watch: Option<Watch>,
    appends_in_full: bool,
    /// Whether the credentials allow to watch.
    may_watch: bool,
    /// What its client decodes the next delta against; nothing where it wants no deltas.
    deltas: Option<Before>,
    /// Whether it was sent any message.
    has_sent: bool,
    /// The parameters that ATTACHED tells.
    params: BTreeMap<String, String>,
    /// Whether the last thing that was for it was not delivered.
    losing: bool,
}

/// Whether something reaches an attachment.
#[derive(Debug)]
pub(super) enum Delivery {
    Admitted,
    /// Its connection receives too much, and is to be told so by this error.
    Lost(ErrorInfo),
    /// It has been told so already.
    LostAgain,
}

impl Attachment {
    /// An attachment.
    ///
    /// # Errors
    /// 40160 where the operations allow none of the modes asked for, or not to watch the occupancy.
    pub(super) fn new(
        mailbox: Arc<Mailbox>,
        sent_name: &str,
        requested: Modes,
        params: AttachParams,
        operations: Option<&Operations>,
    ) -> Result<Self, ErrorInfo> {
        let mut attachment = Self {
            mailbox,
            sent_name: sent_name.to_owned(),
            requested,
            allowed: Modes::default(),
            watch: params.occupancy.map(Watch::new),
            appends_in_full: params.appends_in_full,
            may_watch: false,
            deltas: params.deltas.then_some(None),
            has_sent: false,
            params: params.recognised,
            losing: false,
        };
        if !attachment.reauthorise(operations) {
            return Err(nothing_allowed(sent_name));
        }
        if attachment.watch.is_some() && !attachment.may_watch {
            return Err(not_allowed(sent_name, Operation::ChannelMetadata));
        }
        Ok(attachment)
    }

    /// Takes over what new credentials allow; false where that is none of the modes.
    pub(super) fn reauthorise(&mut self, operations: Option<&Operations>) -> bool {
        self.allowed = operations.map(Modes::allowed_by).unwrap_or_default();
        self.may_watch = operations.is_some_and(|operations| operations.allow(Operation::ChannelMetadata));
        !self.modes().is_empty()
    }

    /// The modes in effect.
    pub(super) fn modes(&self) -> Modes {
        self.requested & self.allowed
    }

    /// The modes that the client asked for and may not have.
    pub(super) fn denied(&self) -> Modes {
        self.requested.without(self.allowed)
    }

    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Whether the client asked for a mode.
    pub(super) fn requested(&self, mode: Modes) -> bool {
        self.requested.has(mode)
    }

    pub(super) fn sent_name(&self) -> &str {
        &self.sent_name
    }

    pub(super) fn connection_id(&self) -> &str {
        self.mailbox.connection_id()
    }

    pub(super) fn is_of(&self, connection_id: &str) -> bool {
        self.connection_id() == connection_id
    }

    /// Whether a publication is for this client: its own may be unwanted.
    pub(super) fn wants(&self, publication: &Publication<Message>) -> bool {
        self.mailbox.echoes() || publication.connection_id.as_deref() != Some(self.connection_id())
    }

    /// Whether appends come to it as the whole messages that they made.
    pub(super) fn wants_appends_in_full(&self) -> bool {
        self.appends_in_full
    }

    /// Whether anything that was missed is for this client.
    pub(super) fn wants_missed(&self, missed: &Missed) -> bool {
        match missed {
            Missed::Messages(publication) => self.modes().has(Modes::SUBSCRIBE) && self.wants(publication),
            Missed::Annotations(_) => self.modes().has(Modes::ANNOTATION_SUBSCRIBE),
        }
    }

    /// Goes on where the attachment before it, of the same client, was.
    pub(super) fn follow(&mut self, before: &Self) {
        self.has_sent = before.has_sent;
    }

    /// Whether it was sent any message.
    pub(super) fn has_sent(&self) -> bool {
        self.has_sent
    }

    /// Whether it was asked to send deltas.
    pub(super) fn sends_deltas(&self) -> bool {
        self.deltas.is_some()
    }

    /// What comes next has nothing before it that a delta could be against.
    fn forget_before(&mut self) {
        if let Some(before) = &mut self.deltas {
            *before = None;
        }
    }

    /// Sends what was missed.
    pub(super) fn send_missed(&mut self, missed: &Missed) {
        self.has_sent = true;
        let frame = match missed {
            Missed::Annotations(publication) => publication.frame(&self.sent_name),
            Missed::Messages(publication) => {
                let before = self.deltas.as_mut().map(|before| before.replace(Arc::clone(publication)));
                before
                    .and_then(|before| frame_after(&before, publication, &self.sent_name))
                    .unwrap_or_else(|| publication.frame(&self.sent_name))
            }
        };
        self.send(frame);
    }

    /// Sends messages that go to many.
    pub(super) fn send_copy(&mut self, copies: &mut Copies<'_>, canonical: &str) {
        self.has_sent = true;
        let publication = copies.publication();
        match self.deltas.as_mut().map(|before| before.replace(Arc::clone(publication))) {
            Some(before) => self.send_shared(copies.after(&before, canonical), canonical),
            None => self.send_shared(copies.whole(canonical), canonical),
        }
    }

    /// Whether it is to be told of the occupancy.
    pub(super) fn watches(&self) -> bool {
        self.may_watch && self.watch.is_some()
    }

    /// Whether a change of the occupancy has waited for long enough to be told.
    pub(super) fn is_due(&self, now: Millis) -> bool {
        self.may_watch && self.watch.as_ref().is_some_and(|watch| watch.is_due(now))
    }

    /// Tells the occupancy, if it is time.
    pub(super) fn tell(&mut self, occupancy: Occupancy, now: Millis) {
        let watch = self.watch.as_mut().filter(|_| self.may_watch);
        if let Some(frame) = watch.and_then(|watch| watch.look(occupancy, &self.sent_name, now)) {
            // It is a message like others.
            self.forget_before();
            self.send(frame);
        }
    }

    /// Sends a frame to this client alone.
    pub(super) fn send(&self, frame: Frame) {
        self.mailbox.send(frame);
    }

    /// The parameters that ATTACHED tells.
    pub(super) fn params(&self) -> &BTreeMap<String, String> {
        &self.params
    }

    /// Whether so many messages or annotations may be sent, or its connection receives too much.
    pub(super) fn admit(&mut self, items: usize, now: Millis) -> Delivery {
        match self.mailbox.admit(items, now) {
            Ok(()) => {
                self.losing = false;
                Delivery::Admitted
            }
            Err(_) if self.losing => Delivery::LostAgain,
            Err(error) => {
                self.losing = true;
                self.forget_before();
                Delivery::Lost(error)
            }
        }
    }

    /// Sends a frame that goes to many, which names the channel canonically.
    pub(super) fn send_shared(&self, shared: &SharedFrame, canonical: &str) {
        if self.sent_name == canonical {
            self.mailbox.send_shared(shared);
        } else {
            self.send(Frame { channel: Some(self.sent_name.clone()), ..shared.frame().clone() });
        }
    }
}

/// The credentials allow nothing of what the attachment is for. Clients match the first words, which are Ably's.
pub(super) fn nothing_allowed(sent_name: &str) -> ErrorInfo {
    ErrorInfo::new(
        40160,
        401,
        format!(
            "Channel denied access based on given capability: it allows none of the modes asked for on {sent_name:?}"
        ),
    )
}
