//! The only room that knows Workers: it turns the runtime's requests, objects, storage and clock into what the plain rooms take.
//!
//! - [`front`]: every request enters here.
//! - [`job`]: the Durable Object of a job.
//! - [`operations`]: the Durable Object that tells operators.
//! - [`runtime`]: the few calls of the runtime that all of them use.

mod front;
mod job;
mod operations;
mod runtime;
