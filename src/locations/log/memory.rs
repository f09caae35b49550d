//! A log in memory, to hold the SQL against. Its rules are written the plainest way.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::rc::Rc;

use std::collections::BTreeMap;

use super::past::{Beginning, Past};
use super::{FORGET_TASK, Forgetting, Held, Life, Log, LogError, Position, Row, SetAside, Task, Waking};
use crate::ids::UserId;
use crate::jobs::Registration;
use crate::jobs::vitals::Vitals;
use crate::locations::place::Place;
use crate::locations::print::Print;

/// Clones share what is kept, so that a job can be woken again from it.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryLog(Rc<RefCell<InMemory>>);

#[derive(Debug, Clone, Default)]
struct InMemory {
    life: Option<Life>,
    /// The epoch of a tombstone.
    buried: Option<u64>,
    is_forgotten: bool,
    lives: Vec<Beginning>,
    rows: Vec<Row>,
    set_aside: BTreeMap<u64, SetAside>,
    /// What was ever given up.
    ever: Vec<SetAside>,
    tasks: BTreeMap<u64, Task>,
    registration: Option<Registration>,
    vitals: Option<Vitals>,
    drivers: Vec<(u64, Option<UserId>)>,
    position: Position,
    writes: usize,
}

impl InMemory {
    fn strip(&mut self) {
        self.rows.clear();
        self.set_aside.clear();
        self.registration = None;
        self.vitals = None;
        let epoch = self.life.as_ref().map(|life| life.epoch);
        self.lives = epoch.iter().map(|epoch| Beginning { epoch: *epoch, first_n: 1 }).collect();
        self.drivers = epoch.iter().map(|epoch| (*epoch, None)).collect();
    }
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

    /// Deletes so many rows from the front.
    pub(crate) fn prune(&self, count: usize) {
        self.0.borrow_mut().rows.drain(..count);
    }

    /// The log as it is, shared with nobody.
    pub(crate) fn copy(&self) -> Self {
        Self(Rc::new(RefCell::new(self.0.borrow().clone())))
    }

    /// Whether this was given up at any time.
    pub(crate) fn ever_given_up(&self, n: u64) -> bool {
        self.0.borrow().ever.iter().any(|message| (message.first_n..=message.last_n).contains(&n))
    }

    /// What was given up.
    pub(crate) fn given_up(&self) -> Vec<SetAside> {
        self.0.borrow().set_aside.values().cloned().collect()
    }
}

impl Log for MemoryLog {
    fn wake(&mut self) -> Result<Waking, LogError> {
        let kept = self.0.borrow();
        let epoch = kept.life.as_ref().map(|life| life.epoch).or(kept.buried);
        if let Some(epoch) = epoch.filter(|_| kept.is_forgotten) {
            let held = kept.life.as_ref().map(|life| Held {
                job: life.job.clone(),
                last: kept.rows.last().cloned().map(Box::new),
                position: kept.position,
                tasks: kept.tasks.clone().into_iter().collect(),
            });
            return Ok(Waking::Forgotten { epoch, held: held.map(Box::new) });
        }
        Ok(match &kept.life {
            None => kept.buried.map_or(Waking::Untouched, |epoch| Waking::Emptied { epoch }),
            Some(life) => Waking::Begun {
                life: life.clone(),
                driver: kept.drivers.last().and_then(|(_, driver)| driver.clone()),
                last: kept.rows.last().cloned().map(Box::new),
                position: kept.position,
                tasks: kept.tasks.clone().into_iter().collect(),
                registration: kept.registration.clone().map(Box::new),
                vitals: kept.vitals.clone().map(Box::new),
            },
        })
    }

    fn begin(&mut self, life: &Life, first_n: u64, driver: Option<&UserId>) -> Result<(), LogError> {
        let mut kept = self.0.borrow_mut();
        kept.drivers.push((life.epoch, driver.cloned()));
        kept.life = Some(life.clone());
        kept.lives.retain(|other| other.epoch != life.epoch);
        kept.lives.push(Beginning { epoch: life.epoch, first_n });
        kept.writes += 1;
        Ok(())
    }

    fn register(&mut self, registration: &Registration) -> Result<(), LogError> {
        let mut kept = self.0.borrow_mut();
        kept.registration = Some(registration.clone());
        kept.writes += 1;
        Ok(())
    }

    fn keep_vitals(&mut self, vitals: &Vitals) -> Result<(), LogError> {
        let mut kept = self.0.borrow_mut();
        // As it is read again.
        let text = serde_json::to_string(vitals).map_err(|_| LogError::Damaged("vitals"))?;
        kept.vitals = serde_json::from_str(&text).ok();
        kept.writes += 1;
        Ok(())
    }

    fn lives_of(&self, driver: &UserId) -> Result<Vec<u64>, LogError> {
        let kept = self.0.borrow();
        let lives = kept.drivers.iter().filter(|(_, whose)| whose.as_ref() == Some(driver));
        Ok(lives.map(|(epoch, _)| *epoch).collect())
    }

    fn forget(&mut self, Forgetting { by, sent, last }: &Forgetting) -> Result<(), LogError> {
        let mut kept = self.0.borrow_mut();
        kept.is_forgotten = true;
        kept.strip();
        kept.rows = last.iter().cloned().collect();
        kept.position = Position { sent: *sent, infl: None };
        kept.tasks.retain(|_, task| {
            matches!(task, Task::Publish(_) | Task::Revoke(_) | Task::List(_) | Task::Notify(_))
        });
        kept.tasks.insert(FORGET_TASK, Task::Forget { by: *by });
        kept.writes += 1;
        Ok(())
    }

    fn clear(&mut self) -> Result<(), LogError> {
        let mut kept = self.0.borrow_mut();
        kept.strip();
        kept.tasks.clear();
        kept.position = Position::default();
        kept.buried = kept.life.take().map(|life| life.epoch).or(kept.buried);
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
        let mut kept = self.0.borrow_mut();
        kept.set_aside.insert(message.first_n, message.clone());
        kept.ever.push(message.clone());
        drop(kept);
        self.confirm(position)
    }

    fn reached(&mut self, first_n: u64) -> Result<(), LogError> {
        self.0.borrow_mut().set_aside.remove(&first_n);
        Ok(())
    }

    fn given_up_after(&self, n: u64, limit: u32) -> Result<Vec<SetAside>, LogError> {
        let kept = self.0.borrow();
        Ok(kept.set_aside.range(n + 1..).take(limit as usize).map(|(_, message)| message.clone()).collect())
    }

    fn put_task(&mut self, id: u64, task: &Task) -> Result<(), LogError> {
        let mut kept = self.0.borrow_mut();
        kept.tasks.insert(id, task.clone());
        kept.writes += 1;
        Ok(())
    }

    fn end_task(&mut self, id: u64) -> Result<(), LogError> {
        self.0.borrow_mut().tasks.remove(&id);
        Ok(())
    }

    fn prints(&self, each: &mut dyn FnMut(Print, u64)) -> Result<(), LogError> {
        for row in &self.0.borrow().rows {
            row.prints().into_iter().for_each(|print| each(print, row.n));
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

impl Past for MemoryLog {
    fn lives_from(&self, epoch: u64) -> Result<Vec<Beginning>, LogError> {
        let mut lives = self.0.borrow().lives.clone();
        lives.retain(|life| life.epoch >= epoch);
        lives.sort_by_key(|life| life.epoch);
        lives.truncate(2);
        Ok(lives)
    }

    fn fixes_after(&self, n: u64, count: u64) -> Result<Vec<Row>, LogError> {
        let mut rows = self.all();
        rows.retain(|row| row.n > n && row.accepted().is_some());
        let enough = rows.iter().position(|row| row.n >= n + count);
        rows.truncate(enough.map_or(rows.len(), |last| last + 1));
        Ok(rows)
    }

    fn place_at(&self, n: u64) -> Result<Option<Place>, LogError> {
        let rows = self.all();
        let last = rows.iter().rev().find(|row| row.n <= n && row.seq > 0);
        Ok(last.map(|row| Place { epoch: row.epoch, seq: row.seq }))
    }

    fn last_fix(&self, n: u64) -> Result<Option<(u64, u64)>, LogError> {
        let rows = self.all();
        let last = rows.iter().rev().find(|row| row.n <= n && row.accepted().is_some());
        Ok(last.map(|row| (row.n, row.epoch)))
    }

    fn given_up_within(&self, ns: RangeInclusive<u64>) -> Result<Vec<RangeInclusive<u64>>, LogError> {
        let mut given_up = self.given_up();
        given_up.retain(|message| message.first_n <= *ns.end() && message.last_n >= *ns.start());
        given_up.sort_by_key(|message| message.first_n);
        Ok(given_up.iter().map(|message| message.first_n..=message.last_n).collect())
    }
}
