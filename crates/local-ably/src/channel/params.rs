//! The parameters of an ATTACH.

use std::collections::BTreeMap;

use ably::ErrorInfo;

use super::delta;
use super::log::{REWIND_MESSAGES_MAX, Rewind, RewindBy};
use super::occupancy::Metrics;
use crate::clock::Millis;
use crate::errors::bad_request;

/// The parameters that ATTACHED tells again.
const TOLD_AGAIN: [&str; 6] = ["modes", "rewind", "rewindLimit", "delta", "occupancy", "appendMode"];

/// What an ATTACH asks for by parameters.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct AttachParams {
    pub(super) modes: Option<String>,
    pub(super) rewind: Option<Rewind>,
    pub(super) occupancy: Option<Metrics>,
    /// Whether appends are to come as updates with the whole message (Ably's channel options, "Append mode").
    pub(super) appends_in_full: bool,
    /// Whether messages are to come as deltas. A format that is not known asks for nothing.
    pub(super) deltas: bool,
    /// Those that this server knows.
    pub(super) recognised: BTreeMap<String, String>,
}

impl AttachParams {
    /// Reads parameters; a later one beats an earlier one of the same name.
    ///
    /// # Errors
    /// 40000 for a `rewind`, `rewindLimit` or `occupancy` that cannot be read.
    pub(super) fn read<'a>(
        params: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> Result<Self, ErrorInfo> {
        let recognised: BTreeMap<String, String> = params
            .into_iter()
            .filter(|(name, _)| TOLD_AGAIN.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let limit = match recognised.get("rewindLimit") {
            None => REWIND_MESSAGES_MAX,
            Some(limit) => limit
                .parse::<usize>()
                .map_err(|_| bad_request("rewindLimit is not a number"))?
                .min(REWIND_MESSAGES_MAX),
        };
        let rewind = recognised.get("rewind").map(|rewind| read_rewind(rewind)).transpose()?;
        Ok(Self {
            modes: recognised.get("modes").cloned(),
            rewind: rewind.map(|by| Rewind { by, limit }),
            occupancy: recognised.get("occupancy").map(|metrics| Metrics::parse(metrics)).transpose()?,
            appends_in_full: recognised.get("appendMode").is_some_and(|mode| mode == "full"),
            deltas: recognised.get("delta").is_some_and(|format| format == delta::FORMAT),
            recognised,
        })
    }
}

fn read_rewind(text: &str) -> Result<RewindBy, ErrorInfo> {
    let invalid = || bad_request("rewind is a number of messages, of seconds (15s) or of minutes (2m)");
    let number = |digits: &str| match digits.bytes().all(|b| b.is_ascii_digit()) {
        true => digits.parse::<u32>().map_err(|_| invalid()),
        false => Err(invalid()),
    };
    if let Some(seconds) = text.strip_suffix('s') {
        Ok(RewindBy::Time(Millis::from(number(seconds)?) * 1_000))
    } else if let Some(minutes) = text.strip_suffix('m') {
        Ok(RewindBy::Time(Millis::from(number(minutes)?) * 60_000))
    } else {
        Ok(RewindBy::Messages(number(text)? as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(params: &[(&str, &str)]) -> Result<AttachParams, u32> {
        let params: Vec<_> =
            params.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        AttachParams::read(params.iter().map(|(name, value)| (name, value))).map_err(|error| error.code)
    }

    #[test]
    fn rewind_is_by_count_by_seconds_or_by_minutes() {
        for (text, by) in
            [("1", RewindBy::Messages(1)), ("15s", RewindBy::Time(15_000)), ("2m", RewindBy::Time(120_000))]
        {
            assert_eq!(read(&[("rewind", text)]).unwrap().rewind, Some(Rewind { by, limit: 100 }), "{text}");
        }
        for bad in ["", "s", "x", "-1", "+1", "1h", "1.5", "99999999999"] {
            assert_eq!(read(&[("rewind", bad)]), Err(40000), "{bad}");
        }
        assert_eq!(read(&[("rewind", "1m"), ("rewindLimit", "5")]).unwrap().rewind.unwrap().limit, 5);
        assert_eq!(read(&[("rewindLimit", "many")]), Err(40000));
    }

    #[test]
    fn only_recognised_parameters_are_told_again() {
        let params = read(&[("agent", "x"), ("delta", "vcdiff"), ("modes", "subscribe")]).unwrap();
        assert_eq!(params.recognised.keys().collect::<Vec<_>>(), ["delta", "modes"]);
    }

    #[test]
    fn appends_come_in_full_where_the_append_mode_says_so() {
        for (params, full) in
            [(vec![], false), (vec![("appendMode", "full")], true), (vec![("appendMode", "x")], false)]
        {
            assert_eq!(read(&params).unwrap().appends_in_full, full, "{params:?}");
        }
    }
}
