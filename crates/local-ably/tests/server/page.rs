//! The page at `/` as it is served. What it does in a browser is tested with one.

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::{Format, Server, answer};

const HTML: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async fn get(server: &Server, path: &str) -> (StatusCode, HeaderMap, String) {
    let response = server.anonymous(Method::GET, path).header("accept", HTML).send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    (status, headers, String::from_utf8(response.bytes().await.unwrap().to_vec()).unwrap())
}

#[tokio::test]
async fn a_browser_gets_a_page_that_may_run_nothing_but_its_own_files() {
    let server = Server::start().await;
    let (status, headers, html) = get(&server, "/").await;
    assert_eq!(
        (status, &headers["content-type"]),
        (StatusCode::OK, &"text/html; charset=utf-8".parse().unwrap())
    );
    assert!(html.starts_with("<!doctype html>"));
    let policy = headers["content-security-policy"].to_str().unwrap();
    let port = server.port();
    for directive in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        &format!("connect-src 'self' ws://127.0.0.1:{port} wss://127.0.0.1:{port}"),
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.split("; ").any(|given| given == directive), "{directive}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    let fixed = [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("cross-origin-resource-policy", "same-origin"),
    ];
    for (name, value) in fixed {
        assert_eq!(headers[name], value);
    }
}

#[tokio::test]
async fn every_file_that_the_page_loads_is_there_and_of_its_type() {
    let server = Server::start().await;
    let mut to_load = vec!["/".to_owned()];
    let mut loaded = Vec::new();
    while let Some(path) = to_load.pop() {
        let (status, headers, text) = get(&server, &path).await;
        assert_eq!(status, 200, "{path}");
        let content_type = match path.rsplit_once('.') {
            None => "text/html; charset=utf-8",
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            other => panic!("{other:?}"),
        };
        assert_eq!(headers["content-type"], content_type, "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        let quoted = text.split('"').skip(1).step_by(2);
        let named = quoted.filter_map(|text| match text.strip_prefix("./") {
            Some(module) if path.ends_with(".js") => Some(format!("/page/{module}")),
            _ => text.starts_with("/page/").then(|| text.to_owned()),
        });
        to_load.extend(named.filter(|name| !loaded.contains(name)).collect::<Vec<_>>());
        loaded.push(path);
    }
    assert!(loaded.len() > 5, "{loaded:?}");
}

#[tokio::test]
async fn whoever_is_no_browser_and_whatever_is_no_file_gets_an_error_of_ablys() {
    let server = Server::start().await;
    for accept in ["*/*", "application/json", "application/x-msgpack, application/json"] {
        let response = server.anonymous(Method::GET, "/").header("accept", accept).send().await.unwrap();
        assert_eq!(
            (response.status(), &response.headers()["x-ably-errorcode"]),
            (StatusCode::NOT_FOUND, &40400.into())
        );
    }
    for path in ["/page/nothing.js", "/page/..%2fCargo.toml", "/page/", "/page/%FF"] {
        assert_eq!(get(&server, path).await.0, 404, "{path}");
    }
    let (status, body) = answer(server.anonymous(Method::POST, "/page/page.js")).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (405, &json!(40500)));
}

#[tokio::test]
async fn the_page_is_for_loopback_as_everything_is() {
    let server = Server::start().await;
    for path in ["/", "/page/page.js"] {
        for (header, value) in
            [("host", "evil.example"), ("origin", "http://evil.example"), ("origin", "null")]
        {
            let request = server.anonymous(Method::GET, path).header("accept", HTML).header(header, value);
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 403, "{path} {header}: {value}");
            assert!(!response.text().await.unwrap().contains("<html"));
        }
    }
}

#[tokio::test]
async fn a_websocket_at_the_same_path_is_a_realtime_connection() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect(Format::Json).await;
    socket.expect_nothing().await;
}
