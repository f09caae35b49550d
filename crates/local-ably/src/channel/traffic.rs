//! How much has gone over a channel, and who is attached to it: for those who look on.

use std::collections::BTreeMap;
use std::ops::Add;

use serde::Serialize;

use super::attachment::Attachment;
use super::{Channel, Rules};
use crate::clock::Millis;
use crate::mailbox::{Mailbox, MailboxId};
use crate::protocol::Modes;

/// How much there has been. What the page at `/` receives does not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Traffic {
    /// Messages, changes of messages and annotations that were published.
    pub(super) published: u64,
    /// How often they were delivered, once for each mailbox.
    pub(super) delivered: u64,
    /// Members that entered, were updated or left.
    pub(super) presence: u64,
    /// When there was something last.
    pub(super) last: Option<Millis>,
}

impl Traffic {
    pub(super) fn publish(&mut self, count: usize, now: Millis) {
        self.published += count as u64;
        self.last = Some(now);
    }

    pub(super) fn deliver(&mut self, attachment: &Attachment, count: usize) {
        if !attachment.mailbox().is_page() {
            self.delivered += count as u64;
        }
    }

    pub(super) fn presence(&mut self, count: usize, now: Millis) {
        self.presence += count as u64;
        self.last = Some(now);
    }
}

impl Add for Traffic {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            published: self.published + other.published,
            delivered: self.delivered + other.delivered,
            presence: self.presence + other.presence,
            last: self.last.max(other.last),
        }
    }
}

/// An attachment, for those who look on.
#[derive(Debug)]
pub(crate) struct Seat<'a> {
    pub(crate) mailbox: &'a Mailbox,
    /// The name that the client used.
    pub(crate) sent_name: &'a str,
    /// The modes in effect.
    pub(crate) modes: Modes,
    /// The modes that the client asked for and its capability does not allow.
    pub(crate) denied: Modes,
    /// The parameters in effect, such as `delta`.
    pub(crate) params: &'a BTreeMap<String, String>,
}

impl Channel {
    pub(crate) fn traffic(&self) -> Traffic {
        self.traffic
    }

    pub(crate) fn members(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn rules(&self) -> Rules {
        self.rules
    }

    /// All attachments.
    pub(crate) fn seats(&self) -> impl Iterator<Item = Seat<'_>> {
        self.attachments.values().map(Seat::from)
    }

    /// One of them, by the mailbox and the name that its client used.
    pub(crate) fn seat(&self, mailbox: MailboxId, sent_name: &str) -> Option<Seat<'_>> {
        self.attachments.get(&(mailbox, sent_name.to_owned())).map(Seat::from)
    }
}

impl<'a> From<&'a Attachment> for Seat<'a> {
    fn from(attachment: &'a Attachment) -> Self {
        Self {
            mailbox: attachment.mailbox(),
            sent_name: attachment.sent_name(),
            modes: attachment.modes(),
            denied: attachment.denied(),
            params: attachment.params(),
        }
    }
}
