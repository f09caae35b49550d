//! What keeps a role from seeing a job's driver: until a time, until the vehicle is near the place, or both.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::wanted::{JobError, Spot, instant, read, wrong};
use crate::locations::Fix;
use crate::locations::fix::Reason;
use crate::objects::Millis;

/// The least and the greatest radius, in metres.
const WITHIN: std::ops::RangeInclusive<f64> = 100.0..=100_000.0;

/// A vehicle has arrived that is no further from the place, in metres, as far as its phone knows where it is.
const ARRIVED_WITHIN: f64 = 100.0;

/// So wrong may the position be of a phone that does not say, in metres.
const ACCURACY_UNKNOWN: f64 = 50.0;

/// The mean radius of the earth in metres.
const EARTH: f64 = 6_371_008.8;

/// The gates of a job, by the role that each is for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gates {
    /// For its customers.
    pub customer: Gate,
}

/// What keeps a role from seeing the driver. At least one of both is there; where both are, both have to hold: first the time comes, and what
/// counts for the radius is what is accepted from then on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gate {
    /// Until then, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Millis>,
    /// Until the vehicle is so near the place, in metres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<f64>,
}

/// The part of a gate that holds somebody back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "GatePart"))]
pub enum Holds {
    /// Its time has not come.
    From,
    /// The vehicle is not near, or was not yet.
    Within,
}

/// That a gate has opened: it stays open as long as the life goes on in which it has, wherever the vehicle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Which life of the job's sequence.
    pub epoch: u64,
    /// The last `n` that it does not open to: that of the fix which has opened it, or the last before its time.
    pub n: u64,
    /// Nothing that was measured before this is seen, Unix milliseconds: our clock when that fix was accepted, or the gate's time.
    pub at: Millis,
}

/// Whom a gate holds back, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "WithheldBy"))]
pub struct Withheld {
    /// By which part.
    pub gate: Holds,
    /// When it opens, at the earliest; nothing where that is for the vehicle to say. Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<Millis>,
}

impl Gate {
    /// Whether its time has come, or it has none.
    pub fn has_come(self, now: Millis) -> bool {
        self.from.is_none_or(|from| from <= now)
    }

    /// What of it holds somebody back at `now`, as long as it is closed.
    pub fn withholds(self, now: Millis) -> Withheld {
        match self.within {
            Some(_) if self.has_come(now) => Withheld { gate: Holds::Within, opens_at: None },
            Some(_) | None => Withheld { gate: Holds::From, opens_at: self.from },
        }
    }

    /// When it opens by itself: nothing where the vehicle has to come.
    pub fn opens_by_itself_at(self) -> Option<Millis> {
        self.from.filter(|_| self.within.is_none())
    }
}

/// Whether a vehicle is certainly within a radius of the place, in metres.
pub fn is_within(fix: &Fix, place: Spot, radius: f64) -> bool {
    distance(fix, place) + fix.accuracy().unwrap_or(ACCURACY_UNKNOWN) <= radius
}

/// Whether it has arrived there.
pub fn is_there(fix: &Fix, place: Spot) -> bool {
    let is_sure = fix.accuracy().is_none_or(|accuracy| accuracy <= ARRIVED_WITHIN);
    is_sure && distance(fix, place) <= ARRIVED_WITHIN
}

/// How far it is along a great circle, in metres, after the haversine formula.
fn distance(fix: &Fix, place: Spot) -> f64 {
    let half_sine = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let across = fix.lat().to_radians().cos() * place.lat.to_radians().cos();
    let haversine = half_sine(fix.lat() - place.lat) + across * half_sine(fix.lng() - place.lng);
    // Rounding takes it past 1 at the other end of the earth.
    2.0 * EARTH * haversine.sqrt().min(1.0).asin()
}

impl Gates {
    /// Reads the member `gate` of a job. What it does not know it refuses: to ignore it would be to let somebody see.
    ///
    /// # Errors
    /// [`JobError`]
    pub(super) fn parse(text: &str, place: Option<Spot>, before: Millis) -> Result<Self, JobError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Roles<'a> {
            #[serde(borrow)]
            customer: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Parts<'a> {
            #[serde(borrow)]
            from: Option<&'a RawValue>,
            #[serde(borrow)]
            within: Option<&'a RawValue>,
        }
        let Roles { customer } = read("gate", object(text))?;
        let customer = customer.ok_or_else(|| wrong("gate", Reason::Required))?;
        let Parts { from, within } = read("gate", object(customer.get()))?;
        let from = from.map(|raw| instant("gate", raw)).transpose()?;
        let within: Option<f64> = within.map(|raw| read("gate", raw.get())).transpose()?;
        if (from.is_none() && within.is_none()) || (within.is_some() && place.is_none()) {
            return Err(wrong("gate", Reason::Required));
        }
        if from.is_some_and(|from| from >= before) || within.is_some_and(|within| !WITHIN.contains(&within)) {
            return Err(wrong("gate", Reason::OutOfRange));
        }
        Ok(Self { customer: Gate { from, within } })
    }
}

/// The text of an object, and nothing else: a list of values is one as well, to serde.
fn object(text: &str) -> &str {
    if text.starts_with('{') { text } else { "" }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACE: Spot = Spot { lat: 48.0, lng: 16.0 };

    fn fix(lat: f64, lng: f64, accuracy: Option<f64>) -> Fix {
        serde_json::from_str(&serde_json::json!([0, lat, lng, null, null, null, accuracy, null]).to_string())
            .unwrap()
    }

    fn parse(text: &str) -> Result<Gate, JobError> {
        Gates::parse(text, Some(PLACE), 5_000_000_000_000).map(|gates| gates.customer)
    }

    #[test]
    fn a_gate_is_a_time_or_a_radius_or_both() {
        let from = Some(1_700_000_000_000);
        for (text, gate) in [
            (r#"{"customer": {"from": 1700000000000}}"#, Gate { from, within: None }),
            (r#"{"customer":{"from":"2023-11-14T22:13:20Z","within":null}}"#, Gate { from, within: None }),
            (r#"{"customer": {"within": 100}}"#, Gate { from: None, within: Some(100.0) }),
            (
                r#"{"customer": {"within": 100000, "from": 1700000000000}}"#,
                Gate { from, within: Some(100_000.0) },
            ),
        ] {
            let parsed = parse(text).unwrap();
            assert_eq!(parsed, gate);
            let kept = serde_json::to_string(&Gates { customer: gate }).unwrap();
            assert_eq!(serde_json::from_str::<Gates>(&kept).unwrap().customer, gate);
        }
        for (text, reason) in [
            ("7", Reason::WrongType),
            ("[null]", Reason::WrongType),
            ("{}", Reason::Required),
            (r#"{"customer": null}"#, Reason::Required),
            (r#"{"customer": {}}"#, Reason::Required),
            (r#"{"customer": {"from": null, "within": null}}"#, Reason::Required),
            (r#"{"customer": [1700000000000, 100]}"#, Reason::WrongType),
            (r#"{"driver": {"within": 100}}"#, Reason::WrongType),
            (r#"{"customer": {"within": 100}, "admin": null}"#, Reason::WrongType),
            (r#"{"customer": {"within": 100, "until": 1}}"#, Reason::WrongType),
            (r#"{"customer": {"within": 100, "within": 200}}"#, Reason::WrongType),
            (r#"{"customer": {"within": 99.9}}"#, Reason::OutOfRange),
            (r#"{"customer": {"within": 100001}}"#, Reason::OutOfRange),
            (r#"{"customer": {"within": "100"}}"#, Reason::WrongType),
            (r#"{"customer": {"from": true}}"#, Reason::WrongType),
            (r#"{"customer": {"from": "soon"}}"#, Reason::NotATime),
            (r#"{"customer": {"from": 1700000000}}"#, Reason::InSeconds),
            (r#"{"customer": {"from": 5000000000000}}"#, Reason::OutOfRange),
        ] {
            assert_eq!(parse(text), Err(wrong("gate", reason)), "{text}");
        }
        let without_place = Gates::parse(r#"{"customer": {"within": 100}}"#, None, 5);
        assert_eq!(without_place, Err(wrong("gate", Reason::Required)));
    }

    #[test]
    fn a_radius_holds_the_uncertainty_too() {
        // A thousandth of a degree north is 111.2 m.
        let near = |accuracy| fix(48.001, 16.0, accuracy);
        for (accuracy, radius, is_near) in [
            (Some(10.0), 121.1, false),
            (Some(10.0), 121.3, true),
            (Some(0.0), 111.1, false),
            (Some(0.0), 111.3, true),
            (Some(10_000.0), 5_000.0, false),
            (None, 161.1, false),
            (None, 161.3, true),
        ] {
            assert_eq!(is_within(&near(accuracy), PLACE, radius), is_near, "{accuracy:?} {radius}");
        }
        for (lat, accuracy, is_arrived) in [
            (48.000_89, None, true),
            (48.000_91, None, false),
            (48.000_89, Some(100.0), true),
            (48.0, Some(100.1), false),
        ] {
            assert_eq!(is_there(&fix(lat, 16.0, accuracy), PLACE), is_arrived, "{lat} {accuracy:?}");
        }
    }

    #[test]
    fn distances_are_those_of_the_globe() {
        let metres = |(lat, lng), (to_lat, to_lng)| {
            distance(&fix(lat, lng, None), Spot { lat: to_lat, lng: to_lng }).round()
        };
        let half_way = (std::f64::consts::PI * EARTH).round();
        assert_eq!(metres((48.2082, 16.3738), (48.1486, 17.1077)), 54_818.0, "Vienna and Bratislava");
        assert_eq!(metres((0.0, 179.999), (0.0, -179.999)), 222.0, "across the edge of the map");
        assert_eq!(metres((90.0, 7.0), (90.0, -120.0)), 0.0);
        assert_eq!(metres((90.0, 0.0), (-90.0, 0.0)), half_way);
        assert_eq!(metres((12.3, -60.0), (-12.3, 120.0)), half_way);
    }

    #[test]
    fn what_holds_back_is_named() {
        let both = Gate { from: Some(10), within: Some(100.0) };
        assert_eq!(both.withholds(9), Withheld { gate: Holds::From, opens_at: Some(10) });
        assert_eq!(both.withholds(10), Withheld { gate: Holds::Within, opens_at: None });
        assert_eq!(both.opens_by_itself_at(), None);
        let time = Gate { within: None, ..both };
        assert_eq!(time.withholds(9), Withheld { gate: Holds::From, opens_at: Some(10) });
        assert_eq!(time.opens_by_itself_at(), Some(10));
        let radius = Gate { from: None, ..both };
        assert_eq!(radius.withholds(9), Withheld { gate: Holds::Within, opens_at: None });
    }

    proptest! {
        #[test]
        fn a_distance_is_a_number(lat in -90.0..=90.0, lng in -180.0..=180.0, to_lat in -90.0..=90.0, to_lng in -180.0..=180.0) {
            let metres = distance(&fix(lat, lng, None), Spot { lat: to_lat, lng: to_lng });
            prop_assert!((0.0..=EARTH * 3.15).contains(&metres));
        }
    }
}
