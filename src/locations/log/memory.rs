//! A log in memory, to hold the SQL against. Its rules are written the plainest way.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Life, Log, LogError, Position, Row, SetAside, Waking};
use crate::locations::print::Print;

/// Clones share what is kept, so that a job can be woken again from it.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryLog(Rc<RefCell<InMemory>>);

#[derive(Debug, Default)]
struct InMemory {
    life: Option<Life>,
    rows: Vec<Row>,
    set_aside: Vec<SetAside>,
    position: Position,
    writes: usize,
}

impl MemoryLog {
    /// How often anything was written.
    pub(crate) fn writes(&self) -> usize {
        self.0.borrow().writes
    }

    /// Everything that is kept.
    pub(crate) fn all(&self) -> Vec<Row> {
        self.0.borrow().rows.clone()
    }

    /// What was given up.
    pub(crate) fn given_up(&self) -> Vec<SetAside> {
        self.0.borrow().set_aside.clone()
    }
}

impl Log for MemoryLog {
    fn wake(&mut self) -> Result<Waking, LogError> {
        let kept = self.0.borrow();
        Ok(match &kept.life {
            None => Waking::Untouched,
            Some(life) => Waking::Begun {
                life: life.clone(),
                last: kept.rows.last().cloned().map(Box::new),
                position: kept.position,
            },
        })
    }

    fn begin(&mut self, life: &Life, _first_n: u64) -> Result<(), LogError> {
        let mut kept = self.0.borrow_mut();
        kept.life = Some(life.clone());
        kept.writes += 1;
        Ok(())
    }

    fn append(&mut self, row: &Row, _prints: &[Print], position: Position) -> Result<(), LogError> {
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

    fn set_aside(&mut self, message: &SetAside, position: Position) -> Result<(), LogError> {
        self.0.borrow_mut().set_aside.push(message.clone());
        self.confirm(position)
    }

    fn prints(&self, each: &mut dyn FnMut(Print, u64)) -> Result<(), LogError> {
        for row in &self.0.borrow().rows {
            row.accepted()
                .into_iter()
                .flat_map(|accepted| accepted.prints())
                .for_each(|print| each(print, row.n));
        }
        Ok(())
    }

    fn rows(&self, ns: &[u64]) -> Result<Vec<Row>, LogError> {
        Ok(self.0.borrow().rows.iter().filter(|row| ns.contains(&row.n)).cloned().collect())
    }

    fn rows_after(&self, n: u64, limit: u32) -> Result<Vec<Row>, LogError> {
        let kept = self.0.borrow();
        Ok(kept.rows.iter().filter(|row| row.n > n).take(limit as usize).cloned().collect())
    }
}
