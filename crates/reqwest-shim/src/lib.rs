//! The calls of [reqwest](https://docs.rs/reqwest) that outbound HTTP needs here, under reqwest's own names.
//!
//! Natively this *is* reqwest. On wasm it is a thin module over the Workers runtime's `fetch`, in which one JavaScript call
//! does the whole exchange, so that one Rust future replaces one each for head and body. A caller is written once and
//! tested natively. What differs on wasm:
//!
//! - the body has been read when `send` returns, until it is longer than [`BODY_MAX`]; `chunk` hands it over, or says why
//!   it broke off;
//! - a redirect is never followed, whatever the policy, and a proxy is never used;
//! - dropping the future does not stop the exchange: its timeout does.

#[cfg(target_arch = "wasm32")]
mod wasm;

#[cfg(not(target_arch = "wasm32"))]
pub use reqwest::{Client, ClientBuilder, Error, RequestBuilder, Response, StatusCode, redirect};
#[cfg(target_arch = "wasm32")]
pub use wasm::{Client, ClientBuilder, Error, RequestBuilder, Response, StatusCode, redirect};

/// The most of an answer's body that is read on wasm, in bytes. reqwest has no such limit: a caller that wants it
/// natively too stops calling `chunk`.
pub const BODY_MAX: usize = 64 * 1024;
