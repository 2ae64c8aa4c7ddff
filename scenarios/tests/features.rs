//! Every scenario as a test of its own: `cargo test -p scenarios --test features -- cart`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::{collections::BTreeSet, path::Path, time::Duration};

use libtest_mimic::{Arguments, Failed, Trial};
use scenarios::{
    coverage::{Coverage, Excuses},
    report::Played,
    suite::{FOLDER, Scenario, Suite},
    world::Level,
};

fn main() {
    let arguments = Arguments::from_args();
    // Paths are told as somebody at the root of the project would write them.
    std::env::set_current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap();
    let suite = Suite::load(&[FOLDER.into()]).unwrap();
    let problems = told(suite.problems.iter().map(ToString::to_string));
    let coverage = Coverage::of(&suite, &Excuses::load(Path::new(FOLDER)));
    let unreadable: BTreeSet<_> = suite.problems.iter().map(|problem| problem.path.clone()).collect();
    let readable = suite.scenarios.into_iter().filter(|scenario| !unreadable.contains(&scenario.path));
    let mut trials: Vec<_> = readable.map(domain).collect();
    trials.push(Trial::test("every file can be read", || problems));
    trials.push(Trial::test("everything is seen by some scenario", move || {
        if coverage.is_full() { Ok(()) } else { Err(coverage.to_string().into()) }
    }));
    libtest_mimic::run(&arguments, trials).exit();
}

fn domain(scenario: Scenario) -> Trial {
    let path = scenario.path.strip_prefix(FOLDER).unwrap_or(&scenario.path).trim_start_matches('/');
    let name = format!("{}::{path}::{}", Level::Domain.name(), scenario.title);
    Trial::test(name, move || {
        let rows = scenario.play_in_memory();
        let played = Played { scenario, rows, took: Duration::ZERO };
        told([played.told()].into_iter().filter(|text| !text.is_empty()))
    })
}

fn told(lines: impl Iterator<Item = String>) -> Result<(), Failed> {
    match lines.collect::<Vec<_>>().join("\n") {
        none if none.is_empty() => Ok(()),
        wrong => Err(wrong.into()),
    }
}
