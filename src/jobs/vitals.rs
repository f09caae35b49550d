//! Whether a job's driver is heard of, and whether their fixes are taken.

use serde::{Deserialize, Serialize};

use super::figures::{AllFigures, Figures};
use super::heartbeat::Heartbeat;
use crate::ids::UserId;
use crate::locations::clock::TOLERANCE;
use crate::objects::Millis;

/// What no row of the log says is written down so long after it was heard, in milliseconds: before an idle object is put to sleep.
const KEPT_AFTER: Millis = 8_000;

/// And where it is of a driver whose fixes are not taken any more, that is no more often.
const RARELY: Millis = 60_000;

/// The same heartbeat again is not written down within this.
const SAME_WITHIN: Millis = 10_000;

/// What is known of a job's driver beside the log, as JSON. All but the figures is of the present life; fields are added without a rewrite.
///
/// A row of the log says when its fixes were accepted, so of those nothing has to be written here: whoever wakes takes the later of both.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Vitals {
    /// The life, once this was written down.
    epoch: Option<u64>,
    /// When the driver was heard of last, by a post or a heartbeat, Unix milliseconds.
    heard_at: Option<Millis>,
    /// When a fix of theirs was accepted last.
    fixed_at: Option<Millis>,
    heartbeat: Option<Beat>,
    /// Since when nothing was heard, where subscribers were told that.
    silent_since: Option<Millis>,
    refused: Option<Refused>,
    owed: Option<Owed>,
    arrival: Option<Arrival>,
    figures: AllFigures,
    /// Up to which `n` the figures count the log.
    counted: u64,
    /// When it is to be written down, if there is something that is not.
    #[serde(skip)]
    keep_due: Option<Millis>,
    #[serde(skip)]
    kept_at: Option<Millis>,
    /// The rows that the figures do not count yet: after the first `n`, up to the second.
    #[serde(skip)]
    uncounted: Option<(u64, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Beat {
    state: Heartbeat,
    at: Millis,
}

/// That all fixes of the driver are refused.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refused {
    since: Millis,
    /// Whether operators were told.
    #[serde(default)]
    is_told: bool,
}

/// An event that has to be told. It is written down before its row is, with the `n` that this will have: so whoever wakes in between knows
/// whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owed {
    /// Its place among all that leaves.
    pub n: u64,
    /// Since when nothing was heard, Unix milliseconds.
    pub since: Millis,
    /// Whether the driver is heard of again.
    pub is_heard: bool,
}

/// That the vehicle has arrived, which is told once a life. It is written down before its row is, as what is [`Owed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// In which life.
    pub epoch: u64,
    /// Its place among all that leaves.
    pub n: u64,
    /// When the fix was measured that says so, Unix milliseconds; nothing where the build did not write it that did the rest.
    #[serde(default)]
    pub at: Option<Millis>,
}

/// What everybody who takes part is told of the driver's phone; times are Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Vitals"))]
pub struct Pulse {
    /// When it was heard of last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_heard: Option<Millis>,
    /// What it has said since its last position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Heartbeat>,
    /// Since when nothing was heard of it, once that is too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<Millis>,
    /// Since when there is no position, though it is heard of, and does not say that the vehicle stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix_missing_since: Option<Millis>,
    /// When the vehicle has arrived at the place that the job has now, once that is told: when that was measured, or since whoever asks may
    /// know of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrived_at: Option<Millis>,
}

/// What the list of open jobs tells of the driver's phone; times are Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Signs {
    /// What it has said since its last position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Heartbeat>,
    /// Since when nothing was heard of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<Millis>,
    /// Since when all of its fixes are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused_since: Option<Millis>,
}

impl Vitals {
    /// Goes on with what was written down, where it is of this life. `last_fix` is when the last row of that life was accepted, where it
    /// holds fixes, and `last_n` the last `n` of all, where the job is registered: of another there are no figures.
    pub fn resume(kept: Option<Self>, epoch: u64, last_fix: Option<Millis>, last_n: Option<u64>) -> Self {
        let mut vitals = kept.unwrap_or_default();
        if vitals.epoch != Some(epoch) {
            vitals.begin();
        }
        vitals.heard_at = vitals.heard_at.max(last_fix);
        vitals.fixed_at = vitals.fixed_at.max(last_fix);
        // What was accepted since was not refused.
        vitals.refused = vitals.refused.filter(|refused| last_fix.is_none_or(|at| at < refused.since));
        let last_n = last_n.filter(|last_n| vitals.counted < *last_n);
        vitals.uncounted = last_n.map(|last_n| (vitals.counted, last_n));
        vitals
    }

    /// Forgets the driver whose life is over, but for their figures.
    pub fn begin(&mut self) {
        let Self { counted, uncounted, keep_due, kept_at, .. } = *self;
        let figures = std::mem::take(&mut self.figures);
        *self = Self { figures, counted, uncounted, keep_due, kept_at, ..Self::default() };
    }

    /// Begins the figures anew after this `n`.
    pub fn count_from(&mut self, n: u64) {
        (self.figures, self.counted, self.uncounted) = (AllFigures::default(), n, None);
    }

    /// Takes back what is said of a time that is to come: our clock has gone back.
    pub fn follow_clock(&mut self, now: Millis) {
        let past = |at: Option<Millis>| at.map(|at| if at > now + TOLERANCE { now } else { at });
        (self.heard_at, self.fixed_at) = (past(self.heard_at), past(self.fixed_at));
        self.keep_due = self.keep_due.map(|due| due.min(now + RARELY));
    }

    /// Notes that the driver was heard of.
    pub fn hear(&mut self, now: Millis) {
        self.heard_at = self.heard_at.max(Some(now));
    }

    /// Notes a heartbeat. Says whether it is another one than before.
    pub fn beat(&mut self, state: Heartbeat, now: Millis) -> bool {
        let before = self.heartbeat();
        self.heartbeat = Some(Beat { state, at: now });
        before != Some(state)
    }

    /// Whether a heartbeat that is no other than before is to be written down now.
    pub fn is_to_keep(&self, now: Millis) -> bool {
        self.kept_at.is_none_or(|at| !(at..at + SAME_WITHIN).contains(&now))
    }

    /// Notes what has become of a driver's fixes, whether or not it is the present one.
    pub fn count(&mut self, driver: &UserId, figures: Figures) {
        self.figures.count(driver, figures);
    }

    /// Notes what that says of the present driver. Says whether that changes their [`signs`](Self::signs).
    pub fn follow(&mut self, figures: &Figures, now: Millis) -> bool {
        let before = self.signs();
        if figures.are_taken() {
            self.fixed_at = self.fixed_at.max(Some(now));
            self.heartbeat = None;
            self.refused = None;
        } else if figures.are_refused() && self.refused.is_none() {
            self.refused = Some(Refused { since: now, is_told: false });
        }
        before != self.signs()
    }

    /// What the phone has said since its last position.
    pub fn heartbeat(&self) -> Option<Heartbeat> {
        self.heartbeat.filter(|beat| self.fixed_at.is_none_or(|at| at <= beat.at)).map(|beat| beat.state)
    }

    /// When the driver was heard of last, Unix milliseconds.
    pub fn heard_at(&self) -> Option<Millis> {
        self.heard_at
    }

    /// When a fix of theirs was accepted last, Unix milliseconds.
    pub fn fixed_at(&self) -> Option<Millis> {
        self.fixed_at
    }

    /// Since when nothing was heard of them, where that was told, Unix milliseconds.
    pub fn silent_since(&self) -> Option<Millis> {
        self.silent_since
    }

    /// Since when all of their fixes are refused, Unix milliseconds.
    pub fn refused_since(&self) -> Option<Millis> {
        self.refused.map(|refused| refused.since)
    }

    /// The same, where operators do not know it yet.
    pub fn untold_refusal(&self) -> Option<Millis> {
        self.refused.filter(|refused| !refused.is_told).map(|refused| refused.since)
    }

    /// Notes that they do.
    pub fn refusal_is_told(&mut self) {
        self.refused = self.refused.map(|refused| Refused { is_told: true, ..refused });
    }

    /// Notes that an event has to be told.
    pub fn owe(&mut self, owed: Owed) {
        self.silent_since = (!owed.is_heard).then_some(owed.since);
        self.owed = Some(owed);
    }

    /// What the list of open jobs tells.
    pub fn signs(&self) -> Signs {
        Signs {
            heartbeat: self.heartbeat(),
            silent_since: self.silent_since,
            refused_since: self.refused_since(),
        }
    }

    /// The event that has to be told, if one has.
    pub fn owed(&self) -> Option<Owed> {
        self.owed
    }

    /// Notes that it is.
    pub fn paid(&mut self) {
        self.owed = None;
    }

    /// Notes that the vehicle has arrived, which has to be told.
    pub fn arrive(&mut self, arrival: Arrival) {
        self.arrival = Some(arrival);
    }

    /// That it has, in this life.
    pub fn arrival(&self, epoch: u64) -> Option<Arrival> {
        self.arrival.filter(|arrival| arrival.epoch == epoch)
    }

    /// Notes that the job is over: nobody waits to hear of the driver any more.
    pub fn end(&mut self) {
        (self.silent_since, self.refused, self.owed) = (None, None, None);
    }

    /// Whether the last row of the log may be all that says when the last fix came.
    pub fn are_in_last_row(&self) -> bool {
        self.fixed_at.is_some_and(|at| self.kept_at.is_none_or(|kept_at| kept_at <= at))
    }

    /// Notes that something is not written down: of the present driver, or of one whose fixes are not taken any more, however long
    /// their phone goes on.
    pub fn unkept(&mut self, is_present: bool, now: Millis) {
        let rarely = self.kept_at.filter(|_| !is_present).map_or(now, |at| at + RARELY - KEPT_AFTER);
        let due = rarely.max(now) + KEPT_AFTER;
        self.keep_due = Some(self.keep_due.map_or(due, |earlier| earlier.min(due)));
    }

    /// When that is to be written down.
    pub fn keep_due(&self) -> Option<Millis> {
        self.keep_due
    }

    /// Whether so many places of the log are not counted in what is written down that whoever wakes would count for long.
    pub fn are_many_unkept(&self, last_n: u64) -> bool {
        const MANY: u64 = 2_000;
        self.counted + MANY <= last_n
    }

    /// Makes ready to be written down as of this life, all rows up to this `n` being counted.
    pub fn keep(&mut self, epoch: Option<u64>, last_n: u64, now: Millis) {
        (self.epoch, self.counted) = (epoch, last_n);
        (self.keep_due, self.kept_at) = (None, Some(now));
    }

    /// The rows that the figures do not count yet, which they do from now on: after the first `n`, up to the second.
    pub fn uncounted(&self) -> Option<(u64, u64)> {
        self.uncounted
    }

    /// Notes that they are counted in these, which were none before.
    pub fn counted(&mut self, earlier: AllFigures) {
        let later = std::mem::replace(&mut self.figures, earlier);
        self.figures.count_all(later);
        self.uncounted = None;
    }

    /// The figures of all drivers.
    pub fn figures(&self) -> &AllFigures {
        &self.figures
    }

    /// The same for whoever may know of nothing before a time, Unix milliseconds.
    pub fn pulse_from(&self, pulse: Pulse, from: Millis) -> Pulse {
        let later = |at: Option<Millis>| at.filter(|at| *at >= from);
        Pulse {
            last_heard: later(pulse.last_heard),
            heartbeat: pulse.heartbeat.filter(|_| self.heartbeat.is_some_and(|beat| beat.at >= from)),
            silent_since: later(pulse.silent_since),
            fix_missing_since: later(pulse.fix_missing_since),
            ..pulse
        }
    }

    /// What is told of the driver's phone at `now`. Nothing is missing before `since`, nor where it is younger than `limit`; `since` is
    /// nothing where there is nothing to wait for any more.
    pub fn pulse(&self, since: Option<Millis>, limit: Millis, now: Millis) -> Pulse {
        let heartbeat = self.heartbeat();
        let is_heard = self.heard_at.is_some_and(|at| now - at <= limit);
        let missing = since.map(|since| self.fixed_at.map_or(since, |at| at.max(since)));
        let is_excused = heartbeat == Some(Heartbeat::Parked);
        Pulse {
            last_heard: self.heard_at,
            heartbeat,
            silent_since: self.silent_since,
            fix_missing_since: missing.filter(|since| is_heard && !is_excused && now - *since > limit),
            arrived_at: None,
        }
    }
}
