//! Every scenario as a test of its own: `cargo test -p scenarios --test features -- cart`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};
use scenarios::{
    report,
    suite::{FOLDER, Scenario, Suite},
    world::Level,
};

fn main() {
    let arguments = Arguments::from_args();
    // Paths are told as somebody at the root of the project would write them.
    std::env::set_current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap();
    let suite = Suite::load(&[FOLDER.into()]).unwrap();
    let mut trials: Vec<_> = suite.scenarios.into_iter().map(domain).collect();
    let problems: Vec<_> = suite.problems.iter().map(ToString::to_string).collect();
    trials.push(Trial::test("every file can be read", move || match problems.join("\n") {
        none if none.is_empty() => Ok(()),
        problems => Err(Failed::from(problems)),
    }));
    libtest_mimic::run(&arguments, trials).exit();
}

fn domain(scenario: Scenario) -> Trial {
    let path = scenario.path.strip_prefix(FOLDER).unwrap_or(&scenario.path).trim_start_matches('/');
    let name = format!("{}::{path}::{}", Level::Domain.name(), scenario.title);
    Trial::test(name, move || {
        let played = scenario.play_in_memory();
        let failures = played.iter().filter_map(|(example, outcome)| {
            outcome.failure.as_ref().map(|failure| report::failure(&scenario, example.as_deref(), failure))
        });
        match failures.collect::<Vec<_>>().join("\n") {
            none if none.is_empty() => Ok(()),
            failures => Err(Failed::from(failures)),
        }
    })
}
