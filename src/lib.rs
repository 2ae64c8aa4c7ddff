//! The composition root: reads flags and the environment, brings everything together, and runs it.

pub mod cli;
pub mod ground;
pub mod import;
pub mod progress;
pub mod run;
pub mod sample;
pub mod settings;
