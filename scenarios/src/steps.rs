//! The sentences of the language: what each step says, before anybody knows whether its names exist.

use std::str::FromStr;

use domain::AggregateType;
use gherkin::StepType;

use crate::{
    feature::Step,
    text::{Entry, Flaw, Kind, Pos, Text, Value, duration_ms, instead_of, parse, parse_cell, quoted},
};

/// One stream of the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stream {
    /// What kind of aggregate.
    pub aggregate_type: AggregateType,
    /// Its id.
    pub id: String,
}

impl std::fmt::Display for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.aggregate_type, quoted(&self.id))
    }
}

/// A command or an event by its name, with its fields if any were given.
#[derive(Clone, Debug)]
pub struct Named {
    /// Its name.
    pub name: Text,
    /// Its fields.
    pub fields: Option<Value>,
}

/// What a step says.
#[derive(Clone, Debug)]
pub enum Sentence {
    /// `it is <time>`
    ItIs(Text),
    /// `cart "C1": Open {…}`, and the same in the rows of a table
    Said(Stream, Vec<Named>),
    /// `the same command comes again`
    Again,
    /// `15 minutes pass`
    Pass(i64),
    /// `LineAdded {…}`: in the stream of the last command
    Happens(Named),
    /// `nothing happens`
    Nothing,
    /// `refused: cart.empty {…}`
    Refused(Named),
    /// `eventually order "O1": Confirmed`
    Eventually(Stream, Vec<Named>),
    /// `eventually order "O1" is exactly:`
    Exactly(Stream, Vec<Named>),
    /// `never payment "P1": Captured`
    Never(Stream, Vec<Named>),
    /// `checkout "O1" wants payment "P1": Capture {…}`
    Wants(Stream, Stream, Vec<Named>),
    /// `checkout "O1" wants nothing more`
    NothingMore(Stream),
    /// `the order "O1" reads {…}`
    Reads(Text, String, Value),
}

const GIVENS: &str =
    "it is TIME; AGGREGATE \"ID\": Event or Command {…}; N times AGGREGATE \"ID\": Event or Command {…}";
const WHENS: &str = "AGGREGATE \"ID\": Command {…}; the same command comes again; N minutes pass";
const THENS: &str = "AGGREGATE \"ID\": Event {…}; Event {…}; nothing happens; refused: CODE {…}; \
                     eventually AGGREGATE \"ID\": Event {…}; eventually AGGREGATE \"ID\" is exactly:; \
                     never AGGREGATE \"ID\": Event; AGGREGATE \"ID\" wants AGGREGATE \"ID\": Command {…}; \
                     AGGREGATE \"ID\" wants nothing more; the NOUN \"ID\" reads {…}";

/// Reads a step.
///
/// # Errors
/// With what does not fit.
pub fn read(step: &Step) -> Result<Sentence, Flaw> {
    let sentence = match step.kind {
        StepType::Given => given(step)?,
        StepType::When => when(step)?,
        StepType::Then => then(step)?,
    };
    let takes_table = matches!(
        sentence,
        Sentence::Said(..)
            | Sentence::Happens(_)
            | Sentence::Refused(_)
            | Sentence::Eventually(..)
            | Sentence::Exactly(..)
            | Sentence::Never(..)
            | Sentence::Wants(..)
            | Sentence::Reads(..)
    );
    match &step.table {
        Some(_) if !takes_table => Err(Flaw::new(step.whole.at(), "this step takes no table")),
        _ => Ok(sentence),
    }
}

fn given(step: &Step) -> Result<Sentence, Flaw> {
    match step.body.strip_prefix("it is ") {
        Some(time) => Ok(Sentence::ItIs(time.trim())),
        None => said(step, GIVENS),
    }
}

fn when(step: &Step) -> Result<Sentence, Flaw> {
    if step.body.as_str() == "the same command comes again" {
        return Ok(Sentence::Again);
    }
    let passing =
        step.body.as_str().strip_suffix(" pass").or_else(|| step.body.as_str().strip_suffix(" passes"));
    match passing {
        Some(span) => match duration_ms(span) {
            Some(ms) => Ok(Sentence::Pass(ms)),
            None => Err(Flaw::new(
                step.body.at(),
                format!("\"{span}\" is not a time such as 15 minutes or 1 day"),
            )),
        },
        None => said(step, WHENS),
    }
}

fn said(step: &Step, known: &str) -> Result<Sentence, Flaw> {
    let (stream, rest) = stream(&step.body)?.ok_or_else(|| unknown(step, known))?;
    let rest = rest.trim().strip_prefix(":").ok_or_else(|| unknown(step, known))?;
    Ok(Sentence::Said(stream, named_here(step, &rest)?))
}

fn then(step: &Step) -> Result<Sentence, Flaw> {
    let body = &step.body;
    if body.as_str() == "nothing happens" {
        return Ok(Sentence::Nothing);
    }
    if let Some(rest) = body.strip_prefix("refused:") {
        return Ok(Sentence::Refused(named(&rest, step.table.as_deref())?));
    }
    if let Some(rest) = body.strip_prefix("eventually ") {
        let (stream, rest) = stream(&rest)?.ok_or_else(|| unknown(step, THENS))?;
        let rest = rest.trim();
        if rest.as_str() == "is exactly:" {
            return Ok(Sentence::Exactly(stream, rows(step)?));
        }
        let rest = rest.strip_prefix(":").ok_or_else(|| unknown(step, THENS))?;
        return Ok(Sentence::Eventually(stream, named_here(step, &rest)?));
    }
    if let Some(rest) = body.strip_prefix("never ") {
        let (stream, rest) = stream(&rest)?.ok_or_else(|| unknown(step, THENS))?;
        let rest = rest.trim().strip_prefix(":").ok_or_else(|| unknown(step, THENS))?;
        return Ok(Sentence::Never(stream, named_here(step, &rest)?));
    }
    if let Some(rest) = body.strip_prefix("the ") {
        return reads(step, &rest);
    }
    match stream(body)? {
        Some((by, rest)) => about(step, by, &rest.trim()),
        None if body.as_str().starts_with(char::is_uppercase) => {
            Ok(Sentence::Happens(named(body, step.table.as_deref())?))
        }
        None => Err(unknown(step, THENS)),
    }
}

fn about(step: &Step, by: Stream, rest: &Text) -> Result<Sentence, Flaw> {
    if let Some(rest) = rest.strip_prefix(":") {
        return Ok(Sentence::Said(by, named_here(step, &rest)?));
    }
    let wanted = rest.strip_prefix("wants ").ok_or_else(|| unknown(step, THENS))?.trim();
    if wanted.as_str() == "nothing more" {
        return Ok(Sentence::NothingMore(by));
    }
    let (to, rest) = stream(&wanted)?.ok_or_else(|| unknown(step, THENS))?;
    let rest = rest.trim().strip_prefix(":").ok_or_else(|| unknown(step, THENS))?;
    Ok(Sentence::Wants(by, to, named_here(step, &rest)?))
}

fn reads(step: &Step, rest: &Text) -> Result<Sentence, Flaw> {
    let wrong = || unknown(step, THENS);
    let (noun, rest) = rest.split_once("\"").ok_or_else(wrong)?;
    let (id, rest) = rest.split_once("\"").ok_or_else(wrong)?;
    let rest = rest.trim().strip_prefix("reads").ok_or_else(wrong)?.trim();
    let value = match (&step.table, rest.as_str()) {
        (Some(table), "") => fields(rest.at(), table)?,
        _ => parse(&rest)?,
    };
    Ok(Sentence::Reads(noun.trim(), id.as_str().to_owned(), value))
}

fn unknown(step: &Step, known: &str) -> Flaw {
    let keyword = match step.kind {
        StepType::Given => "Given",
        StepType::When => "When",
        StepType::Then => "Then",
    };
    let message = format!("no such step; a {keyword} is one of: {known}");
    Flaw::new(step.body.at(), message)
}

/// `cart "C1"` and what follows; nothing when there is no id in quotation marks.
fn stream(text: &Text) -> Result<Option<(Stream, Text)>, Flaw> {
    let Some((head, rest)) = text.split_once("\"") else { return Ok(None) };
    if head.as_str().contains([':', '{']) {
        return Ok(None);
    }
    let head = head.trim();
    let Some((id, rest)) = rest.split_once("\"") else {
        return Err(Flaw::new(rest.at(), "the quotation mark before the id is never closed"));
    };
    if id.as_str().is_empty() {
        return Err(Flaw::new(id.at(), "the id is empty"));
    }
    let name = head.as_str().replace(' ', "_");
    let name = if name == "stock_of" { "inventory_item" } else { &name };
    match AggregateType::from_str(name) {
        Ok(aggregate_type) => Ok(Some((Stream { aggregate_type, id: id.as_str().to_owned() }, rest))),
        Err(_) => {
            let known = AggregateType::ALL.iter().map(|known| known.as_str());
            let instead = instead_of(head.as_str(), known);
            Err(Flaw::new(head.at(), format!("there is no aggregate \"{}\"{instead}", head.as_str())))
        }
    }
}

/// What stands after a colon: one name, or nothing and a table of names.
fn named_here(step: &Step, rest: &Text) -> Result<Vec<Named>, Flaw> {
    if rest.trim().as_str().is_empty() {
        return rows(step);
    }
    Ok(vec![named(rest, step.table.as_deref())?])
}

/// A name, and its fields behind it or in the table below.
fn named(rest: &Text, table: Option<&[Vec<Text>]>) -> Result<Named, Flaw> {
    let rest = rest.trim();
    let end = rest
        .as_str()
        .find(|letter: char| letter.is_whitespace() || letter == '{')
        .unwrap_or(rest.as_str().len());
    let name = rest.slice(0..end);
    let behind = rest.slice(end..rest.as_str().len()).trim();
    let fields = match (table, behind.as_str()) {
        (None, "") => None,
        (None, _) => Some(parse(&behind)?),
        (Some(table), "") => Some(fields(name.at(), table)?),
        (Some(_), _) => {
            return Err(Flaw::new(behind.at(), "give the fields here or in the table, not in both"));
        }
    };
    Ok(Named { name, fields })
}

/// A table of names, each with its fields in the second column.
fn rows(step: &Step) -> Result<Vec<Named>, Flaw> {
    let Some(table) = &step.table else {
        return Err(Flaw::new(step.whole.at(), "a name is missing after the colon, or a table below"));
    };
    table
        .iter()
        .map(|row| match row.as_slice() {
            [name] => Ok(Named { name: name.clone(), fields: None }),
            [name, fields] if fields.as_str().is_empty() => Ok(Named { name: name.clone(), fields: None }),
            [name, fields] => Ok(Named { name: name.clone(), fields: Some(parse(fields)?) }),
            _ => Err(Flaw::new(step.whole.at(), "this table has two columns: names and their fields")),
        })
        .collect()
}

/// A table of fields: their names and values.
fn fields(at: Pos, table: &[Vec<Text>]) -> Result<Value, Flaw> {
    let (mut entries, mut rest) = (vec![], false);
    for row in table {
        match row.as_slice() {
            [name, ..] if name.as_str() == ".." => rest = true,
            [name, value] => {
                let value = parse_cell(value)?;
                entries.push(Entry { at: name.at(), name: name.as_str().to_owned(), value });
            }
            _ => return Err(Flaw::new(at, "the table below has two columns: fields and their values")),
        }
    }
    Ok(Value { at, kind: Kind::Map(entries, rest) })
}
