//! What the platform says has changed of a job: ids, a type and a version, and no text.

use serde::{Deserialize, Serialize};

use super::told::Happened;
use crate::ids::{EventId, EventType, JobId};
use crate::locations::Reason;
use crate::members::{self, Member, MembersError, VERSION};
use crate::objects::Millis;

/// The name of the event, the platform's own and that of each change of what is registered.
pub const NAME: &str = "job.updated";

/// The type of those that the service tells by itself, of each change of what is registered. The platform has no event of this type.
pub(super) const REGISTRATION: &str = "registration";

const ID: Member = Member { name: "id", rule: "is 1 to 64 printable ASCII characters" };
const TYPE: Member = Member {
    name: "type",
    rule: "is 1 to 64 of the characters a-z 0-9 . _ -, and not `registration`, of which the service tells itself",
};
const ALL: &str = "`id`, `type` and `version`";

/// What the platform says has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "NewEvent", deny_unknown_fields))]
pub struct Update {
    /// The platform's name for the event: by it a retry is recognised.
    pub id: EventId,
    /// What kind of thing has changed.
    pub r#type: EventType,
    /// Which version of it there is now, 0 to 2⁵³ − 1.
    #[cfg_attr(test, schemars(range(max = members::VERSION_MAX)))]
    pub version: u64,
}

/// What an event that was told says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// What it was about.
    #[serde(flatten)]
    pub update: Update,
    /// The life in which it came.
    pub epoch: u64,
    /// The last seq of that before it.
    pub after_seq: u64,
}

/// `{ok, jobId, id, status, epoch, afterSeq}`: an event of the platform's is told, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "EventAnswer"))]
pub struct Announced {
    /// Always true.
    #[cfg_attr(test, schemars(extend("const" = true)))]
    pub ok: bool,
    /// The job.
    pub job_id: JobId,
    /// The platform's name for the event.
    pub id: EventId,
    /// Whether it was told before.
    pub status: AnnouncedAs,
    /// The life in which it came.
    pub epoch: u64,
    /// The last seq of that before it.
    pub after_seq: u64,
}

/// Whether an event of the platform's was told before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum AnnouncedAs {
    /// It was not: it leaves in its turn.
    Accepted,
    /// It was, and is not told again.
    Duplicate,
}

impl Update {
    /// Reads the body of an event, `{id, type, version}`.
    ///
    /// # Errors
    /// [`MembersError`], also where there is anything else: names and texts have no place there.
    pub fn parse(body: &[u8]) -> Result<Self, MembersError> {
        let [id, r#type, version] = members::of(body, [ID, TYPE, VERSION], ALL)?;
        let id = EventId::parse(ID.read::<String>(id)?).map_err(|_| ID.wrong(Reason::InvalidId))?;
        let r#type = EventType::parse(TYPE.read::<String>(r#type)?).ok();
        let r#type = r#type.filter(|r#type| r#type.as_str() != REGISTRATION);
        let r#type = r#type.ok_or(TYPE.wrong(Reason::OutOfRange))?;
        Ok(Self { id, r#type, version: members::version(version)? })
    }

    /// The data of its event, as JSON.
    ///
    /// # Errors
    /// Where it cannot be serialised; with these types that does not happen.
    pub fn data(&self, job: &JobId, epoch: u64, after_seq: u64, ts: Millis) -> serde_json::Result<String> {
        let Self { id, r#type, version } = self;
        let happened = Happened::new(job, epoch, after_seq, *version, ts);
        serde_json::to_string(&happened.of_change(id.as_str(), r#type.as_str()))
    }
}

impl Told {
    /// What a message says of itself, by its name and its data: nothing where it is no event of the platform's.
    pub fn of(name: &str, data: &str) -> Option<Self> {
        let told: Option<Self> = (name == NAME).then(|| serde_json::from_str(data).ok()).flatten();
        told.filter(|told| told.update.r#type.as_str() != REGISTRATION)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::members::VERSION_MAX;

    fn parse(body: &Value) -> Result<Update, MembersError> {
        Update::parse(body.to_string().as_bytes())
    }

    #[test]
    fn an_event_is_an_id_a_type_and_a_version() {
        let update = parse(&json!({"version": VERSION_MAX, "type": "photo.added", "id": "a b~"})).unwrap();
        assert_eq!(
            (update.id.as_str(), update.r#type.as_str(), update.version),
            ("a b~", "photo.added", VERSION_MAX)
        );
        let job = JobId::parse("j").unwrap();
        let data = update.data(&job, 9, 3, 5).unwrap();
        let expected = json!({
            "jobId": "j", "epoch": 9, "afterSeq": 3, "id": "a b~", "type": "photo.added", "version": VERSION_MAX, "ts": 5,
        });
        assert_eq!(serde_json::from_str::<Value>(&data).unwrap(), expected);
        assert_eq!(Told::of(NAME, &data), Some(Told { update, epoch: 9, after_seq: 3 }));
        assert_eq!(Told::of("job.assigned", &data), None);
        assert_eq!(Told::of(NAME, "{}"), None);
    }

    #[test]
    fn the_member_that_is_wrong_is_named() {
        let good = json!({"id": "a", "type": "b", "version": 0});
        for (field, value, reason) in [
            ("id", json!(7), Reason::WrongType),
            ("id", Value::Null, Reason::WrongType),
            ("id", json!(""), Reason::InvalidId),
            ("id", json!("é"), Reason::InvalidId),
            ("id", json!("x".repeat(65)), Reason::InvalidId),
            ("type", json!(true), Reason::WrongType),
            ("type", json!("Photo"), Reason::OutOfRange),
            ("type", json!("registration"), Reason::OutOfRange),
            ("version", json!("1"), Reason::WrongType),
            ("version", json!(-1), Reason::OutOfRange),
            ("version", json!(1.5), Reason::OutOfRange),
            ("version", json!(VERSION_MAX + 1), Reason::OutOfRange),
        ] {
            let mut body = good.clone();
            body[field] = value;
            let error = parse(&body).expect_err(field);
            assert_eq!((error.field(), error.reason()), (Some(field), reason.code()), "{body}");
        }
        for field in ["id", "type", "version"] {
            let mut body = good.clone();
            body.as_object_mut().unwrap().remove(field);
            assert_eq!(parse(&body).unwrap_err().reason(), "required");
        }
        let mut body = good;
        body["note"] = json!("by the blue door");
        let error = parse(&body).unwrap_err();
        assert_eq!((error.field(), error.reason()), (None, "unknown_member"));
        assert_eq!(error.to_string(), "the body has `id`, `type` and `version`, and no other member");
    }
}
