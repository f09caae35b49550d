//! The only room that knows Workers: it turns the runtime's requests, objects, storage and clock into what the plain rooms take.
//!
//! - [`front`]: every request enters here.
//! - [`job`]: the Durable Object of a job.
//! - [`index`]: that of a list of jobs.
//! - [`inbox`]: that of one user's notifications.
//! - [`flights`]: how messages leave the objects of jobs and users.
//! - [`operations`]: the Durable Object that tells operators.
//! - [`publisher`]: the Durable Object that publishes for many jobs.
//! - [`streams`]: what a job's object tells those who read its events.
//! - [`runtime`]: the few calls of the runtime that all of them use.

mod flights;
mod front;
mod inbox;
mod index;
mod job;
mod operations;
mod publisher;
mod runtime;
mod streams;
