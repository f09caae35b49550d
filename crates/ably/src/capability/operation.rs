//! What a token may do on a channel.

use serde::{Deserialize, Serialize};

use super::CapabilityError;

macro_rules! operations {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// One operation of a capability (Ably docs, "Capabilities"). The order of the variants is that of their texts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Operation {
            $($(#[$doc])* $variant,)*
        }

        impl Operation {
            /// Every operation that there is.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The operation's name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

operations! {
    /// Publish annotations.
    AnnotationPublish = "annotation-publish",
    /// Receive individual annotations.
    AnnotationSubscribe = "annotation-subscribe",
    /// Read a channel's status and occupancy.
    ChannelMetadata = "channel-metadata",
    /// Read past messages and presence events.
    History = "history",
    /// Delete anybody's messages.
    MessageDeleteAny = "message-delete-any",
    /// Delete one's own messages.
    MessageDeleteOwn = "message-delete-own",
    /// Change anybody's messages.
    MessageUpdateAny = "message-update-any",
    /// Change one's own messages.
    MessageUpdateOwn = "message-update-own",
    /// Change LiveObjects.
    ObjectPublish = "object-publish",
    /// Read LiveObjects.
    ObjectSubscribe = "object-subscribe",
    /// Enter, update and leave the presence set.
    Presence = "presence",
    /// Set the headers that only a back end should.
    PrivilegedHeaders = "privileged-headers",
    /// Publish messages.
    Publish = "publish",
    /// Manage anybody's push devices.
    PushAdmin = "push-admin",
    /// Receive push notifications.
    PushSubscribe = "push-subscribe",
    /// Read the app's statistics.
    Stats = "stats",
    /// Receive messages and presence events, and read the presence set.
    Subscribe = "subscribe",
}

impl Operation {
    /// Parses an operation's name.
    ///
    /// # Errors
    /// [`CapabilityError::UnknownOperation`].
    pub fn parse(text: &str) -> Result<Self, CapabilityError> {
        Self::ALL
            .iter()
            .copied()
            .find(|operation| operation.as_str() == text)
            .ok_or_else(|| CapabilityError::UnknownOperation(text.chars().take(64).collect()))
    }
}

/// The operations allowed on a resource: never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operations {
    /// `["*"]`.
    All,
    /// One or more, each once, in the order given: Ably shows them as they were asked for.
    Some(NonEmpty),
}

/// One or more operations, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NonEmpty(Vec<Operation>);

impl NonEmpty {
    /// The operations, in the order given.
    pub fn as_slice(&self) -> &[Operation] {
        &self.0
    }
}

impl Operations {
    /// The operations given, each kept once; nothing for none.
    pub fn new(operations: impl IntoIterator<Item = Operation>) -> Option<Self> {
        let mut kept = Vec::new();
        for operation in operations {
            if !kept.contains(&operation) {
                kept.push(operation);
            }
        }
        if kept.is_empty() { None } else { Some(Self::Some(NonEmpty(kept))) }
    }

    /// Parses the list of a capability.
    ///
    /// # Errors
    /// An empty list, `*` beside others, or an unknown operation: Ably answers each with 40000.
    pub fn parse<S: AsRef<str>>(texts: &[S]) -> Result<Self, CapabilityError> {
        if let [only] = texts
            && only.as_ref() == "*"
        {
            return Ok(Self::All);
        }
        if texts.iter().any(|text| text.as_ref() == "*") {
            return Err(CapabilityError::MixedWildcard);
        }
        let parsed: Result<Vec<_>, _> = texts.iter().map(|text| Operation::parse(text.as_ref())).collect();
        Self::new(parsed?).ok_or(CapabilityError::NoOperation)
    }

    /// Whether an operation is among them.
    pub fn allow(&self, operation: Operation) -> bool {
        match self {
            Self::All => true,
            Self::Some(some) => some.0.contains(&operation),
        }
    }

    /// Those in both, in this one's order.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::All, other) => Some(other.clone()),
            (Self::Some(_), Self::All) => Some(self.clone()),
            (Self::Some(some), _) => {
                Self::new(some.0.iter().copied().filter(|operation| other.allow(*operation)))
            }
        }
    }

    /// Puts those that another has too into its order, before the rest.
    pub(super) fn arrange_like(&mut self, other: &Self) {
        if let (Self::Some(mine), Self::Some(order)) = (self, other) {
            let place = |operation: &Operation| order.0.iter().position(|other| other == operation);
            mine.0.sort_by_key(|operation| place(operation).unwrap_or(usize::MAX));
        }
    }

    /// Those in either.
    pub fn union(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Some(mine), Self::Some(theirs)) => {
                let mut all = mine.0.clone();
                all.extend(theirs.0.iter().filter(|operation| !mine.0.contains(operation)));
                Self::Some(NonEmpty(all))
            }
            _ => Self::All,
        }
    }

    /// The names on the wire, in the order given.
    pub fn names(&self) -> Vec<&'static str> {
        match self {
            Self::All => vec!["*"],
            Self::Some(some) => some.0.iter().map(|operation| operation.as_str()).collect(),
        }
    }
}
