//! The text of a feature file by lines, and what the Gherkin parser does not say about it.

use crate::text::{Flaw, Pos, Text, nearest};

const KEYWORDS: [&str; 5] = ["Given", "When", "Then", "And", "But"];
const HEADINGS: [&str; 9] = [
    "Feature:",
    "Background:",
    "Rule:",
    "Scenario:",
    "Scenario Outline:",
    "Scenario Template:",
    "Example:",
    "Examples:",
    "Scenarios:",
];

/// A file's text.
pub(crate) struct Source<'a> {
    text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    pub fn new(text: &'a str) -> Self {
        let ends = text.match_indices('\n').map(|(index, _)| index + 1);
        Self { text, lines: [0].into_iter().chain(ends).collect() }
    }

    /// The line that holds a byte, counted from 0.
    fn line_of(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    fn line(&self, index: usize) -> &'a str {
        let start = self.lines.get(index).copied().unwrap_or(self.text.len());
        let rest = self.text.get(start..).unwrap_or_default();
        rest.lines().next().unwrap_or_default()
    }

    fn pos(index: usize, column: u32) -> Pos {
        Pos { line: u32::try_from(index + 1).unwrap_or(u32::MAX), column }
    }

    /// The whole line that holds a byte.
    pub fn line_at(&self, offset: usize) -> Text {
        let index = self.line_of(offset);
        Text::new(self.line(index), Self::pos(index, 1))
    }

    /// The first character that is not a blank in the line that holds a byte.
    pub fn start_of_line(&self, offset: usize) -> Pos {
        self.line_at(offset).trim().at()
    }

    /// Whether there is nothing but comments.
    pub fn is_blank(&self) -> bool {
        self.text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
    }

    /// The cells of a table, with escapes undone.
    pub fn table(&self, table: &gherkin::Table) -> Vec<Vec<Text>> {
        let last = self.line_of(table.span.end);
        let lines = (self.line_of(table.span.start)..=last).filter(|index| is_row(self.line(*index)));
        lines.take(table.rows.len()).map(|index| self.cells(index)).collect()
    }

    fn cells(&self, index: usize) -> Vec<Text> {
        let (mut cells, mut cell) = (vec![], None::<Vec<(char, Pos)>>);
        let mut letters = self.line(index).chars().zip(1_u32..);
        while let Some((letter, column)) = letters.next() {
            let at = Self::pos(index, column);
            match (letter, &mut cell) {
                ('|', _) => cells.extend(cell.replace(vec![]).map(|cell| Text::of(&cell, at).trim())),
                ('\\', Some(cell)) => match letters.next() {
                    Some(('n', _)) => cell.push(('\n', at)),
                    Some((escaped @ ('|' | '\\'), _)) => cell.push((escaped, at)),
                    Some((other, _)) => cell.extend([('\\', at), (other, at)]),
                    None => cell.push(('\\', at)),
                },
                (letter, Some(cell)) => cell.push((letter, at)),
                (_, None) => {}
            }
        }
        cells
    }

    /// Rows that have not as many cells as the first of their table.
    pub fn uneven_rows(&self) -> Vec<Flaw> {
        let mut flaws = vec![];
        let mut wanted = None;
        for index in 0..self.lines.len() {
            let line = self.line(index);
            if line.trim_start().starts_with('#') {
                continue;
            }
            if !is_row(line) {
                wanted = None;
                continue;
            }
            let has = self.cells(index).len();
            let wanted = *wanted.get_or_insert(has);
            if has != wanted {
                let at = Text::new(line, Self::pos(index, 1)).trim().at();
                flaws
                    .push(Flaw::new(at, format!("the row has {has} cells where the first row has {wanted}")));
            }
        }
        flaws
    }

    /// What the parser stumbled over: the first line that no line of a feature file looks like.
    pub fn syntax_error(&self, said: &str) -> Flaw {
        let mut steps = false;
        for index in 0..self.lines.len() {
            let line = Text::new(self.line(index), Self::pos(index, 1)).trim();
            let word = line.as_str().split([' ', '\t']).next().unwrap_or_default();
            let known = line.as_str().is_empty()
                || ["#", "@", "|", "\"\"\"", "```"].iter().any(|start| line.as_str().starts_with(start));
            if HEADINGS.iter().any(|heading| line.as_str().starts_with(heading)) {
                steps = false;
            } else if KEYWORDS.contains(&word) {
                steps = true;
            } else if steps && !known {
                return not_a_step(&line, word);
            }
        }
        // `Error at LINE:COLUMN: …` is all that the parser tells.
        let mut numbers = said.split([' ', ':']).filter_map(|part| part.parse::<u32>().ok());
        let at = Pos { line: numbers.next().unwrap_or(1), column: numbers.next().unwrap_or(1) };
        let index = usize::try_from(at.line).unwrap_or(1) - 1;
        let message = match self.line(index).trim() {
            "" => "the file ends too early, or is not a feature".to_owned(),
            line => format!("\"{line}\" does not fit here; a file is: Feature, Background, Scenario, steps"),
        };
        Flaw::new(at, message)
    }

    /// A line before the first step of a scenario that was meant as one.
    pub fn stray_step(&self, start: usize, end: usize, keyword: &str) -> Option<Flaw> {
        let lines = self.line_of(start) + 1..=self.line_of(end);
        let lines = lines.map(|index| Text::new(self.line(index), Self::pos(index, 1)).trim());
        let mut lines = lines.take_while(|line| !line.as_str().contains("Examples:"));
        lines.find_map(|line| {
            let word = line.as_str().split([' ', '\t']).next().unwrap_or_default();
            let stray = !KEYWORDS.contains(&word) && nearest(word, [keyword]).is_some() && word.len() > 2;
            stray.then(|| not_a_step(&line, word))
        })
    }
}

fn is_row(line: &str) -> bool {
    line.trim_start().starts_with('|')
}

fn not_a_step(line: &Text, word: &str) -> Flaw {
    let instead = match nearest(word, KEYWORDS) {
        Some(keyword) => format!("; did you mean \"{keyword}\"?"),
        None => format!("; steps begin with {}", KEYWORDS.join(", ")),
    };
    Flaw::new(line.at(), format!("\"{word}\" does not begin a step{instead}"))
}
