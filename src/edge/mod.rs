//! The only room that knows Workers: it turns the runtime's requests, objects, storage and clock into what the plain rooms take.
//!
//! - [`front`]: every request enters here.
//! - [`job`]: the Durable Object of a job.
//! - [`runtime`]: the few calls of the runtime that both use.

mod front;
mod job;
mod runtime;
