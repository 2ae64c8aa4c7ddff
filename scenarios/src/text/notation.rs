//! The compact notation of values: `{sku: MUG, quantity: 2}`, `[a, b]`, `approved {reference: r1}`.

use super::{Flaw, Pos, Text};

/// A value as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Where it begins.
    pub at: Pos,
    /// What it is.
    pub kind: Kind,
}

/// The forms of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Without quotation marks.
    Bare(String),
    /// In quotation marks.
    Quoted(String),
    /// `{name: value, …}`; the flag tells whether it ended in `..`.
    Map(Vec<Entry>, bool),
    /// `[value, …]`.
    List(Vec<Value>),
    /// `word {…}`.
    Tagged(String, Box<Value>),
}

/// One entry of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where its name begins.
    pub at: Pos,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
}

/// Reads a value that fills a text.
///
/// # Errors
/// With the first place that does not fit.
pub fn parse(text: &Text) -> Result<Value, Flaw> {
    let mut reader = Reader { text, index: 0, depth: 0 };
    let value = reader.value()?;
    reader.blanks();
    match reader.peek() {
        None => Ok(value),
        Some(letter) => Err(reader.flaw(format!("\"{letter}\" follows a value that has ended"))),
    }
}

/// Reads a value that fills a cell: a bare text there may hold commas and braces.
///
/// # Errors
/// With the first place that does not fit.
pub fn parse_cell(text: &Text) -> Result<Value, Flaw> {
    let text = text.trim();
    let plain = || Value { at: text.at(), kind: Kind::Bare(text.as_str().to_owned()) };
    match text.as_str().split_once('{') {
        _ if text.as_str().starts_with(['{', '[', '"']) => parse(&text),
        Some((tag, _)) if is_word(tag.trim_end()) => parse(&text),
        _ => Ok(plain()),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
}

/// Nothing is repeated more often than this.
pub const TIMES_MAX: usize = 10_000;

/// No value lies deeper in others than this.
const DEPTH_MAX: usize = 64;

struct Reader<'a> {
    text: &'a Text,
    index: usize,
    /// How many values the next one lies in.
    depth: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text.as_str()[self.index..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.index += letter.len_utf8();
        Some(letter)
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.index += rest.len() - rest.trim_start().len();
    }

    fn at(&self) -> Pos {
        self.text.place(self.index)
    }

    fn flaw(&self, message: impl Into<String>) -> Flaw {
        Flaw::new(self.at(), message)
    }

    fn value(&mut self) -> Result<Value, Flaw> {
        self.blanks();
        if self.depth > DEPTH_MAX {
            return Err(self.flaw(format!("values lie at most {DEPTH_MAX} deep in each other")));
        }
        self.depth += 1;
        let at = self.at();
        let kind = match self.peek() {
            None => return Err(self.flaw("a value is missing here")),
            Some('{') => self.map()?,
            Some('[') => self.list()?,
            Some('"') => Kind::Quoted(self.quoted()?),
            Some(',' | '}' | ']') => return Err(self.flaw("a value is missing here")),
            Some(_) => self.bare()?,
        };
        self.depth -= 1;
        Ok(Value { at, kind })
    }

    fn bare(&mut self) -> Result<Kind, Flaw> {
        let rest = self.rest();
        let end = rest.find([',', '{', '}', '[', ']', '"']).unwrap_or(rest.len());
        let word = rest[..end].trim_end().to_owned();
        match rest[end..].chars().next() {
            Some('{') if is_word(&word) => {
                self.index += end;
                let at = self.at();
                let kind = self.map()?;
                Ok(Kind::Tagged(word, Box::new(Value { at, kind })))
            }
            Some(letter @ ('{' | '[' | '"')) => {
                self.index += end;
                Err(self.flaw(format!("put a text that holds {letter} in quotation marks")))
            }
            _ => {
                self.index += end;
                Ok(Kind::Bare(word))
            }
        }
    }

    fn quoted(&mut self) -> Result<String, Flaw> {
        let start = self.flaw("this quotation mark is never closed");
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err(start),
                Some('"') => return Ok(text),
                Some('\\') => match self.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some(letter @ ('"' | '\\')) => text.push(letter),
                    _ => return Err(self.flaw("after \\ comes one of \" \\ n t")),
                },
                Some(letter) => text.push(letter),
            }
        }
    }

    /// Steps over a separator; true when the collection ended instead.
    fn ended(&mut self, close: char, opened: &Flaw) -> Result<bool, Flaw> {
        self.blanks();
        match self.peek() {
            None => Err(opened.clone()),
            Some(letter) if letter == close => {
                self.next();
                Ok(true)
            }
            Some(',') => {
                self.next();
                Ok(false)
            }
            Some(letter) => Err(self.flaw(format!("a comma or {close} is missing before \"{letter}\""))),
        }
    }

    fn list(&mut self) -> Result<Kind, Flaw> {
        let opened = self.flaw("this [ is never closed");
        self.next();
        self.blanks();
        let mut values = Vec::new();
        if self.peek() == Some(']') {
            self.next();
            return Ok(Kind::List(values));
        }
        loop {
            self.blanks();
            if self.peek().is_none() {
                return Err(opened);
            }
            let times = self.times()?;
            let value = self.value()?;
            values.extend(std::iter::repeat_n(value, times));
            if self.ended(']', &opened)? {
                return Ok(Kind::List(values));
            }
        }
    }

    /// `3 x` before an element.
    fn times(&mut self) -> Result<usize, Flaw> {
        let rest = self.rest();
        let Some((count, _)) = rest.split_once(" x ") else { return Ok(1) };
        if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(1);
        }
        match count.parse() {
            Ok(times @ 1..=TIMES_MAX) => {
                self.index += count.len() + " x ".len();
                Ok(times)
            }
            _ => Err(self.flaw(format!("an element is repeated 1 to {TIMES_MAX} times"))),
        }
    }

    fn map(&mut self) -> Result<Kind, Flaw> {
        let opened = self.flaw("this { is never closed");
        self.next();
        self.blanks();
        let mut entries = Vec::new();
        if self.peek() == Some('}') {
            self.next();
            return Ok(Kind::Map(entries, false));
        }
        loop {
            self.blanks();
            if self.rest().starts_with("..") {
                self.index += 2;
                return match self.ended('}', &opened)? {
                    true => Ok(Kind::Map(entries, true)),
                    false => Err(self.flaw("nothing comes after ..")),
                };
            }
            let at = self.at();
            let name = self.name(&opened)?;
            let value = self.value()?;
            entries.push(Entry { at, name, value });
            if self.ended('}', &opened)? {
                return Ok(Kind::Map(entries, false));
            }
        }
    }

    fn name(&mut self, opened: &Flaw) -> Result<String, Flaw> {
        let name = if self.peek() == Some('"') {
            self.quoted()?
        } else {
            let rest = self.rest();
            let end = rest.find([':', ',', '{', '}', '[', ']', '"']).unwrap_or(rest.len());
            let name = rest[..end].trim_end().to_owned();
            if name.is_empty() {
                return Err(if rest.is_empty() {
                    opened.clone()
                } else {
                    self.flaw("a field's name is missing here")
                });
            }
            self.index += end;
            name
        };
        self.blanks();
        match self.peek() {
            Some(':') => {
                self.next();
                Ok(name)
            }
            _ => Err(self.flaw(format!("a colon and a value are missing after {name}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Value, Flaw> {
        parse(&Text::new(text, Pos { line: 1, column: 1 }))
    }

    fn flaw(text: &str) -> (u32, String) {
        let flaw = read(text).unwrap_err();
        (flaw.at.column, flaw.message)
    }

    #[test]
    fn maps_lists_words_and_tags_nest() {
        let Kind::Map(entries, true) =
            read("{a: 15.00 GBP, b: [x, \"y, z\"], c: ok {d: {}}, at: 09:30, ..}").unwrap().kind
        else {
            panic!()
        };
        let names: Vec<_> = entries.iter().map(|entry| (entry.name.as_str(), entry.at.column)).collect();
        assert_eq!(names, [("a", 2), ("b", 16), ("c", 32), ("at", 47)]);
        assert_eq!(entries[0].value.kind, Kind::Bare("15.00 GBP".into()));
        let Kind::List(values) = &entries[1].value.kind else { panic!() };
        assert_eq!(values[1].kind, Kind::Quoted("y, z".into()));
        assert!(matches!(&entries[2].value.kind, Kind::Tagged(tag, _) if tag == "ok"));
        assert_eq!(entries[3].value.kind, Kind::Bare("09:30".into()));
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_place() {
        assert_eq!(flaw("{a: 1"), (1, "this { is never closed".into()));
        assert_eq!(flaw("{a: \"b}"), (5, "this quotation mark is never closed".into()));
        assert_eq!(flaw("{a}"), (3, "a colon and a value are missing after a".into()));
        assert_eq!(flaw("{a: , b: 1}"), (5, "a value is missing here".into()));
        assert_eq!(flaw("{.., a: 1}"), (5, "nothing comes after ..".into()));
        assert_eq!(flaw("{a: 1} b"), (8, "\"b\" follows a value that has ended".into()));
        assert_eq!(flaw("{a: b c {d: 1}}"), (9, "put a text that holds { in quotation marks".into()));
    }

    #[test]
    fn an_element_can_be_repeated() {
        let Kind::List(values) = read("[3 x {a: 1}, b x c]").unwrap().kind else { panic!() };
        assert_eq!((values.len(), &values[3].kind), (4, &Kind::Bare("b x c".into())));
        assert_eq!(flaw("[20000 x a]").0, 2);
    }

    #[test]
    fn values_lie_in_each_other_up_to_a_depth() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(read(&deep(64)).is_ok());
        let told = (66, "values lie at most 64 deep in each other".into());
        assert_eq!(flaw(&deep(66)), told);
        assert_eq!(flaw(&deep(60_000)), told);
        assert_eq!(flaw(&"{a: b ".repeat(6_000)).1, told.1);
    }

    #[test]
    fn a_cell_holds_plain_words_with_commas() {
        let cell = |text: &str| parse_cell(&Text::new(text, Pos::default())).unwrap().kind;
        assert_eq!(cell(" Mug, blue {large} "), Kind::Bare("Mug, blue {large}".into()));
        assert!(matches!(cell("ok {a: 1}"), Kind::Tagged(..)));
        assert!(matches!(cell("[a]"), Kind::List(..)));
    }
}
