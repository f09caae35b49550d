//! What the annotations of a message come to (Ably docs, "Message annotations").

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ably::{Annotation, AnnotationAction};
use serde_json::{Value, json};

/// How much names and clientIds a summary lists, in bytes: past that its lists are clipped, while its totals stay right.
const LISTED_MAX: usize = 64 << 10;

/// What may still be listed.
struct Room(usize);

impl Room {
    /// Whether a text may be listed.
    fn take(&mut self, text: &str) -> bool {
        match self.0.checked_sub(text.len()) {
            Some(left) => {
                self.0 = left;
                true
            }
            None => false,
        }
    }
}

/// How annotations of a type are summed up: the part of the type after the `:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// How many there are.
    Total,
    /// Which clients made one.
    Flag,
    /// Which clients made one of each name.
    Distinct,
    /// The same, where a client has one name at a time.
    Unique,
    /// How often each client made one of each name.
    Multiple,
}

impl Method {
    /// The method of a type; types without a method are not summed up.
    pub(super) fn of(kind: &str) -> Option<Self> {
        let (_, method) = kind.split_once(':')?;
        match method {
            "total.v1" => Some(Self::Total),
            "flag.v1" => Some(Self::Flag),
            "distinct.v1" => Some(Self::Distinct),
            "unique.v1" => Some(Self::Unique),
            "multiple.v1" => Some(Self::Multiple),
            _ => None,
        }
    }

    /// Whether only clients with an identity may use it.
    pub(super) fn needs_identity(self) -> bool {
        matches!(self, Self::Flag | Self::Distinct | Self::Unique)
    }

    /// Whether it goes by names.
    pub(super) fn needs_name(self) -> bool {
        matches!(self, Self::Distinct | Self::Unique | Self::Multiple)
    }
}

/// How much each client made, and in which order they came.
#[derive(Debug, Default)]
struct Clients {
    by_id: HashMap<String, (u64, u64)>,
    next: u64,
}

impl Clients {
    fn add(&mut self, client: &str, amount: u64) {
        match self.by_id.get_mut(client) {
            Some((_, made)) => *made = made.saturating_add(amount),
            None => _ = self.by_id.insert(client.to_owned(), (self.next, amount)),
        }
        self.next += 1;
    }

    /// Each client with how much it made, in the order in which they came.
    fn in_order(&self) -> Vec<(&str, u64)> {
        let mut clients: Vec<_> = self.by_id.iter().collect();
        clients.sort_unstable_by_key(|(_, (place, _))| *place);
        clients.into_iter().map(|(client, (_, made))| (client.as_str(), *made)).collect()
    }
}

/// What has been counted for one type.
#[derive(Debug, Default)]
struct Tally {
    total: u64,
    /// The clients of each name; methods without names use the empty one.
    clients: BTreeMap<String, Clients>,
    /// The one name of each client, where it has one at a time.
    named: HashMap<String, String>,
    /// For each name how much clients without an identity made.
    unidentified: BTreeMap<String, u64>,
}

impl Tally {
    fn count(&mut self, method: Method, annotation: &Annotation) {
        let created = annotation.action == AnnotationAction::Create;
        let name = match method {
            Method::Total | Method::Flag => String::new(),
            _ => annotation.name.clone().unwrap_or_default(),
        };
        if method == Method::Total {
            self.total = if created { self.total + 1 } else { self.total.saturating_sub(1) };
            return;
        }
        let amount = annotation.count.unwrap_or(1);
        let Some(client) = &annotation.client_id else {
            let made = self.unidentified.entry(name).or_default();
            *made = if created { made.saturating_add(amount) } else { 0 };
            return;
        };
        let left = match method {
            Method::Unique => self.named.remove(client),
            _ => (!created).then(|| name.clone()),
        };
        if let Some(clients) = left.and_then(|name| self.clients.get_mut(&name)) {
            clients.by_id.remove(client);
        }
        if created {
            self.clients.entry(name.clone()).or_default().add(client, amount);
            if method == Method::Unique {
                self.named.insert(client.clone(), name);
            }
        }
    }

    /// What is told of it; nothing where nothing is left.
    fn summary(&self, method: Method, room: &mut Room) -> Option<Value> {
        let clients = |name: &str| self.clients.get(name).map(Clients::in_order).unwrap_or_default();
        let names = || {
            let all: BTreeSet<_> = self.clients.keys().chain(self.unidentified.keys()).collect();
            all.into_iter()
        };
        match method {
            Method::Total => (self.total > 0).then(|| json!({"total": self.total})),
            Method::Flag => list(&clients(""), room),
            Method::Distinct | Method::Unique => {
                let mut by_name = BTreeMap::new();
                for name in names().filter(|name| !clients(name).is_empty()) {
                    if room.take(name) {
                        by_name.extend(list(&clients(name), room).map(|list| (name, list)));
                    }
                }
                (!by_name.is_empty()).then(|| json!(by_name))
            }
            Method::Multiple => {
                let mut by_name = BTreeMap::new();
                for name in names() {
                    let unidentified = self.unidentified.get(name).copied().unwrap_or(0);
                    if (unidentified > 0 || !clients(name).is_empty()) && room.take(name) {
                        by_name.insert(name, counts(&clients(name), unidentified, room));
                    }
                }
                (!by_name.is_empty()).then(|| json!(by_name))
            }
        }
    }
}

/// Which clients; nothing for none.
fn list(clients: &[(&str, u64)], room: &mut Room) -> Option<Value> {
    let ids: Vec<_> = clients.iter().map(|(client, _)| client).take_while(|id| room.take(id)).collect();
    let clipped = ids.len() < clients.len();
    (!clients.is_empty()).then(|| json!({"total": clients.len(), "clientIds": ids, "clipped": clipped}))
}

/// How often each client.
fn counts(clients: &[(&str, u64)], unidentified: u64, room: &mut Room) -> Value {
    let ids: BTreeMap<_, _> =
        clients.iter().map(|(id, made)| (id, made)).take_while(|(id, _)| room.take(id)).collect();
    json!({
        "total": clients.iter().map(|(_, made)| *made).fold(unidentified, u64::saturating_add),
        "clientIds": ids,
        "totalUnidentified": unidentified,
        "totalClientIds": clients.len(),
        "clipped": ids.len() < clients.len(),
    })
}

/// Sums up the annotations of a message, given from the first to the last: `{"summary": {"<type>": …}}`.
pub(super) fn summarise<'a>(annotations: impl Iterator<Item = &'a Annotation>) -> Value {
    let mut tallies = BTreeMap::<&str, (Method, Tally)>::new();
    for annotation in annotations {
        let kind = annotation.kind.as_deref().unwrap_or_default();
        if let Some(method) = Method::of(kind) {
            tallies.entry(kind).or_insert_with(|| (method, Tally::default())).1.count(method, annotation);
        }
    }
    let mut room = Room(LISTED_MAX);
    let summary: BTreeMap<_, _> = tallies
        .into_iter()
        .filter_map(|(kind, (method, tally))| Some((kind, tally.summary(method, &mut room)?)))
        .collect();
    json!({"summary": summary})
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums up what is written as `[-]client:name[*count]`; a client `?` has no identity.
    fn sum(kind: &str, annotations: &[&str]) -> Value {
        let annotations: Vec<_> = annotations
            .iter()
            .map(|text| {
                let action =
                    if text.starts_with('-') { AnnotationAction::Delete } else { AnnotationAction::Create };
                let (client, name) = text.trim_start_matches('-').split_once(':').unwrap();
                let (name, count) = name.split_once('*').map_or((name, None), |(name, c)| (name, Some(c)));
                Annotation {
                    action,
                    kind: Some(kind.into()),
                    name: Some(name.into()),
                    client_id: (client != "?").then(|| client.into()),
                    count: count.map(|count| count.parse().unwrap()),
                    ..Annotation::default()
                }
            })
            .collect();
        summarise(annotations.iter())["summary"][kind].clone()
    }

    fn list(ids: &[&str]) -> Value {
        json!({"total": ids.len(), "clientIds": ids, "clipped": false})
    }

    #[test]
    fn total_counts_and_deletions_count_back() {
        assert_eq!(sum("r:total.v1", &["a:", "?:", "a:"]), json!({"total": 3}));
        assert_eq!(sum("r:total.v1", &["a:", "?:", "-?:"]), json!({"total": 1}));
        assert_eq!(sum("r:total.v1", &["a:", "-a:", "-a:"]), Value::Null);
    }

    #[test]
    fn flag_counts_each_client_once() {
        assert_eq!(sum("r:flag.v1", &["a:", "b:x", "a:"]), list(&["a", "b"]));
        assert_eq!(sum("r:flag.v1", &["a:", "b:", "-a:"]), list(&["b"]));
    }

    #[test]
    fn distinct_counts_each_client_once_for_each_name() {
        let sums = sum("r:distinct.v1", &["a:x", "b:x", "a:y", "a:x"]);
        assert_eq!(sums, json!({"x": list(&["a", "b"]), "y": list(&["a"])}));
        assert_eq!(
            sum("r:distinct.v1", &["a:x", "a:y", "b:x", "-a:x"]),
            json!({"x": list(&["b"]), "y": list(&["a"])})
        );
        assert_eq!(sum("r:distinct.v1", &["a:x", "-a:x"]), Value::Null);
    }

    #[test]
    fn unique_moves_a_client_from_name_to_name() {
        assert_eq!(sum("r:unique.v1", &["a:x", "b:x", "a:y"]), json!({"x": list(&["b"]), "y": list(&["a"])}));
        assert_eq!(sum("r:unique.v1", &["a:x", "-a:x"]), Value::Null);
    }

    #[test]
    fn multiple_adds_up_the_counts_of_each_client_and_of_those_without_an_identity() {
        let sums = sum("r:multiple.v1", &["a:x*2", "a:x", "b:x", "?:x*4", "?:y", "b:z", "-b:z"]);
        let x = json!({"total": 8, "clientIds": {"a": 3, "b": 1}, "totalUnidentified": 4, "totalClientIds": 2, "clipped": false});
        let y = json!({"total": 1, "clientIds": {}, "totalUnidentified": 1, "totalClientIds": 0, "clipped": false});
        assert_eq!(sums, json!({"x": x, "y": y}));
    }

    #[test]
    fn long_lists_are_clipped_and_their_totals_are_right() {
        let clients: Vec<String> = (0..10_000).map(|index| format!("client-{index:05}:x")).collect();
        let clients: Vec<&str> = clients.iter().map(String::as_str).collect();
        for (kind, named) in [("r:flag.v1", false), ("r:distinct.v1", true), ("r:multiple.v1", true)] {
            let sums = sum(kind, &clients);
            let sums = if named { &sums["x"] } else { &sums };
            assert_eq!((&sums["total"], &sums["clipped"]), (&json!(10_000), &json!(true)), "{kind}");
            assert!(sums["clientIds"].to_string().len() < 2 * LISTED_MAX);
        }
    }

    #[test]
    fn types_without_a_known_method_are_not_summed_up() {
        for kind in ["comment", "r:emoji.v1", "r:flag.v2", ":"] {
            assert_eq!(sum(kind, &["a:x"]), Value::Null, "{kind}");
        }
    }
}
