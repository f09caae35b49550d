//! What is published on a channel, changed and annotated, and what is remembered of it.

use std::sync::Arc;

use ably::{Annotation, ErrorInfo, Message, Operations};

use super::attachment::{Attachment, Delivery};
use super::delta::Copies;
use super::publish::MESSAGES_MAX;
use super::summary::Method;
use super::timeline::Publication;
use super::{Change, Channel, HistoryQuery, Page, Prepared, Published};
use crate::clock::Millis;
use crate::credentials::ClientIdentity;
use crate::errors::{bad_request, check_encoding, identity_required, invalid_parameter, too_large};
use crate::protocol::{Flags, Modes, SharedFrame};

/// The longest type or name of an annotation, in bytes. Ably names no limit; this one bounds summaries.
const NAME_MAX: usize = 1_024;

/// Who annotates.
#[derive(Debug)]
pub(crate) struct Annotator<'a> {
    pub(crate) client: &'a ClientIdentity,
    pub(crate) connection_id: Option<&'a str>,
    /// The base of the annotations' ids.
    pub(crate) base_id: &'a str,
    /// The most that the annotations may hold together, in bytes.
    pub(crate) size_max: usize,
}

/// Checks annotations, and stamps them with who made them. `about` is the serial of the message, where the request names it.
///
/// # Errors
/// 40000 (none, too many), 40003 (no message, type or name), 40009 (size), 40012 (clientId), 40161 (no clientId, with a
/// type that needs one).
pub(crate) fn prepare_annotations(
    mut annotations: Vec<Annotation>,
    about: Option<&str>,
    annotator: &Annotator<'_>,
) -> Result<Vec<Annotation>, ErrorInfo> {
    if annotations.is_empty() || annotations.len() > MESSAGES_MAX {
        return Err(bad_request(format!("a publish has from 1 to {MESSAGES_MAX} annotations")));
    }
    let size = annotations.iter().map(Annotation::size).sum();
    if size > annotator.size_max {
        return Err(too_large(size, annotator.size_max));
    }
    let missing = |what: &str| invalid_parameter(format!("an annotation has {what}"));
    for annotation in &mut annotations {
        check_encoding(&annotation.payload)?;
        if let Some(about) = about {
            annotation.message_serial = Some(about.to_owned());
        }
        if annotation.message_serial.as_deref().is_none_or(str::is_empty) {
            return Err(missing("the serial of its message"));
        }
        let texts = [&annotation.kind, &annotation.name];
        if texts.into_iter().flatten().any(|text| text.len() > NAME_MAX) {
            return Err(missing(&format!("a type and a name of at most {NAME_MAX} bytes")));
        }
        let kind = annotation.kind.as_deref().filter(|kind| !kind.is_empty());
        let method = Method::of(kind.ok_or_else(|| missing("a type"))?);
        annotation.client_id = annotator.client.stamp(annotation.client_id.take())?;
        if method.is_some_and(Method::needs_name) && annotation.name.as_deref().is_none_or(str::is_empty) {
            return Err(missing("a name, with this type"));
        }
        if method.is_some_and(Method::needs_identity) && annotation.client_id.is_none() {
            return Err(identity_required("an annotation of this type"));
        }
    }
    Ok(annotations)
}

impl Channel {
    /// Publishes, unless the same was published within the last two minutes: then nobody hears of it again.
    pub(crate) fn publish(&mut self, prepared: Prepared, now: Millis) -> Published {
        if let Some(before) = self.log.duplicate_of(prepared.key(), now) {
            return before;
        }
        let (publication, published) = self.log.append(prepared, now);
        self.touch(now);
        self.traffic.publish(publication.items.len(), now);
        self.deliver(&publication);
        published
    }

    fn deliver(&mut self, publication: &Arc<Publication<Message>>) {
        let wanted = |attachment: &Attachment| {
            attachment.modes().has(Modes::SUBSCRIBE) && attachment.wants(publication)
        };
        let wants_full = |attachment: &Attachment| attachment.wants_appends_in_full() && wanted(attachment);
        // Made only where somebody wants it: it copies the whole message.
        let in_full =
            if self.attachments.values().any(wants_full) { self.log.in_full(publication) } else { None };
        if let Some(in_full) = in_full {
            self.send_copies(&in_full, wants_full);
        }
        let wants_it = |attachment: &Attachment| !attachment.wants_appends_in_full() && wanted(attachment);
        self.send_copies(publication, wants_it);
    }

    fn send_copies(&mut self, publication: &Arc<Publication<Message>>, wanted: impl Fn(&Attachment) -> bool) {
        let mut copies = Copies::of(publication);
        let send = |attachment: &mut Attachment, name: &str| attachment.send_copy(&mut copies, name);
        self.send_to_all(publication.items.len(), publication.timestamp, wanted, send);
    }

    /// Sends so many messages or annotations to all who want them. Those who receive too much do not get it, and are told so once,
    /// until something gets through to them again.
    fn send_to_all(
        &mut self,
        items: usize,
        now: Millis,
        wanted: impl Fn(&Attachment) -> bool,
        mut send: impl FnMut(&mut Attachment, &str),
    ) {
        let mut losing = Vec::new();
        for (key, attachment) in &mut self.attachments {
            if !wanted(attachment) {
                continue;
            }
            match attachment.admit(items, now) {
                Delivery::Admitted => {
                    send(attachment, &self.name);
                    self.traffic.deliver(attachment, items);
                }
                Delivery::Lost(error) => losing.push((key.clone(), error)),
                Delivery::LostAgain => {}
            }
        }
        for (key, error) in losing {
            if let Some(attachment) = self.attachments.get(&key) {
                self.send_attached(attachment, Flags::default(), Some(error));
            }
        }
    }

    /// Gives a message a new version. Answers the serial of the version.
    ///
    /// # Errors
    /// 93002 where messages are not mutable, 40400 for a serial that no message has here, 40160 or 40166 where the operations do
    /// not allow it, 40009 where the message becomes too long, 40000 for data that cannot be appended.
    pub(crate) fn change(
        &mut self,
        change: Change,
        operations: Option<&Operations>,
        now: Millis,
    ) -> Result<String, ErrorInfo> {
        self.require_mutable()?;
        change.allowed(operations, self.log.message(&change.serial)?, &self.name)?;
        let (publication, version) = self.log.change(change, now)?;
        self.touch(now);
        self.traffic.publish(1, now);
        self.deliver(&publication);
        Ok(version)
    }

    /// Annotates messages. Answers the serials of the annotations.
    ///
    /// # Errors
    /// 93002 where messages are not mutable, 40400 for a serial that no message has here.
    pub(crate) fn annotate(
        &mut self,
        annotations: Vec<Annotation>,
        annotator: &Annotator<'_>,
        now: Millis,
    ) -> Result<Vec<String>, ErrorInfo> {
        self.require_mutable()?;
        for annotation in &annotations {
            self.log.message(annotation.message_serial.as_deref().unwrap_or_default())?;
        }
        let (publication, summaries) =
            self.log.annotate(annotator.base_id, annotator.connection_id, annotations, now);
        self.touch(now);
        self.traffic.publish(publication.items.len(), now);
        let shared = SharedFrame::from(publication.frame(&self.name));
        let wanted = |attachment: &Attachment| attachment.modes().has(Modes::ANNOTATION_SUBSCRIBE);
        let send = |attachment: &mut Attachment, name: &str| attachment.send_shared(&shared, name);
        self.send_to_all(publication.items.len(), now, wanted, send);
        for summary in summaries {
            self.deliver(&summary);
        }
        Ok(publication.items.iter().filter_map(|annotation| annotation.serial.clone()).collect())
    }

    fn require_mutable(&self) -> Result<(), ErrorInfo> {
        if self.rules.mutable {
            return Ok(());
        }
        let message = "messages are changed and annotated only in a namespace with mutableMessages";
        Err(ErrorInfo::new(93002, 400, message))
    }

    /// A message as it is by now.
    ///
    /// # Errors
    /// 40400 for a serial that no message has here.
    pub(crate) fn message(&self, serial: &str) -> Result<Message, ErrorInfo> {
        self.log.message(serial).cloned()
    }

    /// The versions of a message, oldest first.
    ///
    /// # Errors
    /// 40400 for a serial that no message has here.
    pub(crate) fn versions(
        &self,
        serial: &str,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Message>, ErrorInfo> {
        self.log.versions(serial, limit, cursor)
    }

    /// The annotations of a message, oldest first.
    ///
    /// # Errors
    /// 40400 for a serial that no message has here.
    pub(crate) fn annotations(
        &self,
        serial: &str,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Annotation>, ErrorInfo> {
        self.log.annotations(serial, limit, cursor)
    }

    /// Past messages.
    ///
    /// # Errors
    /// 40000 for a position that cannot be read.
    pub(crate) fn history(&self, query: &HistoryQuery, now: Millis) -> Result<Page<Message>, ErrorInfo> {
        self.log.history(query, now)
    }
}
