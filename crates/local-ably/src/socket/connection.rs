//! Connections: what outlives a socket, so that a client that lost it can resume.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use ably::ErrorInfo;

use crate::lock::lock;
use crate::mailbox::MailboxId;
use crate::protocol::PublishResult;
use crate::random;

/// How many answers are kept for frames that are sent again after a resume, and of how many serials together.
const ANSWERS_MAX: usize = 1_000;
const SERIALS_MAX: usize = 20_000;

/// What one frame was answered with.
pub(crate) type Answer = Result<PublishResult, ErrorInfo>;

/// What the sockets of a connection, one after the other, have in common.
#[derive(Debug)]
pub(crate) struct Connection {
    id: String,
    /// The channels that members of this connection may be on.
    present_on: Mutex<BTreeSet<String>>,
    answers: Mutex<Answers>,
}

/// The last answers, oldest first, and the sockets of the frames: a client that lost its socket sends again, with the same
/// msgSerial, what it has seen no answer to.
#[derive(Debug, Default)]
struct Answers {
    in_order: VecDeque<(MailboxId, i64, Answer)>,
    /// How many serials they hold together.
    serials: usize,
}

impl Answers {
    fn keep(&mut self, socket: MailboxId, msg_serial: i64, answer: Answer) {
        let serials = |answer: &Answer| answer.as_ref().map_or(0, |result| result.serials.len());
        self.serials += serials(&answer);
        self.in_order.push_back((socket, msg_serial, answer));
        while self.in_order.len() > ANSWERS_MAX || self.serials > SERIALS_MAX {
            let Some((_, _, answer)) = self.in_order.pop_front() else { return };
            self.serials -= serials(&answer);
        }
    }
}

impl Connection {
    /// A new connection. No two ids are alike, and none holds a `:`.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { id: random::text::<9>(), present_on: Mutex::default(), answers: Mutex::default() })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Notes that a member of this connection may be on a channel.
    pub(crate) fn note_presence(&self, channel: &str) {
        lock(&self.present_on).insert(channel.to_owned());
    }

    /// Whether a member of this connection may be on any channel.
    pub(crate) fn is_present(&self) -> bool {
        !lock(&self.present_on).is_empty()
    }

    /// Notes that no member of this connection is on a channel any more.
    pub(crate) fn note_absence(&self, channel: &str) {
        lock(&self.present_on).remove(channel);
    }

    /// The channels that members may be on, which are forgotten because the members leave; so are the answers, as what is sent
    /// again afterwards is to enter them anew.
    pub(crate) fn take_present_on(&self) -> BTreeSet<String> {
        *lock(&self.answers) = Answers::default();
        std::mem::take(&mut lock(&self.present_on))
    }

    /// What a frame was answered with, if it came over another socket before. Over the same one nobody sends anything again: a
    /// msgSerial that comes twice there is another frame's.
    pub(crate) fn answered(&self, socket: MailboxId, msg_serial: i64) -> Option<Answer> {
        let answers = lock(&self.answers);
        // A connection has one socket after the other, so those of the others stand before those of this one.
        let of_others = answers.in_order.iter().take_while(|(of, ..)| *of != socket);
        of_others.filter(|(_, serial, _)| *serial == msg_serial).last().map(|(.., answer)| answer.clone())
    }

    /// Keeps an answer.
    pub(crate) fn keep_answer(&self, socket: MailboxId, msg_serial: i64, answer: Answer) {
        lock(&self.answers).keep(socket, msg_serial, answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::Mailbox;

    #[test]
    fn answers_are_kept_for_frames_sent_again() {
        let connection = Connection::new();
        let socket = || Mailbox::for_tests(connection.id()).0.id();
        let (lost, next) = (socket(), socket());
        let answer = Ok(PublishResult { serials: vec!["s".into()] });
        connection.keep_answer(lost, 3, answer.clone());
        assert_eq!(connection.answered(lost, 3), None);
        assert_eq!(connection.answered(next, 3), Some(answer));
        assert_eq!(connection.answered(next, 4), None);
        for serial in 4..2_000 {
            connection.keep_answer(lost, serial, Ok(PublishResult { serials: Vec::new() }));
        }
        assert_eq!(connection.answered(next, 3), None);
        assert!([1_000, 1_999].iter().all(|serial| connection.answered(next, *serial).is_some()));
    }

    #[test]
    fn answers_are_kept_as_long_as_they_hold_few_serials_together() {
        let connection = Connection::new();
        let socket = || Mailbox::for_tests(connection.id()).0.id();
        let (lost, next) = (socket(), socket());
        let answer = Ok(PublishResult { serials: vec!["s".into(); 1_000] });
        for msg_serial in 0..20 {
            connection.keep_answer(lost, msg_serial, answer.clone());
        }
        assert_eq!(connection.answered(next, 0), Some(answer.clone()));
        connection.keep_answer(lost, 20, answer.clone());
        assert_eq!(connection.answered(next, 0), None);
        assert_eq!(connection.answered(next, 1), Some(answer));
    }

    #[test]
    fn a_channel_that_the_members_have_left_is_not_remembered() {
        let connection = Connection::new();
        connection.note_presence("a");
        connection.note_presence("b");
        connection.note_absence("a");
        assert_eq!(connection.take_present_on(), BTreeSet::from(["b".to_owned()]));
    }
}
