//! What every benchmark of the store shares: options, servers of its own, callers, and the report.

#![allow(dead_code, reason = "each benchmark takes from it what it needs")]

mod bench;
pub mod callers;
pub mod hammer;
pub mod plain;
pub mod rivals;
pub mod rows;

pub use bench::*;
