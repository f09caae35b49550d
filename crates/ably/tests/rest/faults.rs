//! One server, and what each of its faults means for the message.

use std::sync::Arc;
use std::time::Duration;

use ably::rest::{Endpoint, ErrorClass, Hosts, PublishBody, PublishError, Timeouts};

use crate::server::{
    Act, Clock, HASTY, PATIENT, SECRET, Server, TRANSIENT, body, bounded, client, created, http, refused,
};

/// One publish to one server that acts once.
async fn outcome(timeouts: Timeouts, act: Act) -> Result<(), PublishError> {
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
    bounded(client.publish("dispatch:job:é/%?#", &body())).await.unwrap();

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
        assert_eq!(published, Ok(()), "{status} {body:?}");
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
