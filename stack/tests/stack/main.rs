//! Contracts of the local servers, with real servers and real processes.

// The setting for tests does not reach their helpers.
#![allow(clippy::unwrap_used)]

mod child;
mod crash;
mod lifecycle;
mod look;
mod programs;
mod shared;
