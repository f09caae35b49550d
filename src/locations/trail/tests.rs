use proptest::prelude::*;
use serde_json::{Value, json};

use super::format::Format;
use super::*;
use crate::locations::Fix;
use crate::locations::log::memory::MemoryLog;
use crate::locations::log::sql::SqlLog;
use crate::locations::log::{Accepted, Content, Life, Log, Pointers, Position, Ready, SetAside, Time};
use crate::objects::Cause;
use crate::objects::sql::sqlite::Sqlite;

mod formats;

fn job() -> JobId {
    JobId::parse("job-1").unwrap()
}

/// What is put into a log, one after the other.
#[derive(Debug, Clone, Copy)]
enum Entry {
    /// A post of so many fixes, which says which of them was live last, if any.
    Post(usize, Option<usize>),
    /// A message that is no fix.
    Message,
    /// A new life, which begins with the next.
    Life,
}

/// A log that is being filled.
struct Filling<L> {
    log: L,
    life: Life,
    n: u64,
    seq: u64,
    live: Option<u64>,
}

impl<L: Log> Filling<L> {
    fn begin(log: L) -> Self {
        let life = Life { job: job(), epoch: 1_700_000_000 };
        let mut filling = Self { log, life, n: 0, seq: 0, live: None };
        filling.log.begin(&filling.life, 1, None).unwrap();
        filling
    }

    fn of(log: L, entries: &[Entry]) -> Self {
        let mut filling = Self::begin(log);
        for entry in entries {
            match entry {
                Entry::Post(fixes, live) => {
                    let first = filling.n + 1;
                    let fix = |n| serde_json::from_str(&format!("[{n},{},1.5,\"{n}\"]", n % 90)).unwrap();
                    filling.live = live.map(|live| first + live as u64).or(filling.live);
                    filling.post((first..).take(*fixes).map(fix).collect(), vec![], vec![]);
                }
                Entry::Message => filling.message(),
                Entry::Life => {
                    filling.life.epoch += 9;
                    filling.seq = 0;
                    filling.log.begin(&filling.life, filling.n + 1, None).unwrap();
                }
            }
        }
        filling
    }

    fn post(&mut self, fixes: Vec<Fix>, times: Vec<Time>, late: Vec<usize>) {
        self.n += fixes.len() as u64;
        self.seq += fixes.len() as u64;
        let driver = UserId::parse("ann").unwrap();
        self.append(Content::Fixes(Accepted { at: None, offset: None, driver, fixes, times, late }));
    }

    fn message(&mut self) {
        self.n += 1;
        let [channel, name, id, data] = ["a", "b", "c", "{}"].map(str::to_owned);
        self.append(Content::Message(Ready { channel, name, id, data }));
    }

    fn append(&mut self, content: Content) {
        let pointers = Pointers { live: self.live, ..Pointers::default() };
        let row = Row { n: self.n, epoch: self.life.epoch, seq: self.seq, ts: 1_000, pointers, content };
        self.log.append(&row, &[], Position::default()).unwrap();
    }

    fn page(&self, after: Option<Place>, limit: u32) -> Page {
        let wanted = Wanted { after, limit, names: true, scope: Scope::All };
        Page::read(&self.log, job(), Some(self.life.epoch), self.n, &wanted).unwrap()
    }

    /// All pages, one after the other.
    fn pages(&self, limit: u32) -> Vec<Page> {
        let mut pages = vec![self.page(None, limit)];
        while let Some(next) = pages.last().unwrap().next {
            pages.push(self.page(Some(next), limit));
        }
        pages
    }
}

fn brief(page: &Page) -> Vec<String> {
    page.locations.iter().map(|location| location.place().to_string()).collect()
}

/// A page in another format.
fn told(page: &Page, format: Format) -> String {
    let text = serde_json::to_string(page).unwrap();
    let (told, next) = format.tell(&page.job_id, text).unwrap();
    assert_eq!(next, page.next);
    told
}

#[test]
fn a_fix_is_told_with_all_that_is_known_of_it() {
    let mut filling = Filling::begin(MemoryLog::default());
    let texts = [
        "[900,10,0.1,null]",
        r#"[800,20.30000000000000004,-180,"key\n7",1.5,2.5,3.5,4.5]"#,
        "[90000,30,0]",
        "[null,40,0]",
    ];
    let fixes = texts.map(|text| serde_json::from_str(text).unwrap()).into();
    let time = |fix, clock, captured_at, effective| Time { fix, clock, captured_at, effective };
    let times = vec![time(1, Clock::Repaired, 950, 950), time(2, Clock::Ahead, 90_000, 970)];
    filling.live = Some(3);
    filling.post(fixes, times, vec![0]);
    let page = serde_json::to_value(filling.page(None, 10)).unwrap();
    let epoch = 1_700_000_000;
    let locations = json!([
        {"epoch": epoch, "seq": 1, "ts": 1_000, "capturedAt": 900, "late": true, "lat": 10.0, "lng": 0.1, "driver": "ann"},
        {"epoch": epoch, "seq": 2, "ts": 1_000, "capturedAt": 950, "phoneTime": 800, "clock": "repaired", "lat": 20.3,
         "lng": -180.0, "speed": 1.5, "heading": 2.5, "accuracy": 3.5, "altitude": 4.5, "driver": "ann", "id": "key#7"},
        {"epoch": epoch, "seq": 3, "ts": 1_000, "capturedAt": 970, "phoneTime": 90_000, "clock": "ahead", "lat": 30.0,
         "lng": 0.0, "driver": "ann"},
        {"epoch": epoch, "seq": 4, "ts": 1_000, "capturedAt": 1_000, "late": true, "lat": 40.0, "lng": 0.0, "driver": "ann"},
    ]);
    let published = json!({"epoch": epoch, "seq": 4});
    assert_eq!(
        page,
        json!({
            "jobId": "job-1", "epoch": epoch, "published": published, "setAside": [], "locations": locations, "next": null
        })
    );
    let wanted = Wanted { after: None, limit: 10, names: false, scope: Scope::All };
    let page = Page::read(&filling.log, job(), Some(epoch), 4, &wanted).unwrap();
    assert!(page.locations.iter().all(|location| location.driver.is_none() && location.id.is_none()));
}

#[test]
fn a_page_begins_after_any_place_whether_or_not_a_fix_is_there() {
    let entries = [
        Entry::Post(2, Some(0)),
        Entry::Message,
        Entry::Post(1, None),
        Entry::Life,
        Entry::Message,
        Entry::Post(2, None),
    ];
    let filling = Filling::of(MemoryLog::default(), &entries);
    let (a, b) = (1_700_000_000, 1_700_000_009);
    let all = [(a, 1), (a, 2), (a, 3), (b, 1), (b, 2)].map(|(epoch, seq)| Place { epoch, seq });
    for epoch in [0, 1, a - 1, a, a + 1, b, b + 1, 1 << 53] {
        for seq in [0, 1, 2, 3, 4, 1_000, 1 << 53] {
            let after = Place { epoch, seq };
            let expected: Vec<_> = all.iter().filter(|place| **place > after).map(Place::to_string).collect();
            assert_eq!(brief(&filling.page(Some(after), 10)), expected, "{after}");
        }
    }
}

#[test]
fn what_is_published_is_the_last_fix_with_nothing_waiting_before_it() {
    let entries = [
        Entry::Message,
        Entry::Post(3, Some(0)),
        Entry::Message,
        Entry::Life,
        Entry::Message,
        Entry::Post(1, None),
    ];
    let filling = Filling::of(MemoryLog::default(), &entries);
    for (sent, expected) in [
        (0, Value::Null),
        (1, Value::Null),
        (4, json!({"epoch": 1_700_000_000, "seq": 3})),
        (5, json!({"epoch": 1_700_000_000, "seq": 3})),
        (6, json!({"epoch": 1_700_000_000, "seq": 3})),
        (7, json!({"epoch": 1_700_000_009, "seq": 1})),
    ] {
        let wanted = Wanted { after: None, limit: 1, names: true, scope: Scope::All };
        let page = Page::read(&filling.log, job(), None, sent, &wanted).unwrap();
        assert_eq!(serde_json::to_value(page.published).unwrap(), expected, "{sent}");
    }
}

#[test]
fn a_page_tells_which_of_its_fixes_were_given_up() {
    let entries = [
        Entry::Post(2, Some(0)),
        Entry::Post(1, None),
        Entry::Message,
        Entry::Post(3, None),
        Entry::Post(1, None),
    ];
    let mut filling = Filling::of(MemoryLog::default(), &entries);
    for (first_n, last_n) in [(1, 2), (3, 5), (7, 7)] {
        let message = SetAside { first_n, last_n, ts: 7, cause: Cause::DAMAGED };
        filling.log.set_aside(&message, Position::default()).unwrap();
    }
    let told = |page: Page| page.set_aside.iter().map(|seqs| (seqs.from_seq, seqs.seq)).collect::<Vec<_>>();
    let after = |seq| Some(Place { epoch: 1_700_000_000, seq });
    assert_eq!(told(filling.page(None, 10)), [(1, 2), (3, 4), (6, 6)]);
    assert_eq!(told(filling.page(None, 3)), [(1, 2), (3, 3)], "no further than the page goes");
    assert_eq!(told(filling.page(after(3), 2)), [(4, 4)]);
    assert_eq!(told(filling.page(after(6), 2)), []);
    assert_eq!(told(filling.page(after(7), 2)), []);
}

/// A log that counts the rows that are read.
struct Counting<'a>(&'a MemoryLog, std::cell::Cell<usize>);

impl Past for Counting<'_> {
    fn lives_from(&self, epoch: u64) -> Result<Vec<crate::locations::log::past::Beginning>, LogError> {
        self.0.lives_from(epoch)
    }
    fn fixes_after(&self, n: u64, count: u64) -> Result<Vec<Row>, LogError> {
        let rows = self.0.fixes_after(n, count)?;
        self.1.set(self.1.get() + rows.len());
        Ok(rows)
    }
    fn place_at(&self, n: u64) -> Result<Option<Place>, LogError> {
        self.0.place_at(n)
    }
    fn last_fix(&self, n: u64) -> Result<Option<(u64, u64)>, LogError> {
        self.0.last_fix(n)
    }
    fn given_up_within(
        &self,
        ns: std::ops::RangeInclusive<u64>,
    ) -> Result<Vec<std::ops::RangeInclusive<u64>>, LogError> {
        self.0.given_up_within(ns)
    }
}

#[test]
fn no_more_rows_are_read_than_a_page_takes() {
    let read = |log: &MemoryLog, after: u64, limit| {
        let counting = Counting(log, 0.into());
        let after = Place { epoch: 1_700_000_000, seq: after };
        let wanted = Wanted { after: Some(after), limit, names: true, scope: Scope::All };
        let page = Page::read(&counting, job(), None, 0, &wanted).unwrap();
        assert_eq!(page.locations.first().map(|location| location.seq), Some(after.seq + 1));
        assert_eq!(page.locations.len(), limit as usize);
        counting.1.get()
    };
    let batches = Filling::of(MemoryLog::default(), &vec![Entry::Post(100, Some(0)); 30]);
    assert_eq!(read(&batches.log, 0, 1_000), 11);
    assert_eq!(read(&batches.log, 1_050, 1_000), 11);
    assert_eq!(read(&batches.log, 1_050, 1), 1);
    let singles = Filling::of(MemoryLog::default(), &vec![Entry::Post(1, Some(0)); 1_200]);
    assert_eq!(read(&singles.log, 100, 1_000), 1_001);
    // As many messages as fixes: where a page begins is found in a few jumps.
    let mixed = [Entry::Message, Entry::Post(1, Some(0))].repeat(1_200);
    let mixed = Filling::of(MemoryLog::default(), &mixed);
    let rows = read(&mixed.log, 1_100, 10);
    assert!(rows < 80, "{rows}");
}

#[test]
fn the_longest_page_is_below_a_mebibyte() {
    let mut filling = Filling::begin(MemoryLog::default());
    filling.life.epoch = 1 << 53;
    filling.log.begin(&filling.life, 1, None).unwrap();
    let id = "\\\"".repeat(64);
    let number = "-1.7976931348623157e-300";
    let fix = format!(
        r#"[-62167219200000,{number},{number},"{id}",1.7976931348623157e-300,1.7976931348623157e-300,1.7976931348623157e-300,{number}]"#
    );
    let driver = UserId::parse("\\".repeat(128)).unwrap();
    for row in 0..10 {
        let fixes: Vec<Fix> = (0..100).map(|_| serde_json::from_str(&fix).unwrap()).collect();
        let time = |fix| Time {
            fix,
            clock: Clock::Repaired,
            captured_at: -62_167_219_200_001,
            effective: -62_167_219_200_001,
        };
        let (n, times) = ((1 << 52) + row * 100, (0..100).map(time).collect());
        let driver = driver.clone();
        let accepted = Accepted { at: None, offset: None, driver, fixes, times, late: (0..100).collect() };
        let (epoch, pointers) = (filling.life.epoch, Pointers::default());
        let content = Content::Fixes(accepted);
        let row = Row { n, epoch, seq: n, ts: -62_167_219_200_000, pointers, content };
        filling.log.append(&row, &[], Position::default()).unwrap();
    }
    let page = filling.page(None, LIMIT_MAX);
    assert_eq!(page.locations.len(), 1_000);
    let length = serde_json::to_string(&page).unwrap().len();
    assert!((700_000..1 << 20).contains(&length), "{length}");
}

fn entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        6 => (1..6_usize).prop_flat_map(|fixes| (Just(fixes), prop::option::of(0..fixes)))
            .prop_map(|(fixes, live)| Entry::Post(fixes, live)),
        2 => Just(Entry::Message),
        1 => Just(Entry::Life),
    ]
}

/// What a page holds of fixes in a format, as texts that can be put together.
fn parts(page: &Page, format: Format) -> Vec<String> {
    let text = told(page, format);
    match format {
        Format::Json | Format::GeoJson => {
            let page: Value = serde_json::from_str(&text).unwrap();
            let list = page.get("locations").or(page.get("features")).unwrap().as_array().unwrap();
            list.iter().map(Value::to_string).collect()
        }
        // Each page is a line of its own; its order is within it.
        Format::GeoJsonLine => {
            let mut times = formats::times(&serde_json::from_str(&text).unwrap());
            times.retain(|_| page.locations.len() > 1);
            times.iter().map(Millis::to_string).collect()
        }
        Format::Gpx => formats::points(&text),
    }
}

proptest! {
    #[test]
    fn pages_of_any_length_are_the_whole_trail(entries in prop::collection::vec(entry(), 0..30), limit in 1..40_u32) {
        let memory = Filling::of(MemoryLog::default(), &entries);
        let sql = Filling::of(SqlLog::new(Sqlite::new()), &entries);
        let whole = memory.page(None, LIMIT_MAX);
        let pages = memory.pages(limit);
        prop_assert_eq!(&sql.pages(limit), &pages);
        for (index, page) in pages.iter().enumerate() {
            let is_last = index + 1 == pages.len();
            prop_assert!(page.locations.len() == limit as usize || is_last);
            prop_assert_eq!(page.next.is_none(), is_last);
        }
        let fixes = pages.iter().flat_map(|page| page.locations.clone()).collect::<Vec<_>>();
        prop_assert_eq!(&fixes, &whole.locations);
        prop_assert!(fixes.is_sorted_by_key(Location::place));
        let count: usize = entries.iter().map(|entry| if let Entry::Post(fixes, _) = entry { *fixes } else { 0 }).sum();
        prop_assert_eq!(fixes.len(), count);
        // Whoever comes again with the last place gets what has come since, which is nothing yet.
        if let Some(last) = fixes.last() {
            let again = memory.page(Some(last.place()), limit);
            prop_assert_eq!((again.locations, again.next), (vec![], None));
        }
        for format in [Format::Json, Format::GeoJson, Format::Gpx] {
            let parted: Vec<_> = pages.iter().flat_map(|page| parts(page, format)).collect();
            prop_assert_eq!(parted, parts(&whole, format));
        }
        let alone = pages.iter().filter(|page| page.locations.len() == 1).count();
        let lined: usize = pages.iter().map(|page| parts(page, Format::GeoJsonLine).len()).sum();
        prop_assert_eq!(lined + alone, count);
    }
}
