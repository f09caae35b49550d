//! What comes of it that the vehicle is near the place: a gate opens, and it is told that it has arrived. And of it that the time of a gate
//! comes.
//!
//! What it keeps to:
//!
//! - **Closed until it is written down that it has opened.** What is written says after which `n` and since when the job is seen: at what was
//!   accepted or measured before that the gate's role never looks, whoever sends it later.
//! - **Only what is accepted says that the vehicle is near**: a live fix of the present life, after place and gate were set. No question
//!   about another place is ever answered by where the vehicle was.
//! - **Nothing more a post.** Distances are told only as long as something waits for one, and a row is written once for each that comes.

use super::{Job, Log, LogError, Millis, Sequence};
use crate::jobs::gate::{self, Opening};
use crate::jobs::registration::Event;
use crate::jobs::vitals::{Arrival, Vitals};
use crate::jobs::wanted::Spot;
use crate::locations::Fix;

/// What waits for the vehicle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Awaited {
    place: Spot,
    /// The radius of a gate that is closed, in metres.
    gate: Option<f64>,
    arrival: bool,
}

/// What a vehicle that has come near has still to bring about.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Near {
    /// The place, among all that leaves, of the fix that opens a gate, and our clock at its acceptance.
    opens: Option<(u64, Millis)>,
    /// When the last fix was measured by which it has arrived, Unix milliseconds.
    arrives: Option<Millis>,
}

impl Near {
    /// Looks at a live fix, at this place among all that leaves, which was measured and accepted `at` these times of ours.
    pub(super) fn look(&mut self, awaited: &Awaited, n: u64, fix: &Fix, measured: Millis, at: Millis) {
        let Awaited { place, gate, arrival } = *awaited;
        if self.opens.is_none() && gate.is_some_and(|radius| gate::is_within(fix, place, radius)) {
            self.opens = Some((n, at));
        }
        if arrival && gate::is_there(fix, place) {
            self.arrives = self.arrives.max(Some(measured));
        }
    }
}

impl<L: Log> Job<L> {
    /// What waits for a fix that is accepted `at` this time of ours; nothing where nothing does.
    pub(super) fn awaited(&self, at: Millis) -> Option<Awaited> {
        let registration = self.open()?;
        let place = registration.wanted.place?;
        let epoch = self.sequence.epoch();
        let gate = registration.closed_gate(epoch).filter(|gate| gate.has_come(at));
        let gate = gate.and_then(|gate| gate.within);
        let arrival = epoch.is_none_or(|epoch| self.vitals.arrival(epoch).is_none());
        Some(Awaited { place, gate, arrival }).filter(|awaited| awaited.gate.is_some() || awaited.arrival)
    }

    /// What the last live fix says that was accepted before the object woke: nothing may have come of it, where the storage has refused.
    pub(super) fn look_back(&mut self) {
        let Sequence::Alive(alive) = &self.sequence else { return };
        let Some(live) = &alive.live else { return };
        let after = self.open().map_or(0, |registration| registration.near_after);
        let (n, at) = (live.n(), live.at());
        let awaited = self.awaited(at).filter(|_| n > after);
        if let Some(awaited) = awaited {
            let mut near = Near::default();
            near.look(&awaited, n, &live.fix, live.measured.effective, at);
            self.near = near;
        }
    }

    /// Opens the gate where it is time, or a vehicle has come near; and tells that this has arrived, where it has.
    pub(super) fn follow_gate(&mut self, now: Millis) -> Result<(), LogError> {
        let Some(epoch) = self.sequence.epoch() else { return Ok(()) };
        let has_come = self.gate_due().filter(|from| *from <= now);
        if let Some(registration) = self.open().filter(|it| it.closed_gate(Some(epoch)).is_some())
            && let Some((n, at)) = self
                .near
                .opens
                .or_else(|| has_come.map(|from| (self.sequence.last_n(), registration.seen_since(from))))
        {
            let next = registration.opened(Opening { epoch, n, at });
            self.log.register(&next)?;
            self.registration = Some(Box::new(next));
        }
        self.near.opens = None;
        if let Some(measured) = self.near.arrives {
            self.arrive(epoch, measured, now)?;
            self.near.arrives = None;
        }
        self.tell_arrival(epoch, now)
    }

    /// When the gate opens by itself, as long as it is closed.
    pub(super) fn gate_due(&self) -> Option<Millis> {
        let epoch = self.sequence.epoch()?;
        self.open()?.closed_gate(Some(epoch))?.opens_by_itself_at()
    }

    fn arrive(&mut self, epoch: u64, measured: Millis, now: Millis) -> Result<(), LogError> {
        let before: Vitals = self.vitals.clone();
        self.vitals.arrive(Arrival { epoch, n: self.sequence.last_n() + 1, at: Some(measured) });
        self.keep_or_restore(before, now)
    }

    /// Tells that the vehicle has arrived, where it has and that is not told yet: its row is the next one.
    fn tell_arrival(&mut self, epoch: u64, now: Millis) -> Result<(), LogError> {
        let is_untold = |arrival: &Arrival| arrival.n > self.sequence.last_n();
        let is_untold = self.vitals.arrival(epoch).as_ref().is_some_and(is_untold);
        let version = self.open().filter(|_| is_untold).map(|registration| registration.version);
        let (Some(version), Some(job)) = (version, self.sequence.job().cloned()) else { return Ok(()) };
        self.append_event(&job, Event::Arrived, version, now)
    }
}
