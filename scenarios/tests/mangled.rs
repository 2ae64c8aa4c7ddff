//! A file with any slip of the pen is read to its end: it is told what is wrong, or it is a scenario.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::path::Path;

use proptest::prelude::*;
use scenarios::suite::{Suite, files};

fn texts() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    files(&[folder.to_owned()]).unwrap().iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// A character, put in or in the place of another, or nothing; near the beginning as often as anywhere.
fn slips() -> impl Strategy<Value = Vec<(prop::sample::Index, Option<char>, bool)>> {
    let letters: Vec<char> = "|{}[],:\"<>@#. \n\t\\xÄ0-".chars().collect();
    prop::collection::vec(
        (any::<prop::sample::Index>(), prop::option::of(prop::sample::select(letters)), any::<bool>()),
        1..4,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_slip_is_survived(text in prop::sample::select(texts()), slips in slips()) {
        let mut letters: Vec<char> = text.chars().collect();
        for (index, letter, replaces) in slips {
            let index = index.index(letters.len());
            let range = if replaces || letter.is_none() { index..index + 1 } else { index..index };
            letters.splice(range, letter);
        }
        let text: String = letters.into_iter().collect();
        let mut suite = Suite::default();
        suite.read("a.feature", &text);
        for problem in &suite.problems {
            let lines = u32::try_from(text.lines().count()).unwrap();
            prop_assert!((1..=lines + 1).contains(&problem.flaw.at.line), "{problem}");
            prop_assert!(problem.flaw.at.column >= 1, "{problem}");
        }
        if suite.problems.is_empty() {
            for scenario in &suite.scenarios {
                let _ = scenario.play_in_memory();
            }
        }
    }
}
