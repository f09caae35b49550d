//! What every route shares, as plain Rust: paths, answers, problems, CORS; and [`service`], which puts the two jobs behind them.
//!
//! A request moves through [`service::Service`] in steps, each a plain function: nothing here awaits, so the same code runs under
//! `cargo test` and behind the runtime's promises.

mod access;
pub mod answer;
pub mod cors;
pub mod problem;
mod refusal;
pub mod route;
pub mod service;
mod target;
