//! What the platform says of a job, read at the border.

#[cfg(test)]
mod schema;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use super::gate::Gates;
use crate::ids::{DispatchId, UserId};
use crate::locations::fix::{Reason, time};
use crate::objects::Millis;

/// The most customers of a job.
pub const CUSTOMERS_MAX: usize = 50;

/// No job ends later than this, in milliseconds from now: what is further away was meant in other units.
const ENDS_MAX: Millis = 366 * 86_400_000;

/// A job as the platform wants it: all of it, each time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    /// Who drives; nobody yet, where it waits for a driver.
    pub driver: Option<UserId>,
    /// For whom, each once, at most [`CUSTOMERS_MAX`], in the order of their ids.
    pub customers: Vec<UserId>,
    /// Where the vehicle is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Spot>,
    /// When it is planned to begin, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Millis>,
    /// When it ends by itself at the latest, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Millis>,
    /// By which dispatch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispatch_id: Option<DispatchId>,
    /// What keeps whom from seeing the driver; nothing where nobody is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gates>,
}

/// A place on earth, WGS 84, in degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Spot {
    /// North, −90 to 90.
    #[cfg_attr(test, schemars(range(min = -90, max = 90)))]
    pub lat: f64,
    /// East, −180 to 180.
    #[cfg_attr(test, schemars(range(min = -180, max = 180)))]
    pub lng: f64,
}

/// Why the platform closes a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum CloseReason {
    /// The work is done.
    Done,
    /// It is not wanted any more.
    Cancelled,
    /// It could not be done.
    Failed,
}

/// Why a body says nothing of a job. The message quotes nothing that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JobError {
    /// It is not a JSON object, or names a member twice.
    #[error("the body is a JSON object that names each member once")]
    NotAnObject,
    /// One customer more would be too many.
    #[error("a job has at most {CUSTOMERS_MAX} customers")]
    TooManyCustomers,
    /// A member breaks its rule.
    #[error("`{}` {}", .field, rule(.field))]
    Member {
        /// Which.
        field: &'static str,
        /// The stable code of what is wrong.
        reason: Reason,
    },
}

impl JobError {
    /// The job would be over already, since nobody says when it ends.
    pub const END_NEEDED: Self = Self::Member { field: "endsAt", reason: Reason::Required };

    /// The job would be over before its gate opens.
    pub const GATE_TOO_LATE: Self = Self::Member { field: "gate", reason: Reason::OutOfRange };

    /// The stable code of what is wrong.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotAnObject => Reason::NotAnObject.code(),
            Self::TooManyCustomers => "too_many",
            Self::Member { reason, .. } => reason.code(),
        }
    }

    /// The member that is to blame, if one is.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::NotAnObject => None,
            Self::TooManyCustomers => Some("customers"),
            Self::Member { field, .. } => Some(field),
        }
    }
}

fn rule(field: &str) -> &'static str {
    match field {
        "driver" => "is a user id, or null where there is no driver yet",
        "customers" => "is a list of at most 50 user ids, each once",
        "place" => "is {\"lat\", \"lng\"} in degrees",
        "startsAt" => "is a time before `endsAt`: ISO 8601 with an offset, or Unix milliseconds",
        "endsAt" => "is a time to come, within a year: ISO 8601 with an offset, or Unix milliseconds",
        "state" => "is `parked`, `no_permission`, `no_fix` or `off_duty`",
        "gate" => {
            "is {\"customer\": {\"from\", \"within\"}} with one of both at least: a time before `endsAt`, and 100 to 100000 metres from `place`"
        }
        "dispatchId" => "is 1 to 64 of the characters A-Z a-z 0-9 . _ -",
        _ => "is `done`, `cancelled` or `failed`",
    }
}

/// The members of a body, each as its own text, so that the one that is wrong can be named. What else there is is ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Members<'a> {
    #[serde(borrow, default, deserialize_with = "there")]
    pub(super) driver: Option<&'a RawValue>,
    #[serde(borrow)]
    customers: Option<&'a RawValue>,
    #[serde(borrow)]
    place: Option<&'a RawValue>,
    #[serde(borrow)]
    starts_at: Option<&'a RawValue>,
    #[serde(borrow)]
    ends_at: Option<&'a RawValue>,
    #[serde(borrow)]
    dispatch_id: Option<&'a RawValue>,
    #[serde(borrow)]
    gate: Option<&'a RawValue>,
    #[serde(borrow)]
    reason: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) state: Option<&'a RawValue>,
}

/// A member that is there, be it `null`.
fn there<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl Wanted {
    /// Reads the body of a `PUT`, at `now`.
    ///
    /// # Errors
    /// [`JobError`]
    pub fn parse(body: &[u8], now: Millis) -> Result<Self, JobError> {
        let members = members(body)?;
        let driver = members.driver.ok_or_else(|| wrong("driver", Reason::Required))?;
        let driver = match driver.get() {
            "null" => None,
            text => Some(user("driver", read("driver", text)?)?),
        };
        let customers = members.customers.ok_or_else(|| wrong("customers", Reason::Required))?;
        let starts_at = members.starts_at.map(|raw| instant("startsAt", raw)).transpose()?;
        let ends_at = members.ends_at.map(|raw| instant("endsAt", raw)).transpose()?;
        if ends_at.is_some_and(|at| at <= now || at > now + ENDS_MAX) {
            return Err(wrong("endsAt", Reason::OutOfRange));
        }
        if starts_at.zip(ends_at).is_some_and(|(starts, ends)| ends <= starts) {
            return Err(wrong("startsAt", Reason::OutOfRange));
        }
        let dispatch_id =
            members.dispatch_id.map(|raw| read::<String>("dispatchId", raw.get())).transpose()?;
        let dispatch_id = dispatch_id.map(DispatchId::parse).transpose();
        let place = members.place.map(|raw| spot(raw.get())).transpose()?;
        let latest = ends_at.unwrap_or(now + ENDS_MAX);
        Ok(Self {
            driver,
            customers: customers_of(customers.get())?,
            place,
            starts_at,
            ends_at,
            dispatch_id: dispatch_id.map_err(|_| wrong("dispatchId", Reason::InvalidId))?,
            gate: members.gate.map(|raw| Gates::parse(raw.get(), place, latest)).transpose()?,
        })
    }
}

impl CloseReason {
    /// Reads the body of a close.
    ///
    /// # Errors
    /// [`JobError`]
    pub fn parse(body: &[u8]) -> Result<Self, JobError> {
        let reason = members(body)?.reason.ok_or_else(|| wrong("reason", Reason::Required))?;
        read::<String>("reason", reason.get())?;
        serde_json::from_str(reason.get()).map_err(|_| wrong("reason", Reason::OutOfRange))
    }
}

pub(super) fn members(body: &[u8]) -> Result<Members<'_>, JobError> {
    // A list of values is an object as well, to serde.
    let body = str::from_utf8(body).ok().filter(|body| body.trim_ascii_start().starts_with('{'));
    body.and_then(|body| serde_json::from_str(body).ok()).ok_or(JobError::NotAnObject)
}

pub(super) fn wrong(field: &'static str, reason: Reason) -> JobError {
    JobError::Member { field, reason }
}

/// A value of this type and no other.
pub(super) fn read<'a, T: Deserialize<'a>>(field: &'static str, text: &'a str) -> Result<T, JobError> {
    serde_json::from_str(text).map_err(|_| wrong(field, Reason::WrongType))
}

pub(super) fn user(field: &'static str, id: String) -> Result<UserId, JobError> {
    UserId::parse(id).map_err(|_| wrong(field, Reason::InvalidId))
}

fn customers_of(text: &str) -> Result<Vec<UserId>, JobError> {
    let ids: Vec<String> = read("customers", text)?;
    if ids.len() > CUSTOMERS_MAX {
        return Err(wrong("customers", Reason::OutOfRange));
    }
    let mut customers: Vec<UserId> = Vec::with_capacity(ids.len());
    for id in ids {
        let id = user("customers", id)?;
        match customers.binary_search(&id) {
            Ok(_) => return Err(wrong("customers", Reason::Repeated)),
            Err(at) => customers.insert(at, id),
        }
    }
    Ok(customers)
}

fn spot(text: &str) -> Result<Spot, JobError> {
    let spot: Spot = read("place", if text.starts_with('{') { text } else { "" })?;
    let is_there = (-90.0..=90.0).contains(&spot.lat) && (-180.0..=180.0).contains(&spot.lng);
    if is_there { Ok(spot) } else { Err(wrong("place", Reason::OutOfRange)) }
}

pub(super) fn instant(field: &'static str, raw: &RawValue) -> Result<Millis, JobError> {
    let text = raw.get();
    let at = if text.starts_with('"') {
        time::from_text(&read::<String>(field, text)?)
    } else {
        time::from_number(read(field, text)?)
    };
    at.map_err(|reason| wrong(field, reason))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Millis = 1_700_000_000_000;

    fn parse(body: &str) -> Result<Wanted, JobError> {
        Wanted::parse(body.as_bytes(), NOW)
    }

    #[test]
    fn a_driver_may_be_nobody_but_has_to_be_named() {
        let wanted =
            parse(r#"{"driver": null, "customers": [], "place": null, "more": {"a": [1]}}"#).unwrap();
        let nobody = Wanted {
            driver: None,
            customers: vec![],
            place: None,
            starts_at: None,
            ends_at: None,
            dispatch_id: None,
            gate: None,
        };
        assert_eq!(wanted, nobody);
        assert_eq!(parse(r#"{"customers": []}"#), Err(wrong("driver", Reason::Required)));
        assert_eq!(parse(r#"{"driver": "d"}"#), Err(wrong("customers", Reason::Required)));
        assert_eq!(parse(r#"{"driver": "d", "customers": null}"#), Err(wrong("customers", Reason::Required)));
    }

    #[test]
    fn all_of_it() {
        let body = r#"{"driver": "auth0|d", "customers": ["b@x.example", "a"], "place": {"lat": 48.2, "lng": 16, "name": "x"},
            "startsAt": 1700000000000, "endsAt": "2023-11-15T00:00:00+01:00", "dispatchId": "west-1"}"#;
        let wanted = parse(body).unwrap();
        let customers: Vec<&str> = wanted.customers.iter().map(UserId::as_str).collect();
        assert_eq!(customers, ["a", "b@x.example"]);
        assert_eq!(wanted.place, Some(Spot { lat: 48.2, lng: 16.0 }));
        assert_eq!((wanted.starts_at, wanted.ends_at), (Some(NOW), Some(1_700_002_800_000)));
        let text = serde_json::to_string(&wanted).unwrap();
        assert_eq!(serde_json::from_str::<Wanted>(&text).unwrap(), wanted);
    }

    #[test]
    fn the_member_that_is_wrong_is_named() {
        let many: Vec<String> = (0..51).map(|n| format!("\"c{n}\"")).collect();
        let many = format!("[{}]", many.join(","));
        for (field, value, reason) in [
            ("driver", "7", Reason::WrongType),
            ("driver", "\"a b\"", Reason::InvalidId),
            ("driver", "\"\"", Reason::InvalidId),
            ("customers", "\"a\"", Reason::WrongType),
            ("customers", "[null]", Reason::WrongType),
            ("customers", "[\"a:b\"]", Reason::InvalidId),
            ("customers", "[\"a\", \"b\", \"a\"]", Reason::Repeated),
            ("customers", &many, Reason::OutOfRange),
            ("place", "[1, 2]", Reason::WrongType),
            ("place", "{\"lat\": 1}", Reason::WrongType),
            ("place", "{\"lat\": 91, \"lng\": 0}", Reason::OutOfRange),
            ("place", "{\"lat\": 0, \"lng\": -181}", Reason::OutOfRange),
            ("startsAt", "true", Reason::WrongType),
            ("startsAt", "\"tomorrow\"", Reason::NotATime),
            ("endsAt", "1700000000", Reason::InSeconds),
            ("endsAt", "1700000000000", Reason::OutOfRange),
            ("endsAt", "1800000000000", Reason::OutOfRange),
            ("dispatchId", "\"a:b\"", Reason::InvalidId),
            ("dispatchId", "1", Reason::WrongType),
            ("gate", "{\"customer\": {\"within\": 500}}", Reason::Required),
            ("gate", "{\"customer\": {\"from\": 1800000000000}}", Reason::OutOfRange),
            ("gate", "{\"customers\": {\"from\": 1700000000000}}", Reason::WrongType),
        ] {
            let mut members = vec![("driver", "null"), ("customers", "[]")];
            members.retain(|(name, _)| *name != field);
            members.push((field, value));
            let members: Vec<_> =
                members.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
            let error = parse(&format!("{{{}}}", members.join(","))).unwrap_err();
            assert_eq!(error, wrong(field, reason), "{value}");
            assert!(error.to_string().starts_with(&format!("`{field}` is ")), "{error}");
        }
        let early =
            r#"{"driver": null, "customers": [], "startsAt": 1700000002000, "endsAt": 1700000001000}"#;
        assert_eq!(parse(early), Err(wrong("startsAt", Reason::OutOfRange)));
        let late = r#"{"driver": null, "customers": [], "endsAt": 1700000001000, "gate": {"customer": {"from": 1700000001000}}}"#;
        assert_eq!(parse(late), Err(wrong("gate", Reason::OutOfRange)));
        let open = r#"{"driver": null, "customers": [], "gate": null}"#;
        assert_eq!(parse(open).unwrap().gate, None);
    }

    #[test]
    fn what_is_no_object_says_nothing() {
        for body in [
            "",
            "null",
            "7",
            "{",
            "{} {}",
            "[null, [], null, null, null, null, null, null]",
            r#"{"driver": "a", "driver": "b", "customers": []}"#,
        ] {
            assert_eq!(parse(body), Err(JobError::NotAnObject), "{body}");
        }
    }

    #[test]
    fn a_close_has_one_of_three_reasons() {
        assert_eq!(CloseReason::parse(br#"{"reason": "failed"}"#), Ok(CloseReason::Failed));
        assert_eq!(CloseReason::parse(b"{}"), Err(wrong("reason", Reason::Required)));
        assert_eq!(CloseReason::parse(br#"{"reason": 1}"#), Err(wrong("reason", Reason::WrongType)));
        assert_eq!(CloseReason::parse(br#"{"reason": "expired"}"#), Err(wrong("reason", Reason::OutOfRange)));
        assert_eq!(CloseReason::parse(b""), Err(JobError::NotAnObject));
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Wanted::parse(&body, NOW);
            let _ = CloseReason::parse(&body);
        }
    }
}
