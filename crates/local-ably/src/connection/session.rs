//! The life of one socket: connect, serve its frames, end.

use std::sync::Arc;
use std::time::Duration;

use ably::{ErrorInfo, Operation, PresenceMessage, Secret};
use axum::extract::ws::{Message, WebSocket};
use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use tokio::time::{Instant, sleep_until};

use super::handshake::ConnectRequest;
use super::socket::Socket;
use crate::app::{Answer, Opened, STATE_TTL, lock};
use crate::auth::{Authorised, ClientIdentity, Credentials, authorise, expired, no_credentials};
use crate::channel::{ChannelName, Publisher, SIZE_MAX, prepare};
use crate::clock::{Millis, now, wait};
use crate::errors::{bad_request, foreign_client_id, too_large};
use crate::protocol::{
    Action, Attach, Command, ConnectionDetails, Format, Frame, PublishResult, SharedFrame,
};
use crate::random;
use crate::server::Server;

/// The longest frame, in bytes.
pub(crate) const FRAME_MAX: usize = 524_288;
/// How many channels a connection may be attached to.
const CHANNELS_MAX: usize = 200;
/// How long before its token expires a client is asked for another.
const PROMPT_BEFORE: Millis = 30_000;
/// How much longer than the interval of heartbeats a client may be silent before it counts as gone, twice over.
const SILENCE_MARGIN: Millis = 10_000;

/// How the session goes on after a frame.
enum Next {
    GoOn,
    End(End),
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// For good: members leave, nothing can be resumed.
    Closed,
    /// The client may come back.
    Lost,
}

/// A session.
struct Session {
    server: Arc<Server>,
    socket: Arc<Socket>,
    authorised: Authorised,
    /// The identity of the connection, which never changes.
    client: ClientIdentity,
    /// The `clientId` that the client asked for when it connected.
    asked_client_id: Option<String>,
    idle: Millis,
    prompt_at: Option<Millis>,
    /// Whether the socket has sent a frame.
    heard_from: bool,
}

/// Connects a socket, serves it, and cleans up after it.
pub(super) async fn run(server: Arc<Server>, websocket: WebSocket, request: ConnectRequest) {
    let (mut sink, stream) = websocket.split();
    let idle = request.idle;
    let (mut session, queue) = match open(&server, request) {
        Ok(opened) => opened,
        Err((format, error)) => {
            use futures_util::SinkExt;
            let frame = SharedFrame::from(Frame::ending(Action::Error, error));
            // A client that is gone needs no answer.
            let _ = tokio::time::timeout(Duration::from_secs(2), async {
                sink.send(frame.encoded(format)).await?;
                sink.close().await
            })
            .await;
            return;
        }
    };
    let socket = Arc::clone(&session.socket);
    let heartbeat = wait(0, idle);
    let writer = server.tasks().spawn({
        let socket = Arc::clone(&socket);
        async move { socket.write(queue, sink, heartbeat).await }
    });
    let end = session.serve(stream).await;
    session.clean_up(end);
    socket.finish();
    // The writer cannot panic; it ends when the queue does, or when the socket is cut.
    let _ = writer.await;
}

type Opening = Result<(Session, super::outbox::Queue), (Format, ErrorInfo)>;

fn open(server: &Arc<Server>, request: ConnectRequest) -> Opening {
    let format = request.format;
    let now = now();
    let refuse = |error| (format, error);
    let credentials = request.credentials.as_ref().ok_or_else(no_credentials).map_err(refuse)?;
    let authorised = authorise(server.apps(), server.mint(), credentials, now).map_err(refuse)?;
    let client = authorised.client.narrowed(request.client_id.as_deref()).map_err(refuse)?;
    let mut made = None;
    let opened = authorised
        .app
        .connections()
        .open(
            request.resume.as_deref(),
            &client,
            request.presence_ttl,
            |connection| {
                let (socket, queue) = Socket::new(connection, format, request.echo);
                made = Some((Arc::clone(&socket), queue));
                socket
            },
            now,
        )
        .map_err(refuse)?;
    let Some((socket, queue)) = made else {
        return Err(refuse(ErrorInfo::new(50000, 500, "the connection could not be opened")));
    };
    if let Some(old) = &opened.superseded {
        old.supersede(now);
    }
    let mut session = Session {
        server: Arc::clone(server),
        socket,
        authorised,
        client,
        asked_client_id: request.client_id,
        idle: request.idle,
        prompt_at: None,
        heard_from: false,
    };
    session.plan_prompt(now);
    let Opened { key, not_resumed, .. } = opened;
    session.send_connected(key, not_resumed);
    Ok((session, queue))
}

impl Session {
    fn send_connected(&self, connection_key: String, error: Option<ErrorInfo>) {
        self.socket.send(Frame {
            connection_id: Some(self.socket.connection().id().to_owned()),
            connection_details: Some(ConnectionDetails {
                connection_key,
                client_id: self.client.shown(),
                max_message_size: SIZE_MAX,
                max_frame_size: FRAME_MAX,
                max_inbound_rate: 250,
                max_outbound_rate: 100,
                connection_state_ttl: STATE_TTL,
                max_idle_interval: self.idle,
                server_id: "local-ably".to_owned(),
            }),
            error,
            ..Frame::new(Action::Connected)
        });
    }

    /// Reads frames until the socket ends or is ended.
    async fn serve(&mut self, mut stream: SplitStream<WebSocket>) -> End {
        let silence_max = wait(0, 2 * self.idle + SILENCE_MARGIN);
        let mut silent_until = Instant::now() + silence_max;
        let socket = Arc::clone(&self.socket);
        loop {
            let due =
                self.due().map_or(silent_until, |at| silent_until.min(Instant::now() + wait(now(), at)));
            tokio::select! {
                received = stream.next() => {
                    silent_until = Instant::now() + silence_max;
                    let next = match received {
                        Some(Ok(Message::Text(text))) => self.receive(text.as_str().as_bytes()),
                        Some(Ok(Message::Binary(bytes))) => self.receive(&bytes),
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Next::GoOn,
                        Some(Ok(Message::Close(_)) | Err(_)) | None => Next::End(End::Lost),
                    };
                    if let Next::End(end) = next {
                        return end;
                    }
                }
                () = sleep_until(due) => {
                    if Instant::now() >= silent_until {
                        socket.cut().cancel();
                        return End::Lost;
                    }
                    if let Next::End(end) = self.on_time(now()) {
                        return end;
                    }
                }
                () = socket.cut().cancelled() => return End::Lost,
                () = socket.ended().cancelled() => return End::Lost,
                () = self.server.shutdown().cancelled() => {
                    let error = ErrorInfo::new(80003, 503, "the local Ably is shutting down");
                    self.socket.send(Frame::ending(Action::Disconnected, error));
                    return End::Lost;
                }
            }
        }
    }

    /// When time alone makes something happen next.
    fn due(&self) -> Option<Millis> {
        let expires = self.authorised.token.map(|token| token.expires);
        self.prompt_at.or(expires)
    }

    /// Asks for another token in good time, unless this one lives too short for that.
    fn plan_prompt(&mut self, now: Millis) {
        let prompt_at = self.authorised.token.map(|token| token.expires - PROMPT_BEFORE);
        self.prompt_at = prompt_at.filter(|at| *at > now);
    }

    fn on_time(&mut self, now: Millis) -> Next {
        if self.prompt_at.is_some_and(|at| at <= now) {
            self.prompt_at = None;
            self.socket.send(Frame::new(Action::Auth));
        }
        if self.authorised.token.is_some_and(|token| token.expires <= now) {
            self.socket.send(Frame::ending(Action::Disconnected, expired()));
            return Next::End(End::Lost);
        }
        Next::GoOn
    }

    /// What must be done when the socket is gone.
    fn clean_up(&self, end: End) {
        let now = now();
        self.socket.drop_attachments(now);
        let app = &self.authorised.app;
        match end {
            End::Lost => app.connections().lost(&self.socket, now),
            End::Closed => {
                // A socket that another has superseded closes itself alone.
                let had_connection = app.connections().close(&self.socket);
                if had_connection {
                    app.leave_everywhere(self.socket.connection(), now);
                }
            }
        }
    }

    /// Ends the connection with an ERROR: for good, unless it is one that a new token cures.
    fn fail(&self, error: ErrorInfo) -> Next {
        let end = if (40140..40150).contains(&error.code) { End::Lost } else { End::Closed };
        self.socket.send(Frame::ending(Action::Error, error));
        Next::End(end)
    }

    fn receive(&mut self, bytes: &[u8]) -> Next {
        if bytes.len() > FRAME_MAX {
            return self.fail(too_large(bytes.len(), FRAME_MAX));
        }
        let command = match Command::parse(self.socket.format(), bytes) {
            Ok(command) => command,
            Err(reason) => return self.fail(bad_request(format!("a frame cannot be read: {reason}"))),
        };
        if !self.heard_from {
            self.heard_from = true;
            self.authorised.app.connections().heard_from(&self.socket);
        }
        if self.socket.is_superseded() { self.obey_superseded(command) } else { self.obey(command, now()) }
    }

    /// Serves a socket whose connection another one has taken over: nothing it says has any effect.
    fn obey_superseded(&self, command: Command) -> Next {
        match command {
            Command::Heartbeat { id } => self.heartbeat(id),
            Command::Close => return self.close(),
            Command::Disconnect => return Next::End(End::Lost),
            Command::Publish { msg_serial: Some(msg_serial), .. }
            | Command::Presence { msg_serial: Some(msg_serial), .. }
            | Command::Refused { msg_serial, .. } => {
                let error = ErrorInfo::new(80003, 400, "the connection was resumed by another socket");
                self.socket.send(Frame::nack(msg_serial, error));
            }
            _ => {}
        }
        Next::GoOn
    }

    fn heartbeat(&self, id: Option<String>) {
        self.socket.send(Frame { id, ..Frame::new(Action::Heartbeat) });
    }

    fn close(&self) -> Next {
        self.socket.send(Frame::new(Action::Closed));
        Next::End(End::Closed)
    }

    fn obey(&mut self, command: Command, now: Millis) -> Next {
        match command {
            Command::Heartbeat { id } => self.heartbeat(id),
            Command::Close => return self.close(),
            Command::Disconnect => return Next::End(End::Lost),
            Command::Attach(attach) => {
                if let Err(error) = self.attach(&attach, now) {
                    self.socket.attached().remove(&attach.channel);
                    self.socket.send(Frame::channel_error(&attach.channel, error));
                }
            }
            Command::Detach { channel } => self.detach(&channel, now),
            Command::Sync { channel } => {
                if let Some(attached) = self.socket.attached().get(&channel) {
                    lock(attached).sync(&self.socket, &channel);
                }
            }
            Command::Publish { channel, msg_serial, messages, force_nack } => {
                self.answer(msg_serial, |session| {
                    if force_nack {
                        return Err(ErrorInfo::new(40099, 400, "the frame asked to be refused"));
                    }
                    session.publish(&channel, msg_serial, messages, now)
                });
            }
            Command::Presence { channel, msg_serial, presence } => {
                self.answer(msg_serial, |session| session.presence(&channel, msg_serial, presence, now));
            }
            Command::Refused { msg_serial, reason } => {
                self.socket.send(Frame::nack(msg_serial, bad_request(reason)));
            }
            Command::Auth { access_token } => return self.reauthorise(access_token, now),
            Command::Nothing => {}
        }
        Next::GoOn
    }

    /// Answers a frame that awaits it. One that was answered before, on a socket that was lost, gets the same answer again.
    fn answer(&self, msg_serial: Option<i64>, work: impl FnOnce(&Self) -> Answer) {
        let Some(msg_serial) = msg_serial else {
            // Nobody awaits an answer, be it a refusal.
            let _ = work(self);
            return;
        };
        let connection = self.socket.connection();
        let answer = connection.answered(msg_serial).unwrap_or_else(|| {
            let answer = work(self);
            connection.keep_answer(msg_serial, answer.clone());
            answer
        });
        self.socket.send(match answer {
            Ok(result) => Frame::ack(msg_serial, result),
            Err(error) => Frame::nack(msg_serial, error),
        });
    }

    fn attach(&self, attach: &Attach, now: Millis) -> Result<(), ErrorInfo> {
        let name = ChannelName::parse(&attach.channel)?;
        let mut attached = self.socket.attached();
        if !attached.contains_key(&attach.channel) && attached.len() >= CHANNELS_MAX {
            let message = format!("a connection may be attached to {CHANNELS_MAX} channels");
            return Err(ErrorInfo::new(90010, 400, message));
        }
        // Whoever supersedes this socket sets the mark before it takes the attachments away.
        if self.socket.is_superseded() {
            return Ok(());
        }
        let operations = self.authorised.operations_on(name.canonical());
        let channel = self.authorised.app.channel(name.canonical(), now)?;
        lock(&channel).attach(&self.socket, attach, &name, operations.as_ref(), now)?;
        attached.insert(attach.channel.clone(), channel);
        Ok(())
    }

    fn detach(&self, sent_name: &str, now: Millis) {
        if let Some(channel) = self.socket.attached().remove(sent_name) {
            lock(&channel).detach(&self.socket, sent_name, now);
        }
        self.socket.send(Frame::on(Action::Detached, sent_name));
    }

    /// The base of the ids of what a frame brings.
    fn base_id(&self, msg_serial: Option<i64>) -> String {
        match msg_serial {
            Some(msg_serial) => format!("{}:{msg_serial}", self.socket.connection().id()),
            None => random::text::<9>(),
        }
    }

    fn publish(
        &self,
        sent_name: &str,
        msg_serial: Option<i64>,
        messages: Vec<ably::Message>,
        now: Millis,
    ) -> Answer {
        let name = ChannelName::parse(sent_name)?;
        self.authorised.require(name.canonical(), Operation::Publish)?;
        let publisher = Publisher {
            client: &self.client,
            connection_id: Some(self.socket.connection().id()),
            base_id: &self.base_id(msg_serial),
        };
        let prepared = prepare(messages, &publisher)?;
        let channel = self.authorised.app.channel(name.canonical(), now)?;
        let mut channel = lock(&channel);
        channel.require_publish_mode(self.socket.id())?;
        Ok(PublishResult { serials: channel.publish(prepared, now).serials })
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
        let size = messages.iter().map(PresenceMessage::size).sum();
        if size > SIZE_MAX {
            return Err(too_large(size, SIZE_MAX));
        }
        for message in &mut messages {
            message.client_id = self.presence_client_id(message.client_id.take())?;
        }
        let channel = self.socket.attached().get(sent_name).cloned();
        let channel =
            channel.ok_or_else(|| ErrorInfo::new(90001, 404, "presence needs an attached channel"))?;
        self.socket.connection().note_presence(name.canonical());
        lock(&channel).presence(&self.socket, &self.base_id(msg_serial), messages, now)?;
        Ok(PublishResult { serials: Vec::new() })
    }

    /// Whom a presence message is about.
    fn presence_client_id(&self, sent: Option<String>) -> Result<Option<String>, ErrorInfo> {
        match self.client.stamp(sent)? {
            Some(client_id) if client_id != "*" => Ok(Some(client_id)),
            Some(_) => Err(foreign_client_id()),
            None => Err(ErrorInfo::new(91000, 400, "presence needs a clientId")),
        }
    }

    /// Takes new credentials for the connection, which keeps its id, its key and its identity.
    fn reauthorise(&mut self, access_token: Option<String>, now: Millis) -> Next {
        let Some(token) = access_token else {
            return self.fail(no_credentials());
        };
        let credentials = Credentials::Token(Secret::new(token));
        let authorised = match authorise(self.server.apps(), self.server.mint(), &credentials, now) {
            Ok(authorised) => authorised,
            // An expired token can be renewed once more; ably-js fails for good on anything else.
            Err(error) if error.code == 40142 => return self.fail(error),
            Err(error) => return self.fail(ErrorInfo { code: 40101, status_code: 401, ..error }),
        };
        let same_app = authorised.app.id() == self.authorised.app.id();
        let client = authorised.client.narrowed(self.asked_client_id.as_deref());
        if !same_app || client.as_ref() != Ok(&self.client) {
            return self.fail(crate::errors::incompatible_client_id());
        }
        self.authorised = authorised;
        self.plan_prompt(now);
        let key = self.authorised.app.connections().key_of(self.socket.connection().id());
        self.send_connected(key.unwrap_or_default(), None);
        self.socket.attached().retain(|sent_name, channel| {
            let name = ChannelName::parse(sent_name);
            let operations = name.ok().and_then(|name| self.authorised.operations_on(name.canonical()));
            lock(channel).reauthorise(&self.socket, sent_name, operations.as_ref(), now)
        });
        Next::GoOn
    }
}
