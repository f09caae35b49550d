//! What every route shares, as plain Rust, and the endpoints themselves.
//!
//! A request moves in steps, each a plain function: nothing here awaits, so the same code runs under `cargo test` and behind the
//! runtime's promises. Each line uses those below it:
//!
//! - [`service`]: from a request to its answer: preflight, path, method, session, then the endpoint
//! - `endpoints`: the table, and a file for each endpoint: its handlers, one a method
//! - `access`: who may do what; `shape`: how a route tells a problem
//! - [`step`]: what has to happen next, and what a handler is given
//! - [`problem`]: all that can go wrong; `hint`: what a developer is told of it
//! - [`answer`], [`cors`], `if_none_match`, [`path`], `precondition`, [`query`], `target`: what these are made of
//!
//! A new endpoint is a file and an entry of the table. Where its path holds ids that no other does, `Handlers` and `Handler` beside
//! the table name them.

mod access;
pub mod answer;
pub mod cors;
#[cfg(test)]
mod description;
mod endpoints;
mod hint;
mod if_none_match;
pub mod path;
mod precondition;
pub mod problem;
pub mod query;
pub mod service;
mod shape;
pub mod step;
mod target;
