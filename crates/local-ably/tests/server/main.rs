//! The server over real sockets: one test for each rule, in both formats where they could differ.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod apps;
mod attaching;
mod batch;
mod bodies;
mod channels;
mod connecting;
mod control;
mod deltas;
mod enumeration;
mod faults;
mod faults_changes;
mod faults_md;
mod faults_realtime;
mod faults_streams;
mod guard;
mod harness;
mod hostile;
mod inspect;
mod limits;
mod mutating;
mod occupancy;
mod page;
mod paging;
mod presence;
mod program;
mod publishing;
mod reauthorising;
mod rest;
mod rest_client;
mod resuming;
mod revoking;
mod streaming;
mod tokens;
