//! Whatever several clients send in whichever order: each frame that awaits an answer gets one, in order; what was published
//! reaches whoever is attached once, in one order for all; and the members are those who entered.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::harness::{BOTH, Format, KEY, Server, Socket, jwt};

const CHANNELS: usize = 2;
const RESUMED: u64 = 1 << 2;

/// Who takes part, by their index: with the key, and with two tokens that allow less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Anybody,
    /// May only subscribe on the first channel, and everything on the second.
    Reader,
    /// May publish and be present everywhere, and subscribe nowhere.
    Writer,
}

const EVERYBODY: [Who; 3] = [Who::Anybody, Who::Reader, Who::Writer];

impl Who {
    fn may(self, operation: &str, channel: usize) -> bool {
        match self {
            Self::Anybody => true,
            Self::Reader => channel == 1 || operation == "subscribe",
            Self::Writer => operation != "subscribe",
        }
    }

    /// Whether it may act as this client.
    fn may_be(self, client_id: &str) -> bool {
        match self {
            Self::Anybody => true,
            Self::Reader => client_id == "reader",
            Self::Writer => client_id == "writer",
        }
    }

    fn query(self, names: &[String]) -> String {
        let token = |client_id: &str, capability: Value| {
            let claims = json!({"x-ably-clientId": client_id, "x-ably-capability": capability.to_string()});
            format!("access_token={}", jwt(KEY, &claims))
        };
        match self {
            Self::Anybody => format!("key={KEY}"),
            Self::Reader => token("reader", json!({&names[0]: ["subscribe"], &names[1]: ["*"]})),
            Self::Writer => token("writer", json!({"*": ["publish", "presence"]})),
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// With these modes, or with those that there are without any.
    Attach(usize, Option<&'static str>),
    Detach(usize),
    /// So many messages, or one with an id that others may use too.
    Publish(usize, Result<usize, u8>),
    /// An action, about a client.
    Presence(usize, u8, &'static str),
    /// Something that is refused, or that asks for nothing.
    Odd(usize, u8),
    /// The socket is lost, where there is one, else there is another.
    LoseOrResume,
}

fn step() -> impl Strategy<Value = (usize, Step)> {
    let modes = prop_oneof![
        2 => Just(None),
        1 => select(vec!["subscribe", "publish,presence", "subscribe,presence,presence_subscribe"]).prop_map(Some),
    ];
    let count = prop_oneof![3 => (1..4usize).prop_map(Ok), 1 => (0..3u8).prop_map(Err)];
    let client = select(vec!["reader", "writer", "x", "y"]);
    let step = prop_oneof![
        4 => (0..CHANNELS, modes).prop_map(|(channel, modes)| Step::Attach(channel, modes)),
        2 => (0..CHANNELS).prop_map(Step::Detach),
        6 => (0..CHANNELS, count).prop_map(|(channel, count)| Step::Publish(channel, count)),
        5 => (0..CHANNELS, 1..5u8, client).prop_map(|(channel, action, client)| Step::Presence(channel, action, client)),
        2 => (0..CHANNELS, 0..6u8).prop_map(|(channel, kind)| Step::Odd(channel, kind)),
        2 => Just(Step::LoseOrResume),
    ];
    (0..EVERYBODY.len(), step)
}

/// A client, what it has sent and received, and what is to come of it.
struct Client<'a> {
    server: &'a Server,
    who: Who,
    format: Format,
    query: String,
    names: &'a [String],
    socket: Option<Socket>,
    connection: Value,
    /// What has come, over all sockets.
    received: Vec<Value>,
    msg_serial: u64,
    /// For each frame that awaits an answer, whether it is ACK.
    answers: Vec<bool>,
    /// The ids of the messages that are to be acknowledged, by channel.
    published: Vec<BTreeSet<String>>,
    /// The modes asked for, where it is attached.
    attached: Vec<Option<Option<&'static str>>>,
    members: Vec<BTreeSet<String>>,
}

impl<'a> Client<'a> {
    async fn connect(server: &'a Server, who: Who, format: Format, names: &'a [String]) -> Self {
        let query = who.query(names);
        let (socket, connected) = server.connect_with(format, &query).await;
        Self {
            server,
            who,
            format,
            query,
            names,
            socket: Some(socket),
            connection: connected,
            received: Vec::new(),
            msg_serial: 0,
            answers: Vec::new(),
            published: vec![BTreeSet::new(); CHANNELS],
            attached: vec![None; CHANNELS],
            members: vec![BTreeSet::new(); CHANNELS],
        }
    }

    fn id(&self) -> &str {
        self.connection["connectionId"].as_str().unwrap()
    }

    async fn send(&mut self, frame: Value) {
        self.socket.as_mut().unwrap().send(frame).await;
    }

    /// Sends a frame that awaits an answer.
    async fn ask(&mut self, mut frame: Value, is_fine: bool) {
        frame["msgSerial"] = self.msg_serial.into();
        self.msg_serial += 1;
        self.answers.push(is_fine);
        self.send(frame).await;
    }

    /// Whether it asked for a mode when it attached, if it is attached.
    fn asked_for(&self, channel: usize, mode: &str) -> Option<bool> {
        self.attached[channel].map(|modes| modes.is_none_or(|modes| modes.split(',').any(|one| one == mode)))
    }

    async fn take(&mut self, step: &Step) {
        if self.socket.is_none() {
            // Whoever is away comes back first, whatever there is to do.
            return self.resume().await;
        }
        match *step {
            Step::Attach(channel, modes) => {
                let params = modes.map_or(json!({}), |modes| json!({"modes": modes}));
                self.send(json!({"action": 10, "channel": self.names[channel], "params": params})).await;
                self.attached[channel] = Some(modes);
                let any = ["subscribe", "publish", "presence"].into_iter().any(|operation| {
                    self.asked_for(channel, operation) == Some(true) && self.who.may(operation, channel)
                });
                if !any {
                    self.attached[channel] = None;
                    self.members[channel].clear();
                }
            }
            Step::Detach(channel) => {
                self.send(json!({"action": 12, "channel": self.names[channel]})).await;
                self.attached[channel] = None;
                self.members[channel].clear();
            }
            Step::Publish(channel, count) => {
                let is_fine =
                    self.who.may("publish", channel) && self.asked_for(channel, "publish").unwrap_or(true);
                let ids: Vec<String> = match count {
                    Ok(count) => {
                        (0..count).map(|index| format!("{}:{}:{index}", self.id(), self.msg_serial)).collect()
                    }
                    Err(shared) => vec![format!("shared-{shared}")],
                };
                let message =
                    |id: &String| if count.is_err() { json!({"id": id}) } else { json!({"data": id}) };
                let messages: Vec<_> = ids.iter().map(message).collect();
                let frame = json!({"action": 15, "channel": self.names[channel], "messages": messages});
                self.ask(frame, is_fine).await;
                if is_fine {
                    self.published[channel].extend(ids);
                }
            }
            Step::Presence(channel, action, client_id) => {
                let is_fine = self.who.may("presence", channel)
                    && self.asked_for(channel, "presence") == Some(true)
                    && self.who.may_be(client_id);
                let member = json!({"action": action, "clientId": client_id, "data": "x"});
                let frame = json!({"action": 14, "channel": self.names[channel], "presence": [member]});
                self.ask(frame, is_fine).await;
                if is_fine && action == 3 {
                    self.members[channel].remove(client_id);
                } else if is_fine {
                    self.members[channel].insert(client_id.to_owned());
                }
            }
            Step::Odd(channel, kind) => {
                let channel = &self.names[channel];
                match kind {
                    0 => self.send(json!({"action": 77, "channel": channel})).await,
                    1 => self.send(json!({"action": 16, "channel": channel})).await,
                    2 => {
                        self.ask(json!({"action": 15, "channel": channel, "messages": [{"name": 7}]}), false)
                            .await
                    }
                    3 => self.ask(json!({"action": 15, "channel": channel, "messages": []}), false).await,
                    4 => self.ask(json!({"action": 19, "channel": channel, "state": []}), false).await,
                    _ => self.ask(json!({"action": 14, "channel": ",", "presence": []}), false).await,
                }
            }
            Step::LoseOrResume => {
                self.catch_up().await;
                self.socket.take().unwrap().lose();
            }
        }
    }

    /// Receives all that was sent to it by now.
    async fn catch_up(&mut self) {
        let socket = self.socket.as_mut().unwrap();
        let id = format!("ping-{}", self.received.len());
        socket.send(json!({"action": 0, "id": id})).await;
        loop {
            let frame = socket.receive().await;
            if frame["action"] == 0 && frame["id"] == id.as_str() {
                return;
            }
            self.received.push(frame);
        }
    }

    async fn resume(&mut self) {
        let key = self.connection["connectionDetails"]["connectionKey"].as_str().unwrap();
        let query = format!("{}&resume={key}", self.query);
        let (socket, connected) = self.server.connect_with(self.format, &query).await;
        assert_eq!(connected["connectionId"], self.connection["connectionId"], "{connected}");
        assert!(connected["error"].is_null(), "{connected}");
        (self.socket, self.connection) = (Some(socket), connected.clone());
        self.received.push(connected);
        for channel in 0..CHANNELS {
            let Some(modes) = self.attached[channel] else { continue };
            let name = &self.names[channel];
            let of_it = |frame: &&Value| frame["channel"] == name.as_str() && frame["action"] != 16;
            let mut serials =
                self.received.iter().filter(of_it).filter_map(|frame| frame["channelSerial"].as_str());
            let mut frame =
                json!({"action": 10, "channel": name, "channelSerial": serials.next_back().unwrap()});
            if let Some(modes) = modes {
                frame["params"] = json!({"modes": modes});
            }
            self.send(frame).await;
        }
    }

    /// Each frame that awaits an answer has one, in their order.
    fn check_answers(&self) {
        let answers = self.received.iter().filter(|frame| frame["action"] == 1 || frame["action"] == 2);
        let answers: Vec<_> =
            answers.map(|frame| (frame["msgSerial"].clone(), frame["action"] == 1)).collect();
        let expected: Vec<_> =
            self.answers.iter().enumerate().map(|(serial, is_fine)| (json!(serial), *is_fine)).collect();
        assert_eq!(answers, expected, "{:?}", self.who);
    }

    /// What came while it was attached is all that was published meanwhile, once and in order.
    fn check_messages(&self, channel: usize, published: &[(String, Vec<String>)]) {
        let who = self.who;
        // What comes next, where it subscribes.
        let mut next = None;
        let mut lost_at = None;
        for frame in &self.received {
            let is_of_it = frame["channel"] == self.names[channel].as_str();
            match frame["action"].as_u64().unwrap() {
                // Another socket.
                4 => lost_at = next.take(),
                11 if is_of_it => {
                    let flags = frame["flags"].as_u64().unwrap();
                    let serial = frame["channelSerial"].as_str().unwrap();
                    let from = published.iter().take_while(|(of, _)| of.as_str() <= serial).count();
                    if let Some(next) = next {
                        assert_eq!((next, flags & RESUMED), (from, RESUMED), "{who:?}, in place: {frame}");
                    }
                    let from =
                        lost_at.take().inspect(|_| assert_ne!(flags & RESUMED, 0, "{frame}")).unwrap_or(from);
                    next = (flags & (1 << 18) != 0).then_some(from);
                }
                13 | 9 if is_of_it => (next, lost_at) = (None, None),
                15 if is_of_it => {
                    let index = next.unwrap_or_else(|| panic!("{who:?} does not subscribe: {frame}"));
                    let (serial, ids) = &published[index];
                    assert_eq!(
                        (frame["channelSerial"].as_str(), &ids_of(frame)),
                        (Some(serial.as_str()), ids)
                    );
                    next = Some(index + 1);
                }
                _ => {}
            }
        }
        if let Some(next) = next {
            assert_eq!(next, published.len(), "{who:?} has missed something");
        }
        let subscribes = self.asked_for(channel, "subscribe") == Some(true) && who.may("subscribe", channel);
        assert_eq!(next.is_some(), subscribes, "{who:?}");
    }
}

fn ids_of(frame: &Value) -> Vec<String> {
    let messages = frame["messages"].as_array().unwrap();
    messages.iter().map(|message| message["id"].as_str().unwrap().to_owned()).collect()
}

/// The members of a channel by what its subscriber was told.
fn members_told(frames: &[Value], channel: &str) -> BTreeSet<(String, String)> {
    let mut members = BTreeSet::new();
    for frame in frames.iter().filter(|frame| frame["channel"] == channel) {
        for event in frame["presence"].as_array().into_iter().flatten() {
            let text = |name: &str| event[name].as_str().unwrap().to_owned();
            let key = (text("connectionId"), text("clientId"));
            match event["action"].as_u64() {
                Some(3) => assert!(members.remove(&key), "nobody was there to leave: {frame}"),
                _ => _ = members.insert(key),
            }
        }
    }
    members
}

async fn play(server: &Server, formats: [Format; 3], steps: &[(usize, Step)]) {
    static GAMES: AtomicUsize = AtomicUsize::new(0);
    let game = GAMES.fetch_add(1, Ordering::Relaxed);
    let names: Vec<_> = (0..CHANNELS).map(|channel| format!("any-{game}-{channel}")).collect();
    let mut observer = Client::connect(server, Who::Anybody, Format::Json, &names).await;
    for channel in 0..CHANNELS {
        observer.take(&Step::Attach(channel, None)).await;
    }
    observer.catch_up().await;
    let mut clients = Vec::new();
    for (who, format) in EVERYBODY.into_iter().zip(formats) {
        clients.push(Client::connect(server, who, format, &names).await);
    }
    for (index, step) in steps {
        clients[*index].take(step).await;
    }
    for client in &mut clients {
        if client.socket.is_none() {
            client.resume().await;
        }
    }
    // Once all have had their answers nothing is on its way any more, but to those who were asked first.
    for _ in 0..2 {
        for client in &mut clients {
            client.catch_up().await;
        }
    }
    observer.catch_up().await;

    for client in &clients {
        client.check_answers();
    }
    for (channel, name) in names.iter().enumerate() {
        let of_it = |frame: &&Value| frame["action"] == 15 && frame["channel"] == name.as_str();
        let published: Vec<_> = observer
            .received
            .iter()
            .filter(of_it)
            .map(|frame| (frame["channelSerial"].as_str().unwrap().to_owned(), ids_of(frame)))
            .collect();
        assert!(published.is_sorted_by(|(one, _), (other, _)| one < other));
        let ids: Vec<_> = published.iter().flat_map(|(_, ids)| ids).collect();
        let expected: BTreeSet<_> = clients.iter().flat_map(|client| &client.published[channel]).collect();
        assert_eq!(ids.len(), expected.len(), "each once");
        assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), expected);
        for client in &clients {
            client.check_messages(channel, &published);
        }
        let of_client = |client: &Client<'_>| {
            let id = client.id().to_owned();
            client.members[channel].iter().map(move |member| (id.clone(), member.clone())).collect::<Vec<_>>()
        };
        let expected: BTreeSet<_> = clients.iter().flat_map(of_client).collect();
        assert_eq!(members_told(&observer.received, name), expected, "as the observer was told");
        let (_, present) = server.get(&format!("/channels/{name}/presence")).await;
        let text = |member: &Value, name: &str| member[name].as_str().unwrap().to_owned();
        let present = present.as_array().unwrap().iter();
        let present = present.map(|member| (text(member, "connectionId"), text(member, "clientId")));
        assert_eq!(present.collect::<BTreeSet<_>>(), expected, "as REST tells it");
    }
}

/// `PROPTEST_CASES` has it played more often.
#[test]
fn whatever_is_sent_is_answered_in_order_delivered_once_and_remembered_of_members() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 40;
    }
    let formats = [select(BOTH.to_vec()), select(BOTH.to_vec()), select(BOTH.to_vec())];
    proptest!(config, |(formats in formats, steps in prop::collection::vec(step(), 1..60))| {
        runtime.block_on(play(&server, formats, &steps));
    });
}
