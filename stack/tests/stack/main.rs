//! Contracts of the local servers, with real servers and real processes.

mod child;
mod crash;
mod lifecycle;
mod look;
mod programs;
mod shared;
