use local_ably::Options;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::harness::{KEY, Server, answer};

async fn upgrade(server: &Server, header: &'static str, value: &str) -> u16 {
    let url = format!("ws://127.0.0.1:{}/?v=6&key={KEY}", server.port());
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert(header, value.parse().unwrap());
    match connect_async(request).await {
        Ok((_, response)) => response.status().as_u16(),
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_foreign_origin_gets_nothing_over_http_and_websocket() {
    let server = Server::start().await;
    for (origin, status) in [
        ("http://evil.example", 403),
        ("null", 403),
        ("http://localhost.evil.example", 403),
        ("http://localhost:3000", 200),
        ("http://127.0.0.1:8787", 200),
    ] {
        let response = server.anonymous(Method::GET, "/time").header("origin", origin).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{origin}");
        let allowed = response.headers().get("access-control-allow-origin");
        assert_eq!(allowed.is_some(), status == 200, "{origin}");
        let expected = if status == 200 { 101 } else { 403 };
        assert_eq!(upgrade(&server, "origin", origin).await, expected, "{origin}");
    }
}

#[tokio::test]
async fn a_foreign_host_gets_nothing_over_http_and_websocket() {
    let server = Server::start().await;
    for (host, status) in
        [("evil.example", 403), ("evil.example:8788", 403), ("localhost:8788", 200), ("[::1]", 200)]
    {
        let (answered, body) = answer(server.anonymous(Method::GET, "/time").header("host", host)).await;
        assert_eq!(answered.as_u16(), status, "{host}");
        if status == 403 {
            assert_eq!(body["error"]["code"], 40300);
        }
        let expected = if status == 200 { 101 } else { 403 };
        assert_eq!(upgrade(&server, "host", host).await, expected, "{host}");
    }
}

#[tokio::test]
async fn a_request_with_two_hosts_or_none_is_refused() {
    let server = Server::start().await;
    for request in [
        "GET /time HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        "GET /time HTTP/1.0\r\nConnection: close\r\n\r\n",
        "GET http://evil.example/time HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        let status = response.split(' ').nth(1).unwrap();
        assert!(status == "403" || status == "400", "{request}{response}");
    }
}

#[tokio::test]
async fn hosts_and_origins_can_be_allowed() {
    let server = Server::with(Options {
        allow_hosts: vec!["laptop.lan".into()],
        allow_origins: vec!["https://app.example".into()],
        ..Options::default()
    })
    .await;
    let request = server.anonymous(Method::GET, "/time").header("host", "laptop.lan:8788");
    let response = request.header("origin", "https://app.example").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example");
}

#[tokio::test]
async fn browsers_may_send_what_sdks_send_and_read_what_they_need_errors_included() {
    let server = Server::start().await;
    let origin = "http://localhost:3000";
    let preflight = server
        .anonymous(Method::OPTIONS, "/channels/a/messages")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,x-ably-version,ably-agent")
        .send()
        .await
        .unwrap();
    assert!(preflight.status().is_success());
    let headers = preflight.headers();
    assert_eq!(headers["access-control-allow-origin"], origin);
    assert_eq!(headers["access-control-allow-credentials"], "true");
    let allowed = headers["access-control-allow-headers"].to_str().unwrap().to_lowercase();
    for header in
        ["authorization", "content-type", "accept", "x-ably-version", "ably-agent", "x-ably-clientid"]
    {
        assert!(allowed.contains(header), "{header}");
    }
    let refused =
        server.anonymous(Method::GET, "/channels/a/messages?rnd=1&envelope=json").header("origin", origin);
    let response = refused.send().await.unwrap();
    assert_eq!(response.status(), 401);
    let headers = response.headers();
    assert_eq!(headers["access-control-allow-origin"], origin);
    let exposed = headers["access-control-expose-headers"].to_str().unwrap().to_lowercase();
    for header in ["link", "x-ably-errorcode", "x-ably-errormessage"] {
        assert!(exposed.contains(header), "{header}");
    }
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&response.bytes().await.unwrap()).unwrap()["error"]["code"],
        json!(40101)
    );
}
