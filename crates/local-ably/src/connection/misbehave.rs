//! What becomes of a publish over a WebSocket that a fault meets, be it of messages, of changes to them, or of annotations.

use std::collections::VecDeque;

use tokio_util::sync::CancellationToken;

use super::ending::{Ending, Next};
use super::holding::{Held, Holding, Publishing};
use super::session::Session;
use crate::channel::ChannelName;
use crate::clock::Millis;
use crate::faults::{Effect, Transport};
use crate::protocol::Command;
use crate::socket::Answer;

/// How much waits behind a frame that is held up, in bytes; then the connection is cut.
const WAITING_MAX: usize = 16 << 20;
/// What a frame that waits takes besides its own bytes, at least.
const FRAME_OVERHEAD: usize = 1_024;
/// How much of an answer is still sent that is cut off, in bytes: no frame is so short.
const CUT_OFF_AFTER: usize = 3;

impl Session {
    /// Lets a frame wait where one before it is held up: answers keep the order of their frames. Nothing is left of it then.
    pub(super) fn hold_back(&mut self, command: Command, bytes: usize) -> Option<Command> {
        let Some(holding) = &mut self.holding else { return Some(command) };
        let is_answered = matches!(
            command,
            Command::Publish(_)
                | Command::Presence { .. }
                | Command::Annotate { .. }
                | Command::Refused { .. }
        );
        if !is_answered {
            return Some(command);
        }
        holding.bytes += bytes + FRAME_OVERHEAD;
        if holding.bytes > WAITING_MAX {
            self.socket.mailbox().cut().cancel();
        } else {
            holding.waiting.push_back((command, bytes));
        }
        None
    }

    /// Goes on with what was held up, and with what waited behind it.
    pub(super) fn go_on(&mut self, now: Millis) -> Next {
        let Some(Holding { held, waiting, .. }) = self.holding.take() else { return Next::Continue(()) };
        if self.socket.is_superseded() {
            // The client sends again, on its new socket, what has no answer yet.
            return Next::Continue(());
        }
        match held {
            Held::Answer(msg_serial, answer) => self.answer(msg_serial, answer),
            Held::Publish(publishing) => {
                let msg_serial = publishing.msg_serial();
                let answer = self.publish_once(publishing, now);
                self.answer(msg_serial, answer);
            }
        }
        // Where another of them is held up, the rest wait again.
        for (command, bytes) in waiting {
            if let Some(command) = self.hold_back(command, bytes) {
                self.obey(command, now)?;
            }
        }
        Next::Continue(())
    }

    /// Publishes and answers, unless a fault is to meet the publish.
    pub(super) fn publish_or_misbehave(&mut self, publishing: Publishing, now: Millis) -> Next {
        let msg_serial = publishing.msg_serial();
        let is_new = self.answered(msg_serial).is_none();
        let channels: Vec<_> =
            ChannelName::parse(publishing.channel()).iter().map(|name| name.canonical().to_owned()).collect();
        let faults = self.server.faults();
        let firing = if is_new { faults.on_publish(Transport::Realtime, &channels, now) } else { None };
        let Some(firing) = firing else {
            let answer = self.publish_once(publishing, now);
            self.answer(msg_serial, answer);
            return Next::Continue(());
        };
        match firing.what().clone() {
            Effect::Answer { error, stored, .. } => {
                let answer = self.work(msg_serial, |session| {
                    if stored {
                        // Whatever became of it, this is what its publisher is told.
                        let _ = session.publish_now(publishing, now);
                    }
                    Err(error)
                });
                firing.count();
                self.answer(msg_serial, answer);
            }
            Effect::Hold { millis, stored: false } => {
                self.hold(Held::Publish(publishing), now.saturating_add(millis), firing.released());
                firing.count();
            }
            Effect::Hold { millis, stored: true } | Effect::Dribble { millis } => {
                let answer = self.publish_once(publishing, now);
                self.hold(Held::Answer(msg_serial, answer), now.saturating_add(millis), firing.released());
                firing.count();
            }
            Effect::Reset { stored } => {
                if stored {
                    // The client is not told now, but learns it if it resumes and sends the frame again.
                    let _ = self.publish_once(publishing, now);
                }
                firing.count();
                self.socket.reset();
                return Next::Break(Ending::lost());
            }
            Effect::Truncate => {
                let answer = self.publish_once(publishing, now);
                if let Some(line) = self.socket.line() {
                    line.break_after(CUT_OFF_AFTER);
                }
                firing.count();
                self.answer(msg_serial, answer);
                return Next::Break(Ending::lost());
            }
        }
        Next::Continue(())
    }

    /// Publishes, unless that was done and answered before.
    fn publish_once(&mut self, publishing: Publishing, now: Millis) -> Answer {
        self.work(publishing.msg_serial(), |session| session.publish_now(publishing, now))
    }

    fn publish_now(&mut self, publishing: Publishing, now: Millis) -> Answer {
        match publishing {
            Publishing::Messages(publish) => self.publish(publish, now),
            Publishing::Annotations { channel, msg_serial, annotations } => {
                self.annotate(&channel, msg_serial, annotations, now)
            }
        }
    }

    fn hold(&mut self, held: Held, until: Millis, released: CancellationToken) {
        self.holding = Some(Holding { held, until, released, waiting: VecDeque::new(), bytes: 0 });
    }
}
