//! The one binary; everything it can do is a subcommand.

use std::process::ExitCode;

use clap::Parser;
use daybook::{cli::Cli, run};

fn main() -> ExitCode {
    run::main(Cli::parse())
}
