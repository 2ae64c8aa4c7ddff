//! Scenarios: what the shop promises, told in text files that anybody can write, and played at three levels.
//!
//! The tests beside this crate tell whole flows and faults against the running system.

pub mod bind;
pub mod coverage;
mod examples;
pub mod expect;
pub mod feature;
mod idle;
pub mod junit;
pub mod pattern;
pub mod record;
pub mod report;
pub mod run;
mod slips;
mod source;
pub mod steps;
pub mod suite;
pub mod text;
mod values;
pub mod vocabulary;
pub mod world;
