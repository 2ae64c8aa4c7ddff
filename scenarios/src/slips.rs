//! Slips of the pen that the Gherkin parser takes for descriptions, or does not name.

use domain::AggregateType;

use crate::{
    source::{HEADINGS, KEYWORDS, Source},
    text::{Flaw, Text, distance, nearest},
};

/// What may begin a sentence of a description, although it is nearly the keyword of a step.
const WORDS: [&str; 28] = [
    "the", "they", "them", "than", "thin", "hen", "any", "ant", "end", "add", "aid", "hand", "land", "band",
    "bat", "bet", "bit", "put", "cut", "out", "nut", "bus", "buy", "bug", "gives", "what", "who", "even",
];
/// What the sentences of steps begin with, where they do not name a stream.
const SENTENCES: [&str; 6] =
    ["it is ", "the same command ", "nothing happens", "refused:", "eventually ", "never "];
const FENCES: [&str; 2] = ["\"\"\"", "```"];

/// What the lines so far are part of.
#[derive(Clone, Copy, PartialEq)]
enum Zone {
    /// Nothing yet.
    Start,
    /// What follows a heading, up to its first step, row or heading.
    Title(&'static str),
    /// Steps and their tables.
    Steps,
    /// Rows of examples.
    Rows,
}

/// Every line that was meant as something else than what the parser takes it for.
pub(crate) fn slips(source: &Source<'_>) -> Vec<Flaw> {
    let mut scan = Scan { zone: Zone::Start, slipped: false, fence: None, flaws: vec![] };
    for line in source.all() {
        scan.line(&line.trim());
    }
    scan.flaws
}

struct Scan {
    zone: Zone,
    /// Whether something in the description so far was told already: what follows may belong to it.
    slipped: bool,
    /// What ends the text block that the line is in.
    fence: Option<&'static str>,
    flaws: Vec<Flaw>,
}

impl Scan {
    fn line(&mut self, line: &Text) {
        let text = line.as_str();
        if let Some(fence) = self.fence {
            if text == fence {
                self.fence = None;
            }
            return;
        }
        if let Some(fence) = FENCES.into_iter().find(|fence| text.starts_with(fence))
            && self.zone == Zone::Steps
        {
            self.fence = Some(fence);
            return;
        }
        if text.starts_with('#') && self.zone == Zone::Start {
            self.language(line);
        }
        if text.is_empty() || text.starts_with(['#', '@']) {
            return;
        }
        if let Some(heading) = HEADINGS.into_iter().find(|heading| text.starts_with(heading)) {
            self.heading(line, heading);
        } else if text.starts_with('|') {
            self.row(line);
        } else if is_step(text) {
            self.step(line);
        } else {
            self.other(line);
        }
    }

    fn flaw(&mut self, line: &Text, message: impl Into<String>) {
        self.slipped = true;
        self.flaws.push(Flaw::new(line.at(), message));
    }

    /// Without steps or rows in between, some headings are read on as a description.
    fn heading(&mut self, line: &Text, heading: &'static str) {
        let fits = match self.zone {
            Zone::Start | Zone::Steps | Zone::Rows => true,
            Zone::Title("Feature:") => !is_examples(heading) && heading != "Feature:",
            Zone::Title("Rule:") => !is_examples(heading) && !["Feature:", "Rule:"].contains(&heading),
            Zone::Title(_) => is_scenario(heading),
        };
        if let (Zone::Title(above), false, false) = (self.zone, fits, self.slipped) {
            self.flaw(line, format!("\"{heading}\" does not fit here: it follows \"{above}\""));
        }
        (self.zone, self.slipped) = (Zone::Title(heading), false);
    }

    fn row(&mut self, line: &Text) {
        if is_open(line.as_str()) {
            self.flaw(line, "the row does not end with |");
        }
        match self.zone {
            Zone::Title(heading) if is_examples(heading) => self.zone = Zone::Rows,
            Zone::Start | Zone::Title(_) if !self.slipped => {
                self.flaw(line, "a table stands below a step or \"Examples:\"");
            }
            Zone::Start | Zone::Title(_) | Zone::Steps | Zone::Rows => {}
        }
    }

    fn step(&mut self, line: &Text) {
        match self.zone {
            Zone::Title("Background:") | Zone::Steps => self.zone = Zone::Steps,
            Zone::Title(heading) if is_scenario(heading) => self.zone = Zone::Steps,
            Zone::Start | Zone::Title(_) | Zone::Rows => {
                if !self.slipped {
                    self.flaw(line, "a step stands below \"Scenario:\" or \"Background:\"");
                }
            }
        }
    }

    fn other(&mut self, line: &Text) {
        let text = line.as_str();
        let word = text.split([' ', '\t']).next().unwrap_or_default();
        // After steps and rows nothing may stand that is none of them.
        let strict = matches!(self.zone, Zone::Steps | Zone::Rows);
        if let Some((written, meant)) = heading_meant(text) {
            self.flaw(line, format!("\"{written}\" begins nothing; did you mean \"{meant}\"?"));
            self.zone = Zone::Title(meant);
        } else if text.ends_with('|') {
            self.flaw(line, "a row of a table begins with |");
        } else if KEYWORDS.contains(&word) {
            self.flaw(line, format!("after \"{word}\" comes a blank, and then the step"));
        } else if strict || is_nearly_a_step(text, word) {
            self.flaw(line, not_a_step(word));
        }
    }

    /// The parser reads other languages; the sentences of steps are English ones.
    fn language(&mut self, line: &Text) {
        let named = line.as_str().trim_start_matches('#').trim_start().strip_prefix("language");
        let named = named.and_then(|rest| rest.trim_start().strip_prefix(':')).map(str::trim);
        if named.is_some_and(|named| named != "en") {
            self.flaw(line, "scenarios are told in English: leave this line out");
        }
    }
}

fn is_examples(heading: &str) -> bool {
    ["Examples:", "Scenarios:"].contains(&heading)
}

fn is_scenario(heading: &str) -> bool {
    ["Scenario:", "Scenario Outline:", "Scenario Template:", "Example:"].contains(&heading)
}

/// A keyword, a blank, and something after it, as the parser wants it.
fn is_step(text: &str) -> bool {
    let keywords = KEYWORDS.into_iter().chain(["*"]);
    keywords.into_iter().any(|word| text.strip_prefix(word).is_some_and(|rest| rest.starts_with(' ')))
}

/// A row whose last cell is never closed; a comment may follow the last bar.
fn is_open(text: &str) -> bool {
    let (mut last, mut escaped) = (0, false);
    for (index, letter) in text.char_indices() {
        if letter == '|' && !escaped {
            last = index;
        }
        escaped = letter == '\\' && !escaped;
    }
    let behind = text[last + 1..].trim_start();
    last == 0 || !(behind.is_empty() || behind.starts_with('#'))
}

/// What was written in the place of a heading, and the heading.
fn heading_meant(text: &str) -> Option<(String, &'static str)> {
    let (written, colon) = match text.split_once(':') {
        Some((before, _)) => (before, ":"),
        None => (text, ""),
    };
    let far = |heading: &str| match (colon, heading.len()) {
        ("", _) => 0,
        (_, ..6) => 1,
        (_, 6..12) => 2,
        (_, 12..) => 3,
    };
    let near = HEADINGS.into_iter().filter_map(|heading| {
        let name = heading.trim_end_matches(':');
        let distance = distance(written, name);
        (distance <= far(heading)).then_some((distance, heading))
    });
    let (_, meant) = near.min_by_key(|(distance, _)| *distance)?;
    Some((format!("{written}{colon}"), meant))
}

/// Whether a line of a description was meant as a step.
fn is_nearly_a_step(text: &str, word: &str) -> bool {
    let word = word.trim_end_matches(':');
    let rest = text[word.len()..].trim_start_matches(':').trim();
    let near = KEYWORDS.into_iter().map(|keyword| distance(word, keyword)).min().unwrap_or(usize::MAX);
    let common = WORDS.contains(&word.to_lowercase().as_str()) || word.chars().count() < 3;
    near == 0 || (near == 1 && !common) || (near <= 2 && is_sentence(rest)) || names_a_stream(text)
}

fn is_sentence(text: &str) -> bool {
    let passes = text.ends_with(" pass") || text.ends_with(" passes");
    passes || names_a_stream(text) || SENTENCES.iter().any(|start| text.starts_with(start))
}

/// `cart "C1"` and more.
fn names_a_stream(text: &str) -> bool {
    let Some((head, _)) = text.split_once('"') else { return false };
    let name = head.trim().replace(' ', "_");
    name == "stock_of" || name.parse::<AggregateType>().is_ok()
}

fn not_a_step(word: &str) -> String {
    let instead = match nearest(word, KEYWORDS) {
        Some(keyword) => format!("; did you mean \"{keyword}\"?"),
        None => format!("; steps begin with {}", KEYWORDS.join(", ")),
    };
    format!("\"{word}\" does not begin a step{instead}")
}
