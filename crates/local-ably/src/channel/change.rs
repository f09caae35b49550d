//! Updates, deletions and appends: new versions of messages that were published before.

use ably::{Data, ErrorInfo, Message, MessageAction, Operation, Operations, Payload, Version};
use serde_json::Value;

use super::publish::Publisher;
use crate::errors::{bad_request, check_encoding, invalid_parameter, not_allowed, too_large};

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Update,
    Delete,
    Append,
}

/// A new version of a message.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    kind: Kind,
    /// The serial of the message that is changed.
    pub(super) serial: String,
    name: Option<String>,
    /// Nothing leaves the data as it is.
    payload: Option<Payload>,
    extras: Option<Value>,
    /// Who changes it and why; the serial and the time are the channel's.
    version: Version,
    pub(super) base_id: String,
    pub(super) connection_id: Option<String>,
    size: usize,
    /// The most that the message may hold after the change.
    size_max: usize,
}

/// A change carried out.
#[derive(Debug)]
pub(super) struct Changed {
    /// What the message is from now on.
    pub(super) whole: Message,
    /// What subscribers are sent.
    pub(super) live: Message,
}

impl Changed {
    /// The whole message after what subscribers were sent, from what it was before.
    pub(super) fn whole_of(live: &Message, before: &Message) -> Message {
        if live.action != Some(MessageAction::Append) {
            return live.clone();
        }
        // It was appended once, so it can be again.
        let payload = appended(&before.payload, &live.payload).unwrap_or_else(|_| live.payload.clone());
        Message { action: Some(MessageAction::Update), payload, ..live.clone() }
    }
}

/// Whether messages are changes of others, not new ones.
pub(crate) fn is_change(messages: &[Message]) -> bool {
    messages.iter().any(|message| !matches!(message.action, None | Some(MessageAction::Create)))
}

/// Reads a change from the one message of a frame or request.
///
/// # Errors
/// 40000 (not one change), 40003 (no serial), 40009 (size), 40012 (clientId).
pub(crate) fn prepare_change(
    mut messages: Vec<Message>,
    publisher: &Publisher<'_>,
) -> Result<Change, ErrorInfo> {
    let (Some(message), true) = (messages.pop(), messages.is_empty()) else {
        return Err(bad_request("a change of a message is published by itself"));
    };
    let kind = match message.action {
        Some(MessageAction::Update) => Kind::Update,
        Some(MessageAction::Delete) => Kind::Delete,
        Some(MessageAction::Append) => Kind::Append,
        _ => {
            return Err(bad_request(
                "clients create, update, delete or append to messages, and nothing else",
            ));
        }
    };
    check_encoding(&message.payload)?;
    let size = message.size() + message.version.as_ref().map_or(0, Version::size);
    if size > publisher.size_max {
        return Err(too_large(size, publisher.size_max));
    }
    let serial = message.serial.filter(|serial| !serial.is_empty());
    let serial = serial.ok_or_else(|| invalid_parameter("a change names the message by its serial"))?;
    // The message may be a whole one that was received and altered; who made it and when is not for the changer to say.
    let version = message.version.unwrap_or_default();
    Ok(Change {
        kind,
        serial,
        name: message.name,
        payload: message.payload.data.is_some().then_some(message.payload),
        extras: message.extras,
        version: Version {
            serial: None,
            timestamp: None,
            client_id: publisher.client.stamp(version.client_id)?,
            description: version.description,
            metadata: version.metadata,
        },
        base_id: publisher.base_id.to_owned(),
        connection_id: publisher.connection_id.map(str::to_owned),
        size,
        size_max: publisher.size_max,
    })
}

impl Change {
    /// The bytes of what was sent, as limits count them.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Refuses a change that the operations allow for neither anybody's messages nor for the changer's own.
    ///
    /// # Errors
    /// 40166 where they allow it for the changer's own messages, and the changer has no `clientId` by which any could be its own;
    /// else 40160 (Ably's list of errors).
    pub(super) fn allowed(
        &self,
        operations: Option<&Operations>,
        original: &Message,
        channel: &str,
    ) -> Result<(), ErrorInfo> {
        let (any, own) = match self.kind {
            Kind::Delete => (Operation::MessageDeleteAny, Operation::MessageDeleteOwn),
            Kind::Update | Kind::Append => (Operation::MessageUpdateAny, Operation::MessageUpdateOwn),
        };
        let allow = |operation| operations.is_some_and(|operations| operations.allow(operation));
        let is_own = original.client_id.is_some() && original.client_id == self.version.client_id;
        if allow(any) || (allow(own) && is_own) {
            Ok(())
        } else if allow(own) && self.version.client_id.is_none() {
            let (own, any) = (own.as_str(), any.as_str());
            let message = format!(
                "a client without a clientId has no messages of its own: {own} is no use to it, {any} would be"
            );
            Err(ErrorInfo::new(40166, 401, message))
        } else {
            Err(not_allowed(channel, any))
        }
    }

    /// Carries the change out: what it does not mention stays.
    ///
    /// # Errors
    /// 40009 where the message becomes too long, 40000 where data of another kind would be appended.
    pub(super) fn apply(
        self,
        before: &Message,
        version_serial: &str,
        now: i64,
    ) -> Result<Changed, ErrorInfo> {
        let mut whole = Message {
            id: Some(format!("{}:0", self.base_id)),
            name: self.name.or_else(|| before.name.clone()),
            extras: self.extras.or_else(|| before.extras.clone()),
            version: Some(Version {
                serial: Some(version_serial.to_owned()),
                timestamp: Some(now),
                ..self.version
            }),
            ..before.clone()
        };
        let live = match self.kind {
            Kind::Update | Kind::Delete => {
                let action =
                    if self.kind == Kind::Delete { MessageAction::Delete } else { MessageAction::Update };
                whole.action = Some(action);
                whole.payload = self.payload.unwrap_or(whole.payload);
                whole.clone()
            }
            Kind::Append => {
                let delta = self.payload.unwrap_or_default();
                whole.action = Some(MessageAction::Update);
                whole.payload = appended(&before.payload, &delta)?;
                Message { action: Some(MessageAction::Append), payload: delta, ..whole.clone() }
            }
        };
        let size = whole.size();
        if size > self.size_max { Err(too_large(size, self.size_max)) } else { Ok(Changed { whole, live }) }
    }
}

/// Data and what is appended to it.
fn appended(before: &Payload, delta: &Payload) -> Result<Payload, ErrorInfo> {
    let data = match (&before.data, &delta.data) {
        (_, None) => return Ok(before.clone()),
        (None, Some(_)) => return Ok(delta.clone()),
        (Some(Data::Text(text)), Some(Data::Text(more))) => Data::Text(format!("{text}{more}")),
        (Some(Data::Binary(bytes)), Some(Data::Binary(more))) => {
            Data::Binary(bytes.iter().chain(more).copied().collect())
        }
        _ => return Err(bad_request("text is appended to text, and bytes to bytes")),
    };
    if delta.encoding.is_some() && delta.encoding != before.encoding {
        return Err(bad_request("what is appended has the encoding of the message"));
    }
    Ok(Payload { data: Some(data), encoding: before.encoding.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::ClientIdentity;

    fn text(data: &str) -> Payload {
        Payload { data: Some(Data::Text(data.into())), encoding: None }
    }

    fn original() -> Message {
        Message {
            name: Some("n".into()),
            payload: text("old"),
            client_id: Some("me".into()),
            timestamp: Some(1),
            ..Message::default()
        }
    }

    fn change_by(client: &ClientIdentity, message: Message) -> Result<Change, u32> {
        let message = Message { serial: message.serial.or(Some("s".into())), ..message };
        let publisher = Publisher { client, connection_id: None, base_id: "b", size_max: 65_536 };
        prepare_change(vec![message], &publisher).map_err(|error| error.code)
    }

    fn change(action: MessageAction, payload: Payload) -> Change {
        let message = Message { action: Some(action), payload, ..Message::default() };
        change_by(&ClientIdentity::Any, message).unwrap()
    }

    #[test]
    fn what_a_change_does_not_mention_stays() {
        let changed = change(MessageAction::Update, text("new")).apply(&original(), "v", 2).unwrap();
        assert_eq!(changed.whole.payload, text("new"));
        assert_eq!((changed.whole.name.as_deref(), changed.whole.timestamp), (Some("n"), Some(1)));
        assert_eq!(changed.whole.version.unwrap().timestamp, Some(2));
        let deleted = change(MessageAction::Delete, Payload::default()).apply(&original(), "v", 2).unwrap();
        assert_eq!((deleted.whole.payload, deleted.live.action), (text("old"), Some(MessageAction::Delete)));
    }

    #[test]
    fn an_append_goes_live_as_what_is_new_and_stays_as_the_whole() {
        let changed = change(MessageAction::Append, text(" and new")).apply(&original(), "v", 2).unwrap();
        assert_eq!(
            (changed.whole.payload, changed.whole.action),
            (text("old and new"), Some(MessageAction::Update))
        );
        assert_eq!(
            (changed.live.payload, changed.live.action),
            (text(" and new"), Some(MessageAction::Append))
        );
        let bytes = Payload { data: Some(Data::Binary(vec![1])), encoding: None };
        assert_eq!(change(MessageAction::Append, bytes).apply(&original(), "v", 2).unwrap_err().code, 40000);
        let long = change(MessageAction::Append, text(&"x".repeat(65_533)));
        assert_eq!(long.apply(&original(), "v", 2).unwrap_err().code, 40009);
    }

    #[test]
    fn a_change_names_one_message_and_its_changer() {
        let of = |action| Message { action: Some(action), ..Message::default() };
        for action in [MessageAction::Meta, MessageAction::Summary] {
            assert_eq!(change_by(&ClientIdentity::Any, of(action)).unwrap_err(), 40000);
        }
        let nameless = Message { serial: Some(String::new()), ..of(MessageAction::Update) };
        assert_eq!(change_by(&ClientIdentity::Any, nameless).unwrap_err(), 40003);
        let forged = Message {
            version: Some(Version { client_id: Some("other".into()), ..Version::default() }),
            ..of(MessageAction::Update)
        };
        assert_eq!(change_by(&ClientIdentity::Named("me".into()), forged).unwrap_err(), 40012);
    }

    #[test]
    fn own_messages_are_changed_by_less_than_anybodys() {
        let own = Operations::parse(&["message-update-own"]).unwrap();
        let by = |client: &str| {
            let update = Message { action: Some(MessageAction::Update), ..Message::default() };
            change_by(&ClientIdentity::Named(client.into()), update).unwrap()
        };
        assert!(by("me").allowed(Some(&own), &original(), "a").is_ok());
        assert!(by("other").allowed(Some(&own), &original(), "a").is_err());
        let any = Operations::parse(&["message-update-any"]).unwrap();
        assert!(by("other").allowed(Some(&any), &original(), "a").is_ok());
        assert!(change(MessageAction::Delete, text("")).allowed(Some(&any), &original(), "a").is_err());
        assert!(by("me").allowed(Some(&own), &Message::default(), "a").is_err(), "nobody's message");
    }
}
