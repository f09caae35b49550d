//! What a gate makes of what was accepted, told the plainest way.

use super::*;

/// A fix as staff see it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept {
    pub(super) epoch: u64,
    pub(super) seq: u64,
    pub(super) measured: Millis,
    pub(super) is_live: bool,
    pub(super) lat: f64,
    pub(super) lng: f64,
    accuracy: Option<f64>,
}

impl Kept {
    pub(super) fn of(location: &Value) -> Self {
        let number = |name: &str| location[name].as_f64().unwrap();
        Self {
            epoch: location["epoch"].as_u64().unwrap(),
            seq: location["seq"].as_u64().unwrap(),
            measured: location["capturedAt"].as_i64().unwrap(),
            is_live: location.get("late").is_none(),
            lat: number("lat"),
            lng: number("lng"),
            accuracy: location["accuracy"].as_f64(),
        }
    }

    /// How far it is from there, on a map that is good enough for some kilometres.
    fn metres_from(&self, (lat, lng): (f64, f64)) -> f64 {
        let (north, east) = (self.lat - lat, (self.lng - lng) * lat.to_radians().cos());
        north.hypot(east) / METRE
    }
}

/// Where a job begins to be seen: after so many fixes, and since when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Start {
    pub(super) epoch: Option<u64>,
    pub(super) after: usize,
    pub(super) since: Millis,
}

#[derive(Default)]
pub(super) struct Model {
    pub(super) wanted: Option<Wanted>,
    pub(super) kept: Vec<Kept>,
    pub(super) opened: Option<Start>,
    /// Since when there is this gate, and this driver: no time opens it to what was before.
    set_at: Millis,
    assigned_at: Millis,
    /// Who has come late.
    joined: Vec<(usize, Start)>,
    /// The lives in which the vehicle has arrived.
    pub(super) arrived: Vec<u64>,
    /// The last of them, as long as the place is the one at which it has.
    pub(super) is_at: Option<u64>,
    pub(super) ended: Option<EndReason>,
}

impl Model {
    pub(super) fn gate(&self) -> Option<(Option<u32>, Option<Millis>)> {
        let wanted = self.wanted?;
        Some((wanted.within, wanted.from.map(|from| NOW + from))).filter(|gate| *gate != (None, None))
    }

    /// Since when somebody sees the job.
    pub(super) fn since(&self, who: usize) -> Millis {
        self.joined.iter().find(|(other, _)| *other == who).map_or(Millis::MIN, |(_, start)| start.since)
    }

    pub(super) fn is_open_in(&self, epoch: Option<u64>) -> bool {
        self.opened.is_some_and(|opened| opened.epoch == epoch)
    }

    /// A gate of a time alone opens to what is accepted after it has come.
    pub(super) fn pass(&mut self, epoch: Option<u64>, now: Millis) {
        if let Some((None, Some(from))) = self.gate()
            && now >= from
            && epoch.is_some()
            && !self.is_open_in(epoch)
        {
            let since = from.max(self.set_at).max(self.assigned_at);
            self.opened = Some(Start { epoch, after: self.kept.len(), since });
        }
    }

    /// What is put in this life.
    pub(super) fn put(&mut self, next: Wanted, epoch: Option<u64>, now: Millis) {
        // Where nothing was registered claims have shown it to whomever.
        let first = Wanted { customers: 0, ..next };
        let is_first = self.wanted.is_none();
        let before = self.wanted.replace(next).unwrap_or(first);
        let goes_on = !is_first && before.driver == next.driver;
        let shown = self.opened.filter(|opened| goes_on && opened.epoch == epoch);
        if (before.within, before.from) != (next.within, next.from) {
            (self.opened, self.set_at) = (None, now);
        }
        if before.place != next.place {
            self.is_at = None;
        }
        if !goes_on {
            self.assigned_at = now;
        }
        let was_gated = before.within.is_some() || before.from.is_some();
        let start = Start { epoch: None, after: self.kept.len(), since: now };
        for who in 0..CUSTOMERS.len() {
            let (was_in, is_in) = (before.customers >> who & 1 == 1, next.customers >> who & 1 == 1);
            let is_anew = is_in && (!was_in || was_gated && self.gate().is_none());
            let earlier = self.joined.iter().find(|(other, _)| *other == who).map(|(_, start)| *start);
            if !is_in || is_anew {
                self.joined.retain(|(other, _)| *other != who);
            }
            // What an open gate has shown it goes on to be shown without one.
            let start = shown.filter(|_| was_in).map_or(start, |shown| Start {
                after: earlier.map_or(0, |it| it.after).max(shown.after),
                since: earlier.map_or(shown.since, |it| it.since.max(shown.since)),
                ..start
            });
            if is_anew && (!self.kept.is_empty() || goes_on) {
                self.joined.push((who, start));
            }
        }
    }

    /// Goes on to what staff see now: what is new was accepted `at` this time of ours.
    pub(super) fn follow(&mut self, kept: Vec<Kept>, at: Millis) {
        assert_eq!(kept.get(..self.kept.len()), Some(&self.kept[..]), "what was accepted stays as it was");
        let first = self.kept.len();
        self.kept = kept;
        let Some(wanted) = self.wanted.filter(|_| self.ended.is_none()) else { return };
        for (index, fix) in self.kept.iter().enumerate().skip(first).filter(|(_, fix)| fix.is_live) {
            let metres = fix.metres_from(PLACES[wanted.place]);
            let may_open = wanted.from.is_none_or(|from| NOW + from <= at);
            if let Some(within) = wanted.within
                && may_open
                && self.opened.is_none_or(|opened| opened.epoch != Some(fix.epoch))
                && metres + fix.accuracy.unwrap_or(50.0) <= f64::from(within)
            {
                self.opened = Some(Start { epoch: Some(fix.epoch), after: index + 1, since: at });
            }
            let is_there = metres <= 100.0 && fix.accuracy.is_none_or(|accuracy| accuracy <= 100.0);
            if is_there && !self.arrived.contains(&fix.epoch) {
                self.arrived.push(fix.epoch);
                self.is_at = Some(fix.epoch);
            }
        }
    }

    /// The fixes that a customer may see; nothing while a gate is closed.
    pub(super) fn visible(&self, who: usize, epoch: Option<u64>) -> Option<Vec<&Kept>> {
        let joined = self.joined.iter().find(|(other, _)| *other == who).map(|(_, start)| *start);
        let opened = match self.gate() {
            None => None,
            Some(_) => Some(self.opened.filter(|opened| opened.epoch == epoch)?),
        };
        let may_see = |index: usize, fix: &Kept| {
            let starts = joined.iter().chain(&opened);
            Some(fix.epoch) == epoch
                && starts.into_iter().all(|start| index >= start.after && fix.measured >= start.since)
        };
        let fixes = self.kept.iter().enumerate().filter(|(index, fix)| may_see(*index, fix));
        Some(fixes.map(|(_, fix)| fix).collect())
    }
}
