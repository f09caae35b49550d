//! What of the log is for whom.

use serde::Deserialize;

use crate::ids::JobId;
use crate::jobs::registration::Event;
use crate::jobs::vitals::Arrival;
use crate::locations::Millis;
use crate::locations::event::{self, Sending};
use crate::locations::log::{Content, Kept, Ready, Row};
use crate::locations::trail::Scope;
use crate::streams::Cursor;

/// Whether somebody may go on from there: they have been there, or could have been.
pub(super) fn is_theirs(scope: &Scope, cursor: &Cursor) -> bool {
    match scope {
        Scope::All => true,
        Scope::Lives(epochs) => cursor.epoch.is_some_and(|epoch| epochs.binary_search(&epoch).is_ok()),
        Scope::Present { epoch, after, .. } => cursor.epoch == Some(*epoch) && cursor.n >= *after,
    }
}

/// Whether a row says of the driver what was so before this time: since when they are silent, or that they have come to the place. Where
/// that is not known, it was.
pub(super) fn is_of_before(row: &Row, arrival: Option<Arrival>, from: Millis) -> bool {
    #[derive(Deserialize)]
    struct Since {
        since: Millis,
    }
    let Content::Message(Ready { name, data, .. }) = &row.content else { return false };
    let is = |event: Event| *name == event.name();
    let time = if is(Event::Silent { since: from }) || is(Event::Heard { since: from }) {
        serde_json::from_str(data).ok().map(|Since { since }| since)
    } else if is(Event::Arrived) {
        arrival.filter(|arrival| arrival.n == row.n).and_then(|arrival| arrival.at)
    } else {
        return false;
    };
    time.is_none_or(|time| time < from)
}

/// The name and the data of what subscribers of the job's channel get for a row by itself.
pub(super) fn whole(job: &JobId, row: &Row) -> Option<(String, String)> {
    match &row.content {
        Content::Message(ready) if ready.channel != event::channel(job) => None,
        _ => {
            let (_, message) =
                event::message(job, std::slice::from_ref(row), Sending::InTurn).ok().flatten()?;
            Some((message.name, message.data))
        }
    }
}

/// The same for somebody who has come so far, and sees what is in this scope.
pub(super) fn shown(
    job: &JobId,
    row: &Row,
    at: Cursor,
    scope: &Scope,
    whole: Option<&(String, String)>,
) -> Option<(String, String)> {
    if !scope.has_life(row.epoch) || row.n <= scope.after() {
        return None;
    }
    let is_shown = |kept: &Kept<'_>| kept.n > at.n && scope.has(row.epoch, kept);
    if row.fixes().all(|kept| is_shown(&kept)) {
        return whole.cloned();
    }
    let first_seq = row.first_seq();
    let from_seq = if at.epoch == Some(row.epoch) { first_seq.max(at.seq + 1) } else { first_seq };
    let (name, data) = event::part(job, row, from_seq, is_shown).ok()?;
    Some((name.to_owned(), data))
}
