//! The life of one socket: connect, serve its frames, end.

use std::sync::Arc;
use std::time::Duration;

use ably::ErrorInfo;
use axum::extract::ws::{Message, WebSocket};
use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep_until};

use super::bounce::Bounce;
use super::ending::{Ending, Next};
use super::handshake::ConnectRequest;
use super::holding::{Holding, released};
use super::stranger::Stranger;
use super::writer::{close, write};
use crate::app::Opened;
use crate::auth::{Authorised, authorise};
use crate::clock::{Millis, now, wait};
use crate::credentials::{ClientIdentity, expired, no_credentials, revoked};
use crate::errors::{bad_request, incompatible_client_id, shutting_down, too_large};
use crate::faults::Refusal;
use crate::limits::Inflow;
use crate::mailbox::Queue;
use crate::protocol::STATE_TTL;
use crate::protocol::{Action, Command, ConnectionDetails, Frame, SharedFrame};
use crate::server::Server;
use crate::socket::Socket;
use crate::wire::Line;

/// The longest frame, in bytes.
pub(crate) const FRAME_MAX: usize = 524_288;
/// How long before its token expires a client is asked for another.
const PROMPT_BEFORE: Millis = 30_000;
/// How much longer than the interval of heartbeats a client may be silent before it counts as gone, twice over.
const SILENCE_MARGIN: Millis = 10_000;

/// How long a client that was told the end may still send, until it closes.
const LINGER: Duration = Duration::from_secs(2);

/// A session.
pub(super) struct Session {
    pub(super) server: Arc<Server>,
    pub(super) socket: Arc<Socket>,
    pub(super) authorised: Authorised,
    /// The identity of the connection, which never changes.
    pub(super) client: ClientIdentity,
    /// The `clientId` that the client asked for when it connected.
    pub(super) asked_client_id: Option<String>,
    idle: Millis,
    /// The PINGs, where the client asked for them.
    bounce: Option<Bounce>,
    prompt_at: Option<Millis>,
    /// When the token stops being good because it was revoked.
    revoked_at: Option<Millis>,
    /// Whether the socket has sent a frame.
    heard_from: bool,
    /// What limits the frames and messages that the socket sends.
    pub(super) inflow: Inflow,
    /// What a fault holds up.
    pub(super) holding: Option<Holding>,
    /// The answer to a ping that has just come.
    pub(super) pong: Option<Frame>,
}

/// Connects a socket, serves it, and cleans up after it.
pub(super) async fn run(
    server: Arc<Server>,
    websocket: WebSocket,
    line: Line,
    request: ConnectRequest,
    refusal: Option<Refusal>,
) {
    let (mut sink, mut stream) = websocket.split();
    // PINGs of our own come at each interval, so that the writer never has to break the silence.
    let idle = if request.bounce { 2 * request.idle } else { request.idle };
    let (format, shape) = (request.format, request.shape);
    let stranger = Stranger::of(&request);
    let opening = match refusal {
        Some(Refusal::Disconnected(error)) => Err(Frame::ending(Action::Disconnected, error)),
        Some(Refusal::Failed(error)) => Err(Frame::ending(Action::Error, error)),
        None | Some(Refusal::Reset | Refusal::Http(_)) => {
            open(&server, line, request).map_err(|error| Frame::ending(Action::Error, error))
        }
    };
    let (mut session, queue) = match opening {
        Ok(opened) => opened,
        Err(last) => {
            use futures_util::SinkExt;
            stranger.refused_by(&last, server.inspector());
            let frame = SharedFrame::from(last);
            // A client that is gone needs no answer.
            let _ = tokio::time::timeout(Duration::from_secs(2), async {
                sink.send(frame.encoded(format, shape)).await?;
                close(&mut sink).await
            })
            .await;
            return;
        }
    };
    let socket = Arc::clone(&session.socket);
    let heartbeat = wait(0, idle);
    let writer = server.tasks().spawn({
        let socket = Arc::clone(&socket);
        async move { write(socket.mailbox(), queue, sink, heartbeat).await }
    });
    let ending = session.serve(&mut stream).await;
    session.clean_up(ending.resumable);
    let linger = if ending.last.is_some() { LINGER } else { Duration::ZERO };
    if let Some(last) = ending.last {
        socket.send(last);
    }
    socket.mailbox().finish();
    // Of a client that still sends, unread bytes would make the end a TCP reset, which takes the last frame along.
    let heard_out = async {
        tokio::select! {
            () = async { while let Some(Ok(_)) = stream.next().await { consume_budget().await } } => {}
            () = socket.mailbox().cut().cancelled() => {}
        }
    };
    // The writer cannot panic; it ends when the queue does, or when the socket is cut.
    let _ = tokio::join!(writer, tokio::time::timeout(linger, heard_out));
}

/// A connection was counted, and no socket made for it.
pub(super) fn not_opened() -> ErrorInfo {
    ErrorInfo::new(50000, 500, "the connection could not be opened")
}

type Opening = Result<(Session, Queue), ErrorInfo>;

fn open(server: &Arc<Server>, line: Line, request: ConnectRequest) -> Opening {
    let format = request.format;
    let now = now();
    let credentials = request.credentials.as_ref().ok_or_else(no_credentials)?;
    let authorised = authorise(server, credentials, now)?;
    let client = authorised.client.narrowed(request.client_id.as_deref())?;
    if let Some(key) = &request.resume
        && server
            .apps()
            .all()
            .iter()
            .any(|app| app.id() != authorised.app.id() && app.connections().id_of(key).is_some())
    {
        return Err(incompatible_client_id());
    }
    let mut made = None;
    let app = &authorised.app;
    let resume = request.resume.as_deref();
    let resumes = resume.is_some_and(|key| app.connections().id_of(key).is_some());
    let open = || {
        app.connections().open(
            resume,
            &client,
            request.presence_ttl,
            |connection| {
                let (socket, queue) = Socket::new(connection, format, request.shape, request.echo);
                socket.runs_on(line);
                socket.mailbox().held_by(authorised.holder(client.shown()));
                socket.mailbox().trace().opened_by(request.agent, server.inspector(), now);
                socket.mailbox().limited_to(server.limits().outflow(now));
                made = Some((Arc::clone(&socket), queue));
                socket
            },
            now,
        )
    };
    let opened = server.connect(resumes, open, now)?;
    let Some((socket, queue)) = made else {
        return Err(not_opened());
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
        bounce: request.bounce.then(|| Bounce::new(wait(0, request.idle))),
        prompt_at: None,
        revoked_at: None,
        heard_from: false,
        inflow: server.limits().inflow(now),
        holding: None,
        pong: None,
    };
    session.plan_prompt(now);
    let Opened { key, not_resumed, .. } = opened;
    session.send_connected(key, not_resumed);
    Ok((session, queue))
}

impl Session {
    pub(super) fn send_connected(&self, connection_key: String, error: Option<ErrorInfo>) {
        self.socket.send(Frame {
            connection_id: Some(self.socket.connection().id().to_owned()),
            connection_details: Some(ConnectionDetails {
                connection_key,
                client_id: self.client.shown(),
                max_message_size: self.server.limits().message_size(),
                max_frame_size: FRAME_MAX,
                max_inbound_rate: self.server.limits().inbound_rate(),
                max_outbound_rate: self.server.limits().outbound_rate(),
                connection_state_ttl: STATE_TTL,
                max_idle_interval: self.idle,
                server_id: "local-ably".to_owned(),
            }),
            error,
            ..Frame::new(Action::Connected)
        });
    }

    /// Reads frames until the socket ends or is ended.
    async fn serve(&mut self, stream: &mut SplitStream<WebSocket>) -> Ending {
        let silence_max = wait(0, 2 * self.idle + SILENCE_MARGIN);
        let mut silent_until = Instant::now() + silence_max;
        let socket = Arc::clone(&self.socket);
        // Watched from before the first look, so that none is missed.
        let mut revocations = self.authorised.app.watch_revocations();
        self.look_for_revocations();
        loop {
            // One read from the socket may bring hundreds of frames: others have their turn between them.
            consume_budget().await;
            let due =
                self.due().map_or(silent_until, |at| silent_until.min(Instant::now() + wait(now(), at)));
            let due = self.bounce.as_ref().map_or(due, |bounce| due.min(bounce.next_at()));
            tokio::select! {
                received = stream.next() => {
                    silent_until = Instant::now() + silence_max;
                    let next = match received {
                        Some(Ok(Message::Text(text))) => self.receive(text.as_str().as_bytes()),
                        Some(Ok(Message::Binary(bytes))) => self.receive(&bytes),
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Next::Continue(()),
                        Some(Ok(Message::Close(_)) | Err(_)) | None => Next::Break(Ending::lost()),
                    };
                    if let Next::Break(ending) = next {
                        return ending;
                    }
                    self.send_pong().await;
                }
                () = sleep_until(due) => {
                    if Instant::now() >= silent_until || !self.bounce() {
                        socket.mailbox().cut().cancel();
                        return Ending::lost();
                    }
                    if let Next::Break(ending) = self.on_time(now()) {
                        return ending;
                    }
                }
                () = released(self.holding.as_ref()) => {
                    if let Next::Break(ending) = self.go_on(now()) {
                        return ending;
                    }
                }
                Ok(()) = revocations.changed() => self.look_for_revocations(),
                () = socket.mailbox().cut().cancelled() => return Ending::lost(),
                () = socket.mailbox().ended().cancelled() => return Ending::lost(),
                () = self.server.shutdown().cancelled() => {
                    return Ending::disconnected(shutting_down());
                }
            }
        }
    }

    /// Sends a PING if it is time to. False where the one before has no answer: the client is gone.
    fn bounce(&mut self) -> bool {
        let due = self.bounce.as_mut().filter(|bounce| bounce.next_at() <= Instant::now());
        let Some(bounce) = due else { return true };
        let ping = bounce.beat();
        let is_there = ping.is_some();
        if let Some(ping) = ping {
            self.socket.send(ping);
        }
        is_there
    }

    /// Takes a PONG.
    pub(super) fn bounced(&mut self, id: Option<&str>) {
        if let Some(bounce) = &mut self.bounce {
            bounce.answered(id);
        }
    }

    /// When time alone makes something happen next.
    fn due(&self) -> Option<Millis> {
        let expires = self.authorised.token.as_ref().map(|token| token.expires);
        [self.prompt_at, self.revoked_at, expires].into_iter().flatten().min()
    }

    /// Notes whether the token was revoked. A client that has time left to change it is asked to, once.
    fn look_for_revocations(&mut self) {
        let asked_before = self.revoked_at.is_some();
        self.heed_revocations();
        if !asked_before && self.revoked_at.is_some_and(|at| at > now()) {
            self.socket.send(Frame::new(Action::Auth));
        }
    }

    /// Notes whether the token was revoked, and from when on that counts.
    pub(super) fn heed_revocations(&mut self) {
        let token = self.authorised.token.as_ref();
        self.revoked_at = token.and_then(|token| self.authorised.app.revocations().apply_at(token));
    }

    /// Asks for another token in good time, unless this one lives too short for that.
    pub(super) fn plan_prompt(&mut self, now: Millis) {
        let prompt_at = self.authorised.token.as_ref().map(|token| token.expires - PROMPT_BEFORE);
        self.prompt_at = prompt_at.filter(|at| *at > now);
    }

    fn on_time(&mut self, now: Millis) -> Next {
        if self.prompt_at.is_some_and(|at| at <= now) {
            self.prompt_at = None;
            self.socket.send(Frame::new(Action::Auth));
        }
        if self.revoked_at.is_some_and(|at| at <= now) {
            return Next::Break(Ending::disconnected(revoked()));
        }
        if self.authorised.token.as_ref().is_some_and(|token| token.expires <= now) {
            return Next::Break(Ending::disconnected(expired()));
        }
        Next::Continue(())
    }

    /// What must be done when the socket is gone.
    fn clean_up(&self, resumable: bool) {
        let now = now();
        self.socket.drop_attachments(now);
        let app = &self.authorised.app;
        self.server.apps().note_use(app);
        if resumable {
            app.connections().lost(&self.socket, now);
        } else {
            // A socket that another has superseded closes itself alone.
            let had_connection = app.connections().close(&self.socket);
            if had_connection {
                app.leave_everywhere(self.socket.connection(), now);
            }
        }
    }

    fn receive(&mut self, bytes: &[u8]) -> Next {
        if bytes.len() > FRAME_MAX {
            return Next::Break(Ending::failed(too_large(bytes.len(), FRAME_MAX)));
        }
        self.socket.mailbox().trace().received();
        let command = match Command::parse(self.socket.mailbox().format(), bytes) {
            Ok(command) => command,
            Err(reason) => {
                let error = bad_request(format!("a frame cannot be read: {reason}"));
                return Next::Break(Ending::failed(error));
            }
        };
        if let Err(error) = self.inflow.frame(&command, now()) {
            return Next::Break(Ending::failed(error));
        }
        if !self.heard_from {
            self.heard_from = true;
            self.authorised.app.connections().heard_from(&self.socket);
        }
        if self.socket.is_superseded() {
            return self.obey_superseded(command);
        }
        match self.hold_back(command, bytes.len()) {
            Some(command) => self.obey(command, now()),
            None => Next::Continue(()),
        }
    }
}
