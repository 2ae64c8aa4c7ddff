//! Benchmarks of the whole shop over HTTP: the program as it is released, on servers that it brings up itself.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has nothing to report")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "counts of a benchmark are small"
)]
#![allow(clippy::cast_sign_loss, reason = "times are above zero")]
#![allow(dead_code, reason = "the report is shared with the benchmarks of the store, which use the rest")]

mod cpu;
mod flash;
mod flow;
mod http;
mod load;
mod orders;
mod reads;
#[path = "../../../../store/benches/common/report.rs"]
mod report;
mod shop;

use std::time::Duration;

const USAGE: &str = "bench checkout|flash|http|reads [--clients N] [--seconds N] [--rounds N] [--json]";

/// One side of one round.
pub struct Round {
    /// How many a second.
    pub per_s: f64,
    /// How long each took.
    pub took: Vec<Duration>,
}

/// What the command line asks for.
pub struct Options {
    /// The last line is one JSON object.
    pub json: bool,
    /// How many ask at once, if it was said.
    pub clients: Option<usize>,
    /// How long a round lasts.
    pub seconds: u64,
    /// How often it is measured.
    pub rounds: usize,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some(name) = args.first().filter(|name| !name.starts_with("--")) else {
        eprintln!("{USAGE}");
        std::process::exit(2);
    };
    let number = |flag: &str| -> Option<usize> {
        let at = args.iter().position(|arg| arg == flag)?;
        Some(args.get(at + 1).and_then(|text| text.parse().ok()).unwrap_or_else(|| {
            eprintln!("{flag} takes a number; {USAGE}");
            std::process::exit(2)
        }))
    };
    let options = Options {
        json: args.iter().any(|arg| arg == "--json"),
        clients: number("--clients"),
        seconds: number("--seconds").map_or(15, |seconds| seconds as u64),
        rounds: number("--rounds").unwrap_or(3),
    };
    // The load comes from one thread, so that the shop has what is left of the machine.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match name.as_str() {
            "checkout" => orders::run(&options).await,
            "flash" => flash::run(&options).await,
            "http" => http::run(&options).await,
            "reads" => reads::run(&options).await,
            other => {
                eprintln!("there is no benchmark {other:?}; {USAGE}");
                std::process::exit(2);
            }
        }
    });
}
