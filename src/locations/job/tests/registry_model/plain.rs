//! The registry in its plainest form, and what must hold of all that is shown, published and revoked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::*;

/// A fix as it was sent. No two are at one place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sent {
    pub(super) place: u32,
    pub(super) captured_at: Option<Millis>,
    pub(super) has_id: bool,
}

#[derive(Debug)]
pub(super) struct Kept {
    driver: &'static str,
    sent: Sent,
    pub(super) epoch: u64,
    pub(super) seq: u64,
    effective: Millis,
    live: bool,
    /// When it was on its way last, as far as anybody knows.
    pub(super) left: Option<Millis>,
}

/// How somebody takes part: which fixes were there before them, and since when by the time of the measurement.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Part {
    before: usize,
    since: Option<Millis>,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) now: Millis,
    /// How often what is registered has changed.
    pub(super) version: u64,
    pub(super) driver: Option<&'static str>,
    pub(super) customers: BTreeSet<&'static str>,
    assigned_at: Millis,
    ends_at: Millis,
    left_at: Option<Millis>,
    pub(super) ended: Option<EndReason>,
    pub(super) is_forgotten: bool,
    parts: BTreeMap<&'static str, Part>,
    /// Each with its driver, where it has a registered one.
    lives: Vec<(u64, Option<&'static str>)>,
    pub(super) kept: Vec<Kept>,
    /// Who is to be revoked, whether the job is, and before when; in the order in which they have left.
    pub(super) owed: Vec<(BTreeSet<String>, bool, Millis)>,
    /// Which of them have left last.
    flying: Vec<usize>,
    /// What has left, by its id.
    bytes: BTreeMap<String, Value>,
    /// The last event and the last fix that have left: their epoch, and the fix's seq.
    last: (u64, u64),
    /// The platform's events, each once: what its id names, and where it came.
    announced: BTreeMap<String, (Announcement, u64, u64)>,
    /// What is to leave as `job.updated` still, in order: what it says has changed, and where.
    to_tell: VecDeque<(Announcement, u64, u64)>,
}

/// Type, id and version of what has changed.
pub(super) type Announcement = (String, String, u64);

impl Model {
    pub(super) fn new() -> Self {
        Self { now: NOW, ..Self::default() }
    }

    pub(super) fn epoch(&self) -> Option<u64> {
        self.lives.last().map(|(epoch, _)| *epoch)
    }

    fn people(&self) -> BTreeSet<&'static str> {
        self.driver.into_iter().chain(self.customers.iter().copied()).collect()
    }

    /// The last seq of the present life.
    fn seq(&self) -> u64 {
        self.kept.iter().filter(|kept| Some(kept.epoch) == self.epoch()).count() as u64
    }

    fn tell(&mut self, announcement: Announcement) -> (u64, u64) {
        let (epoch, after_seq) = (self.epoch().unwrap(), self.seq());
        self.to_tell.push_back((announcement, epoch, after_seq));
        (epoch, after_seq)
    }

    /// What becomes of an event of the platform's: whether it is told now, and where it came.
    pub(super) fn announce(&mut self, announcement: &Announcement) -> Result<(bool, u64, u64), JobRefusal> {
        let id = &announcement.1;
        match self.announced.get(id) {
            _ if self.is_forgotten => return Err(JobRefusal::Closed),
            Some((before, epoch, after_seq)) if before == announcement => {
                return Ok((false, *epoch, *after_seq));
            }
            Some(_) => return Err(JobRefusal::IdReused),
            None if self.is_closed() => return Err(JobRefusal::Closed),
            None => {}
        }
        if self.lives.is_empty() {
            self.begin(None);
        }
        let (epoch, after_seq) = self.tell(announcement.clone());
        self.announced.insert(id.clone(), (announcement.clone(), epoch, after_seq));
        Ok((true, epoch, after_seq))
    }

    /// Whether all that is to be told of changes has left.
    pub(super) fn is_told(&self) -> bool {
        self.to_tell.is_empty()
    }

    fn begin(&mut self, driver: Option<&'static str>) {
        // What waits of the life before never leaves.
        self.to_tell.clear();
        let epoch = (self.now as u64 / 1_000).max(self.epoch().map_or(0, |epoch| epoch + 1));
        self.lives.push((epoch, driver));
    }

    pub(super) fn put(&mut self, driver: Option<&'static str>, customers: BTreeSet<&'static str>) {
        let is_first = self.version == 0;
        if self.is_closed() || !is_first && (driver, &customers) == (self.driver, &self.customers) {
            return;
        }
        let begins = is_first || driver != self.driver;
        let (before, old_driver) = (self.people(), self.driver);
        (self.driver, self.customers) = (driver, customers);
        self.version += 1;
        if is_first {
            self.ends_at = self.now + 72 * HOUR;
        }
        if begins {
            self.assigned_at = self.now;
            self.begin(driver);
        }
        self.tell(("registration".to_owned(), format!("v{}", self.version), self.version));
        let people = self.people();
        let changed = |who: &&str| begins && old_driver == Some(*who);
        let left = before.iter().filter(|who| !people.contains(*who) || changed(who));
        let left: BTreeSet<String> = left.map(|who| (*who).to_owned()).collect();
        let is_over_claims = is_first && !self.kept.is_empty();
        if !left.is_empty() || is_over_claims {
            self.owed.push((left.clone(), is_over_claims, self.now));
            self.left_at = Some(self.now);
        }
        self.parts.retain(|who, _| people.contains(who) && !left.contains(*who));
        for who in people {
            // Nobody is kept from what they have been there for; and what was before an assignment is taken from no driver.
            let is_there = self.parts.contains_key(who) && !(begins && driver == Some(who));
            let since = (!self.kept.is_empty() || !begins).then_some(self.now);
            if !is_there {
                self.parts.insert(who, Part { before: self.kept.len(), since });
            }
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.ended.is_some()
    }

    pub(super) fn close(&mut self, reason: EndReason) {
        if !self.is_closed() {
            let people = self.people().into_iter().map(str::to_owned).collect();
            self.owed.push((people, true, self.now));
            (self.left_at, self.ended) = (Some(self.now), Some(reason));
            self.version += 1;
            self.to_tell.clear();
        }
    }

    /// Whether there is anything that could be forgotten.
    pub(super) fn delete(&mut self) -> bool {
        if self.lives.is_empty() {
            return false;
        }
        if self.version > 0 {
            self.close(EndReason::Cancelled);
        } else if !self.is_forgotten {
            self.owed.push((BTreeSet::new(), true, self.now));
        }
        if !self.is_forgotten {
            self.left_at = Some(self.now);
        }
        self.ended.get_or_insert(EndReason::Cancelled);
        self.is_forgotten = true;
        self.to_tell.clear();
        true
    }

    pub(super) fn wait(&mut self, ms: Millis) {
        self.now += ms;
        if self.version > 0 && self.ends_at <= self.now {
            self.close(EndReason::Expired);
        }
    }

    /// The results, or nothing where it is none of this driver's business.
    pub(super) fn post(&mut self, driver: &'static str, fixes: &[Sent]) -> Option<Vec<String>> {
        if self.is_forgotten {
            // Nobody knows any more whose it was.
            return Some((0..fixes.len()).map(|index| format!("rejected:job_closed:null:{index}")).collect());
        }
        let is_registered = self.version > 0;
        let is_theirs = !is_registered || self.driver == Some(driver);
        if !is_theirs && self.lives.iter().all(|(_, whose)| *whose != Some(driver)) {
            return None;
        }
        let effective = |sent: &Sent| sent.captured_at.unwrap_or(self.now);
        let mut fresh: Vec<(Millis, usize)> = Vec::new();
        let mut results: Vec<String> = vec![String::new(); fixes.len()];
        for (index, sent) in fixes.iter().enumerate() {
            let has_key = sent.has_id || sent.captured_at.is_some();
            let known = self.kept.iter().find(|kept| has_key && kept.driver == driver && kept.sent == *sent);
            let rejected = match known {
                _ if !is_theirs => "reassigned:null",
                Some(known) if is_registered && Some(known.epoch) != self.epoch() => "reassigned:null",
                Some(known) => {
                    results[index] = format!("{}:duplicate", known.seq);
                    continue;
                }
                None if self.is_closed() => "job_closed:null",
                None if effective(sent) < self.now - DAY => "too_old:capturedAt",
                None if is_registered && effective(sent) < self.assigned_at - 5_000 => {
                    "outside_assignment:capturedAt"
                }
                None => {
                    fresh.push((effective(sent), index));
                    continue;
                }
            };
            results[index] = format!("rejected:{rejected}:{index}");
        }
        fresh.sort();
        if !fresh.is_empty() && self.lives.is_empty() {
            self.begin(None);
        }
        for (effective, index) in fresh {
            let epoch = self.epoch().unwrap();
            let here = || self.kept.iter().filter(|kept| kept.epoch == epoch);
            let seq = here().count() as u64 + 1;
            let live = here().all(|kept| !kept.live || kept.effective <= effective);
            results[index] = format!("{seq}:{}", if live { "accepted" } else { "late" });
            let sent = fixes[index].clone();
            self.kept.push(Kept { driver, sent, epoch, seq, effective, live, left: None });
        }
        Some(results)
    }

    /// The fixes that somebody may see.
    pub(super) fn visible(&self, role: Role, who: &str) -> Result<Vec<&Kept>, JobRefusal> {
        let is_driver = role == Role::Driver;
        let takes_part = if is_driver { self.driver == Some(who) } else { self.customers.contains(who) };
        match self.version {
            _ if self.is_forgotten => return Err(JobRefusal::Closed),
            0 => return Ok(self.kept.iter().collect()),
            _ if !takes_part => return Err(JobRefusal::NotAParticipant),
            _ => {}
        }
        if let Some(reason) = self.ended {
            return Err(JobRefusal::Ended { reason });
        }
        let part = self.parts[who];
        let is_own = |epoch| self.lives.iter().any(|(life, whose)| *life == epoch && *whose == Some(who));
        let may_see = |index: usize, kept: &Kept| match is_driver {
            true => is_own(kept.epoch),
            false => {
                let is_after = part.since.is_none_or(|since| index >= part.before && kept.effective >= since);
                is_after && Some(kept.epoch) == self.epoch()
            }
        };
        Ok(self
            .kept
            .iter()
            .enumerate()
            .filter(|(index, kept)| may_see(*index, kept))
            .map(|(_, kept)| kept)
            .collect())
    }

    /// Holds against the rules what somebody is shown.
    pub(super) fn check(&self, role: Role, who: &str, seen: &Seen) {
        let visible = self.visible(role, who);
        let visible = visible.as_ref();
        let places = |page: &Value| -> Vec<(u64, u64)> {
            let place = |it: &Value| (it["epoch"].as_u64().unwrap(), it["seq"].as_u64().unwrap());
            page["locations"].as_array().unwrap().iter().map(place).collect()
        };
        let expected: Result<Vec<_>, _> =
            visible.map(|kept| kept.iter().map(|kept| (kept.epoch, kept.seq)).collect());
        assert_eq!(seen.trail.as_ref().map(places), expected, "the trail to {who}");
        if let Some(epoch) = seen.trail.as_ref().ok().and_then(|page| page["published"]["epoch"].as_u64()) {
            let is_own = |(life, whose): &(u64, Option<&str>)| *life == epoch && *whose == Some(who);
            let is_theirs = if role == Role::Driver {
                self.lives.iter().any(is_own)
            } else {
                Some(epoch) == self.epoch()
            };
            assert!(self.version == 0 || is_theirs, "how far all has come is of a life of theirs");
        }
        let live = self.kept.iter().rfind(|kept| kept.live && Some(kept.epoch) == self.epoch());
        let shown = visible.map(|visible| {
            live.filter(|live| visible.iter().any(|kept| std::ptr::eq(*kept, *live)))
                .map_or(0, |live| live.seq)
        });
        let state = seen.state.as_ref().map(|state| state["seq"].as_u64().unwrap());
        assert_eq!(state, shown, "the state to {who}");

        let told =
            seen.job.as_ref().map(|job| (job["state"].clone(), job["version"].clone(), job["epoch"].clone()));
        let expected = match (visible, self.version) {
            (_, 0) if !self.is_forgotten => Err(&JobRefusal::NotRegistered),
            (Ok(_), version) => Ok((json!("open"), json!(version), json!(self.epoch()))),
            (Err(refusal), _) => Err(refusal),
        };
        assert_eq!(told, expected);
        if let (Ok(job), Role::Customer) = (&seen.job, role) {
            assert_eq!((&job["customers"], job.get("driver")), (&json!([who]), None));
        }
        self.check_admission(who, visible.err(), &seen.admission);
    }

    fn check_admission(&self, who: &str, refusal: Option<&JobRefusal>, admission: &Value) {
        if self.is_forgotten {
            let said = (&admission["standing"], &admission["until"]);
            return assert_eq!(said, (&json!("refused"), &Value::Null), "to {who}");
        }
        let may_see = refusal.is_none();
        if self.version == 0 {
            return assert_eq!(*admission, json!({"standing": "admitted"}));
        }
        let part = self.parts.get(who).copied().unwrap_or_default();
        let before = &self.kept[..part.before];
        match admission["standing"].as_str().unwrap() {
            "refused" => assert!(matches!(refusal, Some(JobRefusal::Ended { .. })), "{who} took part"),
            "foreign" => assert_eq!(refusal, Some(&JobRefusal::NotAParticipant), "{who} takes no part"),
            "waiting" => assert!(may_see && !before.is_empty()),
            _ => {
                assert!(may_see, "{who} is admitted");
                let replayed = |kept: &Kept| kept.left.is_some_and(|left| self.now < left + 125_000);
                assert!(!before.iter().any(replayed), "{who} would be replayed what was before them");
            }
        }
        assert_eq!(admission["until"], self.ends_at);
        let not_before = self.left_at.map(|left| (left + 999) / 1_000 * 1_000);
        let not_before = not_before.filter(|from| self.now < *from + 10_000);
        assert_eq!(admission.get("notBefore").cloned(), not_before.map(Value::from));
    }

    /// Holds what is handed out to be published against the rules; `standings` are those of everybody who takes part.
    pub(super) fn leaves(&mut self, message: &PublishedMessage, standings: &[(&str, String)]) {
        self.flying.clear();
        let data: Value = serde_json::from_str(&message.data).unwrap();
        let epoch = data["epoch"].as_u64().unwrap();
        assert_eq!(Some(epoch), self.epoch(), "nothing of a life that is over leaves");
        assert_eq!(
            message.name == "job.closed",
            self.is_closed(),
            "and of a closed job nothing but that it is"
        );
        let is_new = match self.bytes.insert(message.id.clone(), data.clone()) {
            Some(before) => {
                assert_eq!(before, data);
                false
            }
            None => true,
        };
        if message.name == "job.updated" {
            if epoch > self.last.0 {
                let (_, driver) = self.lives.last().unwrap();
                assert!(driver.is_none(), "who has it is told first");
                self.last = (epoch, 0);
            }
            if is_new {
                let text = |name: &str| data[name].as_str().unwrap().to_owned();
                let said = (text("type"), text("id"), data["version"].as_u64().unwrap());
                let after_seq = data["afterSeq"].as_u64().unwrap();
                assert_eq!(self.to_tell.pop_front(), Some((said, epoch, after_seq)), "each once, in order");
                assert_eq!(after_seq, self.last.1, "and with the fixes");
            }
            return;
        }
        if message.name.starts_with("job.") {
            let version = data["version"].as_u64().unwrap();
            assert!(version == self.version.max(1) || version < self.version && !self.is_closed());
            assert!(!is_new || self.is_closed() || epoch > self.last.0, "first of all the event");
            self.last = if epoch > self.last.0 { (epoch, 0) } else { self.last };
            return;
        }
        let (from, seq) = (data["fromSeq"].as_u64().unwrap(), data["seq"].as_u64().unwrap());
        if self.version == 0 && self.last.0 == 0 {
            self.last.0 = epoch;
        }
        assert_eq!(self.last.0, epoch, "its event comes before a fix");
        if is_new {
            assert_eq!(from, self.last.1 + 1, "no seq is passed over");
            self.last.1 = seq;
        }
        let now = self.now;
        for (index, kept) in self.kept.iter_mut().enumerate() {
            if kept.epoch == epoch && (from..=seq).contains(&kept.seq) {
                kept.left = Some(now);
                self.flying.push(index);
                for (who, standing) in standings.iter().filter(|(_, standing)| standing == "admitted") {
                    let is_for_them = index >= self.parts.get(who).map_or(0, |part| part.before);
                    assert!(is_for_them, "{who} is {standing}, and gets what was before them");
                }
            }
        }
    }

    /// What has left last is on its way no longer.
    pub(super) fn landed(&mut self) {
        for index in std::mem::take(&mut self.flying) {
            self.kept[index].left = Some(self.now);
        }
    }

    pub(super) fn revoked(&mut self, revocation: &Revocation, outcome: Outcome) {
        let users: BTreeSet<String> = revocation.users.iter().map(ToString::to_string).collect();
        let asked = (users, revocation.job.is_some(), revocation.issued_before);
        let at =
            self.owed.iter().position(|owed| *owed == asked).expect("nobody is revoked who has not left");
        if outcome != Outcome::Failed(Cause::UNANSWERED) {
            self.owed.remove(at);
        }
    }
}
