use std::ops::RangeInclusive;

use proptest::prelude::*;

use super::*;
use crate::ids::{JobId, UserId};
use crate::locations::log::memory::MemoryLog;
use crate::locations::log::past::{Beginning, Past};
use crate::locations::log::{Accepted, Content, Life, Position};
use crate::locations::place::Place;

fn driver(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn fix(text: &str) -> Fix {
    serde_json::from_str(text).unwrap()
}

const NAMED: &str = r#"[5,1.0,2.0,"a",null,null,null,null]"#;
const TIMED: &str = "[5,1.0,2.0,null,null,null,null,null]";

/// A log that counts what is read of it.
struct Counting {
    log: MemoryLog,
    read: std::cell::RefCell<Vec<u64>>,
}

impl Log for Counting {
    fn wake(&mut self) -> Result<crate::locations::log::Waking, LogError> {
        self.log.wake()
    }
    fn begin(
        &mut self,
        life: &Life,
        first_n: u64,
        driver: Option<&crate::ids::UserId>,
    ) -> Result<(), LogError> {
        self.log.begin(life, first_n, driver)
    }
    fn register(&mut self, registration: &crate::jobs::Registration) -> Result<(), LogError> {
        self.log.register(registration)
    }
    fn keep_vitals(&mut self, vitals: &crate::jobs::vitals::Vitals) -> Result<(), LogError> {
        self.log.keep_vitals(vitals)
    }
    fn lives_of(&self, driver: &crate::ids::UserId) -> Result<Vec<u64>, LogError> {
        self.log.lives_of(driver)
    }
    fn forget(&mut self, forgetting: &crate::locations::log::Forgetting) -> Result<(), LogError> {
        self.log.forget(forgetting)
    }
    fn clear(&mut self) -> Result<(), LogError> {
        self.log.clear()
    }
    fn append(&mut self, row: &Row, prints: &[Print], position: Position) -> Result<(), LogError> {
        self.log.append(row, prints, position)
    }
    fn confirm(&mut self, position: Position) -> Result<(), LogError> {
        self.log.confirm(position)
    }
    fn set_aside(
        &mut self,
        message: &crate::locations::log::SetAside,
        position: Position,
    ) -> Result<(), LogError> {
        self.log.set_aside(message, position)
    }
    fn reached(&mut self, first_n: u64) -> Result<(), LogError> {
        self.log.reached(first_n)
    }
    fn given_up_after(&self, n: u64, limit: u32) -> Result<Vec<crate::locations::log::SetAside>, LogError> {
        self.log.given_up_after(n, limit)
    }
    fn put_task(&mut self, id: u64, task: &crate::locations::log::Task) -> Result<(), LogError> {
        self.log.put_task(id, task)
    }
    fn end_task(&mut self, id: u64) -> Result<(), LogError> {
        self.log.end_task(id)
    }
    fn prints(&self, each: &mut dyn FnMut(Print, u64)) -> Result<(), LogError> {
        self.log.prints(each)
    }
    fn rows(&self, ns: &[u64]) -> Result<Vec<Row>, LogError> {
        self.read.borrow_mut().extend(ns);
        self.log.rows(ns)
    }
    fn rows_after(&self, n: u64, limit: u32) -> Result<Vec<Row>, LogError> {
        self.log.rows_after(n, limit)
    }
}

impl Past for Counting {
    fn lives_from(&self, epoch: u64) -> Result<Vec<Beginning>, LogError> {
        self.log.lives_from(epoch)
    }
    fn fixes_after(&self, n: u64, count: u64) -> Result<Vec<Row>, LogError> {
        self.log.fixes_after(n, count)
    }
    fn place_at(&self, n: u64) -> Result<Option<Place>, LogError> {
        self.log.place_at(n)
    }
    fn last_fix(&self, n: u64) -> Result<Option<(u64, u64)>, LogError> {
        self.log.last_fix(n)
    }
    fn given_up_within(&self, ns: RangeInclusive<u64>) -> Result<Vec<RangeInclusive<u64>>, LogError> {
        self.log.given_up_within(ns)
    }
}

fn row(n: u64, whose: &str, fixes: &[&str]) -> Row {
    let fixes = fixes.iter().map(|text| fix(text)).collect();
    let accepted =
        Accepted { at: None, offset: None, driver: driver(whose), fixes, times: vec![], late: vec![] };
    Row { n, epoch: 9, seq: n, ts: 0, pointers: Pointers::default(), content: Content::Fixes(accepted) }
}

#[test]
fn no_row_is_read_that_holds_no_candidate_of_the_same_driver() {
    let mut log = Counting { log: MemoryLog::default(), read: Vec::new().into() };
    log.begin(&Life { job: JobId::parse("j").unwrap(), epoch: 9 }, 1, None).unwrap();
    for (n, whose, text) in [(1, "d", NAMED), (2, "e", NAMED), (3, "d", TIMED), (4, "e", TIMED)] {
        log.append(&row(n, whose, &[text]), &[], Position::default()).unwrap();
    }
    let pointers = Pointers { cap: Some(5), ..Pointers::default() };
    let mut index = Index::default();
    let mut earlier = |whose: &str, bodies: &str| {
        let body = format!(r#"{{"locations":[{bodies}]}}"#);
        let whose = driver(whose);
        let sender = crate::locations::Sender::Driver(&whose);
        let post = Post::parse(body.as_bytes(), sender, None).unwrap();
        let rows = super::earlier(&mut index, &log, &pointers, &post, &post.prints()).unwrap();
        let found: Vec<u64> = rows.iter().map(|row| row.n).collect();
        assert_eq!(log.read.take(), found);
        found
    };
    let named = r#"{"lat":1,"lng":2,"capturedAt":5,"id":"a"}"#;
    let timed = r#"{"lat":1,"lng":2,"capturedAt":5}"#;
    assert_eq!(earlier("d", named), [1]);
    assert_eq!(earlier("e", named), [2]);
    assert_eq!(earlier("d", timed), [3]);
    assert_eq!(earlier("e", &format!("{timed},{named},{timed}")), [2, 4]);
    assert_eq!(earlier("f", &format!("{timed},{named}")), [] as [u64; 0]);
    assert_eq!(earlier("d", r#"{"lat":1,"lng":2,"capturedAt":6}"#), [] as [u64; 0], "later than all");
    assert_eq!(earlier("d", r#"{"lat":1,"lng":2}"#), [] as [u64; 0]);
}

#[test]
fn an_index_takes_at_most_24_bytes_a_fix() {
    let mut index = Index { entries: Some(HashTable::new()) };
    let mut most: f64 = 0.0;
    for n in 0_u64..200_000 {
        // As evenly spread as the prints are.
        let bits = n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
        index.follow(&[Print(*bits.first_chunk().unwrap())], n);
        let bytes = index.entries.as_ref().unwrap().allocation_size();
        if n > 1_000 {
            most = most.max(bytes as f64 / n as f64);
        }
    }
    assert!(most <= 24.0, "{most}");
}

proptest! {
    #[test]
    fn the_index_finds_all_rows_of_a_print_and_hardly_another(
        prints in prop::collection::vec(prop::array::uniform4(0..4_u8), 1..200)
    ) {
        let mut index = Index { entries: Some(HashTable::new()) };
        // The lowest bits of a print are no part of an entry.
        let prints: Vec<Print> = prints.into_iter().map(|[a, b, c, d]| Print([a, b, c, d, 0])).collect();
        for (print, n) in prints.iter().zip(1..) {
            index.follow(&[*print], n);
        }
        for print in &prints {
            let expected: Vec<u64> =
                (1..).zip(&prints).filter(|(_, other)| *other == print).map(|(n, _)| n).collect();
            prop_assert_eq!(index.candidates(&[*print], &MemoryLog::default()).unwrap(), expected);
        }
    }
}
