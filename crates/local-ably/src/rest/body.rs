//! What stands in the body of a publish: messages, one message's fields as a form, or only what one message carries.

use ably::{Data, ErrorInfo, Message};
use serde_json::{Map, Value};

use super::Call;
use super::one_or_many::OneOrMany;
use crate::channel::MESSAGES_MAX;
use crate::errors::bad_request;

/// The fields that a form may have (REST API reference, "publish").
const FIELDS: [&str; 7] = ["id", "name", "data", "encoding", "clientId", "connectionKey", "extras"];

/// The messages that a request publishes.
///
/// # Errors
/// 40000 for a body that is not what its Content-Type says, 40009 where it is too long.
pub(super) fn messages(call: &Call) -> Result<Vec<Message>, ErrorInfo> {
    if call.param("enveloped") == Some("false") {
        return Ok(vec![unenveloped(call)?]);
    }
    if call.media_type() == "application/x-www-form-urlencoded" {
        return Ok(vec![from_form(&call.bytes()?)?]);
    }
    Ok(call.read::<OneOrMany<Message, MESSAGES_MAX>>()?.into_vec())
}

fn from_form(body: &[u8]) -> Result<Message, ErrorInfo> {
    let mut fields = Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        if !FIELDS.contains(&&*name) {
            continue;
        }
        let value = match &*name {
            "extras" => serde_json::from_str(&value).map_err(|_| bad_request("extras is not JSON"))?,
            _ => Value::from(&*value),
        };
        fields.insert(name.into_owned(), value);
    }
    if fields.is_empty() {
        return Err(bad_request("the form has no field of a message: is it JSON, without its Content-Type?"));
    }
    read(fields)
}

/// A message whose data is the whole body; headers or parameters have the rest (REST API reference, "unenveloped").
fn unenveloped(call: &Call) -> Result<Message, ErrorInfo> {
    let mut fields = Map::new();
    for (field, header, param) in [
        ("id", "x-ably-messageid", "messageId"),
        ("name", "x-ably-name", "name"),
        ("encoding", "x-ably-encoding", "encoding"),
        ("connectionKey", "x-ably-connectionkey", "connectionKey"),
    ] {
        if let Some(value) = call.header(header).or_else(|| call.param(param)) {
            fields.insert(field.to_owned(), value.into());
        }
    }
    // The header of this name is base64, and read with the credentials.
    if let Some(client_id) = call.param("clientId") {
        fields.insert("clientId".to_owned(), client_id.into());
    }
    let body = call.bytes()?;
    match call.media_type().as_str() {
        "application/octet-stream" => {
            let mut message = read(fields)?;
            message.payload.data = Some(Data::Binary(body.to_vec()));
            return Ok(message);
        }
        "text/plain" => {}
        "application/json" => {
            fields.entry("encoding").or_insert_with(|| "json".into());
        }
        _ => {
            return Err(bad_request(
                "the Content-Type is neither text/plain nor application/octet-stream nor application/json",
            ));
        }
    }
    let text = str::from_utf8(&body).map_err(|_| bad_request("the body is not UTF-8"))?;
    fields.insert("data".to_owned(), text.into());
    read(fields)
}

fn read(fields: Map<String, Value>) -> Result<Message, ErrorInfo> {
    serde_json::from_value(Value::Object(fields)).map_err(|error| bad_request(error.to_string()))
}
