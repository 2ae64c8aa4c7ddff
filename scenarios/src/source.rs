//! The text of a feature file by lines, and what the Gherkin parser does not say about it.

use crate::text::{Flaw, Pos, Text};

/// What steps begin with.
pub(crate) const KEYWORDS: [&str; 5] = ["Given", "When", "Then", "And", "But"];
/// What parts of a file begin with.
pub(crate) const HEADINGS: [&str; 9] = [
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

    /// Every line.
    pub fn all(&self) -> impl Iterator<Item = Text> {
        (0..self.lines.len()).map(|index| Text::new(self.line(index), Self::pos(index, 1)))
    }

    /// Carriage returns that end lines by themselves, as the parser does not.
    pub fn lone_returns(&self) -> Option<Flaw> {
        let returns = self.text.match_indices('\r').map(|(index, _)| index);
        let lone = returns.into_iter().find(|index| !self.text[index + 1..].starts_with('\n'))?;
        let line = self.line_of(lone);
        let before = self.text.get(self.lines.get(line).copied().unwrap_or(0)..lone).unwrap_or_default();
        let column = u32::try_from(before.chars().count() + 1).unwrap_or(u32::MAX);
        let message = "a carriage return ends a line here; save the file with line feeds (LF or CRLF)";
        Some(Flaw::new(Self::pos(line, column), message))
    }

    /// Where the parser stumbled, when the lines themselves do not tell.
    pub fn syntax_error(&self, said: &str) -> Flaw {
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
}

fn is_row(line: &str) -> bool {
    line.trim_start().starts_with('|')
}
