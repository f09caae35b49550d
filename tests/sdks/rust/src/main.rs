//! What the Rust SDK, which has REST alone, finds at a local Ably: one line a check. `npm run test:sdks` runs it.

use std::env;
use std::fmt::Debug;
use std::process::ExitCode;

use ably::auth::{AuthOptions, Credential, Key, TokenParams};
use ably::rest::Message;
use ably::{ClientOptions, Data, Rest};
use futures::StreamExt;
use serde_json::json;

type Checked = Result<(), String>;

const BINARY: &[u8] = &[0x00, 0xff, 0x7f];

/// Name and payload of what is published.
fn payloads() -> Vec<(String, Data)> {
    vec![
        ("text".to_owned(), Data::String("héllo ✓".to_owned())),
        ("json".to_owned(), Data::JSON(json!({"n": [1, 2.5, null]}))),
        ("binary".to_owned(), BINARY.into()),
    ]
}

/// The client speaks TLS alone: the address is that of something that ends it in front of the local Ably.
struct Checks {
    format: &'static str,
    channel: String,
    key: Key,
    rest: Rest,
}

impl Checks {
    fn new(format: &'static str, address: &str, key: &str) -> ably::Result<Self> {
        Ok(Self {
            format,
            channel: format!("rust-{format}"),
            key: Key::new(key)?,
            rest: client(ClientOptions::new(key), format, address)?,
        })
    }

    async fn publish(&self) -> Checked {
        let channel = self.rest.channels().get(&self.channel);
        for (name, data) in payloads() {
            let message = channel.publish().name(name);
            let message = match data {
                Data::String(text) => message.string(text),
                Data::JSON(value) => message.json(value),
                Data::Binary(bytes) => message.binary(bytes.into_vec()),
                Data::None => message,
            };
            message.send().await.map_err(shown)?;
        }
        Ok(())
    }

    async fn history(&self) -> Checked {
        let channel = self.rest.channels().get(&self.channel);
        let mut found = Vec::new();
        let mut sizes = Vec::new();
        let mut pages = channel.history().limit(2).pages();
        while let Some(page) = pages.next().await {
            let items = page.map_err(shown)?.items().await.map_err(shown)?;
            sizes.push(items.len());
            found.extend(contents(items));
        }
        same(&sizes, &vec![2, 1])?;
        same(&found, &payloads().into_iter().rev().collect())
    }

    async fn reads_ably_js(&self) -> Checked {
        let channel = self.rest.channels().get("persisted:from-ably-js");
        let page = channel.history().forwards().send().await.map_err(shown)?;
        same(&contents(page.items().await.map_err(shown)?), &payloads())
    }

    async fn presence(&self) -> Checked {
        let expected = vec![("resident".to_owned(), Data::JSON(json!({"from": "ably-js"})))];
        let channel = self.rest.channels().get("residents");
        let members = channel.presence.get().send().await.map_err(shown)?.items().await.map_err(shown)?;
        same(&members.into_iter().map(|member| (member.client_id, member.data)).collect(), &expected)?;
        let entered = channel.presence.history().forwards().limit(1).send().await.map_err(shown)?;
        let entered = entered.items().await.map_err(shown)?;
        same(&entered.into_iter().map(|event| (event.client_id, event.data)).collect(), &expected)
    }

    async fn token(&self, address: &str) -> Checked {
        let params = TokenParams::new()
            .capability(&json!({&self.channel: ["history"]}).to_string())
            .client_id("token-user");
        let options =
            AuthOptions { token: Some(Credential::Key(self.key.clone())), ..AuthOptions::default() };
        let details = self.rest.auth().request_token(&params, &options).await.map_err(shown)?;
        let metadata = details.metadata.ok_or("the token comes with what it may do")?;
        same(&metadata.client_id.as_deref(), &Some("token-user"))?;
        let rest = client(ClientOptions::with_token(details.token), self.format, address).map_err(shown)?;
        let channel = rest.channels().get(&self.channel);
        same(&channel.history().send().await.map_err(shown)?.items().await.map_err(shown)?.len(), &3)?;
        match channel.publish().name("x").string("y").send().await {
            Err(error) => same(&(error.code as u32, error.status_code), &(40160, Some(401))),
            Ok(()) => Err("a token that may read has published".to_owned()),
        }
    }
}

fn client(options: ClientOptions, format: &str, address: &str) -> ably::Result<Rest> {
    options.rest_host(address)?.use_binary_protocol(format == "msgpack").rest()
}

fn contents(messages: Vec<Message>) -> Vec<(String, Data)> {
    messages.into_iter().map(|message| (message.name.unwrap_or_default(), message.data)).collect()
}

fn same<T: PartialEq + Debug>(found: &T, expected: &T) -> Checked {
    if found == expected {
        return Ok(());
    }
    Err(format!("expected {expected:?}, found {found:?}"))
}

fn shown(error: impl Debug) -> String {
    format!("{error:?}")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (address, key) = (env::var("SDKS_TLS_ADDRESS"), env::var("SDKS_KEY"));
    let (Ok(address), Ok(key)) = (address, key) else {
        println!("failed: SDKS_TLS_ADDRESS and SDKS_KEY are needed");
        return ExitCode::FAILURE;
    };
    let mut good = true;
    for format in ["json", "msgpack"] {
        let checks = match Checks::new(format, &address, &key) {
            Ok(checks) => checks,
            Err(error) => {
                println!("failed {format} client: {error:?}");
                return ExitCode::FAILURE;
            }
        };
        // In order: later ones build on earlier ones.
        let results = [
            ("publish", checks.publish().await),
            ("history", checks.history().await),
            ("reads ably js", checks.reads_ably_js().await),
            ("presence", checks.presence().await),
            ("token", checks.token(&address).await),
        ];
        for (name, result) in results {
            match result {
                Ok(()) => println!("ok {format} {name}"),
                Err(error) => {
                    println!("failed {format} {name}: {error}");
                    good = false;
                }
            }
        }
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
