//! The REST client, with real reqwest, against servers that misbehave.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ably::Key;
use ably::rest::{
    Endpoint, ErrorClass, Hosts, PublishBody, PublishError, PublishMessage, Published, RestClient,
    Surroundings, Timeouts,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SECRET: &str = "mySecretKey0123456789";
const TRANSIENT: ErrorClass = ErrorClass::Transient { retry_after: None };

/// What a server does with one request, having read all of it.
#[derive(Debug, Clone)]
enum Act {
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
struct Server {
    endpoint: Endpoint,
    requests: Arc<Mutex<Vec<String>>>,
}

#[derive(Debug, Clone, Default)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn pass(&self, time: Duration) {
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
    async fn start(clock: &Clock, script: impl IntoIterator<Item = Act>) -> Self {
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

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, act: Act, clock: Clock, seen: Arc<Mutex<Vec<String>>>) {
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
async fn read_request(stream: &mut TcpStream) -> String {
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

fn http(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

fn created() -> Act {
    Act::Say(http("201 Created", "", r#"{"channel":"c","messageId":"job-1:5:7","serials":["s"]}"#))
}

fn refused(status: u16, code: u32) -> Act {
    let body =
        format!(r#"{{"error":{{"code":{code},"statusCode":{status},"message":"no","href":"https://h"}}}}"#);
    Act::Say(http(&format!("{status} No"), "content-type: application/json\r\n", &body))
}

/// Long enough for a loaded machine where an answer is expected; the tests that wait for it to pass shorten it.
const PATIENT: Timeouts = Timeouts { attempt: Duration::from_secs(20), total: Duration::from_secs(60) };
const HASTY: Timeouts = Timeouts { attempt: Duration::from_millis(200), total: Duration::from_secs(60) };

fn client(hosts: Hosts, timeouts: Timeouts, clock: &Clock) -> RestClient<Clock> {
    let key = Key::parse(&format!("AbCdEf.GhIjKl:{SECRET}")).unwrap();
    RestClient::new(hosts, key, timeouts, clock.clone()).unwrap()
}

fn body() -> PublishBody {
    PublishBody::one(&PublishMessage {
        id: "job-1:5:7".into(),
        name: "location.updated".into(),
        data: r#"{"seq":7,"note":"é"}"#.into(),
        encoding: Some("json".into()),
        extras: None,
    })
    .unwrap()
}

/// Fails rather than hangs, where the client does.
async fn bounded<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("the client hangs")
}

/// One publish to one server that acts once.
async fn outcome(timeouts: Timeouts, act: Act) -> Result<Published, PublishError> {
    let clock = Clock::default();
    let server = Server::start(&clock, [act]).await;
    let client = client(Hosts::only(server.endpoint.clone()), timeouts, &clock);
    let result = bounded(client.publish("dispatch:job:job-1", &body())).await;
    assert_eq!(server.requests().len(), 1, "no attempt is repeated at one host");
    result
}

async fn failure(timeouts: Timeouts, act: Act) -> PublishError {
    outcome(timeouts, act).await.unwrap_err()
}

#[tokio::test]
async fn a_publish_is_the_request_that_ably_documents() {
    let clock = Clock::default();
    let server = Server::start(&clock, [created()]).await;
    let client = client(Hosts::only(server.endpoint.clone()), PATIENT, &clock);
    let published = bounded(client.publish("dispatch:job:é/%?#", &body())).await.unwrap();
    assert_eq!(published.message_id.as_deref(), Some("job-1:5:7"));
    assert_eq!(published.serials, [Some("s".to_owned())]);

    let requests = server.requests();
    let (head, sent) = requests[0].split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    assert_eq!(
        lines.next(),
        Some("POST /channels/dispatch%3Ajob%3A%C3%A9%2F%25%3F%23/messages HTTP/1.1"),
        "the key is not in the URL, nor does the channel's name end the path"
    );
    let headers: Vec<_> = lines.collect();
    let host = server.endpoint.as_str().trim_start_matches("http://");
    for expected in [
        "x-ably-version: 6",
        "authorization: Basic QWJDZEVmLkdoSWpLbDpteVNlY3JldEtleTAxMjM0NTY3ODk=",
        "content-type: application/json",
        &format!("host: {host}"),
    ] {
        assert!(headers.contains(&expected), "{expected} is not in {headers:?}");
    }
    assert_eq!(sent, body().as_str());
}

#[tokio::test]
async fn a_retry_has_the_same_bytes() {
    let clock = Clock::default();
    let server = Server::start(&clock, [refused(500, 50000), created()]).await;
    let client = client(Hosts::only(server.endpoint.clone()), PATIENT, &clock);
    let kept = body().as_str().to_owned();
    assert_eq!(bounded(client.publish("c", &body())).await.unwrap_err().class, TRANSIENT);
    bounded(client.publish("c", &PublishBody::from_stored(kept))).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests[0], requests[1]);
}

#[tokio::test]
async fn a_channel_that_no_url_can_name_is_refused_without_a_request() {
    let clock = Clock::default();
    let server = Server::start(&clock, [created()]).await;
    let client = client(Hosts::only(server.endpoint.clone()), PATIENT, &clock);
    for channel in ["", ".", ".."] {
        let error = bounded(client.publish(channel, &body())).await.unwrap_err();
        assert_eq!((error.class, error.code), (ErrorClass::BlamesMessage, Some(40010)));
    }
    bounded(client.publish("...", &body())).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].starts_with("POST /channels/.../messages "), "{requests:?}");
}

#[tokio::test]
async fn each_refusal_has_its_class() {
    use ErrorClass::{BlamesAccess, BlamesMessage, Throttled, Unknown};
    for (status, code, class) in [
        (400, 40003, BlamesMessage),
        (400, 40031, BlamesMessage),
        (413, 40009, BlamesMessage),
        (401, 40101, BlamesAccess),
        (401, 40160, BlamesAccess),
        (403, 40112, BlamesAccess),
        (404, 40400, BlamesAccess),
        (429, 42910, Throttled { retry_after: None }),
        (400, 40160, Unknown),
        (409, 40900, Unknown),
        (500, 50000, TRANSIENT),
        (503, 50310, TRANSIENT),
    ] {
        let error = failure(PATIENT, refused(status, code)).await;
        assert_eq!((error.class, error.status, error.code), (class, Some(status), Some(code)));
    }
}

#[tokio::test]
async fn ablys_headers_speak_where_the_body_does_not() {
    let headers = "X-Ably-ErrorCode: 40009\r\nX-Ably-ErrorMessage: too long\r\n";
    let error = failure(PATIENT, Act::Say(http("400 Bad Request", headers, "<html>"))).await;
    assert_eq!(error.to_string(), "message refused, status 400, code 40009: too long");
    let error = failure(PATIENT, Act::Say(http("429 Slow", "retry-after: 7\r\n", ""))).await;
    assert_eq!(error.class, ErrorClass::Throttled { retry_after: Some(Duration::from_secs(7)) });
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_may_pass() {
    let clock = Clock::default();
    let elsewhere = Server::start(&clock, [created()]).await;
    for status in ["301", "302", "303", "307", "308"] {
        let location = format!("location: {}/channels/c/messages\r\n", elsewhere.endpoint);
        let error = failure(PATIENT, Act::Say(http(&format!("{status} Away"), &location, ""))).await;
        assert_eq!((error.class, error.status), (TRANSIENT, Some(status.parse().unwrap())));
    }
    assert!(elsewhere.requests().is_empty(), "the key went where it was not sent");
}

#[tokio::test]
async fn the_timeout_covers_head_and_body() {
    let head = "HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n";
    for said in ["", "HTTP/1.1 201 Cre", head, &format!(r#"{head}{{"channel":"c","#)] {
        let error = failure(HASTY, Act::SayAndHang(said.into())).await;
        assert_eq!(error.class, TRANSIENT, "{said:?}");
        assert!(error.to_string().contains("in time"), "{error}");
    }
    // A body that keeps coming is no excuse.
    let drip = Act::Drip("HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n".into(), "1\r\n \r\n");
    assert_eq!(failure(HASTY, drip).await.class, TRANSIENT);
    // What has been said of a refusal counts.
    let refusal = "HTTP/1.1 401 No\r\nX-Ably-ErrorCode: 40101\r\ncontent-length: 100\r\n\r\n{";
    let error = failure(HASTY, Act::SayAndHang(refusal.into())).await;
    assert_eq!((error.class, error.code), (ErrorClass::BlamesAccess, Some(40101)));
    let refusal = "HTTP/1.1 400 No\r\ncontent-length: 100\r\n\r\n{";
    assert_eq!(failure(HASTY, Act::SayAndHang(refusal.into())).await.class, TRANSIENT);
}

#[tokio::test]
async fn an_exchange_that_breaks_off_may_be_tried_again() {
    let truncated = "HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"channel\":";
    let chunked = "HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"a\"";
    for act in [
        Act::Say(truncated.into()),
        Act::Say(chunked.into()),
        Act::Say(String::new()),
        Act::Say("HTTP/1.1 201 Cre".into()),
        Act::Say("\u{1}\u{2} not http \r\n\r\n".into()),
        Act::Reset,
    ] {
        let error = failure(PATIENT, act.clone()).await;
        assert_eq!(error.class, TRANSIENT, "{act:?}");
        let shown = error.to_string();
        assert!(!shown.contains("127.0.0.1") && !shown.contains("dispatch"), "{shown}");
    }
}

#[tokio::test]
async fn nobody_listening_may_pass() {
    // Bound, so that nobody else gets the port, and not listened to.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let endpoint = Endpoint::parse(&format!("http://{}", socket.local_addr().unwrap())).unwrap();
    let client = client(Hosts::only(endpoint), PATIENT, &Clock::default());
    let error = bounded(client.publish("c", &body())).await.unwrap_err();
    assert_eq!((error.class, error.status), (TRANSIENT, None));
    assert!(error.to_string().contains("refused"), "the log tells the cause: {error}");
}

#[tokio::test]
async fn a_stored_message_is_stored_whatever_the_body_says() {
    for (status, body) in [
        ("201 Created", ""),
        ("201 Created", "<html>"),
        ("201 Created", "[]"),
        ("201 Created", "{"),
        ("200 OK", "{}"),
        ("204 No Content", ""),
    ] {
        let published = outcome(PATIENT, Act::Say(http(status, "", body))).await;
        assert_eq!(published, Ok(Published::default()), "{status} {body:?}");
    }
}

#[tokio::test]
async fn a_body_without_end_is_not_read_to_its_end() {
    for (head, expected) in [
        ("HTTP/1.1 201 Created", None),
        ("HTTP/1.1 400 No\r\nX-Ably-ErrorCode: 40009", Some(ErrorClass::BlamesMessage)),
        ("HTTP/1.1 503 No", Some(TRANSIENT)),
    ] {
        // Without a length, the body lasts until the server closes.
        let clock = Clock::default();
        let server =
            Server::start(&clock, [Act::SayForEver(format!("{head}\r\n\r\n{}", " ".repeat(9000)))]).await;
        let client = client(Hosts::only(server.endpoint.clone()), PATIENT, &clock);
        let class = bounded(client.publish("c", &body())).await.err().map(|error| error.class);
        assert_eq!(class, expected, "{head}");
    }
}

#[tokio::test]
async fn an_error_echoes_no_credentials() {
    let clock = Clock::default();
    let basic = "QWJDZEVmLkdoSWpLbDpteVNlY3JldEtleTAxMjM0NTY3ODk=";
    let text = format!(r#"{{"error":{{"code":40101,"message":"no: {SECRET} {basic} \n\u001b[0m"}}}}"#);
    let server = Server::start(&clock, [Act::Say(http("401 No", "", &text))]).await;
    let client = client(Hosts::only(server.endpoint.clone()), PATIENT, &clock);
    let error = bounded(client.publish("c", &body())).await.unwrap_err();
    assert_eq!(error.to_string(), r"access refused, status 401, code 40101: no: (secret) (key) \n\u{1b}[0m");
    let shown = format!("{client:?} {error:?}");
    assert!(!shown.contains(SECRET) && !shown.contains(basic), "{shown}");
}

/// A primary and three fallbacks, and how often each has been asked.
struct Cluster {
    servers: Vec<Server>,
    client: RestClient<Clock>,
    clock: Clock,
}

impl Cluster {
    async fn start<const N: usize>(timeouts: Timeouts, scripts: [Vec<Act>; N]) -> Self {
        let clock = Clock::default();
        let mut servers = Vec::new();
        for script in scripts {
            servers.push(Server::start(&clock, script).await);
        }
        let mut endpoints = servers.iter().map(|server| server.endpoint.clone());
        let hosts = Hosts::with_fallbacks(endpoints.next().unwrap(), endpoints.collect());
        Self { client: client(hosts, timeouts, &clock), servers, clock }
    }

    async fn publish(&self) -> Result<Published, PublishError> {
        bounded(self.client.publish("c", &body())).await
    }

    fn asked(&self) -> Vec<usize> {
        self.servers.iter().map(|server| server.requests().len()).collect()
    }
}

#[tokio::test]
async fn a_fallback_stands_in_where_the_contract_says_so() {
    let cloudfront = |status: &str| Act::Say(http(status, "Server: CloudFront\r\n", "<html>"));
    for (primary, timeouts) in [
        (refused(500, 50000), PATIENT),
        (refused(501, 50100), PATIENT),
        (refused(502, 50210), PATIENT),
        (refused(503, 50310), PATIENT),
        (refused(504, 50410), PATIENT),
        (cloudfront("403 Forbidden"), PATIENT),
        (cloudfront("400 Bad Request"), PATIENT),
        (Act::Reset, PATIENT),
        (Act::Say("HTTP/1.1 201 Created\r\ncontent-length: 9\r\n\r\n{".into()), PATIENT),
        (Act::SayAndHang(String::new()), Timeouts { attempt: Duration::from_secs(1), ..PATIENT }),
    ] {
        let cluster = Cluster::start(timeouts, [vec![primary.clone()], vec![created()]]).await;
        assert!(cluster.publish().await.is_ok(), "{primary:?}");
        assert_eq!(cluster.asked(), [1, 1]);
        let sent: Vec<_> = cluster
            .servers
            .iter()
            .map(|server| server.requests()[0].split_once("\r\n\r\n").unwrap().1.to_owned())
            .collect();
        assert_eq!(sent[0], sent[1], "the same bytes");
    }
}

#[tokio::test]
async fn no_fallback_second_guesses_an_answer() {
    for primary in [
        refused(400, 40000),
        refused(401, 40101),
        refused(404, 40400),
        refused(429, 42910),
        refused(505, 50500),
        Act::Say(http("302 Away", "location: /\r\n", "")),
        Act::Say(http("302 Away", "Server: CloudFront\r\n", "")),
    ] {
        let cluster = Cluster::start(PATIENT, [vec![primary], vec![created()]]).await;
        assert!(cluster.publish().await.is_err());
        assert_eq!(cluster.asked(), [1, 0]);
    }
}

#[tokio::test]
async fn three_hosts_are_tried_and_the_last_one_is_quoted() {
    let down = |code| vec![refused(503, code)];
    let cluster = Cluster::start(PATIENT, [down(50001), down(50002), down(50003), down(50004)]).await;
    let error = cluster.publish().await.unwrap_err();
    let asked = cluster.asked();
    assert_eq!((asked[0], asked.iter().sum()), (1, 3));
    assert!(asked.iter().all(|count| *count <= 1), "{asked:?}");
    assert_eq!((error.class, error.status), (TRANSIENT, Some(503)));
    assert_ne!(error.code, Some(50001));
}

#[tokio::test]
async fn the_time_in_all_is_kept() {
    let slow = |seconds| {
        let Act::Say(text) = refused(500, 50000) else { panic!() };
        vec![Act::After(Duration::from_secs(seconds), text)]
    };
    let timeouts = Timeouts { total: Duration::from_secs(15), ..PATIENT };
    let cluster = Cluster::start(timeouts, [slow(8), slow(7), slow(7)]).await;
    assert_eq!(cluster.publish().await.unwrap_err().status, Some(500));
    assert_eq!(cluster.asked().iter().sum::<usize>(), 2, "none is asked when the 15 s are over");

    // What is left is all that the next host gets: with 100 ms left it cannot hang for 20 s.
    let timeouts = Timeouts { total: Duration::from_millis(8_100), ..PATIENT };
    let cluster = Cluster::start(timeouts, [slow(8), vec![Act::SayAndHang(String::new())]]).await;
    let error = tokio::time::timeout(Duration::from_secs(15), cluster.publish()).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("in time"), "{error}");
}

#[tokio::test]
async fn a_working_fallback_is_remembered_for_ten_minutes() {
    let cluster = Cluster::start(PATIENT, [vec![refused(503, 50310), created()], vec![created()]]).await;
    cluster.publish().await.unwrap();
    cluster.clock.pass(Duration::from_secs(599));
    cluster.publish().await.unwrap();
    assert_eq!(cluster.asked(), [1, 2]);
    cluster.clock.pass(Duration::from_secs(1));
    cluster.publish().await.unwrap();
    assert_eq!(cluster.asked(), [2, 2]);
}

#[tokio::test]
async fn a_remembered_fallback_that_fails_gives_way_to_the_primary() {
    let cluster =
        Cluster::start(PATIENT, [vec![refused(503, 50310), created()], vec![created(), Act::Reset]]).await;
    cluster.publish().await.unwrap();
    cluster.publish().await.unwrap();
    assert_eq!(cluster.asked(), [2, 2]);
    cluster.publish().await.unwrap();
    assert_eq!(cluster.asked(), [3, 2], "it has been forgotten");
}

#[tokio::test]
async fn publishes_on_several_channels_share_one_client() {
    let clock = Clock::default();
    let server = Server::start(&clock, [created()]).await;
    let client = Arc::new(client(Hosts::only(server.endpoint.clone()), PATIENT, &clock));
    let tasks: Vec<_> = (0..20)
        .map(|at| {
            let client = client.clone();
            tokio::spawn(async move { client.publish(&format!("job:{at}"), &body()).await })
        })
        .collect();
    for task in tasks {
        bounded(task).await.unwrap().unwrap();
    }
    assert_eq!(server.requests().len(), 20);
}
