//! How a retry is recognised: at a cost that is about nothing for a fix that is new, however long the log.
//!
//! The log keeps a [`Print`] of each fix beside its row, and the [`Index`] has those of all rows in memory, once they are needed. Only
//! rows that hold a fix with the same print are read, and what they hold decides.

use std::collections::HashMap;

use hashbrown::HashTable;

use super::Millis;
use super::clock::{Clocks, Measured};
use super::fix::{Field, Fix, Reason, Rejection};
use super::log::{Log, LogError, Pointers, Row};
use super::post::{Entry, Post};
use super::print::{DedupeKey, Print};
use super::protocol::Outcome;
use crate::ids::EventId;
use crate::jobs::update;

#[cfg(test)]
mod tests;

/// The prints of all fixes and all events of the platform's in a log, in 10 to 21 bytes each.
#[derive(Debug, Default)]
pub struct Index {
    /// Read at the first look-up: most objects never need it. An entry is 36 bits of a print above 28 bits of the row's `n`.
    entries: Option<HashTable<u64>>,
}

impl Index {
    /// An `n` takes so many bits of an entry. An object's 10 GB hold no log of more fixes than that.
    const N_BITS: u32 = 28;
    const N_MASK: u64 = (1 << Self::N_BITS) - 1;

    fn entry(print: Print, n: u64) -> u64 {
        print.bits() >> 4 << Self::N_BITS | n & Self::N_MASK
    }

    /// The table takes the top bits for one thing and the low ones for another, and both must differ from print to print.
    fn hash(entry: u64) -> u64 {
        let bits = entry >> Self::N_BITS;
        bits << Self::N_BITS ^ bits
    }

    /// The rows that may hold a fix with one of these prints, by their `n`, each once and in order.
    fn candidates(&mut self, prints: &[Print], log: &impl Log) -> Result<Vec<u64>, LogError> {
        let entries = match &mut self.entries {
            Some(entries) => entries,
            none => {
                // First all of them, so that the table has its size from the start.
                let mut read = Vec::new();
                log.prints(&mut |print, n| read.push(Self::entry(print, n)))?;
                let mut entries = HashTable::with_capacity(read.len());
                read.into_iter().for_each(|entry| insert(&mut entries, entry));
                none.insert(entries)
            }
        };
        let mut found: Vec<u64> = Vec::new();
        for print in prints {
            let sought = Self::entry(*print, 0);
            let same = entries.iter_hash(Self::hash(sought)).map(|entry| entry ^ sought);
            // Each is one of a few, mostly none; and std's sorting is much code.
            for n in same.filter(|n| *n <= Self::N_MASK) {
                if let Err(at) = found.binary_search(&n) {
                    found.insert(at, n);
                }
            }
        }
        Ok(found)
    }

    /// Goes on after a row that was just written.
    pub fn follow(&mut self, prints: &[Print], n: u64) {
        if let Some(entries) = &mut self.entries {
            prints.iter().for_each(|print| insert(entries, Self::entry(*print, n)));
        }
    }
}

fn insert(entries: &mut HashTable<u64>, entry: u64) {
    entries.insert_unique(Index::hash(entry), entry, |entry| Index::hash(*entry));
}

/// An event of the platform's that was told under this id, as far back as the log goes.
///
/// # Errors
/// [`LogError`]
pub fn told(index: &mut Index, log: &impl Log, id: &EventId) -> Result<Option<update::Told>, LogError> {
    let prints: Vec<Print> = Print::of_event(id).into_iter().collect();
    let candidates = index.candidates(&prints, log)?;
    if candidates.is_empty() {
        return Ok(None);
    }
    let mut told = log.rows(&candidates)?.into_iter().filter_map(|row| row.update());
    Ok(told.find(|told| told.update.id == *id))
}

/// A fix may be so much earlier than the assignment: clocks differ.
const ASSIGNED_EARLY: Millis = 5_000;

/// What is to become of an entry, before seqs are given out.
pub enum Fate {
    /// It gets a seq.
    Fresh(Measured),
    /// The same as the fresh entry at this earlier index.
    Twin(usize),
    /// Whatever else happens.
    Known(Outcome),
}

/// The rows that may hold fixes of this post, of the same driver; `prints` are those of its entries.
///
/// # Errors
/// [`LogError`]
pub fn earlier(
    index: &mut Index,
    log: &impl Log,
    pointers: &Pointers,
    post: &Post,
    prints: &[Option<Print>],
) -> Result<Vec<Row>, LogError> {
    let may_be_known = |entry: &Entry| match entry {
        Entry::Fix(fix) => match DedupeKey::of(fix) {
            Some(DedupeKey::Id(_)) => true,
            Some(DedupeKey::Place(at, ..)) => !pointers.are_before(at),
            None => false,
        },
        Entry::Bad(_) => false,
    };
    let sought = post.entries.iter().zip(prints).filter(|(entry, _)| may_be_known(entry));
    let prints: Vec<Print> = sought.filter_map(|(_, print)| *print).collect();
    if prints.is_empty() {
        return Ok(Vec::new());
    }
    let candidates = index.candidates(&prints, log)?;
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows = log.rows(&candidates)?;
    // Another driver's have another print, but 36 bits of it may be the same.
    rows.retain(|row| row.accepted().is_some_and(|accepted| accepted.driver == post.driver));
    Ok(rows)
}

/// What decides on a fix beside what it is itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// The present life, where others may have been other drivers'.
    pub epoch: Option<u64>,
    /// The fixes that were measured before this were so before the job was their driver's, Unix milliseconds.
    pub since: Option<Millis>,
    /// Whether the job has ended.
    pub is_closed: bool,
}

/// Decides on each entry of a post, by the rows that may hold its fixes and by the entries before it.
pub fn fates(post: &Post, earlier: &[Row], clocks: &Clocks, terms: Terms) -> Vec<Fate> {
    let kept = earlier.iter().flat_map(|row| row.fixes().map(move |kept| (row.epoch, kept)));
    let before: HashMap<DedupeKey<'_>, (u64, u64, &Fix)> = kept
        .filter_map(|(epoch, kept)| Some((DedupeKey::of(kept.fix)?, (epoch, kept.seq, kept.fix))))
        .collect();
    let mut here: HashMap<DedupeKey<'_>, (usize, &Fix)> = HashMap::new();
    let reused = Rejection::of(Field::Id, Reason::IdReused);
    let fates = post.entries.iter().enumerate().map(|(index, entry)| {
        let fix = match entry {
            Entry::Fix(fix) => fix,
            Entry::Bad(rejection) => return Fate::Known(Outcome::rejected(index, *rejection)),
        };
        let key = DedupeKey::of(fix);
        if let Some((epoch, seq, original)) = key.and_then(|key| before.get(&key)) {
            return Fate::Known(match fix.same_measurement(original) {
                // Its seq is one of another life, which is over.
                true if terms.epoch.is_some_and(|present| present != *epoch) => {
                    Outcome::rejected(index, Rejection::reassigned())
                }
                true => Outcome::Duplicate { seq: *seq },
                false => Outcome::rejected(index, reused),
            });
        }
        if terms.is_closed {
            return Fate::Known(Outcome::rejected(index, Rejection::job_closed()));
        }
        if let Some((first, original)) = key.and_then(|key| here.get(&key)) {
            return match fix.same_measurement(original) {
                true => Fate::Twin(*first),
                false => Fate::Known(Outcome::rejected(index, reused)),
            };
        }
        // Only here: a retry gets its seq back however long it has taken.
        let Ok(measured) = clocks.measure(fix) else {
            let too_old = Rejection::of(Field::CapturedAt, Reason::TooOld);
            return Fate::Known(Outcome::rejected(index, too_old));
        };
        if terms.since.is_some_and(|since| measured.effective < since - ASSIGNED_EARLY) {
            let outside = Rejection::of(Field::CapturedAt, Reason::OutsideAssignment);
            return Fate::Known(Outcome::rejected(index, outside));
        }
        if let Some(key) = key {
            here.insert(key, (index, fix));
        }
        Fate::Fresh(measured)
    });
    fates.collect()
}
