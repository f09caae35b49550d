//! Where in the log readers are.

use super::super::{Job, Log, LogError};
use crate::locations::log::Row;
use crate::locations::place::Place;
use crate::streams::{Cursor, Mark};

impl<L: Log> Job<L> {
    /// Where in the log all is that there is.
    pub(super) fn present(&self) -> Result<Cursor, LogError> {
        let last_n = self.sequence.last_n();
        let last = self.sequence.epoch().map(|_| self.log.rows_after(last_n.saturating_sub(1), 1));
        match last.transpose()?.and_then(|rows| rows.into_iter().next()) {
            Some(last) => self.cursor_at(&last),
            None => Ok(Cursor { n: last_n, ..Cursor::default() }),
        }
    }

    /// Where in the log a row ends.
    pub(super) fn cursor_at(&self, row: &Row) -> Result<Cursor, LogError> {
        let base = match row.seq {
            _ if row.accepted().is_some() => Some(row.n),
            0 => self.before_life(row.epoch)?,
            _ => self.log.last_fix(row.n)?.filter(|(_, epoch)| *epoch == row.epoch).map(|(n, _)| n),
        };
        Ok(Cursor { n: row.n, epoch: Some(row.epoch), seq: row.seq, base })
    }

    /// Where in the log something ends, which may be a fix of a post.
    pub(super) fn cursor_within(&self, n: u64) -> Result<Cursor, LogError> {
        match self.log.rows_after(n.saturating_sub(1), 1)?.into_iter().next() {
            Some(row) if row.n > n => {
                let seq = row.seq.saturating_sub(row.n - n);
                Ok(Cursor { n, epoch: Some(row.epoch), seq, base: Some(n) })
            }
            Some(row) => self.cursor_at(&row),
            None => Ok(Cursor { n, ..Cursor::default() }),
        }
    }

    /// Where whoever has come to a place is after the next row.
    pub(super) fn past_row(&self, at: Cursor, row: &Row) -> Result<Cursor, LogError> {
        if at.epoch == Some(row.epoch) || row.accepted().is_some() {
            let place = Place { epoch: row.epoch, seq: row.seq };
            return Ok(at.to(row.n, place, || None));
        }
        self.cursor_at(row)
    }

    /// The same after all of its life.
    pub(super) fn past_life(&self, row: &Row) -> Result<Cursor, LogError> {
        let next = self.log.lives_from(row.epoch)?.into_iter().find(|life| life.epoch > row.epoch);
        let n = next.map_or(self.sequence.last_n(), |next| next.first_n.saturating_sub(1));
        Ok(Cursor { n: n.max(row.n), epoch: Some(row.epoch), seq: row.seq, base: None })
    }

    /// The `n` before a life began, as far as that is known.
    fn before_life(&self, epoch: u64) -> Result<Option<u64>, LogError> {
        let life = self.log.lives_from(epoch)?.into_iter().next().filter(|life| life.epoch == epoch);
        Ok(life.and_then(|life| life.first_n.checked_sub(1)))
    }

    /// Where in the log an event is: nothing where there is none, or where what comes after it is not all kept.
    pub(super) fn locate(&self, mark: Mark) -> Result<Option<Cursor>, LogError> {
        let Mark { place: Place { epoch, seq }, k } = mark;
        if self.sequence.job().is_none() {
            return Ok(None);
        }
        let Some(before) = self.before_life(epoch)? else { return Ok(None) };
        // Whether that is where a row ends.
        let (base, is_end) = match seq {
            0 => (before, true),
            _ => match self.row_with(epoch, seq, before)? {
                Some(row) => (row.n.saturating_sub(row.seq - seq), row.seq == seq),
                None => return Ok(None),
            },
        };
        let n = base.saturating_add(k);
        if k > 0 {
            let row = self.log.rows(&[n])?.into_iter().next();
            let is_it = |row: &Row| row.epoch == epoch && row.seq == seq && row.accepted().is_none();
            if !is_end || !row.as_ref().is_some_and(is_it) {
                return Ok(None);
            }
        }
        let next = self.log.rows_after(n, 1)?.into_iter().next();
        let goes_on = match next {
            Some(next) => !next.is_readable() || next.first_n() <= n + 1,
            None => n == self.sequence.last_n(),
        };
        Ok(Some(Cursor { n, epoch: Some(epoch), seq, base: Some(base) }).filter(|_| goes_on))
    }

    /// The row that holds the fix with this seq, of the life that begins after this `n`.
    fn row_with(&self, epoch: u64, seq: u64, before: u64) -> Result<Option<Row>, LogError> {
        // What is no fix takes an `n` and no seq, so the row is there or later.
        let mut after = before.saturating_add(seq - 1);
        loop {
            let rows = self.log.fixes_after(after, 1)?;
            let Some(last) = rows.last().filter(|last| last.epoch == epoch) else { return Ok(None) };
            if last.seq >= seq {
                let has = |row: &Row| row.epoch == epoch && (row.first_seq()..=row.seq).contains(&seq);
                return Ok(rows.into_iter().find(has));
            }
            after = last.n.saturating_add(seq - last.seq - 1);
        }
    }
}
