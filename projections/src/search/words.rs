//! Words of texts and of queries: cut, folded, brought to their stem, compared.

use std::borrow::Cow;

/// Words of a query that count; what stands after them is not looked for.
const WORDS_MAX: usize = 12;
/// Words so common that they are looked for only when there are no others.
const COMMON: &[&str] =
    &["a", "an", "and", "at", "by", "for", "from", "in", "is", "of", "on", "or", "the", "to", "with"];
/// Plurals that no rule brings to their singular.
const IRREGULAR: &[(&str, &str)] = &[
    ("children", "child"),
    ("feet", "foot"),
    ("geese", "goose"),
    ("halves", "half"),
    ("knives", "knife"),
    ("leaves", "leaf"),
    ("loaves", "loaf"),
    ("men", "man"),
    ("mice", "mouse"),
    ("scarves", "scarf"),
    ("shelves", "shelf"),
    ("teeth", "tooth"),
    ("wives", "wife"),
    ("wolves", "wolf"),
    ("women", "woman"),
];

/// A word of a text, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// The word, in small letters without accents.
    pub text: String,
    /// Where it begins and ends in the text, in bytes.
    pub place: std::ops::Range<usize>,
    /// Whether only a hyphen, an apostrophe or the like lies between it and the next one, as in `t-light`.
    pub joined: bool,
}

/// The words of a text, in order.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut begun: Option<usize> = None;
    let mut gap = 0..0;
    let ends = text.char_indices().chain([(text.len(), ' ')]);
    for (at, letter) in ends {
        match (letter.is_alphanumeric() || begun.is_some() && is_mark(letter), begun) {
            (true, None) => {
                if let Some(last) = tokens.last_mut() {
                    last.joined = matches!(&text[gap.start..at], "-" | "'" | "’" | "." | "/" | "&");
                }
                begun = Some(at);
            }
            (false, Some(start)) => {
                tokens.push(Token { text: folded(&text[start..at]), place: start..at, joined: false });
                gap.start = at;
                begun = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
    tokens
}

/// What a text is found by: each word's stem with its place, and what hyphens join in one piece as well.
pub(crate) fn terms(text: &str) -> Vec<(usize, String)> {
    let tokens = tokens(text);
    let mut terms = Vec::with_capacity(tokens.len());
    for (place, token) in tokens.iter().enumerate() {
        terms.push((place, stem(&token.text).into_owned()));
        if let Some(next) = tokens.get(place + 1).filter(|_| token.joined) {
            terms.push((place, stem(&format!("{}{}", token.text, next.text)).into_owned()));
        }
    }
    terms
}

/// Whether it is an accent over the letter before, as some systems write `é` in two.
const fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}')
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || is_mark(letter)
}

/// What of a text stands before the word that it ends in.
pub(crate) fn before_last(text: &str) -> &str {
    text.trim_end_matches(is_of_word)
}

/// Whether a text ends in a word that is looked for and may go on: not in a phrase, and not in what must not be there.
fn goes_on(text: &str) -> bool {
    let piece =
        text.rsplit(|letter: char| letter.is_whitespace() || letter == '"').next().unwrap_or_default();
    text.matches('"').count().is_multiple_of(2) && !piece.starts_with('-') && piece.ends_with(is_of_word)
}

fn folded(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    for letter in word.chars().flat_map(char::to_lowercase) {
        match letter {
            'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' => folded.push('a'),
            'ç' | 'ć' | 'č' => folded.push('c'),
            'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ę' => folded.push('e'),
            'ì' | 'í' | 'î' | 'ï' | 'ī' => folded.push('i'),
            'ñ' | 'ń' => folded.push('n'),
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' => folded.push('o'),
            'ù' | 'ú' | 'û' | 'ü' | 'ū' => folded.push('u'),
            'ý' | 'ÿ' => folded.push('y'),
            'š' | 'ś' => folded.push('s'),
            'ž' | 'ź' | 'ż' => folded.push('z'),
            'ł' => folded.push('l'),
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            // One of them is what İ leaves behind when it becomes small.
            mark if is_mark(mark) => {}
            other => folded.push(other),
        }
    }
    folded
}

/// The singular of an English plural, as far as rules know it: the same for a word and its plural is what counts.
pub(crate) fn stem(word: &str) -> Cow<'_, str> {
    if let Some((_, singular)) = IRREGULAR.iter().find(|(plural, _)| *plural == word) {
        return Cow::Borrowed(singular);
    }
    let length = word.len();
    if length <= 3 || !word.ends_with('s') || word.starts_with(|letter: char| letter.is_ascii_digit()) {
        return Cow::Borrowed(word);
    }
    let without = |end: usize| Cow::Borrowed(&word[..length - end]);
    if length > 4 && word.ends_with("ies") && !word.ends_with("eies") && !word.ends_with("aies") {
        return Cow::Owned(format!("{}y", &word[..length - 3]));
    }
    if ["sses", "xes", "ches", "shes"].iter().any(|end| word.ends_with(end)) && length > 4 {
        return without(2);
    }
    if word.ends_with("oes") && length > 5 {
        return without(2);
    }
    if ["ss", "us", "is"].iter().any(|end| word.ends_with(end)) {
        return Cow::Borrowed(word);
    }
    without(1)
}

/// How many edits a word may be away from what was meant.
pub(crate) fn edits_allowed(word: &str) -> u8 {
    match word.chars().count() {
        _ if word.chars().any(|letter| letter.is_ascii_digit()) => 0,
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    }
}

/// The edits between two words, if they are at most `max`: a letter more, less or other, or two neighbours that changed
/// places. One that changes the first letter counts twice, since few people mistype it.
pub(crate) fn edits(one: &str, other: &str, max: u8) -> Option<u8> {
    // Most pairs end here, before anything is allocated.
    let far = one.chars().count().abs_diff(other.chars().count()) > usize::from(max);
    if far || max < 2 && one != other && one.chars().next() != other.chars().next() {
        return None;
    }
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let width = other.len() + 1;
    let mut rows = [vec![0_usize; width], (0..width).collect::<Vec<_>>(), vec![0; width]];
    for (i, letter) in one.iter().enumerate() {
        rows[2][0] = i + 1;
        for (j, against) in other.iter().enumerate() {
            let swapped = i > 0 && j > 0 && *letter == other[j - 1] && one[i - 1] == *against;
            let kept = rows[1][j] + usize::from(letter != against);
            let mut least = kept.min(rows[1][j + 1] + 1).min(rows[2][j] + 1);
            if swapped {
                least = least.min(rows[0][j - 1] + 1);
            }
            rows[2][j + 1] = least;
        }
        rows.rotate_left(1);
    }
    let first = usize::from(one.first() != other.first() && rows[1][other.len()] > 0);
    u8::try_from(rows[1][other.len()] + first).ok().filter(|edits| *edits <= max)
}

/// What was typed, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Typed {
    /// Words that are looked for.
    pub words: Vec<Word>,
    /// Stems that have to stand side by side, as `"…"` asks for.
    pub phrases: Vec<Vec<String>>,
    /// Stems that must not be there, as `-…` asks for.
    pub without: Vec<String>,
}

/// A word that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// As typed, folded.
    pub text: String,
    /// Its stem.
    pub stem: String,
    /// Whether more letters may follow: it is the last one, and no space stands after it.
    pub open: bool,
}

impl Typed {
    /// Takes a text apart.
    pub(crate) fn read(text: &str) -> Self {
        let mut typed = Self::default();
        for (nth, part) in text.split('"').enumerate() {
            if nth % 2 == 1 {
                let phrase = tokens(part).into_iter().map(|token| stem(&token.text).into_owned());
                typed.phrases.push(phrase.collect());
            } else {
                typed.take(part);
            }
        }
        // A phrase is looked for in every description, so what is asked of one query is bounded as well.
        let mut room = WORDS_MAX;
        typed.phrases.retain_mut(|phrase| {
            phrase.truncate(room);
            room -= phrase.len();
            !phrase.is_empty()
        });
        typed.without.truncate(WORDS_MAX);
        let open = goes_on(text);
        if typed.words.iter().any(|word| !is_common(word)) {
            let last = typed.words.last().cloned();
            typed.words.retain(|word| !is_common(word));
            // A word that may go on is not known to be a common one, unless something else is looked for.
            if let Some(word) = typed.words.last_mut().filter(|word| Some(&**word) == last.as_ref()) {
                word.open = open;
            }
        } else if let Some(word) = typed.words.last_mut() {
            word.open = open;
        }
        typed.words.truncate(WORDS_MAX);
        typed
    }

    fn take(&mut self, part: &str) {
        for piece in part.split_whitespace() {
            if let Some(unwanted) = piece.strip_prefix('-').filter(|rest| !rest.is_empty()) {
                self.without.extend(tokens(unwanted).iter().map(|token| stem(&token.text).into_owned()));
                continue;
            }
            let words = tokens(piece).into_iter().map(|Token { text, .. }| Word {
                stem: stem(&text).into_owned(),
                text,
                open: false,
            });
            self.words.extend(words);
        }
    }

    /// Whether there is nothing that could be found.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.phrases.is_empty()
    }
}

fn is_common(word: &Word) -> bool {
    COMMON.contains(&word.text.as_str())
}

#[cfg(test)]
mod tests {
    use super::{Typed, WORDS_MAX, before_last, edits, edits_allowed, stem, terms, tokens};

    #[test]
    fn a_word_and_its_plural_have_one_stem() {
        for (one, many) in [
            ("mug", "mugs"),
            ("berry", "berries"),
            ("box", "boxes"),
            ("brush", "brushes"),
            ("glass", "glasses"),
            ("shoe", "shoes"),
            ("tomato", "tomatoes"),
            ("knife", "knives"),
            ("candle", "candles"),
            ("tie", "ties"),
            ("size", "sizes"),
        ] {
            assert_eq!(stem(one), stem(many), "{one} {many}");
        }
        for alone in ["glass", "bus", "iris", "gas", "3s"] {
            assert_eq!(stem(alone), alone);
        }
    }

    #[test]
    fn edits_count_as_people_mistype() {
        assert_eq!(edits("kettel", "kettle", 1), Some(1));
        assert_eq!(edits("lanten", "lantern", 1), Some(1));
        assert_eq!(edits("bettle", "kettle", 1), None);
        assert_eq!(edits("bettle", "kettle", 2), Some(2));
        assert_eq!(edits("same", "same", 0), Some(0));
        assert_eq!(edits("decoratoin", "decorations", 2), Some(2));
        assert_eq!((edits_allowed("mug"), edits_allowed("lamp"), edits_allowed("lanterns")), (0, 1, 2));
        assert_eq!(edits_allowed("85123a"), 0);
    }

    #[test]
    fn texts_are_cut_where_letters_end() {
        let found: Vec<_> = tokens("ÉLAN T-light, n°3").into_iter().map(|token| token.text).collect();
        assert_eq!(found, ["elan", "t", "light", "n", "3"]);
        let stems: Vec<_> = terms("T-Lights").into_iter().map(|(_, stem)| stem).collect();
        assert_eq!(stems, ["t", "tlight", "light"]);
    }

    #[test]
    fn what_is_typed_is_taken_apart() {
        let typed = Typed::read(r#"red of "tea pots" -blue lam"#);
        let words: Vec<_> = typed.words.iter().map(|word| (word.text.as_str(), word.open)).collect();
        assert_eq!(words, [("red", false), ("lam", true)]);
        assert_eq!(
            (typed.phrases, typed.without),
            (vec![vec!["tea".into(), "pot".into()]], vec!["blue".into()])
        );
        assert!(!Typed::read("lamp ").words[0].open);
        assert!(Typed::read("the").words[0].open);
        assert!(Typed::read("!! -").is_empty());
        for ended in ["lamp -re", "lamp \"re", "lamp -", "lamp!", "lamp \"", "lamp \"red\" "] {
            assert!(!Typed::read(ended).words[0].open, "{ended}");
        }
        assert!(Typed::read("\"red\" lam").words[0].open);
    }

    #[test]
    fn what_one_query_asks_is_bounded() {
        let phrases = Typed::read(&"\"a b\" ".repeat(40));
        assert_eq!(phrases.phrases.iter().map(Vec::len).sum::<usize>(), WORDS_MAX);
        let long = Typed::read(&format!("\"{}\"", "a ".repeat(99)));
        assert_eq!(long.phrases[0].len(), WORDS_MAX);
        assert_eq!(Typed::read(&"-a ".repeat(60)).without.len(), WORDS_MAX);
        assert_eq!(Typed::read(&"b ".repeat(60)).words.len(), WORDS_MAX);
    }

    #[test]
    fn an_accent_of_its_own_belongs_to_its_letter() {
        for text in ["cafe\u{301} ole\u{301}", "caf\u{e9} ol\u{e9}"] {
            let found: Vec<_> = tokens(text).into_iter().map(|token| token.text).collect();
            assert_eq!(found, ["cafe", "ole"]);
            assert_eq!(before_last(text).trim_end(), text.split(' ').next().unwrap());
        }
        assert!(tokens("\u{301} \u{301}").is_empty());
    }
}
