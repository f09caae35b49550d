//! The server over real sockets: one test for each rule, in both formats where they could differ.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod channels;
mod connecting;
mod control;
mod faults;
mod faults_md;
mod faults_realtime;
mod guard;
mod harness;
mod limits;
mod presence;
mod program;
mod reauthorising;
mod rest;
mod rest_client;
mod resuming;
mod tokens;
