//! What a driver's phone says of itself where it has no position to tell.

use serde::{Deserialize, Serialize};

use super::wanted::{JobError, members, read, user, wrong};
use crate::ids::UserId;
use crate::locations::Sender;
use crate::locations::fix::Reason;

/// Why a phone that is heard of tells no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "PhoneState"))]
pub enum Heartbeat {
    /// The vehicle stands: where it was last is where it is.
    Parked,
    /// The app may not know where it is.
    NoPermission,
    /// The phone does not know.
    NoFix,
    /// The driver is not at work.
    OffDuty,
}

impl Heartbeat {
    /// Reads the body of a heartbeat, `{state}`, and whose it is. The platform's back end says that in `driver`.
    ///
    /// # Errors
    /// [`JobError`]
    pub fn parse(body: &[u8], sender: Sender<'_>) -> Result<(UserId, Self), JobError> {
        let members = members(body)?;
        let driver = match (sender, members.driver) {
            (Sender::Driver(driver), _) => driver.clone(),
            (Sender::Service, Some(driver)) => user("driver", read("driver", driver.get())?)?,
            (Sender::Service, None) => return Err(wrong("driver", Reason::Required)),
        };
        let state = members.state.ok_or_else(|| wrong("state", Reason::Required))?;
        read::<String>("state", state.get())?;
        let state = serde_json::from_str(state.get()).map_err(|_| wrong("state", Reason::OutOfRange))?;
        Ok((driver, state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_is_one_of_four_words() {
        let driver = UserId::parse("d").unwrap();
        let parse = |body: &str, sender| Heartbeat::parse(body.as_bytes(), sender);
        for (word, state) in [
            ("parked", Heartbeat::Parked),
            ("no_permission", Heartbeat::NoPermission),
            ("no_fix", Heartbeat::NoFix),
            ("off_duty", Heartbeat::OffDuty),
        ] {
            let body = format!(r#"{{"state": "{word}", "driver": "x", "battery": 3}}"#);
            assert_eq!(parse(&body, Sender::Driver(&driver)), Ok((driver.clone(), state)));
            assert_eq!(parse(&body, Sender::Service), Ok((UserId::parse("x").unwrap(), state)));
        }
        for (body, field, reason) in [
            ("{}", Some("state"), "required"),
            (r#"{"state": null}"#, Some("state"), "required"),
            (r#"{"state": 1}"#, Some("state"), "wrong_type"),
            (r#"{"state": "Parked"}"#, Some("state"), "out_of_range"),
            (r#"["parked"]"#, None, "not_an_object"),
            ("", None, "not_an_object"),
        ] {
            let error = parse(body, Sender::Driver(&driver)).expect_err(body);
            assert_eq!((error.field(), error.reason()), (field, reason), "{body}");
        }
        for body in [r#"{"state": "parked"}"#, r#"{"state": "parked", "driver": null}"#] {
            assert_eq!(parse(body, Sender::Service).unwrap_err().field(), Some("driver"), "{body}");
        }
    }
}
