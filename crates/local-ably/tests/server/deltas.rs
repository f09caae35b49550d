use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::{BOTH, Format, KEY, Server, Socket};

/// The action MESSAGE.
const MESSAGE: u64 = 15;

/// Data of 60 bytes, in which little changes with the number.
fn data(number: usize) -> String {
    format!(r#"{{"latitude":52.3731,"longitude":4.8922,"speed":13,"n":{number}}}"#)
}

fn steps(message: &Value) -> &str {
    message["encoding"].as_str().unwrap_or_default()
}

fn is_delta(message: &Value) -> bool {
    steps(message).contains("vcdiff")
}

/// Messages as they came, whole or not.
fn kinds(messages: &[Value]) -> Vec<bool> {
    messages.iter().map(is_delta).collect()
}

/// Decodes what an attachment with deltas is sent, as a client does.
#[derive(Default)]
struct Decoder {
    id: Value,
    base: Vec<u8>,
}

impl Decoder {
    /// The bytes of a message; a delta is against the message before it.
    fn decode(&mut self, message: &Value) -> Vec<u8> {
        let bytes = match &message["data"] {
            Value::String(text) if steps(message).ends_with("base64") => STANDARD.decode(text).unwrap(),
            Value::String(text) => text.clone().into_bytes(),
            bytes => STANDARD.decode(bytes["$bin"].as_str().unwrap()).unwrap(),
        };
        self.base = if is_delta(message) {
            assert_eq!(message["extras"]["delta"], json!({"from": self.id, "format": "vcdiff"}));
            let mut target = Vec::new();
            let base = &mut Cursor::new(self.base.as_slice());
            vcdiff_decoder::apply_patch(&mut Cursor::new(bytes.as_slice()), Some(base), &mut target).unwrap();
            target
        } else {
            assert!(message["extras"]["delta"].is_null(), "{message}");
            bytes
        };
        self.id = message["id"].clone();
        self.base.clone()
    }

    fn text(&mut self, message: &Value) -> String {
        String::from_utf8(self.decode(message)).unwrap()
    }
}

async fn with_deltas(server: &Server, format: Format, channel: &str) -> Socket {
    let (mut socket, _) = server.connect(format).await;
    let attached = attach(&mut socket, json!({"channel": channel})).await;
    assert_eq!(attached["params"], json!({"delta": "vcdiff"}));
    socket
}

async fn attach(socket: &mut Socket, mut frame: Value) -> Value {
    frame["params"]["delta"] = "vcdiff".into();
    socket.attach_with(frame).await
}

/// The messages of the next frames, until there are so many.
async fn messages(socket: &mut Socket, count: usize) -> Vec<Value> {
    let mut all = Vec::new();
    while all.len() < count {
        all.extend(socket.expect(MESSAGE).await["messages"].as_array().unwrap().clone());
    }
    all
}

#[tokio::test]
async fn from_its_second_message_on_an_attachment_with_delta_is_sent_deltas() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let mut socket = with_deltas(&server, format, channel).await;
        let (mut plain, _) = server.connect(format).await;
        plain.attach(channel).await;
        for number in 0..3 {
            server.publish(channel, &json!({"name": "n", "data": data(number), "encoding": "json"})).await;
        }
        let sent = messages(&mut socket, 3).await;
        assert_eq!(kinds(&sent), [false, true, true]);
        let base64 = if format == Format::Json { "/base64" } else { "" };
        assert_eq!(steps(&sent[1]), format!("json/utf-8/vcdiff{base64}"));
        let whole = messages(&mut plain, 3).await;
        let mut decoder = Decoder::default();
        for (number, (sent, whole)) in sent.iter().zip(&whole).enumerate() {
            assert_eq!(decoder.text(sent), data(number));
            assert_eq!((&whole["data"], &whole["encoding"]), (&json!(data(number)), &json!("json")));
            for same in ["id", "name", "serial", "timestamp", "action", "version"] {
                assert_eq!(sent[same], whole[same], "{same}");
            }
        }
        let (_, history) = server.get(&format!("/channels/{channel}/messages?direction=forwards")).await;
        assert_eq!(kinds(history.as_array().unwrap()), [false; 3], "the history is whole");
    }
}

#[tokio::test]
async fn the_messages_of_an_array_are_each_a_delta_against_the_one_before() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let mut socket = with_deltas(&server, format, channel).await;
        let array = |from: usize| Value::from_iter((from..from + 3).map(|n| json!({"data": data(n)})));
        server.publish(channel, &array(0)).await;
        server.publish(channel, &array(3)).await;
        let sent = messages(&mut socket, 6).await;
        assert_eq!(kinds(&sent), [false, true, true, true, true, true]);
        let mut decoder = Decoder::default();
        for (number, message) in sent.iter().enumerate() {
            assert_eq!(decoder.text(message), data(number));
        }
    }
}

#[tokio::test]
async fn text_and_bytes_are_deltas_against_each_other_and_what_is_not_shorter_comes_whole() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let mut socket = with_deltas(&server, format, channel).await;
        let bytes = STANDARD.encode(data(1));
        for body in [
            json!({"data": data(0)}),
            json!({"data": bytes, "encoding": "base64"}),
            json!({"data": data(2)}),
            json!({"data": "short"}),
            json!({"name": "nothing"}),
            json!({"data": data(3)}),
            json!({"data": bytes, "encoding": "utf-8/cipher+aes-128-cbc/base64"}),
            json!({"data": data(4)}),
            json!({"data": data(5)}),
        ] {
            server.publish(channel, &body).await;
        }
        let sent = messages(&mut socket, 9).await;
        assert_eq!(kinds(&sent), [false, true, true, false, false, false, false, false, true]);
        let base64 = if format == Format::Json { "/base64" } else { "" };
        assert_eq!(steps(&sent[1]), format!("vcdiff{base64}"));
        assert_eq!(steps(&sent[2]), format!("utf-8/vcdiff{base64}"));
        let mut decoder = Decoder::default();
        for (place, number) in [(0, 0), (1, 1), (2, 2), (7, 4), (8, 5)] {
            assert_eq!(decoder.text(&sent[place]), data(number));
        }
    }
}

#[tokio::test]
async fn what_a_client_asks_again_for_in_place_comes_whole_and_then_in_deltas() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let mut socket = with_deltas(&server, format, channel).await;
        for number in 0..4 {
            server.publish(channel, &json!({"data": data(number)})).await;
        }
        let mut serials = Vec::new();
        for _ in 0..4 {
            serials.push(socket.expect(MESSAGE).await["channelSerial"].clone());
        }
        let again = json!({"channel": channel, "channelSerial": serials[0]});
        let attached = attach(&mut socket, again).await;
        assert_eq!(attached["flags"].as_u64().unwrap() & 0b110, 0b110, "RESUMED and HAS_BACKLOG");
        server.publish(channel, &json!({"data": data(4)})).await;
        let sent = messages(&mut socket, 4).await;
        assert_eq!(kinds(&sent), [false, true, true, true]);
        let mut decoder = Decoder::default();
        for (number, message) in sent.iter().enumerate() {
            assert_eq!(decoder.text(message), data(number + 1));
        }
        let unreadable = json!({"channel": channel, "channelSerial": "nonsense"});
        let attached = attach(&mut socket, unreadable).await;
        assert_eq!(attached["error"]["code"], 90003);
        assert_eq!(attached["flags"].as_u64().unwrap() & 0b100, 0, "not RESUMED");
        server.publish(channel, &json!({"data": data(5)})).await;
        assert_eq!(kinds(&messages(&mut socket, 1).await), [false]);
    }
}

#[tokio::test]
async fn without_delta_an_attach_in_place_brings_nothing_again() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect(Format::Json).await;
    let serial = socket.attach("a").await["channelSerial"].clone();
    server.publish("a", &json!({"data": data(0)})).await;
    socket.expect(MESSAGE).await;
    let attached = attach(&mut socket, json!({"channel": "a", "channelSerial": serial})).await;
    assert_eq!(attached["flags"].as_u64().unwrap() & 0b110, 0b100, "RESUMED alone");
    server.publish("a", &json!({"data": data(1)})).await;
    server.publish("a", &json!({"data": data(2)})).await;
    assert_eq!(kinds(&messages(&mut socket, 2).await), [false, true], "deltas from now on");
    socket.attach("a").await;
    server.publish("a", &json!({"data": data(3)})).await;
    server.publish("a", &json!({"data": data(4)})).await;
    assert_eq!(kinds(&messages(&mut socket, 2).await), [false, false], "and no more");
}

#[tokio::test]
async fn the_first_message_of_a_rewind_and_of_a_new_socket_is_whole() {
    let server = Server::start().await;
    for number in 0..3 {
        server.publish("a", &json!({"data": data(number)})).await;
    }
    let (mut socket, _) = server.connect(Format::Json).await;
    let attached = attach(&mut socket, json!({"channel": "a", "params": {"rewind": "2"}})).await;
    assert_eq!(attached["params"], json!({"delta": "vcdiff", "rewind": "2"}));
    server.publish("a", &json!({"data": data(3)})).await;
    let sent = messages(&mut socket, 3).await;
    assert_eq!(kinds(&sent), [false, true, true]);
    let mut decoder = Decoder::default();
    for (place, message) in sent.iter().enumerate() {
        assert_eq!(decoder.text(message), data(place + 1));
    }
    let mut by_name = server.connect(Format::Json).await.0;
    by_name.attach("[?delta=vcdiff&rewind=2]a").await;
    assert_eq!(kinds(&messages(&mut by_name, 2).await), [false, true], "the name may ask for it too");

    let (mut other, _) = server.connect(Format::Json).await;
    attach(&mut other, json!({"channel": "a", "channelSerial": attached["channelSerial"]})).await;
    server.publish("a", &json!({"data": data(4)})).await;
    assert_eq!(kinds(&messages(&mut other, 2).await), [false, true]);
}

#[tokio::test]
async fn who_does_not_hear_itself_gets_deltas_against_what_it_heard() {
    let server = Server::start().await;
    let query = format!("key={KEY}&echo=false");
    let (mut socket, _) = server.connect_with(Format::Json, &query).await;
    attach(&mut socket, json!({"channel": "a"})).await;
    let mut other = with_deltas(&server, Format::Json, "a").await;
    server.publish("a", &json!({"data": data(0)})).await;
    let mut decoder = Decoder::default();
    assert_eq!(decoder.text(&messages(&mut socket, 1).await[0]), data(0));
    socket.publish("a", 0, json!({"data": data(1)})).await;
    server.publish("a", &json!({"data": data(2)})).await;
    let sent = messages(&mut socket, 1).await;
    assert_eq!(kinds(&sent), [true]);
    assert_eq!(decoder.text(&sent[0]), data(2));
    let mut decoder = Decoder::default();
    for (number, message) in messages(&mut other, 3).await.iter().enumerate() {
        assert_eq!(decoder.text(message), data(number));
    }
}

#[tokio::test]
async fn news_of_the_occupancy_is_no_base_for_a_delta() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect(Format::Json).await;
    attach(&mut socket, json!({"channel": "a", "params": {"occupancy": "metrics"}})).await;
    server.publish("a", &json!({"data": data(0)})).await;
    server.publish("a", &json!({"data": data(1)})).await;
    let sent = messages(&mut socket, 3).await;
    assert_eq!(sent[0]["name"], "[meta]occupancy");
    assert_eq!(kinds(&sent), [false, false, true]);
    let (mut member, _) = server.connect(Format::Json).await;
    member.attach("a").await;
    member.presence("a", 0, json!({"action": 2, "clientId": "c"})).await;
    while socket.receive().await["messages"][0]["name"] != "[meta]occupancy" {}
    server.publish("a", &json!({"data": data(2)})).await;
    let whole = loop {
        let frame = socket.receive().await;
        if frame["action"] == MESSAGE && frame["messages"][0]["name"].is_null() {
            break frame;
        }
    };
    assert_eq!(kinds(whole["messages"].as_array().unwrap()), [false]);
}
