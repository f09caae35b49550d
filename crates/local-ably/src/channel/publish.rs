//! What must hold of messages before a channel takes them.

use ably::{ErrorInfo, Message, MessageAction};

use crate::credentials::ClientIdentity;
use crate::errors::{bad_request, check_encoding, too_large};

pub(crate) use crate::protocol::ITEMS_MAX as MESSAGES_MAX;
/// The longest id of a message, in bytes. Ably names no limit; this one bounds memory.
const ID_LENGTH_MAX: usize = 1_024;

/// Who publishes.
#[derive(Debug)]
pub(crate) struct Publisher<'a> {
    pub(crate) client: &'a ClientIdentity,
    /// The connection that publishes, or is published for.
    pub(crate) connection_id: Option<&'a str>,
    /// The base of the ids of messages that bring none: `<connectionId>:<msgSerial>`, or random.
    pub(crate) base_id: &'a str,
    /// The most that the messages may hold together, in bytes.
    pub(crate) size_max: usize,
}

/// Messages that a channel can take: identified, and stamped with who sent them.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// What doubles are known by: for an array one key for all of it.
    key: String,
    connection_id: Option<String>,
    messages: Vec<Message>,
}

impl Prepared {
    /// How many messages there are.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Their bytes, as limits count them.
    pub(crate) fn size(&self) -> usize {
        self.messages.iter().map(Message::size).sum()
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn into_parts(self) -> (String, Option<String>, Vec<Message>) {
        (self.key, self.connection_id, self.messages)
    }
}

/// Checks messages and stamps them.
///
/// # Errors
/// 40009 (size), 40012 (clientId), 40031 (ids), 40000 (none, too many, or not a new message).
pub(crate) fn prepare(mut messages: Vec<Message>, publisher: &Publisher<'_>) -> Result<Prepared, ErrorInfo> {
    if messages.is_empty() {
        return Err(bad_request("there is no message"));
    }
    if messages.len() > MESSAGES_MAX {
        return Err(bad_request(format!("a publish has at most {MESSAGES_MAX} messages")));
    }
    let size = messages.iter().map(Message::size).sum();
    if size > publisher.size_max {
        return Err(too_large(size, publisher.size_max));
    }
    if messages.iter().any(|message| !matches!(message.action, None | Some(MessageAction::Create))) {
        return Err(bad_request("what is published here is new messages, not changes of others"));
    }
    messages.iter().try_for_each(|message| check_encoding(&message.payload))?;
    let own_key = key_of_ids(&messages)?;
    for (index, message) in messages.iter_mut().enumerate() {
        message.client_id = publisher.client.stamp(message.client_id.take())?;
        message.connection_id = publisher.connection_id.map(str::to_owned);
        message.connection_key = None;
        message.annotations = None;
        message.id.get_or_insert_with(|| format!("{}:{index}", publisher.base_id));
    }
    Ok(Prepared {
        key: own_key.unwrap_or_else(|| publisher.base_id.to_owned()),
        connection_id: publisher.connection_id.map(str::to_owned),
        messages,
    })
}

/// The key that the messages' own ids make, or nothing where they have none.
fn key_of_ids(messages: &[Message]) -> Result<Option<String>, ErrorInfo> {
    let bad = |reason: &str| ErrorInfo::new(40031, 400, format!("invalid message id: {reason}"));
    if messages.iter().filter_map(|message| message.id.as_ref()).any(|id| id.len() > ID_LENGTH_MAX) {
        return Err(bad("it is too long"));
    }
    if messages.iter().all(|message| message.id.is_none()) {
        return Ok(None);
    }
    if let [only] = messages {
        return Ok(only.id.clone());
    }
    let mut common = None;
    for (index, message) in messages.iter().enumerate() {
        let base = message.id.as_deref().and_then(|id| id.strip_suffix(&format!(":{index}")));
        let base = base.ok_or_else(|| bad("those of an array are <base>:0, <base>:1, …"))?;
        if *common.get_or_insert(base) != base {
            return Err(bad("those of an array have one base"));
        }
    }
    Ok(common.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use ably::{Data, Payload};

    use super::*;

    fn with_ids(ids: &[Option<&str>]) -> Vec<Message> {
        ids.iter().map(|id| Message { id: id.map(str::to_owned), ..Message::default() }).collect()
    }

    fn publish(messages: Vec<Message>) -> Result<Prepared, u32> {
        let publisher = Publisher {
            client: &ClientIdentity::Any,
            connection_id: Some("conn"),
            base_id: "conn:7",
            size_max: 65_536,
        };
        prepare(messages, &publisher).map_err(|error| error.code)
    }

    #[test]
    fn ids_come_from_the_frame_or_from_the_client() {
        let prepared = publish(with_ids(&[None, None])).unwrap();
        assert_eq!(prepared.key, "conn:7");
        assert_eq!(prepared.messages[1].id.as_deref(), Some("conn:7:1"));
        let prepared = publish(with_ids(&[Some("anything")])).unwrap();
        assert_eq!(prepared.key, "anything");
        assert_eq!(prepared.messages[0].id.as_deref(), Some("anything"));
    }

    #[test]
    fn the_ids_of_an_array_are_base_and_index_and_one_key() {
        assert_eq!(publish(with_ids(&[Some("b:0"), Some("b:1")])).unwrap().key, "b");
        for bad in [
            [Some("b:0"), Some("b:2")],
            [Some("b:1"), Some("b:0")],
            [Some("b:0"), Some("c:1")],
            [Some("b"), Some("b")],
            [Some("b:0"), None],
            [None, Some("b:1")],
        ] {
            assert_eq!(publish(with_ids(&bad)).err(), Some(40031), "{bad:?}");
        }
        assert_eq!(publish(with_ids(&[Some(&"x".repeat(2_000))])).err(), Some(40031));
    }

    #[test]
    fn the_size_limit_counts_all_messages_of_a_publish() {
        let of_size = |size: usize| Message {
            payload: Payload { data: Some(Data::Text("x".repeat(size))), encoding: None },
            ..Message::default()
        };
        assert!(publish(vec![of_size(40_000), of_size(25_536)]).is_ok());
        assert_eq!(publish(vec![of_size(40_000), of_size(25_537)]).err(), Some(40009));
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert_eq!(publish(Vec::new()).err(), Some(40000));
        assert_eq!(publish(with_ids(&vec![None; 1_001])).err(), Some(40000));
        let update = Message { action: Some(MessageAction::Update), ..Message::default() };
        assert_eq!(publish(vec![update]).err(), Some(40000));
    }

    #[test]
    fn a_publisher_is_stamped_whatever_the_message_says() {
        let forged = Message { connection_id: Some("other".into()), ..Message::default() };
        assert_eq!(publish(vec![forged]).unwrap().messages[0].connection_id.as_deref(), Some("conn"));
    }
}
