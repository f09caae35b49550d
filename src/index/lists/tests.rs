use proptest::prelude::*;

use super::*;
use crate::objects::sql::sqlite::Sqlite;

const NOW: Millis = 1_700_000_000_000;
const HOUR: Millis = 3_600_000;

fn job(name: &str) -> JobId {
    JobId::parse(name).unwrap()
}

fn entry(ends_at: Millis, dispatch: Option<&str>, told: &str) -> Option<Entry> {
    let dispatch_id = dispatch.map(|id| DispatchId::parse(id).unwrap());
    Some(Entry { ends_at, dispatch_id, told: told.to_owned() })
}

fn change(name: &str, rev: u64, entry: Option<Entry>) -> Change {
    Change { job: job(name), rev, entry }
}

fn lists() -> (Sqlite, Lists<Sqlite>) {
    let sqlite = Sqlite::new();
    (sqlite.clone(), Lists::wake(sqlite).unwrap())
}

fn all(limit: u32) -> Wanted {
    Wanted { after: None, limit, dispatch_id: None }
}

fn page(lists: &Lists<Sqlite>, wanted: &Wanted, now: Millis) -> (String, Option<String>) {
    let Listed { jobs, next } = lists.page(wanted, now).unwrap();
    (jobs.join(" "), next)
}

fn told(lists: &Lists<Sqlite>, now: Millis) -> String {
    page(lists, &all(100), now).0
}

/// What the runtime's SQLite is held to: see the statements of the log.
pub(crate) fn every_statement(sql: impl Sql) {
    let mut lists = Lists::wake(sql).unwrap();
    lists.change(&change("a", 1_749_116_638_916, entry(NOW, Some("west"), "1")), NOW).unwrap();
    lists.change(&change("b", 2, entry(NOW + 1, None, "2")), NOW).unwrap();
    lists.change(&change("b", 1, None), NOW).unwrap();
    lists.change(&change("c", 1, None), NOW).unwrap();
    for now in [NOW - 1, NOW] {
        lists.page(&all(1), now).unwrap();
        let west = Some(DispatchId::parse("west").unwrap());
        lists.page(&Wanted { after: None, limit: 10, dispatch_id: west }, now).unwrap();
    }
    lists.page(&Wanted { after: Some(job("a")), ..all(10) }, NOW).unwrap();
    lists.due().unwrap();
    lists.sweep(NOW + KEPT).unwrap();
    lists.oldest = None;
    lists.due().unwrap();
}

#[test]
fn a_list_that_nothing_was_ever_told_is_empty_and_makes_nothing() {
    let (sqlite, mut lists) = lists();
    assert_eq!(page(&lists, &all(10), NOW), (String::new(), None));
    assert_eq!(lists.due(), Ok(None));
    lists.sweep(NOW).unwrap();
    assert_eq!((sqlite.tables(), sqlite.rows_written()), (0, 0));
    assert_eq!(lists.page(&all(10), NOW).unwrap().into_text().unwrap(), r#"{"jobs":[],"next":null}"#);
}

#[test]
fn the_latest_counts_in_whatever_order_it_comes() {
    let (sqlite, mut lists) = lists();
    lists.change(&change("a", 7, entry(NOW + HOUR, None, "7")), NOW).unwrap();
    let written = sqlite.rows_written();
    for (rev, told) in [(7, "again"), (6, "before")] {
        lists.change(&change("a", rev, entry(NOW + HOUR, None, told)), NOW).unwrap();
    }
    assert_eq!((told(&lists, NOW).as_str(), sqlite.rows_written()), ("7", written), "nothing is written");
    lists.change(&change("a", 8, None), NOW).unwrap();
    lists.change(&change("a", 7, entry(NOW + HOUR, None, "7")), NOW).unwrap();
    assert_eq!(told(&lists, NOW), "");
    lists.change(&change("a", 9, entry(NOW + HOUR, None, "9")), NOW).unwrap();
    assert_eq!((told(&lists, NOW).as_str(), sqlite.rows_written()), ("9", written + 2), "a row each");
    let woken = Lists::wake(sqlite).unwrap();
    assert_eq!(told(&woken, NOW), "9");
}

#[test]
fn what_should_have_ended_is_not_told() {
    let (_, mut lists) = lists();
    lists.change(&change("a", 1, entry(NOW + 5, None, "a")), NOW).unwrap();
    lists.change(&change("b", 1, entry(NOW + 9, None, "b")), NOW).unwrap();
    assert_eq!([4, 5, 9].map(|at| told(&lists, NOW + at)), ["a b", "b", ""]);
    lists.change(&change("a", 2, entry(NOW + 20, None, "longer")), NOW + 9).unwrap();
    assert_eq!(told(&lists, NOW + 9), "longer");
}

#[test]
fn pages_follow_each_other_by_the_ids_of_jobs() {
    let (_, mut lists) = lists();
    for n in (0..7).rev() {
        let dispatch = if n % 2 == 0 { Some("west") } else { None };
        lists.change(&change(&format!("j{n}"), 1, entry(NOW + 1, dispatch, &n.to_string())), NOW).unwrap();
    }
    let after = |name: &str, limit| Wanted { after: Some(job(name)), ..all(limit) };
    assert_eq!(page(&lists, &all(3), NOW), ("0 1 2".to_owned(), Some("j2".to_owned())));
    assert_eq!(page(&lists, &after("j2", 3), NOW), ("3 4 5".to_owned(), Some("j5".to_owned())));
    assert_eq!(page(&lists, &after("j5", 3), NOW), ("6".to_owned(), None));
    assert_eq!(page(&lists, &after("j3", 3), NOW), ("4 5 6".to_owned(), None), "no other comes after them");
    assert_eq!(page(&lists, &after("j21", 1), NOW), ("3".to_owned(), Some("j3".to_owned())));
    let west = |limit| Wanted { dispatch_id: Some(DispatchId::parse("west").unwrap()), ..all(limit) };
    assert_eq!(page(&lists, &west(3), NOW), ("0 2 4".to_owned(), Some("j4".to_owned())));
    let rest = Wanted { after: Some(job("j4")), ..west(3) };
    assert_eq!(page(&lists, &rest, NOW), ("6".to_owned(), None));
    let east = Wanted { dispatch_id: Some(DispatchId::parse("east").unwrap()), ..all(3) };
    assert_eq!(page(&lists, &east, NOW), (String::new(), None));
}

#[test]
fn a_tombstone_goes_with_its_job_s_name_once_nothing_older_can_come() {
    let (sqlite, mut lists) = lists();
    lists.change(&change("a", 1, entry(NOW + 48 * HOUR, None, "a")), NOW).unwrap();
    assert_eq!(lists.due(), Ok(None), "what goes on needs no alarm");
    lists.change(&change("b", 1, None), NOW).unwrap();
    lists.change(&change("c", 1, None), NOW + 5).unwrap();
    lists.change(&change("d", 1, entry(NOW, None, "d")), NOW + 5).unwrap();
    assert_eq!(lists.due(), Ok(Some(NOW + KEPT + GATHER)));
    let mut lists = Lists::wake(sqlite.clone()).unwrap();
    assert_eq!(lists.due(), Ok(Some(NOW + KEPT + GATHER)), "also after a sleep");
    let jobs = || -> Vec<Vec<SqlValue>> { sqlite.exec("SELECT job FROM jobs ORDER BY job", vec![]).unwrap() };
    let names = |names: &[&str]| names.iter().map(|name| vec![text(Some(name))]).collect::<Vec<_>>();
    lists.sweep(NOW + KEPT - 1).unwrap();
    assert_eq!(jobs(), names(&["a", "b", "c", "d"]));
    lists.sweep(NOW + KEPT).unwrap();
    assert_eq!(jobs(), names(&["a", "c"]), "and what should have ended long ago");
    assert_eq!(lists.due(), Ok(Some(NOW + 5 + KEPT + GATHER)));
    lists.sweep(NOW + HOUR + GATHER).unwrap();
    assert_eq!((jobs(), lists.due()), (names(&["a"]), Ok(None)));
}

proptest! {
    /// Each job's changes come in any order, some of them twice.
    #[test]
    fn whatever_the_order_the_list_is_what_the_jobs_are(
        changes in proptest::collection::vec((0..6_u8, 1..9_u64, any::<bool>()), 0..60),
    ) {
        let (sqlite, mut lists) = lists();
        let mut latest = std::collections::BTreeMap::new();
        for (n, rev, is_in) in changes {
            // The same rev says the same, whenever it comes.
            let entry = (rev + u64::from(n)) % 3 != 0;
            let told = format!("{n}.{rev}");
            let change = change(&format!("j{n}"), rev, if entry { self::entry(NOW + 9, None, &told) } else { None });
            if is_in {
                lists = Lists::wake(sqlite.clone()).unwrap();
            }
            lists.change(&change, NOW).unwrap();
            let seen = latest.entry(n).or_insert((0, None));
            if rev > seen.0 {
                *seen = (rev, entry.then_some(told));
            }
        }
        let expected: Vec<String> = latest.into_values().filter_map(|(_, told)| told).collect();
        prop_assert_eq!(told(&lists, NOW), expected.join(" "));
        // In pages of any length it is the same.
        let (mut pages, mut wanted) = (Vec::new(), all(2));
        loop {
            let Listed { jobs, next } = lists.page(&wanted, NOW).unwrap();
            pages.extend(jobs);
            let Some(next) = next else { break };
            wanted.after = Some(job(&next));
        }
        prop_assert_eq!(pages, expected);
    }
}
