//! What no client should send, over HTTP.

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{BOTH, Format, KEY, Server, answer, answer_in};

const PATHS: [(Method, &str); 17] = [
    (Method::GET, "/time"),
    (Method::GET, "/stats"),
    (Method::POST, "/stats"),
    (Method::GET, "/channels"),
    (Method::GET, "/channels/a"),
    (Method::GET, "/channels/a/messages"),
    (Method::POST, "/channels/a/messages"),
    (Method::GET, "/channels/a/history"),
    (Method::GET, "/channels/a/presence"),
    (Method::GET, "/channels/a/presence/history"),
    (Method::POST, "/messages"),
    (Method::GET, "/presence"),
    (Method::POST, "/keys/AbCdEf.root/requestToken"),
    (Method::POST, "/keys/AbCdEf.revocable/revokeTokens"),
    (Method::POST, "/apps"),
    (Method::DELETE, "/apps/x"),
    (Method::GET, "/channels/a/messages/x/annotations"),
];

#[tokio::test]
async fn an_unknown_path_is_404_and_40400_whatever_the_method_and_the_credentials() {
    let server = Server::start().await;
    for format in BOTH {
        for path in ["/nowhere", "/channels/", "/keys", "/keys/a.b", "/keys/a.b/x", "/push/x"] {
            for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
                let request = server.anonymous(method, path);
                let (status, body) = answer_in(format, request, &json!({})).await;
                assert_eq!((status, &body["error"]["code"]), (404, &json!(40400)), "{path}");
                assert_eq!(body["error"]["statusCode"], 404);
            }
        }
    }
}

#[tokio::test]
async fn the_format_comes_by_header_else_by_query_and_is_the_same_for_errors() {
    let server = Server::start().await;
    for (accept, query, format) in [
        (None, "", Format::Json),
        (Some("*/*"), "", Format::Json),
        (Some("text/html"), "", Format::Json),
        (None, "format=msgpack", Format::Msgpack),
        (Some("*/*"), "format=msgpack", Format::Msgpack),
        (Some("application/json"), "format=msgpack", Format::Json),
        (Some("application/x-msgpack"), "format=json", Format::Msgpack),
        (Some("application/x-msgpack, application/json"), "", Format::Msgpack),
        (Some("application/json, application/x-msgpack"), "", Format::Json),
        (None, "format=jsonp", Format::Json),
    ] {
        for path in ["/time", "/channels/a", "/nowhere"] {
            let mut request = server.anonymous(Method::GET, &format!("{path}?{query}"));
            if let Some(accept) = accept {
                request = request.header("accept", accept);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.headers()["content-type"], format.media_type(), "{accept:?} {query} {path}");
            format.read(&response.bytes().await.unwrap());
        }
    }
}

#[tokio::test]
async fn no_body_makes_the_server_fail() {
    let server = Server::start().await;
    let deep = "[".repeat(100_000);
    let deep_object = format!("{}1{}", r#"{"a":"#.repeat(1_000), "}".repeat(1_000));
    let bodies: [(&str, &[u8]); 14] = [
        ("application/json", b""),
        ("application/json", b"null"),
        ("application/json", b"{"),
        ("application/json", b"[[]]"),
        ("application/json", b"\xff\xfe"),
        ("application/json", br#"{"data":"\ud800"}"#),
        (
            "application/json",
            br#"{"channels":null,"messages":null,"targets":null,"capability":null,"ttl":1e999}"#,
        ),
        ("application/json", deep.as_bytes()),
        ("application/json", deep_object.as_bytes()),
        ("application/x-msgpack", b""),
        ("application/x-msgpack", b"\xc1"),
        ("application/x-msgpack", b"\xdf\xff\xff\xff\xff"),
        ("application/x-msgpack", b"\xdd\xff\xff\xff\xff\xc0"),
        ("application/x-msgpack", b"\x81\xa4data\xc6\xff\xff\xff\xff"),
    ];
    for (method, path) in &PATHS {
        for (content_type, body) in &bodies {
            let request = server.request(method.clone(), path).header("content-type", *content_type);
            let status = request.body(body.to_vec()).send().await.unwrap().status();
            assert!(status.as_u16() < 500, "{method} {path} {body:.20?}: {status}");
        }
    }
    let (status, _) = server.get("/channels/a/messages").await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn no_credentials_make_the_server_fail() {
    let server = Server::start().await;
    let long = format!("Bearer {}", "a.b.c".repeat(5_000));
    for authorization in [
        "",
        "Basic",
        "Basic ",
        "Basic !",
        "Basic AAAA",
        "Basic /////w==",
        "Bearer",
        "Bearer ",
        "Bearer .",
        "Bearer ..",
        "Bearer a.b.c",
        "Bearer AbCdEf.x",
        "Bearer e30.e30.e30",
        "Digest x",
        "\u{7f}",
        &long,
    ] {
        for (method, path) in &PATHS {
            let request = server.anonymous(method.clone(), path).header("x-ably-clientid", "%%%");
            let Ok(value) = reqwest::header::HeaderValue::from_str(authorization) else { continue };
            let status = request.header("authorization", value).body("{}").send().await.unwrap().status();
            assert!(status.as_u16() < 500, "{authorization:.40} {path}: {status}");
        }
    }
    for (header, value) in [("x-ably-clientid", "%%%"), ("x-ably-clientid", "/////w==")] {
        let request = server.request(Method::GET, "/channels/a/messages").header(header, value);
        let (status, body) = answer(request).await;
        assert_eq!((status.as_u16(), &body["error"]["code"]), (400, &json!(40000)));
    }
}

#[tokio::test]
async fn no_name_and_no_query_makes_the_server_fail() {
    let server = Server::start().await;
    let long = "x".repeat(10_000);
    let names =
        ["%00", "%ff", "%0a", "%5B", "%5Bmeta%5D", "%5B%3F", "..%2F..", "%F0%9F%98%80", "%20", "*", &long];
    for name in names {
        for (method, path) in &PATHS {
            let path = path.replace("/a", &format!("/{name}")).replace("AbCdEf.root", name);
            let request = server.request(method.clone(), &path).body("{}");
            let status = request.send().await.unwrap().status();
            assert!(status.as_u16() < 500, "{method} {path:.60}: {status}");
        }
    }
    for query in [
        "limit=%ff&start=%00&end=&direction=%0a",
        "cursor=%00&from_serial=%ff",
        "cursor=:&limit=1",
        "&&&===&",
        "channels=%00,%ff",
        "channels=,,,&separator=&lastEvent=%ff",
        "limit=1&limit=1001",
        "format=%00&v=%ff",
        "v=99999999999999999999",
    ] {
        for (method, path) in &PATHS {
            let request = server.request(method.clone(), &format!("{path}?{query}")).body("{}");
            let status = request.send().await.unwrap().status();
            assert!(status.as_u16() < 500, "{method} {path}?{query}: {status}");
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_http_end_their_own_connection_alone() {
    let server = Server::start().await;
    for bytes in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".as_slice(),
        b"GET\r\n\r\n",
        b"POST /channels/a/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut response = Vec::new();
        // A reset is as good an answer.
        let _ = stream.read_to_end(&mut response).await;
        assert!(response.is_empty() || response.starts_with(b"HTTP/1.1 4"), "{bytes:.20?}");
    }
    let (status, _) = answer(server.request_by(KEY, Method::GET, "/channels/a/messages")).await;
    assert_eq!(status, 200);
}
