//! The binary itself.

use std::process::Stdio;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;

use crate::harness::in_path;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;
use tokio_tungstenite::connect_async;

const SECRET: &str = "a-secret-for-the-control-endpoint";
const PATIENCE: Duration = Duration::from_secs(10);

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local-ably"));
    command.env_remove("LOCAL_ABLY_KEY").env_remove("LOCAL_ABLY_CONTROL_SECRET");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn start(command: &mut Command) -> (Child, Lines<BufReader<ChildStdout>>, Value) {
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    (child, lines, serde_json::from_str(&line).unwrap())
}

async fn end(mut child: Child, signal: &str) -> Option<i32> {
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-s", signal, &pid]).status().await.unwrap().success());
    timeout(PATIENCE, child.wait()).await.unwrap().unwrap().code()
}

#[tokio::test]
async fn it_says_where_it_listens_and_ends_cleanly_on_either_signal() {
    for signal in ["INT", "TERM"] {
        let mut command = program();
        command.args(["--port", "0", "--key", "a.b:c"]).env("LOCAL_ABLY_CONTROL_SECRET", SECRET);
        let (child, mut lines, line) = start(&mut command).await;
        let port = line["port"].as_u64().unwrap();
        assert_eq!((&line["event"], &line["endpoint"]), (&"listening".into(), &"127.0.0.1".into()));
        assert_eq!((&line["tls"], &line["url"]), (&false.into(), &format!("http://127.0.0.1:{port}").into()));
        let response = reqwest::get(format!("http://127.0.0.1:{port}/time")).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(end(child, signal).await, Some(0));
        let page = lines.next_line().await.unwrap().unwrap();
        assert_eq!(page, format!("To look inside: http://127.0.0.1:{port}/ (with the control secret)"));
        assert_eq!(lines.next_line().await.unwrap(), None, "given secrets are not printed");
        assert!(line.get("controlSecret").is_none() && line.get("page").is_none());
    }
}

#[tokio::test]
async fn it_prints_the_url_of_its_page_with_the_secret_where_no_server_sees_it() {
    let (child, mut lines, line) = start(program().args(["--port", "0", "--key", "a.b:c"])).await;
    let (url, secret) = (line["url"].as_str().unwrap(), line["controlSecret"].as_str().unwrap());
    assert_eq!(line["page"], format!("{url}/#secret={secret}"));
    let _misbehave = lines.next_line().await.unwrap();
    let told = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert_eq!(told, format!("To look inside: {url}/#secret={secret}"));
    end(child, "TERM").await;
}

#[tokio::test]
async fn without_a_key_it_makes_one_up_and_shows_how_to_use_it() {
    let (child, mut lines, line) = start(program().args(["--port", "0"])).await;
    let example = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    let key = example.split('\'').nth(1).unwrap();
    assert!(example.contains(&format!("port: {}", line["port"])), "{example}");
    let (name, secret) = key.split_once(':').unwrap();
    let url = format!("{}/channels/a/messages", line["url"].as_str().unwrap());
    let response = reqwest::Client::new().get(url).basic_auth(name, Some(secret)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    end(child, "TERM").await;
}

#[tokio::test]
async fn a_key_comes_by_the_environment_or_with_a_capability() {
    let small = r#"app.small:s={"a":["publish"]}"#;
    for command in [program().env("LOCAL_ABLY_KEY", small), program().args(["--key", small])] {
        let (child, _lines, line) = start(command.args(["--port", "0"])).await;
        for (path, status) in [("a", 201), ("b", 401)] {
            let url = format!("{}/channels/{path}/messages", line["url"].as_str().unwrap());
            let request = reqwest::Client::new().post(url).basic_auth("app.small", Some("s")).body("{}");
            assert_eq!(request.send().await.unwrap().status().as_u16(), status);
        }
        end(child, "TERM").await;
    }
}

#[tokio::test]
async fn without_a_control_secret_it_makes_one_up_for_programs_and_for_people() {
    let (child, mut lines, line) = start(program().args(["--port", "0", "--key", "a.b:c"])).await;
    let secret = line["controlSecret"].as_str().unwrap();
    let example = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    let url = format!("{}/control/faults", line["url"].as_str().unwrap());
    assert!(example.contains(&url) && example.contains(secret), "{example}");
    let response = reqwest::Client::new().get(url).bearer_auth(secret).send().await.unwrap();
    assert_eq!(response.status(), 200);
    end(child, "TERM").await;
}

#[tokio::test]
async fn a_control_secret_comes_by_the_environment_or_by_a_flag_and_a_weak_one_is_not_shown() {
    for command in
        [program().env("LOCAL_ABLY_CONTROL_SECRET", SECRET), program().args(["--control-secret", SECRET])]
    {
        let (child, _lines, line) = start(command.args(["--port", "0"])).await;
        let url = format!("{}/control/faults", line["url"].as_str().unwrap());
        let response = reqwest::Client::new().get(url).bearer_auth(SECRET).send().await.unwrap();
        assert_eq!(response.status(), 200);
        end(child, "TERM").await;
    }
    for weak in ["hush", "hush hush hush hush"] {
        let output =
            program().args(["--port", "0"]).env("LOCAL_ABLY_CONTROL_SECRET", weak).output().await.unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && message.contains("16 characters") && !message.contains("hush"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn the_limits_of_a_package_are_an_option() {
    for (name, rate) in [("free", 500), ("standard", 2_500), ("pro", 10_000)] {
        let mut command = program();
        command.args(["--port", "0", "--limits", name]).env("LOCAL_ABLY_CONTROL_SECRET", SECRET);
        let (child, _lines, line) = start(&mut command).await;
        let url = format!("{}/control/limits", line["url"].as_str().unwrap());
        let response = reqwest::Client::new().get(url).bearer_auth(SECRET).send().await.unwrap();
        let report: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        assert_eq!(report["plan"], name);
        let messages = report["metrics"]
            .as_array()
            .unwrap()
            .iter()
            .find(|metric| metric["metric"] == "messages.maxRate");
        assert_eq!(messages.unwrap()["permitted"], rate);
        end(child, "TERM").await;
    }
    let output = program().args(["--port", "0", "--limits", "huge"]).output().await.unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("free, standard or pro"));
}

#[tokio::test]
async fn the_tokens_of_a_key_are_made_revocable_by_its_name() {
    let keys = ["--port", "0", "--key", "app.one:s", "--key", "app.two:s", "--revocable", "app.two"];
    let (child, _lines, line) = start(program().args(keys)).await;
    for (key, status) in [("app.one", 401), ("app.two", 201)] {
        let url = format!("{}/keys/{key}/revokeTokens", line["url"].as_str().unwrap());
        let request = reqwest::Client::new().post(url).basic_auth(key, Some("s"));
        let request = request.body(r#"{"targets":["clientId:x"]}"#);
        assert_eq!(request.send().await.unwrap().status().as_u16(), status, "{key}");
    }
    end(child, "TERM").await;
    let unknown = ["--port", "0", "--key", "app.one:s", "--revocable", "app.on"];
    let output = program().args(unknown).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--revocable app.on"));
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_so() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = program().args(["--port", &port]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains(&format!("port {port} is taken")), "{message}");
    assert!(output.stdout.is_empty());
}

#[tokio::test]
async fn a_bad_key_is_refused_and_its_secret_not_shown() {
    for argument in ["nonsense", "a.b:sec ret", r#"a.b:secret={"x":["fly"]}"#] {
        let output = program().args(["--port", "0", "--key", argument]).output().await.unwrap();
        assert!(!output.status.success());
    }
    let output =
        program().args(["--port", "0"]).env("LOCAL_ABLY_KEY", "a.b:hush hush").output().await.unwrap();
    assert!(!output.status.success());
    assert!(!String::from_utf8(output.stderr).unwrap().contains("hush"));
}

#[tokio::test]
async fn a_namespace_has_the_rules_it_is_given_and_no_others() {
    for bad in ["chat", "chat=", "chat=forever"] {
        let output = program().args(["--port", "0", "--namespace", bad]).output().await.unwrap();
        assert_eq!(output.status.code(), Some(2), "{bad}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("--namespace"), "{bad}");
    }
    let (child, _lines, line) =
        start(program().args(["--port", "0", "--key", "a.b:c", "--namespace", "chat=mutableMessages"])).await;
    let client = reqwest::Client::new();
    let url = format!("{}/channels/chat%3A1/messages", line["url"].as_str().unwrap());
    let publish = client.post(&url).basic_auth("a.b", Some("c")).body(r#"{"data":"x"}"#);
    let published: Value =
        serde_json::from_slice(&publish.send().await.unwrap().bytes().await.unwrap()).unwrap();
    let serial = in_path(published["serials"][0].as_str().unwrap());
    let change = client.patch(format!("{url}/{serial}")).basic_auth("a.b", Some("c"));
    assert_eq!(change.body(r#"{"action":1,"data":"y"}"#).send().await.unwrap().status(), 200);
    end(child, "TERM").await;
}

/// A thousand idle connections have to fit on a laptop beside all else.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_at_rest_takes_less_than_64_kib_of_memory() {
    const CONNECTIONS: usize = 100;
    let resident = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap()
    };
    let (child, _lines, line) = start(program().args(["--port", "0", "--key", "a.b:c"])).await;
    let url = format!("ws://127.0.0.1:{}/?key=a.b:c&format=json", line["port"]);
    let connect = async || {
        let (mut socket, _) = connect_async(&url).await.unwrap();
        let frame = timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap();
        assert!(frame.to_text().unwrap().contains(r#""action":4"#));
        socket
    };
    // What the server allocates once, for whoever comes first, is no connection's.
    let mut sockets = vec![connect().await];
    let before = resident(child.id().unwrap());
    for _ in 0..CONNECTIONS {
        sockets.push(connect().await);
    }
    let each = (resident(child.id().unwrap()) - before) / CONNECTIONS;
    assert!(each < 64, "{each} KiB");
    end(child, "TERM").await;
}
