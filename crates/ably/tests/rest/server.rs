//! A server that misbehaves by a script, a clock that only the tests move, and a client that knows both.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ably::Key;
use ably::rest::{
    Endpoint, ErrorClass, Hosts, PublishBody, PublishMessage, RestClient, Surroundings, Timeouts,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const SECRET: &str = "mySecretKey0123456789";
pub(crate) const TRANSIENT: ErrorClass = ErrorClass::Transient { retry_after: None };

/// What a server does with one request, having read all of it.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Sends the text and closes.
    Say(String),
    /// Sends the text, and then nothing more, without closing.
    SayAndHang(String),
    /// Sends the text without end.
    SayForEver(String),
    /// Sends the first text, then the second again and again, with a pause before each.
    Drip(String, &'static str),
    /// Closes by a TCP reset.
    Reset,
    /// Lets the clock run, then answers as `Say`.
    After(Duration, String),
}

/// A server on a free port that acts by its script, repeating the last act; and a clock that only it moves.
pub(crate) struct Server {
    pub(crate) endpoint: Endpoint,
    requests: Arc<Mutex<Vec<String>>>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    pub(crate) fn pass(&self, time: Duration) {
        self.0.fetch_add(time.as_millis() as u64, Ordering::SeqCst);
    }
}

impl Surroundings for Clock {
    fn now_ms(&self) -> u64 {
        1_700_000_000_000 + self.0.load(Ordering::SeqCst)
    }
    fn random(&self) -> u32 {
        0
    }
}

impl Server {
    pub(crate) async fn start(clock: &Clock, script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let mut script: VecDeque<_> = script.into_iter().collect();
        let clock = clock.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let act = if script.len() > 1 { script.pop_front() } else { script.front().cloned() };
                tokio::spawn(serve(stream, act.unwrap(), clock.clone(), seen.clone()));
            }
        });
        Self { endpoint, requests }
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

pub(crate) async fn serve(mut stream: TcpStream, act: Act, clock: Clock, seen: Arc<Mutex<Vec<String>>>) {
    let request = read_request(&mut stream).await;
    seen.lock().unwrap().push(request);
    match act {
        Act::Say(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Act::SayAndHang(text) => {
            stream.write_all(text.as_bytes()).await.unwrap();
            // Until the client gives up and closes.
            let _ = stream.read(&mut [0]).await;
        }
        Act::SayForEver(text) => while stream.write_all(text.as_bytes()).await.is_ok() {},
        Act::Drip(text, drop) => {
            stream.write_all(text.as_bytes()).await.unwrap();
            while stream.write_all(drop.as_bytes()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Act::Reset => stream.set_zero_linger().unwrap(),
        Act::After(time, text) => {
            clock.pass(time);
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    }
}

/// Head and body of a request that states its length.
pub(crate) async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.unwrap();
        request.extend_from_slice(&part[..count]);
        let text = String::from_utf8(request.clone()).unwrap();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() >= length.parse().unwrap() {
                return text;
            }
        }
        assert_ne!(count, 0, "a request that breaks off: {text:?}");
    }
}

pub(crate) fn http(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

pub(crate) fn created() -> Act {
    Act::Say(http("201 Created", "", r#"{"channel":"c","messageId":"job-1:5:7","serials":["s"]}"#))
}

pub(crate) fn refused(status: u16, code: u32) -> Act {
    let body =
        format!(r#"{{"error":{{"code":{code},"statusCode":{status},"message":"no","href":"https://h"}}}}"#);
    Act::Say(http(&format!("{status} No"), "content-type: application/json\r\n", &body))
}

/// Long enough for a loaded machine where an answer is expected; the tests that wait for it to pass shorten it.
pub(crate) const PATIENT: Timeouts =
    Timeouts { attempt: Duration::from_secs(20), total: Duration::from_secs(60) };
pub(crate) const HASTY: Timeouts =
    Timeouts { attempt: Duration::from_millis(200), total: Duration::from_secs(60) };

pub(crate) fn client(hosts: Hosts, timeouts: Timeouts, clock: &Clock) -> RestClient<Clock> {
    let key = Key::parse(&format!("AbCdEf.GhIjKl:{SECRET}")).unwrap();
    RestClient::new(hosts, key, timeouts, clock.clone()).unwrap()
}

pub(crate) fn body() -> PublishBody {
    PublishBody::one(&PublishMessage {
        id: "job-1:5:7".into(),
        name: "location.updated".into(),
        data: r#"{"seq":7,"note":"é"}"#.into(),
        encoding: Some("json".into()),
    })
    .unwrap()
}

/// Fails rather than hangs, where the client does.
pub(crate) async fn bounded<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("the client hangs")
}
