//! A log in memory, to hold the SQL against. Its rules are written the plainest way.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Life, Log, LogError, Position, Row, Sought, Waking};

/// Clones share what is kept, so that a job can be woken again from it.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryLog(Rc<RefCell<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    life: Option<Life>,
    rows: Vec<Row>,
    position: Position,
    writes: usize,
}

impl MemoryLog {
    /// How often anything was written.
    pub(crate) fn writes(&self) -> usize {
        self.0.borrow().writes
    }

    /// Everything that is kept.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.0.borrow().rows.clone()
    }
}

impl Log for MemoryLog {
    fn wake(&self) -> Result<Waking, LogError> {
        let kept = self.0.borrow();
        Ok(match (&kept.life, kept.rows.last()) {
            (None, _) => Waking::Untouched,
            (Some(life), None) => Waking::Ended { epoch: life.epoch },
            (Some(life), Some(last)) => {
                Waking::Alive { life: life.clone(), last: Box::new(last.clone()), position: kept.position }
            }
        })
    }

    fn begin(&mut self, life: &Life) -> Result<(), LogError> {
        let mut kept = self.0.borrow_mut();
        kept.life = Some(life.clone());
        kept.position = Position::default();
        kept.writes += 1;
        Ok(())
    }

    fn append(&mut self, row: &Row, position: Position) -> Result<(), LogError> {
        let mut kept = self.0.borrow_mut();
        kept.rows.push(row.clone());
        kept.position = position;
        kept.writes += 1;
        Ok(())
    }

    fn confirm(&mut self, position: Position) -> Result<(), LogError> {
        let mut kept = self.0.borrow_mut();
        kept.position = position;
        kept.writes += 1;
        Ok(())
    }

    fn find(&self, sought: &Sought<'_>) -> Result<Vec<Row>, LogError> {
        let sought_fix = |fix: &crate::locations::Fix| {
            fix.id().is_some_and(|id| sought.ids.contains(&id.as_str()))
                || fix.captured_at().is_some_and(|at| sought.places.contains(&(at, fix.lat(), fix.lng())))
        };
        let found = |row: &&Row| row.body.fixes.iter().any(sought_fix);
        Ok(self.0.borrow().rows.iter().filter(found).cloned().collect())
    }

    fn rows_after(&self, seq: u64, limit: u32) -> Result<Vec<Row>, LogError> {
        let kept = self.0.borrow();
        Ok(kept.rows.iter().filter(|row| row.seq > seq).take(limit as usize).cloned().collect())
    }
}
