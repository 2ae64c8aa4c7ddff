//! Pieces of a scenario file that remember where they stand, so that every complaint can name line and column.

mod nearest;
mod notation;
mod print;
mod when;

use std::ops::Range;

pub use nearest::{distance, instead_of, nearest};
pub use notation::{Entry, Kind, TIMES_MAX, Value, parse, parse_cell};
pub use print::{REST, print, print_body};
pub use when::{duration_ms, money, span, time, time_text};

/// A place in a file; both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pos {
    /// The line.
    pub line: u32,
    /// The character in it.
    pub column: u32,
}

/// Something that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Where.
    pub at: Pos,
    /// What.
    pub message: String,
}

impl Flaw {
    /// What is wrong, and where.
    pub fn new(at: Pos, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

/// A piece of a line. Characters put in for a placeholder stand where the example does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    text: String,
    /// The place of each byte, and of the end.
    at: Vec<Pos>,
}

impl Text {
    /// A piece that begins at `at`.
    #[must_use]
    pub fn new(text: &str, at: Pos) -> Self {
        let mut places = Vec::with_capacity(text.len() + 1);
        let mut place = at;
        for letter in text.chars() {
            places.extend(std::iter::repeat_n(place, letter.len_utf8()));
            place.column += 1;
        }
        places.push(place);
        Self { text: text.to_owned(), at: places }
    }

    /// A piece of characters that each know their place.
    #[must_use]
    pub fn of(letters: &[(char, Pos)], end: Pos) -> Self {
        let places = letters.iter().flat_map(|(letter, at)| std::iter::repeat_n(*at, letter.len_utf8()));
        let at = places.chain([end]).collect();
        Self { text: letters.iter().map(|(letter, _)| letter).collect(), at }
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where it begins.
    #[must_use]
    pub fn at(&self) -> Pos {
        self.place(0)
    }

    /// Where the byte `index` stands.
    #[must_use]
    pub fn place(&self, index: usize) -> Pos {
        self.at.get(index).or_else(|| self.at.last()).copied().unwrap_or_default()
    }

    /// A part of it; `range` must lie on characters.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        let text = self.text.get(range.clone()).unwrap_or_default().to_owned();
        let at = self.at.get(range.start..=range.end).unwrap_or_default().to_vec();
        Self { text, at }
    }

    /// Without white space at its ends.
    #[must_use]
    pub fn trim(&self) -> Self {
        let start = self.text.len() - self.text.trim_start().len();
        let end = self.text.trim_end().len().max(start);
        self.slice(start..end)
    }

    /// Before and after the first `separator`.
    #[must_use]
    pub fn split_once(&self, separator: &str) -> Option<(Self, Self)> {
        let index = self.text.find(separator)?;
        Some((self.slice(0..index), self.slice(index + separator.len()..self.text.len())))
    }

    /// What follows `prefix`.
    #[must_use]
    pub fn strip_prefix(&self, prefix: &str) -> Option<Self> {
        self.text.starts_with(prefix).then(|| self.slice(prefix.len()..self.text.len()))
    }

    /// With every `<name>` replaced by its value.
    #[must_use]
    pub fn filled(&self, values: &[(String, Self)]) -> Self {
        self.replaced(|rest| {
            values.iter().find_map(|(name, value)| {
                let rest = rest.strip_prefix('<')?.strip_prefix(name.as_str())?;
                rest.starts_with('>').then(|| (name.len() + 2, value.clone()))
            })
        })
    }

    /// With every `#` replaced by a number.
    #[must_use]
    pub fn numbered(&self, number: usize) -> Self {
        let number = Self::new(&number.to_string(), self.at());
        self.replaced(|rest| rest.starts_with('#').then(|| (1, number.clone())))
    }

    /// `hit` tells how many bytes are replaced at the beginning of what is left, and with what.
    fn replaced(&self, hit: impl Fn(&str) -> Option<(usize, Self)>) -> Self {
        let mut filled = Self { text: String::new(), at: Vec::new() };
        let mut index = 0;
        while index < self.text.len() {
            let rest = &self.text[index..];
            let (taken, piece) = hit(rest).unwrap_or_else(|| {
                let len = rest.chars().next().map_or(1, char::len_utf8);
                (len, self.slice(index..index + len))
            });
            filled.text.push_str(&piece.text);
            filled.at.extend(piece.at.iter().take(piece.text.len()));
            index += taken;
        }
        filled.at.push(self.place(self.text.len()));
        filled
    }
}

/// A text in quotation marks, with what is between them escaped.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_example_puts_in_stands_where_the_example_does() {
        let step = Text::new("adds <n> mugs", Pos { line: 3, column: 5 });
        let example = Text::new("12", Pos { line: 9, column: 7 });
        let filled = step.filled(&[("n".to_owned(), example)]);
        assert_eq!(filled.as_str(), "adds 12 mugs");
        assert_eq!(filled.place(4), Pos { line: 3, column: 9 });
        assert_eq!(filled.place(6), Pos { line: 9, column: 8 });
        assert_eq!(filled.place(7), Pos { line: 3, column: 13 });
    }

    #[test]
    fn columns_count_characters() {
        let text = Text::new("Größe: 1", Pos { line: 1, column: 1 });
        let (_, rest) = text.split_once(":").unwrap();
        assert_eq!(rest.trim().at(), Pos { line: 1, column: 8 });
    }
}
