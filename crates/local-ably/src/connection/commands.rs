//! What a session does with each frame.

use std::time::Duration;

use ably::{Annotation, ErrorInfo, Operation, PresenceAction, PresenceMessage, Secret};
use tokio::time::sleep;

use super::ending::{Ending, Next};
use super::holding::Publishing;
use super::session::Session;
use crate::auth::authorise;
use crate::channel::{
    Annotator, Channel, ChannelName, MESSAGES_MAX, Publisher, is_change, prepare, prepare_annotations,
    prepare_change,
};
use crate::clock::Millis;
use crate::credentials::{ClientIdentity, Credentials, no_credentials};
use crate::errors::{
    bad_request, check_encoding, forced_refusal, foreign_client_id, incompatible_client_id, not_attached,
    too_large,
};
use crate::lock::lock;
use crate::protocol::{Action, Attach, Command, Frame, Modes, Publish, PublishResult};
use crate::random;
use crate::socket::Answer;

/// How many channels a connection may be attached to.
pub(super) const CHANNELS_MAX: usize = 200;
/// The least time that a ping takes. No network is faster, and a client's clock shows it.
const PING_MIN: Duration = Duration::from_millis(2);

/// A connection is attached to as many channels as it may be.
pub(super) fn too_many_channels() -> ErrorInfo {
    ErrorInfo::new(90010, 400, format!("a connection may be attached to {CHANNELS_MAX} channels"))
}

impl Session {
    /// Serves a socket whose connection another one has taken over: nothing it says has any effect.
    pub(super) fn obey_superseded(&mut self, command: Command) -> Next {
        match command {
            Command::Heartbeat { id } => self.heartbeat(id),
            Command::Close => return Next::Break(Ending::closed()),
            Command::Disconnect => return Next::Break(Ending::lost()),
            Command::Pong { id } => self.bounced(id.as_deref()),
            Command::Publish(Publish { msg_serial: Some(msg_serial), .. })
            | Command::Presence { msg_serial: Some(msg_serial), .. }
            | Command::Annotate { msg_serial: Some(msg_serial), .. }
            | Command::Refused { msg_serial, .. } => {
                let error = ErrorInfo::new(80003, 400, "the connection was resumed by another socket");
                self.socket.send(Frame::nack(msg_serial, error));
            }
            _ => {}
        }
        Next::Continue(())
    }

    /// Answers a ping when a moment has passed: clients round the time that it took to milliseconds, and take none at all for
    /// a fault. What the same client sends next waits for it, so that nobody is busy with the pings of one.
    fn heartbeat(&mut self, id: Option<String>) {
        self.pong = Some(Frame { id, ..Frame::new(Action::Heartbeat) });
    }

    /// Sends the answer to a ping, if one is due.
    pub(super) async fn send_pong(&mut self) {
        if let Some(pong) = self.pong.take() {
            sleep(PING_MIN).await;
            self.socket.send(pong);
        }
    }

    pub(super) fn obey(&mut self, command: Command, now: Millis) -> Next {
        if let Some(subject) = command.subject() {
            self.socket.mailbox().trace().answers_about(subject);
        }
        match command {
            Command::Heartbeat { id } => self.heartbeat(id),
            Command::Close => return Next::Break(Ending::closed()),
            Command::Disconnect => return Next::Break(Ending::lost()),
            Command::Attach(attach) => {
                if let Err(error) = self.attach(&attach, now) {
                    // The client takes the channel for failed, so an attachment that was there goes too.
                    self.drop_attachment(&attach.channel, now);
                    self.socket.send(match error.code {
                        // Clients try again after DETACHED, as Ably has them do where channels are made too fast.
                        90021 => Frame { error: Some(error), ..Frame::on(Action::Detached, &attach.channel) },
                        _ => Frame::channel_error(&attach.channel, error),
                    });
                }
            }
            Command::Detach { channel } => {
                self.drop_attachment(&channel, now);
                self.socket.send(Frame::on(Action::Detached, &channel));
            }
            Command::Sync { channel } => {
                if let Some(attached) = self.socket.attached().get(&channel) {
                    lock(attached).sync(self.socket.mailbox(), &channel);
                }
            }
            Command::Publish(publish) => {
                return self.publish_or_misbehave(Publishing::Messages(publish), now);
            }
            Command::Presence { channel, msg_serial, presence } => {
                let answer =
                    self.work(msg_serial, |session| session.presence(&channel, msg_serial, presence, now));
                self.answer(msg_serial, answer);
            }
            Command::Annotate { channel, msg_serial, annotations } => {
                let publishing = Publishing::Annotations { channel, msg_serial, annotations };
                return self.publish_or_misbehave(publishing, now);
            }
            Command::Refused { msg_serial, reason } => {
                self.socket.send(Frame::nack(msg_serial, bad_request(reason)));
            }
            Command::Auth { access_token } => return self.reauthorise(access_token, now),
            Command::Pong { id } => self.bounced(id.as_deref()),
            Command::Nothing => {}
        }
        Next::Continue(())
    }

    /// Does what a frame asks for. One that was answered before, on a socket that was lost, gets the same answer again.
    pub(super) fn work(&mut self, msg_serial: Option<i64>, work: impl FnOnce(&mut Self) -> Answer) -> Answer {
        if let Some(answer) = self.answered(msg_serial) {
            return answer;
        }
        let answer = work(self);
        if let Some(msg_serial) = msg_serial {
            self.socket.connection().keep_answer(self.socket.id(), msg_serial, answer.clone());
        }
        answer
    }

    /// What a frame was answered with before, on a socket that was lost.
    pub(super) fn answered(&self, msg_serial: Option<i64>) -> Option<Answer> {
        self.socket.connection().answered(self.socket.id(), msg_serial?)
    }

    /// Answers a frame, if it awaits that.
    pub(super) fn answer(&self, msg_serial: Option<i64>, answer: Answer) {
        if let Some(msg_serial) = msg_serial {
            self.socket.send(match answer {
                Ok(result) => Frame::ack(msg_serial, result),
                Err(error) => Frame::nack(msg_serial, error),
            });
        }
    }

    fn attach(&self, attach: &Attach, now: Millis) -> Result<(), ErrorInfo> {
        let name = ChannelName::parse(&attach.channel)?;
        let mut attached = self.socket.attached();
        if !attached.contains_key(&attach.channel) && attached.len() >= CHANNELS_MAX {
            return Err(too_many_channels());
        }
        // Whoever supersedes this socket sets the mark before it takes the attachments away.
        if self.socket.is_superseded() {
            return Ok(());
        }
        let operations = self.authorised.operations_on(name.canonical());
        let channel = self.authorised.app.channel(name.canonical(), self.server.limits(), now)?;
        lock(&channel).attach(self.socket.mailbox(), attach, &name, operations.as_ref(), now)?;
        attached.insert(attach.channel.clone(), channel);
        Ok(())
    }

    fn drop_attachment(&self, sent_name: &str, now: Millis) {
        let channel = self.socket.attached().remove(sent_name);
        if let Some(channel) = channel {
            let mut channel = lock(&channel);
            channel.detach(self.socket.mailbox(), sent_name, now);
            self.note_absence(&channel);
        }
    }

    /// Notes that the members are gone from a channel, where the last attachment to it is.
    fn note_absence(&self, channel: &Channel) {
        if !channel.is_attached(self.socket.id()) {
            self.socket.connection().note_absence(channel.name());
        }
    }

    /// The base of the ids of what a frame brings.
    fn base_id(&self, msg_serial: Option<i64>) -> String {
        match msg_serial {
            Some(msg_serial) => format!("{}:{msg_serial}", self.socket.connection().id()),
            None => random::text::<9>(),
        }
    }

    pub(super) fn publish(&mut self, publish: Publish, now: Millis) -> Answer {
        let Publish { channel: sent_name, msg_serial, messages, force_nack } = publish;
        if force_nack {
            return Err(forced_refusal());
        }
        self.inflow.publish(messages.len(), now)?;
        let name = ChannelName::parse(&sent_name)?;
        let publisher = Publisher {
            client: &self.client,
            connection_id: Some(self.socket.connection().id()),
            base_id: &self.base_id(msg_serial),
            size_max: self.server.limits().message_size(),
        };
        if is_change(&messages) {
            let change = prepare_change(messages, &publisher)?;
            let operations = self.authorised.operations_on(name.canonical());
            let channel = self.authorised.app.channel(name.canonical(), self.server.limits(), now)?;
            let mut channel = lock(&channel);
            channel.require_mode(self.socket.id(), Modes::PUBLISH)?;
            self.server.admit(&self.authorised.app, &channel, 1, change.size(), now)?;
            let version = channel.change(change, operations.as_ref(), now)?;
            return Ok(PublishResult { serials: vec![version] });
        }
        self.authorised.require(name.canonical(), Operation::Publish)?;
        let prepared = prepare(messages, &publisher)?;
        let channel = self.authorised.app.channel(name.canonical(), self.server.limits(), now)?;
        let mut channel = lock(&channel);
        channel.require_mode(self.socket.id(), Modes::PUBLISH)?;
        self.server.admit(&self.authorised.app, &channel, prepared.len(), prepared.size(), now)?;
        Ok(PublishResult { serials: channel.publish(prepared, now).serials })
    }

    pub(super) fn annotate(
        &self,
        sent_name: &str,
        msg_serial: Option<i64>,
        annotations: Vec<Annotation>,
        now: Millis,
    ) -> Answer {
        let name = ChannelName::parse(sent_name)?;
        self.authorised.require(name.canonical(), Operation::AnnotationPublish)?;
        let annotator = Annotator {
            client: &self.client,
            connection_id: Some(self.socket.connection().id()),
            base_id: &self.base_id(msg_serial),
            size_max: self.server.limits().message_size(),
        };
        let annotations = prepare_annotations(annotations, None, &annotator)?;
        let channel = self.authorised.app.channel(name.canonical(), self.server.limits(), now)?;
        let mut channel = lock(&channel);
        channel.require_mode(self.socket.id(), Modes::ANNOTATION_PUBLISH)?;
        let size = annotations.iter().map(Annotation::size).sum();
        self.server.admit(&self.authorised.app, &channel, annotations.len(), size, now)?;
        Ok(PublishResult { serials: channel.annotate(annotations, &annotator, now)? })
    }

    fn presence(
        &self,
        sent_name: &str,
        msg_serial: Option<i64>,
        mut messages: Vec<PresenceMessage>,
        now: Millis,
    ) -> Answer {
        let name = ChannelName::parse(sent_name)?;
        self.authorised.require(name.canonical(), Operation::Presence)?;
        if messages.len() > MESSAGES_MAX {
            return Err(bad_request(format!("a frame has at most {MESSAGES_MAX} presence messages")));
        }
        let size = messages.iter().map(PresenceMessage::size).sum();
        let size_max = self.server.limits().message_size();
        if size > size_max {
            return Err(too_large(size, size_max));
        }
        for message in &mut messages {
            if message.action == PresenceAction::Absent {
                return Err(bad_request("nobody can be made absent: a member leaves"));
            }
            check_encoding(&message.payload)?;
            // A member that a client saved from a connection that is over, say: it has to enter anew.
            let claimed = message.connection_id.as_deref().filter(|claimed| !claimed.is_empty());
            if claimed.is_some_and(|claimed| claimed != self.socket.connection().id()) {
                return Err(ErrorInfo::new(40006, 400, "Malformed message; mismatched connectionId"));
            }
            message.client_id = self.presence_client_id(message.client_id.take())?;
        }
        let channel = self.socket.attached().get(sent_name).cloned();
        let channel = channel.ok_or_else(not_attached)?;
        self.socket.connection().note_presence(name.canonical());
        lock(&channel).presence(self.socket.mailbox(), &self.base_id(msg_serial), messages, now)?;
        Ok(PublishResult { serials: Vec::new() })
    }

    /// Whom a presence message is about.
    fn presence_client_id(&self, sent: Option<String>) -> Result<Option<String>, ErrorInfo> {
        match self.client.stamp(sent)? {
            Some(client_id) if client_id != "*" => Ok(Some(client_id)),
            Some(_) => Err(foreign_client_id()),
            None => Err(ErrorInfo::new(91000, 400, "unable to enter presence channel (no clientId)")),
        }
    }

    /// Takes new credentials for the connection, which keeps its id and its key. A change of identity is refused.
    fn reauthorise(&mut self, access_token: Option<String>, now: Millis) -> Next {
        let failed = |error| Next::Break(Ending::failed(error));
        let Some(token) = access_token else {
            return failed(no_credentials());
        };
        let credentials = Credentials::Token(Secret::new(token));
        let authorised = match authorise(&self.server, &credentials, now) {
            Ok(authorised) => authorised,
            // An expired token can be renewed once more, and a text of more parts than a token has a code of its own; ably-js fails
            // for good on anything else.
            Err(error) if matches!(error.code, 40142 | 40005) => return failed(error),
            Err(error) => return failed(ErrorInfo { code: 40101, status_code: 401, ..error }),
        };
        let client = match authorised.client.narrowed(self.asked_client_id.as_deref()) {
            Ok(client) if client == self.client => client,
            // Whoever could assume any identity and never named one may go on without.
            Ok(ClientIdentity::Anonymous) if self.client == ClientIdentity::Any => ClientIdentity::Anonymous,
            _ => return failed(incompatible_client_id()),
        };
        if authorised.app.id() != self.authorised.app.id() {
            return failed(incompatible_client_id());
        }
        self.client = client;
        self.authorised = authorised;
        self.socket.mailbox().held_by(self.authorised.holder(self.client.shown()));
        self.plan_prompt(now);
        self.heed_revocations();
        // Another socket may have taken the connection over this very moment: then this one need not know.
        let key = self.authorised.app.connections().reauthorised(&self.socket, &self.client);
        if let Some(key) = key {
            self.send_connected(key, None);
        }
        self.socket.attached().retain(|sent_name, channel| {
            let name = ChannelName::parse(sent_name);
            let operations = name.ok().and_then(|name| self.authorised.operations_on(name.canonical()));
            let mut channel = lock(channel);
            let stays = channel.reauthorise(self.socket.mailbox(), sent_name, operations.as_ref(), now);
            self.note_absence(&channel);
            stays
        });
        Next::Continue(())
    }
}
