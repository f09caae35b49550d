//! A row of the log: the fixes of one post, or a message; and what it says of all rows before it.

use serde::{Deserialize, Serialize};

use crate::ids::UserId;
use crate::jobs::update;
use crate::locations::clock::{Ahead, Clock, Measured};
use crate::locations::print::Print;
use crate::locations::{Fix, Millis};

/// One row of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its place among all that leaves; of a post, that of its last fix, from which the others count down.
    pub n: u64,
    /// The epoch of the life that it belongs to.
    pub epoch: u64,
    /// The last seq of that life, up to the end of this row.
    pub seq: u64,
    /// When it was accepted. It never decreases from one row to the next.
    pub ts: Millis,
    /// What it says of all rows up to its own end.
    pub pointers: Pointers,
    /// What it holds.
    pub content: Content,
}

/// What a row says of all rows up to its own end.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pointers {
    /// The latest `capturedAt`, as sent, of all but the [`far`](Self::far) ones.
    pub cap: Option<Millis>,
    /// The earliest `capturedAt` of those that were so far ahead of our clock that they say nothing of any other fix. A fix without
    /// an `id` that was measured after `cap` and before `far` was not accepted before.
    pub far: Option<Millis>,
    /// The `n` of the last live fix.
    pub live: Option<u64>,
    /// The `n` of the last live fix whose clock is not ahead, where that is another one.
    pub right: Option<u64>,
    /// The last live fix of each driver whose clock was ahead within the last minute.
    pub ahead: Vec<(UserId, Ahead)>,
}

/// A fix that is ahead of our clock by more than this says nothing about the times of others: see [`Pointers::far`].
const FAR: Millis = 86_400_000;

impl Pointers {
    /// What they say of the times of fixes, and nothing of what is live.
    pub fn times(&self) -> Self {
        Self { cap: self.cap, far: self.far, ..Self::default() }
    }

    /// The same after fixes that were accepted at `at`.
    pub fn times_after(&self, fixes: &[Fix], at: Millis) -> Self {
        let mut after = self.times();
        for time in fixes.iter().filter_map(Fix::captured_at) {
            if time - at <= FAR {
                after.cap = after.cap.max(Some(time));
            } else {
                after.far = Some(after.far.map_or(time, |far| far.min(time)));
            }
        }
        after
    }

    /// Whether no fix that says this of its `capturedAt` was accepted before.
    pub fn are_before(&self, captured_at: Millis) -> bool {
        self.cap.is_some_and(|cap| cap < captured_at) && self.far.is_none_or(|far| captured_at < far)
    }
}

/// What a row holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// The accepted fixes of one post.
    Fixes(Accepted),
    /// A message that is ready to be sent, of whatever kind: whoever wrote it, this build or a newer one, knew what it says.
    Message(Ready),
    /// That a life has begun of which nobody is told.
    Life,
    /// Nothing that this build knows, or could send.
    Unknown,
    /// It cannot be read. Nothing of it leaves, and nothing of it is recognised; what stands beside it counts.
    Damaged,
}

/// The accepted fixes of one post, as JSON. Fields are added without a rewrite: one that is not there says what it says by its
/// absence, and one that is not known is passed over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// Our clock at the acceptance, where that is not [`Row::ts`]: it has gone back by more than a little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Millis>,
    /// Our clock less the phone's, where the post said what the phone's was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<Millis>,
    /// Whose fixes these are.
    pub driver: UserId,
    /// The fixes in the order of their seqs; never empty.
    pub fixes: Vec<Fix>,
    /// The times of those fixes that were not measured when the phone says, in the order of the fixes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<Time>,
    /// Which of the fixes before the row's last live one were late, from 0, in order. Those after it all were: the pointers say so.
    /// Rows of before there was this field say nothing of the others, which count as live.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late: Vec<usize>,
}

/// A message as it is to be sent, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The channel.
    pub channel: String,
    /// The event.
    pub name: String,
    /// By it Ably recognises a retry.
    pub id: String,
    /// JSON text.
    pub data: String,
}

/// When a fix was measured, where that is not when the phone says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Time {
    /// Which of the row's fixes, from 0.
    pub fix: usize,
    /// What is wrong with the phone's clock.
    pub clock: Clock,
    /// As [`Measured::captured_at`].
    pub captured_at: Millis,
    /// As [`Measured::effective`].
    pub effective: Millis,
}

impl Time {
    /// What is to be kept of the time of the fix at `index`.
    pub fn kept(index: usize, measured: Measured) -> Option<Self> {
        let Measured { effective, captured_at, clock } = measured;
        clock.map(|clock| Self { fix: index, clock, captured_at, effective })
    }
}

/// A fix of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kept<'a> {
    /// Its place among all that leaves.
    pub n: u64,
    /// Its place in its life.
    pub seq: u64,
    /// The fix.
    pub fix: &'a Fix,
    /// When it was measured.
    pub measured: Measured,
    /// Whether it has moved no marker.
    pub late: bool,
}

impl Row {
    /// Its place among all that leaves, of a post that of its first fix.
    pub fn first_n(&self) -> u64 {
        let more = match &self.content {
            Content::Fixes(accepted) => (accepted.fixes.len() as u64).saturating_sub(1),
            Content::Message(_) | Content::Life | Content::Unknown | Content::Damaged => 0,
        };
        self.n.saturating_sub(more)
    }

    /// Whether it is the one at this place, and all from there to its end. How far back one goes that is damaged nobody knows.
    pub fn begins_at(&self, n: u64) -> bool {
        if self.is_readable() { self.first_n() == n } else { self.n >= n }
    }

    /// Whether one message may stand for this row and the one before it.
    pub fn goes_with(&self, before: &Self) -> bool {
        self.accepted().is_some()
            && before.accepted().is_some()
            && self.epoch == before.epoch
            && self.begins_at(before.n + 1)
    }

    /// Whether it says what it holds.
    pub fn is_readable(&self) -> bool {
        self.content != Content::Damaged
    }

    /// How many fixes it holds, and 1 where it holds something else.
    pub fn size(&self) -> usize {
        self.accepted().map_or(1, |accepted| accepted.fixes.len())
    }

    /// The seq of the first of its fixes.
    pub fn first_seq(&self) -> u64 {
        (self.seq + 1).saturating_sub(self.accepted().map_or(0, |accepted| accepted.fixes.len() as u64))
    }

    /// Its fixes, where it holds some.
    pub fn accepted(&self) -> Option<&Accepted> {
        match &self.content {
            Content::Fixes(accepted) => Some(accepted),
            Content::Message(_) | Content::Life | Content::Unknown | Content::Damaged => None,
        }
    }

    /// What it tells of itself, where it is an event of the platform's.
    pub fn update(&self) -> Option<update::Told> {
        match &self.content {
            Content::Message(ready) => update::Told::of(&ready.name, &ready.data),
            Content::Fixes(_) | Content::Life | Content::Unknown | Content::Damaged => None,
        }
    }

    /// What a retry of what it holds is recognised by.
    pub fn prints(&self) -> Vec<Print> {
        match self.accepted() {
            Some(accepted) => accepted.prints(),
            None => self.update().and_then(|told| Print::of_event(&told.update.id)).into_iter().collect(),
        }
    }

    /// Its fixes, in order.
    pub fn fixes(&self) -> impl Iterator<Item = Kept<'_>> {
        let accepted = self.accepted();
        let fixes = accepted.into_iter().flat_map(|accepted| {
            let told = |(index, fix)| {
                (fix, accepted.measured(index, fix, self.ts), accepted.late.binary_search(&index).is_ok())
            };
            accepted.fixes.iter().enumerate().map(told)
        });
        let places = (self.first_n()..).zip(self.first_seq()..);
        let live = self.pointers.live.unwrap_or_default();
        places.zip(fixes).map(move |((n, seq), (fix, measured, late))| Kept {
            n,
            seq,
            fix,
            measured,
            late: late || live < n,
        })
    }

    /// The fix at this place, if it is in this row.
    pub fn fix(&self, n: u64) -> Option<Kept<'_>> {
        let index = usize::try_from(n.checked_sub(self.first_n())?).ok()?;
        self.fixes().nth(index)
    }

    /// The newest live fix of this row, if any of it is live.
    pub fn head(&self) -> Option<Kept<'_>> {
        self.fix(self.pointers.live?)
    }
}

impl Accepted {
    /// Our clock at the acceptance, in a row with this time.
    pub fn at(&self, ts: Millis) -> Millis {
        self.at.unwrap_or(ts)
    }

    /// What its fixes are recognised by.
    pub fn prints(&self) -> Vec<Print> {
        self.fixes.iter().filter_map(|fix| Print::of(&self.driver, fix)).collect()
    }

    fn measured(&self, index: usize, fix: &Fix, ts: Millis) -> Measured {
        let time = self.times.binary_search_by_key(&index, |time| time.fix).ok();
        match time.and_then(|at| self.times.get(at)) {
            Some(&Time { clock, captured_at, effective, .. }) => {
                Measured { effective, captured_at, clock: Some(clock) }
            }
            None => Measured::as_said(fix.captured_at(), self.at(ts)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_after_all_times_but_those_of_a_far_future_is_new() {
        let fixes = |times: &[Millis]| -> Vec<Fix> {
            let fix = |time| serde_json::from_str(&format!("[{time},1,1,null,null,null,null,null]")).unwrap();
            times.iter().map(fix).collect()
        };
        let pointers = Pointers::default().times_after(&fixes(&[10, FAR + 1_001, FAR + 1_000, 7]), 1_000);
        assert_eq!((pointers.cap, pointers.far), (Some(FAR + 1_000), Some(FAR + 1_001)));
        let pointers = Pointers::default().times_after(&fixes(&[900]), 1_000);
        let pointers = pointers.times_after(&fixes(&[9 * FAR, 8 * FAR]), 1_000);
        assert_eq!((pointers.cap, pointers.far), (Some(900), Some(8 * FAR)));
        for (time, is_new) in
            [(899, false), (900, false), (901, true), (8 * FAR - 1, true), (8 * FAR, false), (9 * FAR, false)]
        {
            assert_eq!(pointers.are_before(time), is_new, "{time}");
        }
        assert!(!Pointers::default().are_before(0), "nothing is known of any time");
    }
}
