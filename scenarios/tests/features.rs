//! Every scenario as a test of its own at every level: `cargo test -p scenarios --test features -- http::cart`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::{
    path::Path,
    sync::{Arc, LazyLock, OnceLock},
    time::Duration,
};

use libtest_mimic::{Arguments, Failed, Trial};
use scenarios::{
    coverage::{Coverage, Excuses},
    report::Played,
    suite::{FOLDER, Scenario, Suite},
    world::{Level, Places, Servers},
};
use store::{schema, testing::ROLE};
use tokio::runtime::Runtime;
use uuid::Uuid;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

fn main() {
    let mut arguments = Arguments::from_args();
    // They mostly wait for each other's parts of the shop, not for a processor.
    arguments.test_threads = arguments.test_threads.or(Some(Places::AT_ONCE));
    // Paths are told as somebody at the root of the project would write them.
    std::env::set_current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap();
    let suite = Suite::load(&[FOLDER.into()]).unwrap();
    let problems = told(suite.problems.iter().map(ToString::to_string));
    let coverage = Coverage::of(&suite, &Excuses::load(Path::new(FOLDER)));
    let mut trials = vec![
        Trial::test("every file can be read", || problems),
        Trial::test("everything is seen by some scenario", move || {
            if coverage.is_full() { Ok(()) } else { Err(coverage.to_string().into()) }
        }),
    ];
    for scenario in suite.scenarios.into_iter().map(Arc::new) {
        trials.extend(Level::ALL.iter().map(|(level, name)| trial(*level, name, Arc::clone(&scenario))));
    }
    // The slow levels come last, where several of them keep each other company.
    trials.sort_by_key(|trial| Level::ALL.iter().position(|(_, name)| trial.name().starts_with(name)));
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(level: Level, name: &str, scenario: Arc<Scenario>) -> Trial {
    let path = scenario.path.strip_prefix(FOLDER).unwrap_or(&scenario.path).trim_start_matches('/');
    Trial::test(format!("{name}::{path}::{}", scenario.title), move || {
        let rows = match level {
            Level::Domain => scenario.play_in_memory(),
            Level::Store | Level::Http => RUNTIME.block_on(scenario.play(level, places())),
        };
        let played = Played { scenario: (*scenario).clone(), rows, took: Duration::ZERO };
        told([played.told()].into_iter().filter(|text| !text.is_empty()))
    })
}

/// On the servers that all tests of the run share.
fn places() -> &'static Places {
    static PLACES: OnceLock<Places> = OnceLock::new();
    PLACES.get_or_init(|| {
        let servers = stack::testing::shared();
        RUNTIME.block_on(schema::ensure_role(&servers.owner_url, ROLE, &servers.app_password)).unwrap();
        let servers = Servers {
            owner_url: servers.owner_url.clone(),
            app_url: servers.url_for(ROLE, &servers.app_password),
            role: ROLE.to_owned(),
            nats_url: servers.nats_url.clone(),
        };
        Places::new(servers, format!("t{}", Uuid::now_v7().simple()))
    })
}

fn told(lines: impl Iterator<Item = String>) -> Result<(), Failed> {
    match lines.collect::<Vec<_>>().join("\n") {
        none if none.is_empty() => Ok(()),
        wrong => Err(wrong.into()),
    }
}
