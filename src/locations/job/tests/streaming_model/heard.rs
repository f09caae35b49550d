//! What each reader is told, held against what they may see.

use super::*;
use crate::locations::log::Kept;

impl World {
    /// Whether somebody takes part, as their stream ends where they do not.
    pub(super) fn end_of(&self, who: usize) -> Option<&'static str> {
        let (role, name) = READERS[who];
        let customers = self.customers.as_ref()?;
        match role {
            Role::Driver if self.driver != Some(name) => Some("reassigned"),
            Role::Customer if !customers.contains_key(name) => Some("removed"),
            Role::Driver | Role::Customer if self.is_closed => Some("closed"),
            _ => None,
        }
    }

    /// Whether somebody may see a fix, by its place and when it was measured, or with none any of a row.
    pub(super) fn may_see(&self, who: usize, index: usize, fix: Option<(u64, Millis)>) -> bool {
        let (role, name) = READERS[who];
        let it = &self.written[index];
        let Some(customers) = &self.customers else { return true };
        match role {
            Role::Driver => it.driver == Some(name),
            Role::Customer => {
                let is_present = self.job.sequence.epoch() == Some(it.row.epoch);
                let joined = customers.get(name).copied().flatten();
                let measured = fix.map(|(_, measured)| measured);
                // The fix that opens a gate may be any of a post.
                let place = fix.map_or(it.row.n, |(n, _)| n);
                let is_after = |(n, at)| place > n && measured.is_none_or(|time| time >= at);
                let is_let_in = self.gate_of(who).is_none_or(|gate| gate.is_some_and(is_after));
                is_present && is_let_in && joined.is_none_or(is_after)
            }
            _ => true,
        }
    }

    /// Of when a row tells what the driver did, where it holds no fixes.
    fn tells_of(&self, index: usize) -> Option<Millis> {
        let Content::Message(ready) = &self.written[index].row.content else { return None };
        match ready.name.as_str() {
            "driver.silent" | "driver.heard" => {
                serde_json::from_str::<Value>(&ready.data).unwrap()["since"].as_i64()
            }
            // It follows the fix at once.
            "driver.arrived" => {
                let mut before = self.written[..index].iter().rev();
                before.find_map(|it| it.row.head()).map(|head| head.measured.effective)
            }
            _ => None,
        }
    }

    /// What somebody is told for a row, if anything.
    pub(super) fn expected(&self, who: usize, index: usize) -> Option<(String, Vec<f64>)> {
        let it = &self.written[index];
        if !self.may_see(who, index, None) {
            return None;
        }
        match &it.row.content {
            Content::Message(ready) => {
                let opened_at = match self.gate_of(who) {
                    Some(opening) => opening.map(|(_, at)| at),
                    None => self.was_gated_until(who),
                };
                let is_of_before = self.tells_of(index).zip(opened_at).is_some_and(|(time, at)| time < at);
                (!is_of_before).then(|| (ready.name.clone(), Vec::new()))
            }
            Content::Fixes(_) => {
                let is_shown =
                    |kept: &Kept<'_>| self.may_see(who, index, Some((kept.n, kept.measured.effective)));
                let shown = it.row.fixes().filter(is_shown);
                let lats = shown.map(|kept| kept.fix.lat()).collect();
                let head = it.row.head().filter(is_shown);
                let name = if head.is_some() { "location.updated" } else { "location.backfilled" };
                Some((name.to_owned(), lats))
            }
            _ => None,
        }
    }

    pub(super) fn open(&mut self, who: usize, id: Option<Index>) {
        if self.clients[who].number.is_some() {
            return;
        }
        let from = match id {
            Some(index) if !self.ids.is_empty() => Some(self.ids[index.index(self.ids.len())].clone()),
            _ => self.clients[who].id.clone(),
        };
        let begin = from.as_deref().map_or(Begin::Now, |id| Begin::After(Mark::parse(id).unwrap()));
        let (role, name) = READERS[who];
        self.job.follow_time(self.now).unwrap();
        self.look();
        let opened =
            self.job.stream(request(viewer(role, name), self.now + 9 * DAY * 365, begin), self.now).unwrap();
        if self.job.forgotten.is_some() {
            assert!(opened.is_err());
            return;
        }
        assert_eq!(opened.is_err(), self.end_of(who).is_some(), "{opened:?}");
        if let Ok(number) = opened {
            let client =
                Client { number: Some(number), asked: Some(from.clone()), id: from, ..Client::default() };
            self.clients[who] = Client { at: self.written.len(), ..client };
        }
    }

    /// Hears what is told until there is no more.
    pub(super) fn hear(&mut self) {
        for _ in 0..1_000 {
            let (deliveries, failed) = self.job.deliveries(self.now);
            failed.unwrap();
            if deliveries.is_empty() && self.job.readers_due(self.now).is_none_or(|due| due > self.now) {
                self.all_is_told();
                self.has_no_more = None;
                return;
            }
            for Delivery { readers, text, ends } in &deliveries {
                for number in readers {
                    let who = self.clients.iter().position(|client| client.number == Some(*number)).unwrap();
                    assert!(!self.clients[who].waits || *ends, "one at a time");
                    assert!(self.has_no_more != Some(*number), "there was more: {text}");
                    events(text).into_iter().for_each(|told| self.told(who, &told));
                    let client = &mut self.clients[who];
                    if *ends {
                        assert_eq!(client.number, None, "it says why");
                    } else if client.is_held {
                        client.waits = true;
                    } else {
                        self.job.taken(*number, true);
                    }
                }
            }
        }
        panic!("there is no end to it");
    }

    pub(super) fn all_is_told(&self) {
        for (who, client) in self.clients.iter().enumerate() {
            if client.number.is_some() && !client.waits {
                assert_eq!(self.end_of(who), None, "{who} reads on");
                assert_eq!(client.is_withheld, self.gate_of(who) == Some(None), "{who} knows of the gate");
                let missed =
                    (client.at..self.written.len()).find(|index| self.expected(who, *index).is_some());
                assert_eq!(missed, None, "{who} is not told all");
            }
        }
    }

    /// Where in the log somebody may go on after this id.
    pub(super) fn can_go_on(&self, who: usize, id: &str) -> Option<usize> {
        let mark = Mark::parse(id).unwrap();
        // Or within a post, where a gate has opened by one of its fixes.
        let is_in = |row: &Row| {
            let place = mark.place;
            let seqs = row.first_seq()..row.seq;
            mark.k == 0 && row.accepted().is_some() && row.epoch == place.epoch && seqs.contains(&place.seq)
        };
        let at = self.written.iter().position(|it| it.id == id || is_in(&it.row));
        let at = at.filter(|at| *at >= self.kept)?;
        let rest = if is_in(&self.written[at].row) { self.written[at].row.seq - mark.place.seq } else { 0 };
        let base = self.written[at].base.is_none_or(|base| base >= self.kept);
        let (role, name) = READERS[who];
        let is_theirs = match (&self.customers, role) {
            (None, _) => true,
            (Some(_), Role::Driver) => self.written[at].driver == Some(name),
            (Some(customers), Role::Customer) => {
                let joined = customers.get(name).copied().flatten().map_or(0, |(n, _)| n);
                let opened = self.gate_of(who).flatten().map_or(0, |(n, _)| n);
                let row = &self.written[at].row;
                self.job.sequence.epoch() == Some(row.epoch) && row.n - rest >= joined.max(opened)
            }
            _ => true,
        };
        (base && is_theirs).then_some(if rest > 0 { at } else { at + 1 })
    }

    pub(super) fn told(&mut self, who: usize, told: &Told) {
        let (end, asked) = (self.end_of(who), self.clients[who].asked.clone());
        if told.name == "end" {
            let reason = told.data["reason"].as_str().unwrap();
            if reason == "slow" {
                assert!(self.clients[who].waits && end.is_none());
                self.clients[who].number = None;
                return;
            }
            assert_eq!(reason, end.unwrap_or("closed"));
            assert!(end.is_some() || self.is_closed);
            // Else it was told them that it was.
            let is_told = self.clients[who].at == self.written.len();
            assert!(
                reason != "closed" || is_told || self.gate_of(who) == Some(None),
                "{who} is not told why"
            );
            self.clients[who].number = None;
            return;
        }
        if told.name == "resync" && told.data["reason"] == "slow" {
            return;
        }
        if told.name == "resync" {
            let from = asked.flatten().expect("who has asked for nothing begins anyway");
            assert_eq!(self.can_go_on(who, &from), None, "{from} is kept");
            self.clients[who].asked = Some(None);
            return;
        }
        if told.name == "gate.opened" {
            let client = &mut self.clients[who];
            assert!(client.is_withheld && told.id.is_none());
            (client.is_withheld, client.is_let_in) = (false, true);
            return;
        }
        if told.name == "state" && told.data.get("withheld").is_some() {
            assert_eq!((&told.id, self.gate_of(who)), (&None, Some(None)));
            let known = ["gate", "jobId", "now", "opensAt", "subHash", "withheld"];
            assert!(
                told.data.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())),
                "{told:?}"
            );
            let client = &mut self.clients[who];
            (client.is_withheld, client.asked) = (true, None);
            return;
        }
        if told.name == "state" && self.clients[who].is_let_in {
            let client = &mut self.clients[who];
            client.is_let_in = false;
            client.id = told.id.clone().or(client.id.take());
            if let Some(lat) = told.data.get("lat").and_then(Value::as_f64) {
                let (index, fix) = self.fix(lat);
                assert!(self.may_see(who, index, Some(fix)), "{who} sees {lat}");
            }
            return;
        }
        if told.name == "state" {
            let asked = asked.expect("once");
            self.clients[who].asked = None;
            if let Some(from) = asked {
                let goes_on = self.can_go_on(who, &from).expect("it cannot go on there");
                assert_eq!(told.id.as_ref(), Some(&from));
                self.clients[who].at = goes_on;
            } else {
                let last = self.written.last().filter(|it| it.base.is_none_or(|base| base >= self.kept));
                let last = last.filter(|_| self.job.sequence.epoch().is_some());
                assert_eq!(told.id, last.map(|it| it.id.clone()));
                self.clients[who].at = self.written.len();
                self.clients[who].id = told.id.clone();
            }
            if let Some(lat) = told.data.get("lat").and_then(Value::as_f64) {
                let (index, fix) = self.fix(lat);
                assert!(self.may_see(who, index, Some(fix)), "{who} sees {lat}");
            }
            return;
        }
        let at = self.clients[who].at;
        let is_closing = end == Some("closed");
        let next = if is_closing {
            assert!(told.name == "job.closed" && self.gate_of(who) != Some(None), "{who} takes part no more");
            self.written.len() - 1
        } else {
            assert_eq!(end, None);
            (at..self.written.len())
                .find(|index| self.expected(who, *index).is_some())
                .expect("there is more")
        };
        let it = &self.written[next];
        let is_known = it.base.is_none_or(|base| base >= self.kept);
        assert!(told.id.as_ref() == Some(&it.id) || (told.id.is_none() && !is_known), "{told:?} {}", it.id);
        if !is_closing {
            let (name, lats) = self.expected(who, next).unwrap();
            assert_eq!(told.name, name);
            assert_eq!(lats_of(&told.data), lats, "{told:?}");
        }
        if it.row.accepted().is_some() {
            let last = self.clients[who].id.as_deref().and_then(Mark::parse).map(|mark| mark.place);
            let last = last.filter(|last| last.epoch == it.row.epoch).map_or(0, |last| last.seq);
            let from_seq = it.row.first_seq().max(last + 1);
            assert_eq!((&told.data["fromSeq"], &told.data["seq"]), (&json!(from_seq), &json!(it.row.seq)));
        }
        self.ids.push(it.id.clone());
        let client = &mut self.clients[who];
        client.at = next + 1;
        client.id = told.id.clone().or(client.id.take());
    }

    pub(super) fn fix(&self, lat: f64) -> (usize, (u64, Millis)) {
        let all = self.written.iter().enumerate();
        let mut all = all.flat_map(|(index, it)| it.row.fixes().map(move |kept| (index, kept)));
        let (index, kept) = all.find(|(_, kept)| kept.fix.lat() == lat).unwrap();
        (index, (kept.n, kept.measured.effective))
    }
}

/// The positions of an event, in the order of their seqs.
fn lats_of(data: &Value) -> Vec<f64> {
    let backfill = data.get("backfill").and_then(Value::as_array).into_iter().flatten();
    let mut all: Vec<(u64, f64)> =
        backfill.map(|it| (it[0].as_u64().unwrap(), it[2].as_f64().unwrap())).collect();
    if let Some(lat) = data.get("lat") {
        let seq = data.get("headSeq").unwrap_or(&data["seq"]);
        all.push((seq.as_u64().unwrap(), lat.as_f64().unwrap()));
    }
    all.sort_by_key(|(seq, _)| *seq);
    all.into_iter().map(|(_, lat)| lat).collect()
}
