//! The trail's reads, as SQL. The first column of each table that is asked is its key, so each is a look into the table and on from
//! there.

use std::ops::RangeInclusive;

use super::SqlLog;
use super::record::select;
use crate::locations::log::past::{Beginning, Past};
use crate::locations::log::{LogError, Row};
use crate::locations::place::Place;
use crate::objects::sql::{Record, Sql, SqlValue, Statement, count};

const LIVES: Statement = "SELECT epoch, first_n FROM lives WHERE epoch >= ? ORDER BY epoch LIMIT 2";
/// A row that is no fix may hold as much as a message does, and is passed over before that is read.
const FIXES: Statement = select!(
    "WHERE n > ? AND kind = 'fixes' AND n <= ifnull( \
        (SELECT n FROM log WHERE n >= ? AND kind = 'fixes' ORDER BY n LIMIT 1), (SELECT max(n) FROM log)) ORDER BY n"
);
const PLACE: Statement = "SELECT life, seq FROM log WHERE n <= ? AND seq > 0 ORDER BY n DESC LIMIT 1";
const LAST_FIX: Statement = "SELECT n, life FROM log WHERE n <= ? AND kind = 'fixes' ORDER BY n DESC LIMIT 1";
const GIVEN_UP: Statement =
    "SELECT first_n, last_n FROM set_aside WHERE first_n <= ? AND last_n >= ? ORDER BY first_n";

impl<S: Sql> SqlLog<S> {
    /// What a statement gives that selects two counts, here called so.
    fn pairs(
        &self,
        statement: Statement,
        params: Vec<SqlValue>,
        [a, b]: [&'static str; 2],
    ) -> Result<Vec<(u64, u64)>, LogError> {
        let rows = self.0.exec(statement, params)?.into_iter();
        rows.map(|row| {
            let mut record = Record::new(row);
            Ok((record.count(a)?, record.count(b)?))
        })
        .collect()
    }
}

impl<S: Sql> Past for SqlLog<S> {
    fn lives_from(&self, epoch: u64) -> Result<Vec<Beginning>, LogError> {
        let lives = self.pairs(LIVES, vec![count(epoch)], ["lives.epoch", "lives.first_n"])?;
        Ok(lives.into_iter().map(|(epoch, first_n)| Beginning { epoch, first_n }).collect())
    }

    fn fixes_after(&self, n: u64, wanted: u64) -> Result<Vec<Row>, LogError> {
        self.select(FIXES, vec![count(n), count(n.saturating_add(wanted))])
    }

    fn place_at(&self, n: u64) -> Result<Option<Place>, LogError> {
        let found = self.pairs(PLACE, vec![count(n)], ["log.life", "log.seq"])?;
        Ok(found.first().map(|&(epoch, seq)| Place { epoch, seq }))
    }

    fn last_fix(&self, n: u64) -> Result<Option<(u64, u64)>, LogError> {
        Ok(self.pairs(LAST_FIX, vec![count(n)], ["log.n", "log.life"])?.first().copied())
    }

    fn given_up_within(&self, ns: RangeInclusive<u64>) -> Result<Vec<RangeInclusive<u64>>, LogError> {
        let ends = vec![count(*ns.end()), count(*ns.start())];
        let found = self.pairs(GIVEN_UP, ends, ["set_aside.first_n", "set_aside.last_n"])?;
        Ok(found.into_iter().map(|(first, last)| first..=last).collect())
    }
}
