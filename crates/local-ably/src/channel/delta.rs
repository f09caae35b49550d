//! Deltas: what of a message is new against the one before it, for attachments that ask for it (features.md, PC3, RTL18–RTL20,
//! TM2i).
//!
//! A client decodes a delta against the message that it was sent last, whatever that is: so each attachment remembers which one
//! that is, and a message comes whole where the attachment was sent none before.
//!
//! Also whole comes what would not be shorter, any version of a message but its first, and what a client may be unable to decode
//! to the end: such a message does not become what the client decodes the next against, so that the one after it is whole as
//! well. That is the case of encrypted messages, which have nothing in common anyway.

use std::sync::Arc;

use ably::{Data, Message, MessageAction, Payload};
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use super::timeline::Publication;
use crate::protocol::{Frame, SharedFrame};
use crate::vcdiff;

/// The only format there is, as `params.delta`, `extras.delta.format` and the step of the encoding call it.
pub(super) const FORMAT: &str = "vcdiff";

/// What an attachment that asked for deltas was sent last, if anything.
pub(super) type Before = Option<Arc<Publication<Message>>>;

/// The frames that bring a publication to all attachments, with the channel's canonical name: each is made once, however many want
/// it.
#[derive(Debug)]
pub(super) struct Copies<'a> {
    publication: &'a Arc<Publication<Message>>,
    whole: Option<SharedFrame>,
    /// By what was sent before; nothing where all messages come whole. Most attachments were sent the same, so there are few.
    deltas: Vec<(Before, Option<SharedFrame>)>,
}

impl<'a> Copies<'a> {
    pub(super) fn of(publication: &'a Arc<Publication<Message>>) -> Self {
        Self { publication, whole: None, deltas: Vec::new() }
    }

    pub(super) fn publication(&self) -> &'a Arc<Publication<Message>> {
        self.publication
    }

    /// The frame with whole messages.
    pub(super) fn whole(&mut self, channel: &str) -> &SharedFrame {
        self.whole.get_or_insert_with(|| SharedFrame::from(self.publication.frame(channel)))
    }

    /// The frame for those who were sent something before.
    pub(super) fn after(&mut self, before: &Before, channel: &str) -> &SharedFrame {
        let same = |one: &Before| one.as_ref().map(Arc::as_ptr) == before.as_ref().map(Arc::as_ptr);
        if !self.deltas.iter().any(|(one, _)| same(one)) {
            let frame = frame_after(before, self.publication, channel).map(SharedFrame::from);
            self.deltas.push((before.clone(), frame));
        }
        let delta = self.deltas.iter().find(|(one, _)| same(one)).and_then(|(_, frame)| frame.as_ref());
        match delta {
            Some(frame) => frame,
            None => self.whole.get_or_insert_with(|| SharedFrame::from(self.publication.frame(channel))),
        }
    }
}

/// The frame that brings a publication to a client that was sent another before; nothing where all messages come whole.
pub(super) fn frame_after(
    before: &Before,
    publication: &Publication<Message>,
    channel: &str,
) -> Option<Frame> {
    let mut last = before.as_ref().and_then(|before| before.items.last());
    let mut any = false;
    let mut messages = Vec::with_capacity(publication.items.len());
    for message in &publication.items {
        let delta = last.and_then(|last| delta(last, message));
        any |= delta.is_some();
        messages.push(delta.unwrap_or_else(|| message.clone()));
        last = Some(message);
    }
    any.then(|| Frame { messages: Some(messages), ..publication.envelope(channel) })
}

/// A message as a delta against the one before it, if it may be one and is shorter.
fn delta(before: &Message, message: &Message) -> Option<Message> {
    if !matches!(message.action, None | Some(MessageAction::Create)) {
        return None;
    }
    let from = before.id.as_ref()?;
    let mut extras = match &message.extras {
        None => Map::new(),
        Some(Value::Object(extras)) => extras.clone(),
        Some(_) => return None,
    };
    let (base, target) = (decodable(&before.payload)?, decodable(&message.payload)?);
    let delta = vcdiff::encode(base, target);
    if delta.len() >= target.len() {
        return None;
    }
    extras.insert("delta".to_owned(), json!({"from": from, "format": FORMAT}));
    // What comes out of the decoder is bytes, also where text went in.
    let text = matches!(message.payload.data, Some(Data::Text(_))).then_some("utf-8");
    let steps = [message.payload.encoding.as_deref().filter(|steps| !steps.is_empty()), text, Some(FORMAT)];
    let encoding = steps.into_iter().flatten().collect::<Vec<_>>().join("/");
    Some(Message {
        payload: Payload { data: Some(Data::Binary(delta)), encoding: Some(encoding) },
        extras: Some(Value::Object(extras)),
        ..message.clone()
    })
}

/// The bytes of a payload that every client can decode to the end.
fn decodable(payload: &Payload) -> Option<&[u8]> {
    let is_json = |text: &str| serde_json::from_str::<IgnoredAny>(text).is_ok();
    let encoding = payload.encoding.as_deref().unwrap_or_default();
    match payload.data.as_ref()? {
        Data::Text(text) => {
            let fine = encoding.is_empty() || (encoding == "json" && is_json(text));
            fine.then_some(text.as_bytes())
        }
        Data::Binary(bytes) => {
            let text = || std::str::from_utf8(bytes).ok();
            let fine = match encoding {
                "" => true,
                "utf-8" => text().is_some(),
                "json/utf-8" => text().is_some_and(is_json),
                _ => false,
            };
            fine.then_some(bytes.as_slice())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = r#"{"latitude":52.3731,"longitude":4.8922,"speed":13}"#;

    fn payload(data: Data, encoding: &str) -> Payload {
        Payload { data: Some(data), encoding: Some(encoding.to_owned()).filter(|steps| !steps.is_empty()) }
    }

    fn text(data: &str, encoding: &str) -> Payload {
        payload(Data::Text(data.to_owned()), encoding)
    }

    fn bytes(data: &[u8], encoding: &str) -> Payload {
        payload(Data::Binary(data.to_vec()), encoding)
    }

    fn message(payload: Payload) -> Message {
        Message { id: Some("c:7:0".into()), payload, ..Message::default() }
    }

    #[test]
    fn the_encoding_says_what_is_to_be_done_with_the_decoded_bytes() {
        let long = LONG.as_bytes();
        for (payload, encoding) in [
            (text(LONG, ""), "utf-8/vcdiff"),
            (text(LONG, "json"), "json/utf-8/vcdiff"),
            (bytes(long, ""), "vcdiff"),
            (bytes(long, "utf-8"), "utf-8/vcdiff"),
            (bytes(long, "json/utf-8"), "json/utf-8/vcdiff"),
        ] {
            for base in [text(LONG, "json"), bytes(long, "")] {
                let delta = delta(&message(base), &message(payload.clone())).unwrap();
                assert_eq!(delta.payload.encoding.as_deref(), Some(encoding));
                assert_eq!(delta.extras, Some(json!({"delta": {"from": "c:7:0", "format": "vcdiff"}})));
            }
        }
    }

    #[test]
    fn what_a_client_may_fail_to_decode_is_neither_a_delta_nor_its_base() {
        let good = message(text(LONG, "json"));
        for odd in [
            text(LONG, "base64"),
            text(LONG, "rot13"),
            text(LONG.trim_start_matches('{'), "json"),
            bytes(&[&[0xFF], LONG.as_bytes()].concat(), "utf-8"),
            bytes(&LONG.as_bytes()[1..], "json/utf-8"),
            bytes(LONG.as_bytes(), "json/utf-8/cipher+aes-128-cbc"),
            bytes(LONG.as_bytes(), "vcdiff"),
            Payload::default(),
        ] {
            let odd = message(odd);
            assert_eq!(delta(&good, &odd), None, "{odd:?}");
            assert_eq!(delta(&odd, &good), None, "{odd:?}");
        }
    }

    #[test]
    fn other_versions_odd_extras_and_what_is_not_shorter_come_whole() {
        let good = message(text(LONG, "json"));
        let update = Message { action: Some(MessageAction::Update), ..good.clone() };
        let odd = Message { extras: Some(json!("odd")), ..good.clone() };
        for whole in [update, odd, message(text("{}", "json"))] {
            assert_eq!(delta(&good, &whole), None, "{whole:?}");
        }
    }

    #[test]
    fn the_other_extras_stay() {
        let good = message(text(LONG, "json"));
        let extras = Some(json!({"headers": {"a": 1}, "delta": "forged"}));
        let delta = delta(&good, &Message { extras, ..good.clone() }).unwrap();
        let expected = json!({"headers": {"a": 1}, "delta": {"from": "c:7:0", "format": "vcdiff"}});
        assert_eq!(delta.extras, Some(expected));
    }
}
