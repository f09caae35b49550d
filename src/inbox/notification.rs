//! What somebody is told: read at the border, and as it is published.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ids::{EntityId, EventType, NotificationId, UserId};
use crate::locations::fix::Reason;
use crate::locations::log::Ready;
use crate::members::{self, Member, MembersError, VERSION};
use crate::objects::Millis;

/// The longest body, in bytes.
pub const BODY_MAX: usize = 4 * 1024;

/// The longest id that others give, in bytes.
const ID_MAX: usize = 64;

/// What the ids begin with that the service gives itself: nobody else's do.
pub(crate) const OWN: &str = "towline:";

const ID: Member =
    Member { name: "id", rule: "is 1 to 64 printable ASCII characters, and does not begin with `towline:`" };
const TYPE: Member = Member { name: "type", rule: "is 1 to 64 of the characters a-z 0-9 . _ -" };
const ENTITY: Member = Member { name: "entityId", rule: "is 1 to 64 of the characters A-Z a-z 0-9 . _ -" };
const ALL: &str = "`id`, `type`, `entityId` and `version`";

/// So much of a hash is enough: no two have the same by chance.
const HASH_BYTES: usize = 16;

/// The event on the channel.
const EVENT: &str = "notification";

/// A small event for one person: that something of a version is there, and not what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "NewNotification", deny_unknown_fields))]
pub struct Notification {
    /// By it the same one is recognised.
    pub id: NotificationId,
    /// What has happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// To what.
    pub entity_id: EntityId,
    /// In which version of that, at most 2^53 − 1.
    #[cfg_attr(test, schemars(range(max = members::VERSION_MAX)))]
    pub version: u64,
}

impl Notification {
    /// Reads a body, which is no longer than [`BODY_MAX`].
    ///
    /// # Errors
    /// [`MembersError`], also where there is anything else: names and texts have no place there.
    pub fn parse(body: &[u8]) -> Result<Self, MembersError> {
        let [id, kind, entity, version] = members::of(body, [ID, TYPE, ENTITY, VERSION], ALL)?;
        let id = NotificationId::parse(ID.read::<String>(id)?).ok();
        let id = id.filter(|id| id.as_str().len() <= ID_MAX && !id.as_str().starts_with(OWN));
        let (kind, entity): (String, String) = (TYPE.read(kind)?, ENTITY.read(entity)?);
        Ok(Self {
            id: id.ok_or(ID.wrong(Reason::InvalidId))?,
            kind: EventType::parse(kind).map_err(|_| TYPE.wrong(Reason::InvalidId))?,
            entity_id: EntityId::parse(entity).map_err(|_| ENTITY.wrong(Reason::InvalidId))?,
            version: members::version(version)?,
        })
    }

    /// By which one of the same content is recognised once nothing else is kept of it.
    pub(super) fn print(&self) -> String {
        let Self { id, kind, entity_id, version } = self;
        // No type and no entity has a blank.
        hash(&format!("{kind} {entity_id} {version} {id}"))
    }

    /// As it is published to somebody, once it was accepted in the place `n` at `ts`. By its id Ably recognises a retry for two minutes, and
    /// all that it says is in that id: so one that is accepted again is another, whatever became of the first.
    ///
    /// # Errors
    /// Where it cannot be written as JSON; with these types that does not happen.
    pub(super) fn ready(&self, user: &UserId, n: u64, ts: Millis) -> serde_json::Result<Ready> {
        #[derive(Serialize)]
        struct Data<'a> {
            #[serde(flatten)]
            notification: &'a Notification,
            ts: Millis,
        }
        Ok(Ready {
            channel: format!("notifications:user:{user}"),
            name: EVENT.to_owned(),
            // No user id has a blank.
            id: hash(&format!("{user} {n} {ts} {}", self.print())),
            data: serde_json::to_string(&Data { notification: self, ts })?,
        })
    }
}

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text).get(..HASH_BYTES).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = r#"{"id": "n 1", "type": "quote.sent", "entityId": "Q-7", "version": 3}"#;

    fn parse(body: &str) -> Result<Notification, MembersError> {
        Notification::parse(body.as_bytes())
    }

    #[test]
    fn a_notification_is_four_members_and_no_other() {
        let notification = parse(GOOD).unwrap();
        let text = r#"{"id":"n 1","type":"quote.sent","entityId":"Q-7","version":3}"#;
        assert_eq!(serde_json::to_string(&notification).unwrap(), text);
        assert_eq!(parse(text), Ok(notification.clone()));
        assert_eq!(
            parse(r#"{"\u0069d":"n 1","type":"quote.sent","entityId":"Q-7","version":3}"#),
            Ok(notification)
        );
        let more = GOOD.replace("}", r#", "title": "Your car"}"#);
        let error = parse(&more).unwrap_err();
        assert_eq!(
            (error, error.reason(), error.field()),
            (MembersError::Unknown(ALL), "unknown_member", None)
        );
        let twice = GOOD.replace("}", r#", "id": "n 1"}"#);
        for body in ["", "null", "[]", r#"["n", "t", "e", 1]"#, "{", "{} {}", "{\"id\":\"\u{1}\"}"] {
            assert_eq!(parse(body), Err(MembersError::NotAnObject), "{body}");
        }
        assert_eq!(parse(&twice), Err(ID.wrong(Reason::Repeated)));
    }

    #[test]
    fn the_member_that_is_wrong_is_named() {
        let long = format!("\"{}\"", "x".repeat(65));
        let members = [(ID, "\"n\""), (TYPE, "\"t\""), (ENTITY, "\"e\""), (VERSION, "1")];
        let with = |field: Member, value: Option<&str>| {
            let members = members.iter().filter_map(|(Member { name, .. }, good)| {
                let value = if *name == field.name { value? } else { good };
                Some(format!("\"{name}\": {value}"))
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        };
        for (field, good) in members {
            assert!(parse(&with(field, Some(good))).is_ok());
            assert_eq!(parse(&with(field, None)), Err(field.wrong(Reason::Required)), "{field:?}");
            assert_eq!(parse(&with(field, Some("null"))), Err(field.wrong(Reason::WrongType)), "{field:?}");
        }
        for (field, value, reason) in [
            (ID, "7", Reason::WrongType),
            (ID, "\"\"", Reason::InvalidId),
            (ID, "\"a\\tb\"", Reason::InvalidId),
            (ID, &long, Reason::InvalidId),
            (ID, "\"towline:a.1.closed\"", Reason::InvalidId),
            (TYPE, "[]", Reason::WrongType),
            (TYPE, "\"A\"", Reason::InvalidId),
            (TYPE, "\"a b\"", Reason::InvalidId),
            (TYPE, &long, Reason::InvalidId),
            (ENTITY, "1", Reason::WrongType),
            (ENTITY, "\"a b\"", Reason::InvalidId),
            (ENTITY, &long, Reason::InvalidId),
            (VERSION, "\"1\"", Reason::WrongType),
            (VERSION, "-1", Reason::OutOfRange),
            (VERSION, "1.0", Reason::OutOfRange),
            (VERSION, "9007199254740992", Reason::OutOfRange),
        ] {
            let error = parse(&with(field, Some(value))).unwrap_err();
            assert_eq!(error, field.wrong(reason), "{value}");
            assert!(error.to_string().starts_with(&format!("`{}` is ", field.name)), "{error}");
        }
        for version in ["0", "9007199254740991"] {
            assert!(parse(&with(VERSION, Some(version))).is_ok(), "{version}");
        }
    }

    #[test]
    fn it_is_published_as_it_came_with_the_time_and_an_id_of_its_own() {
        let user = |id: &str| UserId::parse(id).unwrap();
        let notification = parse(GOOD).unwrap();
        let ready = notification.ready(&user("ann"), 1, 5).unwrap();
        assert_eq!((ready.channel.as_str(), ready.name.as_str()), ("notifications:user:ann", "notification"));
        assert_eq!(ready.data, r#"{"id":"n 1","type":"quote.sent","entityId":"Q-7","version":3,"ts":5}"#);
        assert_eq!(ready, notification.ready(&user("ann"), 1, 5).unwrap());
        let other = parse(&GOOD.replace("n 1", "1")).unwrap();
        let ids = [
            ready.id,
            notification.ready(&user("bob"), 1, 5).unwrap().id,
            notification.ready(&user("ann"), 1, 6).unwrap().id,
            notification.ready(&user("ann"), 2, 5).unwrap().id,
            other.ready(&user("ann"), 1, 5).unwrap().id,
        ];
        for (at, id) in ids.iter().enumerate() {
            assert!(id.len() == 22 && !id.contains(':') && !ids[at + 1..].contains(id), "{ids:?}");
        }
        assert_eq!(policy::NOTIFICATION_CHANNEL.replace("{userId}", "ann"), ready.channel);
    }

    #[test]
    fn another_content_has_another_print() {
        let prints: Vec<String> = ["", "n 1>n 2", "quote>note", "Q-7>Q-8", "3>4"]
            .iter()
            .map(|change| match change.split_once('>') {
                Some((old, new)) => parse(&GOOD.replace(old, new)).unwrap().print(),
                None => parse(GOOD).unwrap().print(),
            })
            .collect();
        for (at, print) in prints.iter().enumerate() {
            assert!(!prints[at + 1..].contains(print), "{prints:?}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Notification::parse(&body);
        }
    }
}
