//! The one binary; everything it can do is a subcommand.

use std::process::ExitCode;

use clap::Parser;
use daybook::{cli::Cli, run};

/// Commands make and drop many small things on two threads; the system's allocator took a sixth of their time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    run::main(Cli::parse())
}
