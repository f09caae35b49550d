//! What the first version kept: `log(seq, cap, body, sent, infl)`, of one life, and its epoch in `meta`.

use serde::Deserialize;

use super::record::{position, sound};
use crate::ids::UserId;
use crate::locations::Millis;
use crate::locations::clock::Ahead;
use crate::locations::log::{Accepted, Content, LogError, Pointers, Position, Row};
use crate::locations::print::Print;
use crate::objects::sql::{Record, Sql, Statement};

/// What the body of a row held besides the fixes.
#[derive(Deserialize)]
struct Body {
    ts: Millis,
    live: u64,
    #[serde(default)]
    right: Option<u64>,
    #[serde(default)]
    ahead: Vec<(UserId, Ahead)>,
}

/// All rows, as they are kept today. Seqs counted all that left.
pub(super) fn rows(sql: &impl Sql) -> Result<Vec<(Row, Vec<Print>, Position)>, LogError> {
    const EPOCH: Statement = "SELECT epoch FROM meta";
    const ROWS: Statement = "SELECT seq, sent, infl, body FROM log ORDER BY seq";
    let Some(epoch) = sql.exec(EPOCH, vec![])?.into_iter().next() else { return Ok(Vec::new()) };
    let epoch = Record::new(epoch).count("meta.epoch")?;
    let mut times = Pointers::default();
    let rows = sql.exec(ROWS, vec![])?.into_iter().map(|row| {
        let mut record = Record::new(row);
        let seq = record.count("log.seq")?;
        let position = position(&mut record)?;
        let text = record.text("log.body")?;
        let damaged = |_| LogError::Damaged("log.body");
        let body: Body = serde_json::from_str(&text).map_err(damaged)?;
        let accepted: Accepted = serde_json::from_str(&text).map_err(damaged)?;
        times = times.times_after(&accepted.fixes, accepted.at(body.ts));
        let Body { ts, live, right, ahead } = body;
        let pointers = Pointers { live: Some(live), right, ahead, ..times.clone() };
        let prints = accepted.prints();
        let row = sound(Row { n: seq, epoch, seq, ts, pointers, content: Content::Fixes(accepted) });
        if row.is_readable() { Ok((row, prints, position)) } else { Err(LogError::Damaged("log.body")) }
    });
    rows.collect()
}
