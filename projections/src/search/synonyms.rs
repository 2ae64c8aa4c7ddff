//! Words that the operator says mean the same.

use std::{collections::BTreeMap, fs, path::Path};

use super::words::{Word, stem, tokens};

/// Words on one side of a synonym at most.
const WORDS_MAX: usize = 4;
/// What one word may stand for at most: all of it is looked up whenever the word is asked for.
const MEANT_MAX: usize = 50;

/// Synonyms as a file tells them: `sofa, couch, settee` on a line mean each other; `tv => television` goes one way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Synonyms {
    /// By the stems that are typed, what is looked for as well.
    rules: BTreeMap<Vec<String>, Vec<Vec<String>>>,
}

/// A file of synonyms that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SynonymsError {
    /// It cannot be read.
    #[error("the synonyms in {path}: {source}")]
    File {
        /// Which file.
        path: std::path::PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A line does not say what means what.
    #[error("line {line} of the synonyms: {reason}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong.
        reason: &'static str,
    },
}

impl Synonyms {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn load(path: &Path) -> Result<Self, SynonymsError> {
        let text = fs::read_to_string(path)
            .map_err(|source| SynonymsError::File { path: path.to_owned(), source })?;
        Self::read(&text)
    }

    /// Reads lines; those that are blank or begin with `#` say nothing.
    ///
    /// # Errors
    /// When a line cannot be understood.
    pub fn read(text: &str) -> Result<Self, SynonymsError> {
        let mut synonyms = Self::default();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            synonyms.take(text).map_err(|reason| SynonymsError::Line { line, reason })?;
        }
        Ok(synonyms)
    }

    fn take(&mut self, text: &str) -> Result<(), &'static str> {
        let (from, to) = match text.split_once("=>") {
            Some((from, to)) => (group(from)?, group(to)?),
            None => {
                let group = group(text)?;
                if group.len() < 2 {
                    return Err("one word means nothing but itself: name two, with a comma between them");
                }
                (group.clone(), group)
            }
        };
        for typed in &from {
            for meant in to.iter().filter(|meant| *meant != typed) {
                let known = self.rules.entry(typed.clone()).or_default();
                if known.contains(meant) {
                    continue;
                }
                if known.len() == MEANT_MAX {
                    return Err("a word stands for at most 50 others, on all lines together");
                }
                known.push(meant.clone());
            }
        }
        Ok(())
    }

    /// What else may be looked for: instead of which of the words, and the stems.
    pub(crate) fn of(&self, words: &[Word]) -> Vec<(std::ops::Range<usize>, &[String])> {
        let mut found = Vec::new();
        if self.rules.is_empty() {
            return found;
        }
        let stems: Vec<String> = words.iter().map(|word| word.stem.clone()).collect();
        for from in 0..stems.len() {
            for to in from + 1..=stems.len().min(from + WORDS_MAX) {
                if let Some(meant) = self.rules.get(&stems[from..to]) {
                    found.extend(meant.iter().map(|meant| (from..to, meant.as_slice())));
                }
            }
        }
        found
    }

    /// Every rule: what is typed, and what is looked for as well.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (String, Vec<String>)> {
        self.rules
            .iter()
            .map(|(typed, meant)| (typed.join(" "), meant.iter().map(|words| words.join(" ")).collect()))
    }
}

fn group(text: &str) -> Result<Vec<Vec<String>>, &'static str> {
    let mut group = Vec::new();
    for phrase in text.split(',') {
        let words: Vec<String> = tokens(phrase).iter().map(|token| stem(&token.text).into_owned()).collect();
        match words.len() {
            0 => return Err("there is nothing between two commas or on one side of =>"),
            1..=WORDS_MAX => group.push(words),
            _ => return Err("a synonym has at most four words"),
        }
        if group.len() > MEANT_MAX + 1 {
            return Err("at most 51 words or phrases stand on one side of a line");
        }
    }
    Ok(group)
}

#[cfg(test)]
mod tests {
    use super::Synonyms;
    use crate::search::words::Typed;

    #[test]
    fn a_group_goes_both_ways_and_an_arrow_one_way() {
        let synonyms = Synonyms::read("# shop\nsofa, Couches\n\ntv => television, flat screen\n").unwrap();
        let of = |text: &str| {
            let typed = Typed::read(text);
            let found = synonyms.of(&typed.words).into_iter();
            found.map(|(range, meant)| (range.start, range.end, meant.join(" "))).collect::<Vec<_>>()
        };
        assert_eq!(of("red couch"), [(1, 2, "sofa".to_owned())]);
        assert_eq!(of("sofas"), [(0, 1, "couch".to_owned())]);
        assert_eq!(of("tv"), [(0, 1, "television".to_owned()), (0, 1, "flat screen".to_owned())]);
        assert!(of("television").is_empty());
    }

    #[test]
    fn a_line_that_says_nothing_is_told() {
        for wrong in ["sofa", "a,,b", "=> b", "a b c d e, f"] {
            assert!(Synonyms::read(&format!("x, y\n{wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_a_word_stands_for_is_bounded() {
        let names = |count: u32| (0..count).map(|n| format!("w{n}")).collect::<Vec<_>>();
        let lines = |count| names(count).iter().map(|name| format!("x => {name}\n")).collect::<String>();
        assert!(
            Synonyms::read(&names(51).join(",")).is_ok() && Synonyms::read(&names(52).join(",")).is_err()
        );
        assert!(Synonyms::read(&lines(50)).is_ok() && Synonyms::read(&lines(51)).is_err());
    }
}
