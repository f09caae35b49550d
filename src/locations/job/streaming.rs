//! What those are told who read a job's events as they come.
//!
//! What it keeps to:
//!
//! - **Out of the log.** A reader has a cursor, and what they are told is read from there: so who was away gets what they have missed, and
//!   nobody's memory fills.
//! - **Looked at each time.** Whether somebody may still read, and what, is asked whenever anything is told: so access that ends, ends with
//!   the turn in which it does.
//! - **Nothing is told here.** What is to be told is handed out; whoever writes it waits until all is durable that this turn has written.
//! - **One text.** What several readers see alike is made once.

mod places;
mod shown;

use serde::Serialize;
use sha2::{Digest, Sha256};

use self::shown::{is_of_before, is_theirs, shown, whole};
use super::forgetting::hidden;
use super::{Job, JobAnswer, JobRefusal, Log, LogError, Millis};
use crate::ids::{JobId, UserId};
use crate::jobs::gate::Withheld;
use crate::jobs::{Sight, Viewer};
use crate::locations::log::Content;
use crate::locations::place::Place;
use crate::locations::protocol::{Begin, StreamRequest};
use crate::locations::trail::Scope;
use crate::sessions::Role;
use crate::streams::frame::{self, HEARTBEAT, Resync};
use crate::streams::readers::ROWS_MAX;
use crate::streams::{Cursor, Delivery, End, Mark, Moved, Newcomer, Reader};

/// A text that is this long, in bytes, takes no more events.
const TEXT_MAX: usize = 32 * 1024;

/// `{…first state, subHash}`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct First<'a> {
    #[serde(flatten)]
    state: &'a JobAnswer,
    /// By it a page knows whose stream it has got.
    sub_hash: String,
}

/// What is to be told.
#[derive(Debug, Default)]
struct Plan {
    /// Of whom it is seen now that another gate holds them back than before, or none.
    held_back: Vec<(u32, Option<Withheld>)>,
    deliveries: Vec<Delivery>,
    moved: Vec<Moved>,
}

impl Plan {
    fn tell(&mut self, number: u32, text: &str, ends: bool) {
        let same = self.deliveries.iter_mut().find(|other| other.ends == ends && other.text == text);
        match same {
            Some(same) => same.readers.push(number),
            None => self.deliveries.push(Delivery { readers: vec![number], text: text.to_owned(), ends }),
        }
    }
}

/// Readers who are at one place of the log, and see the same of it.
struct Group<'a> {
    scope: Scope,
    /// As [`Job::told_from`].
    from: Option<Millis>,
    readers: Vec<&'a Reader>,
}

impl<L: Log> Job<L> {
    /// Lets somebody read, and says which number they have. [`deliveries`](Self::deliveries) follows.
    ///
    /// # Errors
    /// [`LogError`]; nobody reads then.
    pub fn stream(
        &mut self,
        request: StreamRequest,
        now: Millis,
    ) -> Result<Result<u32, JobRefusal>, LogError> {
        self.follow_time(now)?;
        let StreamRequest { job, viewer, until, begin } = request;
        if self.forgotten.is_some() {
            return Ok(Err(hidden(Some(&viewer))));
        }
        self.sequence.of_job(&job)?;
        let sight = match self.sight(Some(&viewer), now) {
            Ok(sight) => sight,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if !self.readers.have_room_for(&viewer.user) {
            return Ok(Err(JobRefusal::TooManyStreams));
        }
        let mut opening = frame::opening();
        let (cursor, id) = match sight {
            // Wherever they were, they are told nothing of it.
            Sight::Withheld(_) => (self.present()?, None),
            Sight::All | Sight::Own | Sight::Present { .. } => {
                let asked = match begin {
                    Begin::After(mark) => self.locate(mark)?.map(|cursor| (cursor, Some(mark))),
                    Begin::Now | Begin::Nowhere => None,
                };
                let scope = self.scope(sight, Some(&viewer))?;
                let asked = asked.filter(|(cursor, _)| is_theirs(&scope, cursor));
                match (begin, asked) {
                    (Begin::After(_), None) => opening += &frame::resync(Resync::NotKept, now),
                    (Begin::Nowhere, _) => opening += &frame::resync(Resync::NotAnId, now),
                    (Begin::After(_), Some(_)) | (Begin::Now, _) => {}
                }
                match asked {
                    Some(asked) => asked,
                    None => {
                        let cursor = self.present()?;
                        (cursor, cursor.mark())
                    }
                }
            }
        };
        opening += &match self.first_state(job, &viewer, id, now)? {
            Ok(state) => state,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let withheld = withheld(sight);
        Ok(Ok(self.readers.admit(Newcomer { viewer, until, cursor, opening, withheld }, now)))
    }

    /// Whether anybody reads.
    pub fn has_readers(&self) -> bool {
        !self.readers.is_empty()
    }

    /// What readers are to be told now, in order; it counts as under way. What could not be read for some is tried again.
    pub fn deliveries(&mut self, now: Millis) -> (Vec<Delivery>, Result<(), LogError>) {
        if self.readers.is_empty() {
            return (Vec::new(), Ok(()));
        }
        let is_beat = self.readers.beat(now);
        let mut plan = Plan::default();
        let told = self.plan(&mut plan, now);
        plan.held_back.drain(..).for_each(|(number, by)| self.readers.hold_back(number, by));
        if is_beat {
            let is_told = |reader: &Reader| {
                plan.deliveries.iter().any(|delivery| delivery.readers.contains(&reader.number))
            };
            let idle = self.readers.iter().filter(|reader| reader.is_idle() && !is_told(reader));
            let idle: Vec<u32> = idle.map(|reader| reader.number).collect();
            idle.into_iter().for_each(|number| plan.tell(number, HEARTBEAT, false));
        }
        self.readers.deliver(&plan.deliveries, &plan.moved, now);
        // Of what they have passed nothing was for them: they go on at once. Where it could not be read they do not.
        let is_waiting =
            |reader: &Reader| reader.is_idle() && reader.withheld.is_none() && self.is_behind(reader.cursor);
        let waits = told.is_ok() && self.readers.iter().any(is_waiting);
        self.readers.go_on(waits);
        (plan.deliveries, told)
    }

    /// Notes that a reader has been handed what was under way to them, or that they are not there any more. Says whether there is more
    /// for them.
    pub fn taken(&mut self, number: u32, is_there: bool) -> bool {
        let reader = self.readers.taken(number, is_there);
        let reader = reader.map(|reader| (reader.cursor, reader.held_back != reader.withheld));
        reader.is_some_and(|(cursor, gate_has_moved)| gate_has_moved || self.is_behind(cursor))
    }

    /// When there is something to do for readers, if nothing happens before, Unix milliseconds.
    pub fn readers_due(&self, now: Millis) -> Option<Millis> {
        self.readers.due(now)
    }

    /// Whether there is anything to tell whoever is there.
    fn is_behind(&self, cursor: Cursor) -> bool {
        cursor.n < self.sequence.last_n() || self.has_ended()
    }

    fn has_ended(&self) -> bool {
        self.registration.as_ref().is_some_and(|registration| registration.ended.is_some())
    }

    /// Who is told what. Those come first whose streams end or begin: of that nothing can fail.
    fn plan(&self, plan: &mut Plan, now: Millis) -> Result<(), LogError> {
        let mut going_on: Vec<(&Reader, Sight)> = Vec::new();
        for reader in self.readers.iter() {
            match self.ends(reader, now) {
                Err((end, before)) => plan.tell(reader.number, &(before + &frame::end(end)), true),
                Ok(sight) => {
                    if withheld(sight) != reader.held_back {
                        plan.held_back.push((reader.number, withheld(sight)));
                    }
                    match &reader.opening {
                        _ if !reader.is_idle() => {}
                        Some(opening) => plan.tell(reader.number, opening, false),
                        None => going_on.push((reader, sight)),
                    }
                }
            }
        }
        let mut places: Vec<(Cursor, Vec<Group<'_>>)> = Vec::new();
        for (reader, sight) in going_on {
            if withheld(sight) != reader.withheld {
                self.gate_moves(plan, reader, sight, now)?;
                continue;
            }
            if reader.withheld.is_some() || !self.is_behind(reader.cursor) {
                continue;
            }
            let scope = self.scope(sight, Some(&reader.viewer))?;
            let from = self.told_from(&reader.viewer);
            let groups = match places.iter_mut().find(|(cursor, _)| *cursor == reader.cursor) {
                Some((_, groups)) => groups,
                None => {
                    places.push((reader.cursor, Vec::new()));
                    let Some((_, groups)) = places.last_mut() else { continue };
                    groups
                }
            };
            match groups.iter_mut().find(|group| group.scope == scope && group.from == from) {
                Some(group) => group.readers.push(reader),
                None => groups.push(Group { scope, from, readers: vec![reader] }),
            }
        }
        places.into_iter().try_for_each(|(cursor, groups)| self.page(plan, cursor, &groups))
    }

    /// Tells somebody that a gate holds them back now, or holds them back otherwise; or that it does not any more, and then what they see
    /// since.
    fn gate_moves(
        &self,
        plan: &mut Plan,
        reader: &Reader,
        sight: Sight,
        now: Millis,
    ) -> Result<(), LogError> {
        let Some(job) = self.sequence.job().cloned() else { return Ok(()) };
        let (cursor, mut text) = match sight {
            Sight::Withheld(_) => (reader.cursor, String::new()),
            Sight::All | Sight::Own | Sight::Present { .. } => {
                let after = self.scope(sight, Some(&reader.viewer))?.after();
                let cursor = if after > reader.cursor.n { self.cursor_within(after)? } else { reader.cursor };
                (cursor, frame::gate_opened(&job, self.told_from(&reader.viewer).unwrap_or(now)))
            }
        };
        let id = cursor.mark().filter(|_| withheld(sight).is_none());
        let Ok(state) = self.first_state(job, &reader.viewer, id, now)? else { return Ok(()) };
        text += &state;
        let (number, rows) = (reader.number, reader.rows);
        plan.moved.push(Moved { number, cursor, rows, withheld: withheld(sight) });
        plan.tell(reader.number, &text, false);
        Ok(())
    }

    /// Tells those who are at one place what comes next.
    fn page(&self, plan: &mut Plan, cursor: Cursor, groups: &[Group<'_>]) -> Result<(), LogError> {
        let last_n = self.sequence.last_n();
        let mut texts = vec![String::new(); groups.len()];
        let mut at = cursor;
        let rows = groups.iter().flat_map(|group| &group.readers).map(|reader| reader.rows).min();
        let mut rows = rows.unwrap_or(ROWS_MAX);
        if let Some(job) = self.sequence.job() {
            while at.n < last_n && self.read_on(job, &mut at, &mut rows, groups, &mut texts)? {}
        }
        // A job that has ended says nothing more.
        let ends = self.has_ended() && at.n >= last_n;
        for (Group { readers, .. }, mut text) in groups.iter().zip(texts) {
            if ends {
                text += &frame::end(End::Closed);
            }
            for reader in readers {
                plan.moved.push(Moved { number: reader.number, cursor: at, rows, withheld: None });
                if !text.is_empty() {
                    plan.tell(reader.number, &text, ends);
                }
            }
        }
        Ok(())
    }

    /// Reads on, so many rows, and as many the next time as the text has taken. Says whether it has come no further than past a life that
    /// is none of theirs.
    fn read_on(
        &self,
        job: &JobId,
        at: &mut Cursor,
        at_once: &mut u32,
        groups: &[Group<'_>],
        texts: &mut [String],
    ) -> Result<bool, LogError> {
        let rows = self.log.rows_after(at.n, *at_once)?;
        // More again where the text has room for more.
        *at_once = at_once.saturating_mul(2).min(ROWS_MAX);
        if rows.is_empty() {
            // They are not kept any more.
            *at = Cursor { n: self.sequence.last_n(), ..Cursor::default() };
        }
        for (taken, row) in (1..).zip(rows) {
            if !groups.iter().any(|group| group.scope.has_life(row.epoch)) {
                *at = self.past_life(&row)?;
                return Ok(texts.iter().all(String::is_empty));
            }
            let next = self.past_row(*at, &row)?;
            let whole = whole(job, &row);
            let arrival = self.vitals.arrival(row.epoch);
            for (group, text) in groups.iter().zip(&mut *texts) {
                if group.from.is_some_and(|from| is_of_before(&row, arrival, from)) {
                    continue;
                }
                if let Some((name, data)) = shown(job, &row, *at, &group.scope, whole.as_ref()) {
                    *text += &frame::event(&name, next.mark(), &data);
                }
            }
            *at = next;
            if texts.iter().any(|text| text.len() >= TEXT_MAX) {
                *at_once = taken;
                break;
            }
        }
        Ok(false)
    }

    /// What a reader sees; or why their stream ends now, and what they are told before that.
    fn ends(&self, reader: &Reader, now: Millis) -> Result<Sight, (End, String)> {
        if self.forgotten.is_some() {
            return Err((End::Closed, self.closing(reader)));
        }
        let sight = self.sight(Some(&reader.viewer), now).map_err(|refusal| match refusal {
            JobRefusal::Ended { .. } => (End::Closed, self.closing(reader)),
            _ if reader.viewer.role == Role::Driver => (End::Reassigned, String::new()),
            _ => (End::Removed, String::new()),
        })?;
        reader.ends_by_itself(now).map_or(Ok(sight), Err)
    }

    /// The event that closes the job, for those who take part in it no more: it is all that they are told. To whom a gate was closed, even
    /// if they could not be told of it yet, it would tell how far the job had come.
    fn closing(&self, reader: &Reader) -> String {
        if self.was_closed_to(reader) {
            return String::new();
        }
        let cursor = reader.cursor;
        let read = |after: u64| self.log.rows_after(after, 1).ok()?.into_iter().next();
        let row = match (&self.registration, self.kept_event()) {
            // It is the last of all, and what was before is theirs no more.
            (Some(registration), _) => read(registration.withdrawn.max(cursor.n)),
            (None, kept) => kept.filter(|row| row.n > cursor.n).cloned(),
        };
        let told = row.filter(|row| matches!(row.content, Content::Message(_))).and_then(|row| {
            let (name, data) = whole(self.sequence.job()?, &row)?;
            // Of a job that is forgotten only this is kept: so it has an id where that follows from where they are.
            let at = match self.forgotten {
                Some(_) if cursor.epoch == Some(row.epoch) && cursor.seq == row.seq => {
                    Some(cursor.to(row.n, Place { epoch: row.epoch, seq: row.seq }, || None))
                }
                Some(_) => None,
                None => self.cursor_at(&row).ok(),
            };
            Some(frame::event(&name, at.and_then(|at| at.mark()), &data))
        });
        told.unwrap_or_default()
    }

    /// Whether a gate held somebody back as the job ended. Of one that is forgotten this is what was seen last.
    fn was_closed_to(&self, reader: &Reader) -> bool {
        let is_customer = reader.viewer.role == Role::Customer;
        match &self.registration {
            Some(registration) => is_customer && registration.closed_gate(self.sequence.epoch()).is_some(),
            None => reader.held_back.is_some(),
        }
    }

    /// The first event of a stream. On one that goes on its id is where that does.
    fn first_state(
        &self,
        job: JobId,
        viewer: &Viewer,
        id: Option<Mark>,
        now: Millis,
    ) -> Result<Result<String, JobRefusal>, LogError> {
        let state = match self.state(job, Some(viewer), now)? {
            Ok(state) => state,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let first = First { state: &state, sub_hash: hash(&viewer.user) };
        let data = serde_json::to_string(&first).map_err(|_| LogError::Damaged("a first state"))?;
        Ok(Ok(frame::event("state", id, &data)))
    }
}

/// What holds somebody back, if anything does.
fn withheld(sight: Sight) -> Option<Withheld> {
    match sight {
        Sight::Withheld(withheld) => Some(withheld),
        Sight::All | Sight::Own | Sight::Present { .. } => None,
    }
}

/// SHA-256 of a user's id, in lower-case hexadecimal.
fn hash(user: &UserId) -> String {
    Sha256::digest(user.as_str().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
