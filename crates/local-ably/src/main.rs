//! `local-ably`: an Ably for the laptop.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;

use ably::{Capability, Key, Secret};
use clap::Parser;
use local_ably::{KeyOptions, NamespaceOptions, Options, Plan, Running};
use serde_json::json;
use tokio::net::TcpListener;

/// An Ably for the laptop, in memory: the real Ably SDKs connect to it, in JSON and in MessagePack.
#[derive(Parser)]
#[command(name = "local-ably", version)]
struct Arguments {
    /// The port to listen on; 0 takes one that is free
    #[arg(long, default_value_t = 8788)]
    port: u16,

    /// The address to listen on. With another than loopback, clients also need --allow-host
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,

    /// A key, appId.keyId:secret, or one with a capability, appId.keyId:secret={"channel":["subscribe"]}. May be given more than
    /// once. Without any, there is a new one at each start
    // Read as text and parsed later: an error of clap's would quote the secret.
    #[arg(long = "key", env = "LOCAL_ABLY_KEY", hide_env_values = true)]
    keys: Vec<String>,

    /// A key, by its name appId.keyId, whose tokens can be revoked, and so live an hour at most. May be given more than once
    #[arg(long = "revocable", value_name = "KEY")]
    revocable: Vec<String>,

    /// A namespace with rules of its own, such as chat=persisted,mutableMessages. May be given more than once
    #[arg(long = "namespace", value_name = "ID=RULES", value_parser = parse_namespace)]
    namespaces: Vec<NamespaceOptions>,

    /// A Host to serve besides loopback, with or without its port. May be given more than once
    #[arg(long = "allow-host", value_name = "HOST")]
    allow_hosts: Vec<String>,

    /// An Origin to serve besides loopback ones, such as https://app.example. May be given more than once
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    allow_origins: Vec<String>,

    /// Keep to the limits of one of Ably's packages: free, standard or pro
    #[arg(long, value_name = "PACKAGE")]
    limits: Option<Plan>,

    /// The secret of the control endpoint, by which the server is told to misbehave: at least 16 printable characters without
    /// blanks. Without one, there is a new one at each start, which is printed
    #[arg(long, env = "LOCAL_ABLY_CONTROL_SECRET", hide_env_values = true)]
    control_secret: Option<String>,
}

/// Takes the secret of the control endpoint. The error does not quote it.
fn parse_control_secret(text: &str) -> Result<Secret, String> {
    if text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Secret::new(text));
    }
    Err("--control-secret or LOCAL_ABLY_CONTROL_SECRET: it has at least 16 characters, all of printable ASCII without blanks"
        .to_owned())
}

/// Parses a key and the capability that may follow it. The error quotes neither.
fn parse_key(text: &str) -> Result<KeyOptions, String> {
    // A secret is random text of A-Z a-z 0-9 _ -; the first `={` can only begin a capability.
    let (key, capability) = match text.split_once("={") {
        Some((key, rest)) => (key, Some(format!("{{{rest}"))),
        None => (text, None),
    };
    let mut options = KeyOptions::unrestricted(
        Key::parse(key).map_err(|error| format!("--key or LOCAL_ABLY_KEY: {error}"))?,
    );
    if let Some(capability) = capability {
        options.capability = Capability::parse(&capability)
            .map_err(|error| format!("the capability of {}: {error}", options.key.name()))?;
    }
    Ok(options)
}

/// Parses a namespace and its rules.
fn parse_namespace(text: &str) -> Result<NamespaceOptions, String> {
    let (id, rules) = text.split_once('=').ok_or("a namespace is an id, a = and its rules")?;
    let mut namespace = NamespaceOptions { id: id.to_owned(), ..NamespaceOptions::default() };
    for rule in rules.split(',') {
        match rule {
            "persisted" => namespace.persisted = true,
            "mutableMessages" => namespace.mutable_messages = true,
            _ => return Err(format!("{rule:?} is no rule: there are persisted and mutableMessages")),
        }
    }
    Ok(namespace)
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Where even this cannot be written, there is nobody to read it.
            let _ = writeln!(io::stderr(), "local-ably: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let given = arguments.keys.iter().filter(|text| !text.is_empty());
    let mut keys = given.map(|text| parse_key(text)).collect::<Result<Vec<_>, _>>()?;
    for name in &arguments.revocable {
        let key = keys.iter_mut().find(|key| key.key.name().as_str() == name);
        key.ok_or_else(|| format!("--revocable {name}: no key of this name is given"))?.revocable_tokens =
            true;
    }
    let mut made_up = None;
    if keys.is_empty() {
        let key = KeyOptions::random().map_err(|error| error.to_string())?;
        made_up = Some(key.key.clone());
        keys.push(key);
    }
    let given = arguments.control_secret.as_deref().filter(|text| !text.is_empty());
    let control_secret = given.map(parse_control_secret).transpose()?;
    let prints_control = control_secret.is_none();
    let address = SocketAddr::new(arguments.host, arguments.port);
    let listener = TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("port {} is taken: end what listens there, or choose another with --port", address.port())
        }
        _ => format!("cannot listen on {address}: {error}"),
    })?;
    let options = Options {
        keys,
        namespaces: arguments.namespaces,
        allow_hosts: arguments.allow_hosts,
        allow_origins: arguments.allow_origins,
        control_secret,
        limits: arguments.limits,
    };
    let running = local_ably::serve(listener, options).await.map_err(|error| error.to_string())?;
    // Whoever reads that the server listens may at once tell it to end.
    let ended = end_signal()?;
    announce(&running, made_up.as_ref(), prints_control)
        .map_err(|error| format!("cannot write to stdout: {error}"))?;

    ended.await;
    running.shutdown().await.map_err(|error| error.to_string())
}

/// One line for programs, and, for each secret that was made up here, one for people. A secret that was given is not shown.
fn announce(running: &Running, made_up: Option<&Key>, prints_control: bool) -> io::Result<()> {
    let address = running.address();
    let endpoint =
        if address.ip().is_unspecified() { "127.0.0.1".to_owned() } else { address.ip().to_string() };
    let port = address.port();
    let mut stdout = io::stdout().lock();
    let url = format!("http://{}", SocketAddr::new(endpoint.parse().unwrap_or(address.ip()), port));
    let control_secret = running.control_secret().expose();
    let mut line = json!({
        "event": "listening",
        "url": url,
        "endpoint": endpoint,
        "port": port,
        "tls": false,
    });
    // After the `#`, so that no server ever sees it, nor a log of one.
    let page = if prints_control { format!("{url}/#secret={control_secret}") } else { format!("{url}/") };
    if prints_control && let Some(fields) = line.as_object_mut() {
        fields.insert("controlSecret".to_owned(), control_secret.into());
        fields.insert("page".to_owned(), page.clone().into());
    }
    writeln!(stdout, "{line}")?;
    if let Some(key) = made_up {
        let key = key.expose();
        writeln!(
            stdout,
            "A new key for this start: new Ably.Realtime({{ key: '{}', endpoint: '{endpoint}', port: {port}, tls: false }})",
            key.expose()
        )?;
    }
    if prints_control {
        writeln!(
            stdout,
            "To make it misbehave: curl {url}/control/faults -H 'Authorization: Bearer {control_secret}' --json '{{\"kind\": \"error\", \"status\": 503, \"times\": 3}}'"
        )?;
    }
    let secret = if prints_control { "" } else { " (with the control secret)" };
    writeln!(stdout, "To look inside: {page}{secret}")?;
    stdout.flush()
}

/// Done when the process is told to end. The signals are caught from the call on.
#[cfg(unix)]
fn end_signal() -> Result<impl Future<Output = ()>, String> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|error| format!("cannot listen for signals: {error}"));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Done when the process is told to end. The signal is caught from the call on.
#[cfg(windows)]
fn end_signal() -> Result<impl Future<Output = ()>, String> {
    let mut interrupt =
        tokio::signal::windows::ctrl_c().map_err(|error| format!("cannot listen for signals: {error}"))?;
    Ok(async move {
        interrupt.recv().await;
    })
}
