//! A client of Ably's REST API, written once against reqwest's calls (`reqwest-shim`): it runs in the Workers runtime and
//! is tested natively. Time and randomness are passed in.

mod batch;
mod client;
mod endpoint;
mod error;
mod fallback;
mod message;
mod revocation;

pub use batch::{BATCH_BYTES_MAX, BATCH_CHANNELS_MAX, Batch, BatchResult};
pub use client::{RestClient, Surroundings, Timeouts};
pub use endpoint::{Endpoint, EndpointError, Hosts};
pub use error::{ErrorClass, PublishError, RETRY_AFTER_MAX};
pub use message::{PublishBody, PublishMessage};
pub use revocation::{REVOCATION_TARGETS_MAX, Revocation, RevocationResult, Target, Targets};
