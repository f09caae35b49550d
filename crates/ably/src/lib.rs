//! Ably's contract as Rust types, shared by the service and by the local Ably: keys, capabilities, tokens, messages and
//! errors. Beside them, a client of the REST API.
//!
//! Nothing here knows Towline: what is right for one caller of Ably is right for all.

pub mod annotation;
pub mod capability;
pub mod error;
pub mod key;
pub mod message;
pub mod object;
pub mod payload;
pub mod rest;
pub mod token;
mod wire;

pub use annotation::{Annotation, AnnotationAction};
pub use capability::{Capability, CapabilityError, ChannelPattern, Operation, Operations};
pub use error::ErrorInfo;
pub use key::{Key, KeyError, KeyName, Secret};
pub use message::{BeforeProtocol4, Message, MessageAction, PresenceAction, PresenceMessage, Version};
pub use object::Object;
pub use payload::{Data, Payload};
pub use token::{JwtClaims, PreparedJwt, TokenDetails, TokenRequest};
