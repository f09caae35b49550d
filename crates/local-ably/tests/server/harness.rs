//! A server of one's own for each test, and clients that speak the wire's own language.

mod socket;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ably::{Capability, Key};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use local_ably::{KeyOptions, NamespaceOptions, Options, Running, serve};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::connect_async;

pub(crate) use socket::Socket;

/// A key that may do everything.
pub(crate) const KEY: &str = "AbCdEf.root:secret0123456789";
/// A key of the same app that may do little.
pub(crate) const SMALL_KEY: &str = "AbCdEf.small:another0123456789";
/// What the small key may do.
pub(crate) const SMALL_CAPABILITY: &str =
    r#"{"news":["subscribe"],"talk:*":["publish","subscribe","presence"]}"#;
/// A key of the same app that may do everything, and whose tokens can be revoked.
pub(crate) const REVOCABLE_KEY: &str = "AbCdEf.revocable:fourth0123456789";
/// A key of another app.
pub(crate) const OTHER_KEY: &str = "GhIjKl.root:third0123456789";

/// How long anything may take that is awaited.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Msgpack,
}

pub(crate) const BOTH: [Format; 2] = [Format::Json, Format::Msgpack];

impl Format {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Msgpack => "msgpack",
        }
    }

    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Msgpack => "application/x-msgpack",
        }
    }

    pub(crate) fn write(self, value: &Value) -> Vec<u8> {
        match self {
            Self::Json => value.to_string().into_bytes(),
            Self::Msgpack => {
                let mut bytes = Vec::new();
                rmpv::encode::write_value(&mut bytes, &to_msgpack(value)).unwrap();
                bytes
            }
        }
    }

    pub(crate) fn read(self, mut bytes: &[u8]) -> Value {
        match self {
            Self::Json => serde_json::from_slice(bytes).unwrap(),
            Self::Msgpack => {
                let value = rmpv::decode::read_value(&mut bytes).unwrap();
                assert!(bytes.is_empty(), "bytes after the value");
                from_msgpack(&value)
            }
        }
    }
}

/// Bytes, in the values that tests read and write: MessagePack has them, JSON has not.
pub(crate) fn bin(bytes: &[u8]) -> Value {
    json!({"$bin": STANDARD.encode(bytes)})
}

fn to_msgpack(value: &Value) -> rmpv::Value {
    match value {
        Value::Object(map) if map.contains_key("$bin") => {
            rmpv::Value::Binary(STANDARD.decode(map["$bin"].as_str().unwrap()).unwrap())
        }
        Value::Object(map) => rmpv::Value::Map(
            map.iter().map(|(key, value)| (key.as_str().into(), to_msgpack(value))).collect(),
        ),
        Value::Array(items) => rmpv::Value::Array(items.iter().map(to_msgpack).collect()),
        Value::String(text) => text.as_str().into(),
        Value::Bool(value) => (*value).into(),
        Value::Null => rmpv::Value::Nil,
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into(),
            (_, Some(number)) => number.into(),
            _ => number.as_f64().unwrap().into(),
        },
    }
}

fn from_msgpack(value: &rmpv::Value) -> Value {
    match value {
        rmpv::Value::Binary(bytes) => bin(bytes),
        rmpv::Value::Map(entries) => entries
            .iter()
            .map(|(key, value)| (key.as_str().unwrap().to_owned(), from_msgpack(value)))
            .collect(),
        rmpv::Value::Array(items) => items.iter().map(from_msgpack).collect(),
        rmpv::Value::String(text) => text.as_str().unwrap().into(),
        rmpv::Value::Boolean(value) => (*value).into(),
        rmpv::Value::Integer(number) => number.as_i64().unwrap().into(),
        rmpv::Value::F64(number) => (*number).into(),
        rmpv::Value::Nil => Value::Null,
        other => panic!("{other:?}"),
    }
}

/// The present moment, Unix milliseconds.
pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Does all of these at once, so that no limit a second has time to be lifted in between.
pub(crate) async fn at_once<T: Send + 'static>(
    all: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    all.collect::<JoinSet<T>>().join_all().await
}

/// A server for one test.
pub(crate) struct Server {
    running: Running,
    http: reqwest::Client,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let small = KeyOptions {
            key: Key::parse(SMALL_KEY).unwrap(),
            capability: Capability::parse(SMALL_CAPABILITY).unwrap(),
            revocable_tokens: false,
        };
        let all = |key| KeyOptions::unrestricted(Key::parse(key).unwrap());
        let revocable = KeyOptions { revocable_tokens: true, ..all(REVOCABLE_KEY) };
        let keys = vec![all(KEY), small, revocable, all(OTHER_KEY)];
        let persisted =
            NamespaceOptions { id: "persisted".into(), persisted: true, ..NamespaceOptions::default() };
        let mutable =
            NamespaceOptions { id: "mutable".into(), mutable_messages: true, ..NamespaceOptions::default() };
        let namespaces = vec![persisted, mutable];
        let running = serve(listener, Options { keys, namespaces, ..options }).await.unwrap();
        Self { running, http: reqwest::Client::new() }
    }

    pub(crate) fn url(&self) -> String {
        self.running.url()
    }

    pub(crate) fn port(&self) -> u16 {
        self.running.address().port()
    }

    pub(crate) async fn shutdown(self) {
        timeout(PATIENCE, self.running.shutdown()).await.unwrap().unwrap();
    }

    /// Opens a socket with a query.
    pub(crate) async fn open(&self, format: Format, query: &str) -> Socket {
        let url = format!("ws://{}/?v=6&format={}&{query}", self.running.address(), format.name());
        let (stream, response) = connect_async(url).await.unwrap();
        assert_eq!(response.status(), 101);
        Socket { format, stream }
    }

    /// Connects by the key that may do everything. Answers the socket and CONNECTED.
    pub(crate) async fn connect(&self, format: Format) -> (Socket, Value) {
        self.connect_with(format, &format!("key={KEY}")).await
    }

    pub(crate) async fn connect_with(&self, format: Format, query: &str) -> (Socket, Value) {
        let mut socket = self.open(format, query).await;
        let connected = socket.receive().await;
        assert_eq!(connected["action"], 4, "{connected}");
        (socket, connected)
    }

    /// Connects with a JWT of a capability.
    pub(crate) async fn connect_able(&self, format: Format, capability: &Value) -> (Socket, Value) {
        let token = jwt(KEY, &json!({"x-ably-capability": capability.to_string()}));
        self.connect_with(format, &format!("access_token={token}")).await
    }

    /// A request by the key that may do everything.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_by(KEY, method, path)
    }

    /// A request by a key.
    pub(crate) fn request_by(&self, key: &str, method: Method, path: &str) -> RequestBuilder {
        let (name, secret) = key.split_once(':').unwrap();
        self.anonymous(method, path).basic_auth(name, Some(secret))
    }

    pub(crate) fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url() + path)
    }

    pub(crate) fn control_secret(&self) -> &str {
        self.running.control_secret().expose()
    }

    /// A request to the control endpoint, or to the inspector.
    pub(crate) fn control(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(self.control_secret())
    }

    /// Makes a fault, and answers its id.
    pub(crate) async fn fault(&self, fault: &Value) -> String {
        let request =
            self.control(Method::POST, "/control/faults").header("content-type", "application/json");
        let (status, body) = answer(request.body(fault.to_string())).await;
        assert_eq!(status, 201, "{body}");
        body["id"].as_str().unwrap().to_owned()
    }

    /// Waits until a fault has fired so often, and answers it.
    pub(crate) async fn fired(&self, id: &str, times: u64) -> Value {
        let path = format!("/control/faults/{id}?fired={times}");
        let (status, fault) = answer(self.control(Method::GET, &path)).await;
        assert_eq!((status.as_u16(), &fault["fired"]), (200, &json!(times)), "{fault}");
        fault
    }

    pub(crate) async fn remove_fault(&self, id: &str) {
        let (status, body) = answer(self.control(Method::DELETE, &format!("/control/faults/{id}"))).await;
        assert_eq!(status, 204, "{body}");
    }

    /// The names of the messages that a channel has stored, oldest first.
    pub(crate) async fn stored(&self, channel: &str) -> Vec<String> {
        let (status, page) = self.get(&format!("/channels/{channel}/messages?direction=forwards")).await;
        assert_eq!(status, 200, "{page}");
        page.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(
            self.request(Method::POST, path)
                .header("content-type", "application/json")
                .body(body.to_string()),
        )
        .await
    }

    /// Publishes over REST, one message or an array.
    pub(crate) async fn publish(&self, channel: &str, body: &Value) {
        let (status, answer) = self.post(&format!("/channels/{channel}/messages"), body).await;
        assert_eq!(status, 201, "{answer}");
    }
}

/// A channel or a serial as it stands in a path.
pub(crate) fn in_path(text: &str) -> String {
    text.replace('@', "%40").replace(':', "%3A")
}

/// A page: its items, and the queries of its links by their rel.
pub(crate) struct Page {
    pub(crate) items: Vec<Value>,
    pub(crate) links: BTreeMap<String, String>,
}

impl Server {
    /// A page of the list at a path that ends with `word`. Each link has a header of its own, without a comma.
    pub(crate) async fn page(&self, path: &str, word: &str, query: &str) -> Page {
        let response = self.request(Method::GET, &format!("{path}/{word}?{query}")).send().await.unwrap();
        let status = response.status();
        let mut links = BTreeMap::new();
        for link in response.headers().get_all("link") {
            let link = link.to_str().unwrap();
            assert!(!link.contains(','), "{link}");
            let (target, rel) = link.split_once(">; rel=\"").unwrap();
            let query = target.strip_prefix(&format!("<./{word}?")).unwrap_or_else(|| panic!("{link}"));
            let before = links.insert(rel.strip_suffix('"').unwrap().to_owned(), query.to_owned());
            assert!(before.is_none(), "{link}");
        }
        let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        assert_eq!(status, 200, "{body}");
        Page { items: body.as_array().unwrap().clone(), links }
    }

    /// All pages of a list, followed by their `next` links.
    pub(crate) async fn pages(&self, path: &str, word: &str, query: &str) -> Vec<Vec<Value>> {
        let mut pages = Vec::new();
        let mut query = query.to_owned();
        loop {
            let page = self.page(path, word, &query).await;
            pages.push(page.items);
            match page.links.get("next") {
                Some(next) => query = next.clone(),
                None => return pages,
            }
        }
    }

    /// Posts a body in a format, and answers in it too.
    pub(crate) async fn post_in(&self, format: Format, path: &str, body: &Value) -> (u16, Value) {
        answer_in(format, self.request(Method::POST, path), body).await
    }

    pub(crate) async fn get_in(&self, format: Format, path: &str) -> (u16, Value) {
        let response =
            self.request(Method::GET, path).header("accept", format.media_type()).send().await.unwrap();
        (response.status().as_u16(), format.read(&response.bytes().await.unwrap()))
    }
}

/// Sends a body in a format. Answers status and body, which is in that format too.
pub(crate) async fn answer_in(format: Format, request: RequestBuilder, body: &Value) -> (u16, Value) {
    let request = request.header("accept", format.media_type()).header("content-type", format.media_type());
    let response = request.body(format.write(body)).send().await.unwrap();
    (response.status().as_u16(), format.read(&response.bytes().await.unwrap()))
}

/// Sends a request. Answers status and body, which is JSON unless it is empty.
pub(crate) async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let body = response.bytes().await.unwrap();
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
    (status, body)
}

/// A JWT signed with a key: good for an hour, unless the claims say otherwise.
pub(crate) fn jwt(key: &str, claims: &Value) -> String {
    let mut all = json!({"iat": now() / 1000, "exp": now() / 1000 + 3600});
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    let kid = key.split_once(':').unwrap().0;
    signed_jwt(key, &json!({"typ": "JWT", "alg": "HS256", "kid": kid}), &all)
}

/// A JWT with a header and claims of any kind, signed with a key.
pub(crate) fn signed_jwt(key: &str, header: &Value, claims: &Value) -> String {
    let secret = key.split_once(':').unwrap().1;
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(&signed);
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// The names of an object's fields.
pub(crate) fn fields(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A moment so many milliseconds from now, in seconds with a fraction.
pub(crate) fn in_millis(millis: i64) -> Value {
    #[allow(clippy::cast_precision_loss)]
    let seconds = (now() + millis) as f64 / 1000.0;
    seconds.into()
}
