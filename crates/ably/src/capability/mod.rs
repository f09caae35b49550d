//! What a token or a key may do: resources and the operations on each.
//!
//! [`Capability`] is the only type that decides what a capability covers; the service, the policy's check and the local Ably
//! all ask it.

mod operation;
mod pattern;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serializer;
use thiserror::Error;

pub use operation::{NonEmpty, Operation, Operations};
pub use pattern::ChannelPattern;

/// Why a text is not a capability. Ably answers each with 40000.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CapabilityError {
    /// Not a JSON object of lists of texts.
    #[error("a capability is a JSON object that maps each channel to a list of operations")]
    Shape,
    /// `{}`.
    #[error("a capability names at least one channel")]
    Empty,
    /// A resource without a name.
    #[error("a channel of a capability is not empty")]
    NoChannel,
    /// `[]`.
    #[error("a channel of a capability has at least one operation")]
    NoOperation,
    /// `*` beside other operations.
    #[error("the operation `*` stands alone")]
    MixedWildcard,
    /// An operation that Ably does not have.
    #[error("unknown operation {0:?}")]
    UnknownOperation(String),
}

/// Resources and the operations on each: at least one resource, each with at least one operation.
///
/// So "nothing granted" cannot be written down as a capability, and cannot be left out of a token by mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capability(BTreeMap<ChannelPattern, Operations>);

impl Capability {
    /// Everything, for every channel: what a root key has (`{"[*]*":["*"]}`).
    pub fn everything() -> Self {
        let all = ChannelPattern::parse("[*]*").map(|pattern| (pattern, Operations::All));
        Self(all.into_iter().collect())
    }

    /// The union of grants; nothing for none.
    pub fn from_grants(grants: impl IntoIterator<Item = (ChannelPattern, Operations)>) -> Option<Self> {
        let mut merged = BTreeMap::<ChannelPattern, Operations>::new();
        for (pattern, operations) in grants {
            merged.entry(pattern).and_modify(|mine| *mine = mine.union(&operations)).or_insert(operations);
        }
        if merged.is_empty() { None } else { Some(Self(merged)) }
    }

    /// Parses the JSON text of a capability.
    ///
    /// # Errors
    /// [`CapabilityError`]; Ably answers 40000 to each.
    pub fn parse(json: &str) -> Result<Self, CapabilityError> {
        let lists: BTreeMap<String, Vec<String>> =
            serde_json::from_str(json).map_err(|_| CapabilityError::Shape)?;
        let mut grants = Vec::with_capacity(lists.len());
        for (resource, operations) in lists {
            grants.push((ChannelPattern::parse(resource)?, Operations::parse(&operations)?));
        }
        Self::from_grants(grants).ok_or(CapabilityError::Empty)
    }

    /// The resources and their operations, sorted by resource.
    pub fn grants(&self) -> impl Iterator<Item = (&ChannelPattern, &Operations)> {
        self.0.iter()
    }

    /// Whether an operation is allowed on a channel.
    pub fn allows(&self, channel: &str, operation: Operation) -> bool {
        self.0.iter().any(|(pattern, operations)| operations.allow(operation) && pattern.covers(channel))
    }

    /// All that is allowed on a channel; nothing where no resource covers it.
    pub fn operations_on(&self, channel: &str) -> Option<Operations> {
        self.0
            .iter()
            .filter(|(pattern, _)| pattern.covers(channel))
            .map(|(_, operations)| operations.clone())
            .reduce(|all, more| all.union(&more))
    }

    /// What both allow, as Ably computes a token's rights from those asked for (`self`) and the key's; nothing where that is
    /// empty (Ably: 40160). Operations keep the order in which they were asked for, whichever resources they came by.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        let mut grants = Vec::new();
        for (mine, my_operations) in &self.0 {
            for (theirs, their_operations) in &other.0 {
                if let Some(pattern) = mine.intersect(theirs)
                    && let Some(operations) = my_operations.intersect(their_operations)
                {
                    grants.push((pattern, operations));
                }
            }
        }
        let mut both = Self::from_grants(grants)?;
        for (pattern, operations) in &mut both.0 {
            let wider = self.0.iter().filter(|(mine, _)| mine.intersect(pattern).as_ref() == Some(pattern));
            // The last one decides; what it does not name keeps the order of those before it.
            let orders = other.0.get(pattern).into_iter().chain(wider.map(|(_, order)| order));
            for order in orders.chain(self.0.get(pattern)) {
                operations.arrange_like(order);
            }
        }
        Some(both)
    }

    /// The JSON text with each list in the order given, as Ably shows a token's capability.
    pub fn as_given(&self) -> String {
        self.text(|names| names)
    }

    fn text(&self, order: impl Fn(Vec<&'static str>) -> Vec<&'static str>) -> String {
        let lists = self.0.iter().map(|(pattern, operations)| (pattern.as_str(), order(operations.names())));
        let mut json = Vec::with_capacity(64 * self.0.len());
        // Texts in lists in a map always serialise, and into memory always.
        let _ = serde_json::Serializer::new(&mut json).collect_map(lists);
        String::from_utf8(json).unwrap_or_default()
    }
}

/// The canonical JSON text: no white space, resources sorted, operations sorted. This is what a TokenRequest's MAC covers.
impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A handful of names; std's sorting is much code.
        f.write_str(&self.text(|names| names.into_iter().collect::<BTreeSet<_>>().into_iter().collect()))
    }
}
