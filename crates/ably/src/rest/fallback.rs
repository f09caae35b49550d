//! Which host to try, and next, and next (features.md, RSC15).

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::endpoint::{Endpoint, Hosts};

/// The most hosts that one publish tries, the first included.
const TRIED_MAX: usize = 3;
/// How long a fallback that has worked is tried first, in milliseconds (TO3l10).
const REMEMBERED_MS: u64 = 600_000;

/// A host of [`Hosts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Primary,
    /// By its place in the list.
    Fallback(usize),
}

impl Choice {
    pub(super) fn endpoint(self, hosts: &Hosts) -> Option<&Endpoint> {
        match self {
            Self::Primary => Some(&hosts.primary),
            Self::Fallback(place) => hosts.fallbacks.get(place),
        }
    }
}

/// The fallback that worked last. It is locked for a look or a change, never across an await.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Option<Remembered>>);

#[derive(Debug, Clone, Copy)]
struct Remembered {
    place: usize,
    until_ms: u64,
}

impl Memory {
    /// Begins the search of one publish.
    pub(super) fn route(&self, hosts: &Hosts, now_ms: u64) -> Route {
        let mut slot = self.slot();
        if slot.is_some_and(|remembered| remembered.until_ms <= now_ms) {
            *slot = None;
        }
        Route {
            remembered: slot.map(|remembered| remembered.place),
            primary: true,
            fallbacks: (0..hosts.fallbacks.len()).collect(),
            left: TRIED_MAX,
        }
    }

    /// A host has answered. A fallback is tried first from now on; a remembered one for no longer than it was, so that
    /// the primary gets another chance however busy the fallback is.
    pub(super) fn worked(&self, choice: Choice, now_ms: u64) {
        let Choice::Fallback(place) = choice else { return };
        let mut slot = self.slot();
        if slot.is_none_or(|remembered| remembered.place != place) {
            *slot = Some(Remembered { place, until_ms: now_ms.saturating_add(REMEMBERED_MS) });
        }
    }

    /// A host has not answered, or not as Ably does.
    pub(super) fn failed(&self, choice: Choice) {
        let mut slot = self.slot();
        if slot.is_some_and(|remembered| choice == Choice::Fallback(remembered.place)) {
            *slot = None;
        }
    }

    fn slot(&self) -> MutexGuard<'_, Option<Remembered>> {
        // What it guards is whole after each assignment, so a poisoned lock holds nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The hosts that one publish has still to try: the remembered fallback, the primary, the other fallbacks in random order.
#[derive(Debug)]
pub(super) struct Route {
    remembered: Option<usize>,
    primary: bool,
    fallbacks: Vec<usize>,
    left: usize,
}

impl Route {
    /// The next host, if there is one. `random` is uniform over its whole range, and asked only where there is a choice.
    pub(super) fn next(&mut self, random: impl FnOnce() -> u32) -> Option<Choice> {
        self.left = self.left.checked_sub(1)?;
        if let Some(place) = self.remembered.take() {
            self.fallbacks.retain(|fallback| *fallback != place);
            return Some(Choice::Fallback(place));
        }
        if mem::take(&mut self.primary) {
            return Some(Choice::Primary);
        }
        let at = random() as usize % self.fallbacks.len().max(1);
        (at < self.fallbacks.len()).then(|| Choice::Fallback(self.fallbacks.swap_remove(at)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn tried(memory: &Memory, hosts: &Hosts, now_ms: u64, random: u32) -> Vec<Choice> {
        let mut route = memory.route(hosts, now_ms);
        std::iter::from_fn(|| route.next(|| random)).collect()
    }

    #[test]
    fn the_primary_comes_first_then_two_fallbacks() {
        let hosts = Hosts::ably();
        let order = tried(&Memory::default(), &hosts, NOW, 0);
        assert_eq!(order.len(), TRIED_MAX);
        assert_eq!(order[0], Choice::Primary);
        assert_ne!(order[1], order[2]);
        assert!(order[1..].iter().all(|choice| matches!(choice, Choice::Fallback(0..=4))), "{order:?}");
    }

    #[test]
    fn a_host_without_fallbacks_is_tried_once_and_draws_no_lot_before() {
        let hosts = Hosts::only(Endpoint::parse("https://a.example").unwrap());
        assert_eq!(tried(&Memory::default(), &hosts, NOW, 7), [Choice::Primary]);
        let mut route = Memory::default().route(&Hosts::ably(), NOW);
        assert_eq!(route.next(|| panic!("no choice, no lot")), Some(Choice::Primary));
    }

    #[test]
    fn every_fallback_has_the_same_chance() {
        let hosts = Hosts::ably();
        let mut first: HashMap<_, u32> = HashMap::new();
        for random in 0..1000 {
            let mut route = Memory::default().route(&hosts, NOW);
            route.next(|| 0);
            *first.entry(format!("{:?}", route.next(|| random))).or_default() += 1;
        }
        assert_eq!(first.len(), 5);
        assert!(first.values().all(|count| *count == 200), "{first:?}");
    }

    #[test]
    fn a_fallback_that_worked_is_first_for_ten_minutes_and_no_longer() {
        let (hosts, memory) = (Hosts::ably(), Memory::default());
        memory.worked(Choice::Fallback(3), NOW);
        let order = tried(&memory, &hosts, NOW + 1, 0);
        assert_eq!(order[..2], [Choice::Fallback(3), Choice::Primary]);
        assert_ne!(order[2], Choice::Fallback(3));
        // Success does not renew it.
        memory.worked(Choice::Fallback(3), NOW + REMEMBERED_MS - 1);
        assert_eq!(tried(&memory, &hosts, NOW + REMEMBERED_MS - 1, 0)[0], Choice::Fallback(3));
        assert_eq!(tried(&memory, &hosts, NOW + REMEMBERED_MS, 0)[0], Choice::Primary);
        // Nor does a clock that goes back bring it back.
        assert_eq!(tried(&memory, &hosts, NOW, 0)[0], Choice::Primary);
    }

    #[test]
    fn a_remembered_fallback_is_forgotten_when_it_fails_and_by_nothing_else() {
        let (hosts, memory) = (Hosts::ably(), Memory::default());
        memory.worked(Choice::Fallback(1), NOW);
        memory.failed(Choice::Primary);
        memory.failed(Choice::Fallback(2));
        memory.worked(Choice::Primary, NOW);
        assert_eq!(tried(&memory, &hosts, NOW, 0)[0], Choice::Fallback(1));
        memory.worked(Choice::Fallback(2), NOW);
        assert_eq!(tried(&memory, &hosts, NOW, 0)[0], Choice::Fallback(2));
        memory.failed(Choice::Fallback(2));
        assert_eq!(tried(&memory, &hosts, NOW, 0)[0], Choice::Primary);
    }

    proptest! {
        #[test]
        fn no_host_is_tried_twice(count in 0_usize..8, remembered in 0_usize..8, lots in prop::collection::vec(any::<u32>(), 8)) {
            let endpoint = Endpoint::parse("https://a.example").unwrap();
            let hosts = Hosts::with_fallbacks(endpoint.clone(), vec![endpoint; count]);
            let memory = Memory::default();
            if remembered < count {
                memory.worked(Choice::Fallback(remembered), NOW);
            }
            let mut route = memory.route(&hosts, NOW);
            let mut lots = lots.into_iter();
            let order: Vec<_> = std::iter::from_fn(|| route.next(|| lots.next().unwrap())).collect();
            prop_assert_eq!(order.len(), TRIED_MAX.min(count + 1));
            for (at, choice) in order.iter().enumerate() {
                prop_assert!(!order[..at].contains(choice));
                prop_assert!(choice.endpoint(&hosts).is_some());
            }
        }
    }
}
