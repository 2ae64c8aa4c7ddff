//! The composition root: reads flags and the environment, brings everything together, and runs it.

#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod cli;
pub mod ground;
pub mod import;
pub mod out;
pub mod progress;
pub mod run;
pub mod sample;
pub mod settings;
pub mod telemetry;
pub mod what_if;
