//! What the domain says, as JSON: commands, events, states and refusals, written and read.
//!
//! Serde's code for a type is compiled anew in each crate that asks for it, once for each format. Whoever goes through here
//! shares one copy.

use std::{cell::Cell, fmt};

use domain::{AggregateType, AnyCommand, AnyEvent, AnyRefusal, AnyState};
use serde::{Serialize, ser::Error as _};
use serde_json::{Deserializer, Error, Value};
use serde_path_to_error::{Deserializer as Tracked, Path, Segment, Track};

/// What is written as one line of JSON.
pub trait ToJson {
    /// The text, as the log has it.
    ///
    /// # Errors
    /// When it cannot be written as JSON; nothing of the domain is like that.
    fn to_json(&self) -> Result<String, Error>;

    /// How long the text is, in bytes.
    ///
    /// # Errors
    /// When it cannot be written as JSON; nothing of the domain is like that.
    fn json_length(&self) -> Result<usize, Error>;

    /// It as a value.
    ///
    /// # Errors
    /// When it cannot be written as JSON; nothing of the domain is like that.
    fn to_json_value(&self) -> Result<Value, Error> {
        serde_json::from_str(&self.to_json()?)
    }
}

macro_rules! written {
    ($($name:ident)+) => {$(
        impl ToJson for $name {
            fn to_json(&self) -> Result<String, Error> {
                in_scratch(self, str::to_owned)
            }

            fn json_length(&self) -> Result<usize, Error> {
                in_scratch(self, str::len)
            }
        }
    )+};
}

/// How much room a thread keeps for what it writes, in bytes.
const SCRATCH_MAX: usize = 64 << 10;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Writes a value where this thread wrote the one before: a text of its own would grow, and be copied, several times, and keep room
/// that it does not need.
fn in_scratch<T>(value: &impl Serialize, read: impl FnOnce(&str) -> T) -> Result<T, Error> {
    let mut scratch = SCRATCH.take();
    scratch.clear();
    let written = serde_json::to_writer(&mut scratch, value);
    let text = written.and_then(|()| str::from_utf8(&scratch).map(read).map_err(Error::custom));
    if scratch.capacity() <= SCRATCH_MAX {
        SCRATCH.set(scratch);
    }
    text
}

written!(AnyCommand AnyEvent AnyRefusal AnyState);

/// Reads an event of an aggregate.
///
/// # Errors
/// When the text is none.
pub fn event(aggregate_type: AggregateType, text: &str) -> Result<AnyEvent, Error> {
    AnyEvent::deserialize(aggregate_type, &mut Deserializer::from_str(text))
}

/// Reads the state of an aggregate.
///
/// # Errors
/// When the text is none.
pub fn state(aggregate_type: AggregateType, text: &str) -> Result<AnyState, Error> {
    AnyState::deserialize(aggregate_type, &mut Deserializer::from_str(text))
}

/// Reads a command, tagged with its aggregate's type.
///
/// # Errors
/// When the text is none.
pub fn command(text: &str) -> Result<AnyCommand, Error> {
    serde_json::from_str(text)
}

/// Reads a refusal.
///
/// # Errors
/// When the text is none.
pub fn refusal(text: &str) -> Result<AnyRefusal, Error> {
    serde_json::from_str(text)
}

/// A part of what was written that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The way to it: the command's or event's own name, then names of fields and places in lists.
    pub path: Vec<String>,
    /// What is wrong there.
    pub reason: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path.join("."))?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Misfit {}

/// Reads an event of an aggregate that somebody wrote.
///
/// # Errors
/// When it is none, with the way to the part that cannot be.
pub fn written_event(aggregate_type: AggregateType, value: &Value) -> Result<AnyEvent, Misfit> {
    let mut track = Track::new();
    let read = AnyEvent::deserialize(aggregate_type, Tracked::new(value, &mut track));
    read.map_err(|error| misfit(&track.path(), &error))
}

/// Reads a command for an aggregate that somebody wrote.
///
/// # Errors
/// When it is none, with the way to the part that cannot be.
pub fn written_command(aggregate_type: AggregateType, value: &Value) -> Result<AnyCommand, Misfit> {
    let mut track = Track::new();
    let read = AnyCommand::of(aggregate_type, Tracked::new(value, &mut track));
    read.map_err(|error| misfit(&track.path(), &error))
}

fn misfit(path: &Path, error: &Error) -> Misfit {
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { variant } => Some(variant.clone()),
        Segment::Unknown => None,
    };
    Misfit { path: path.iter().filter_map(step).collect(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_misfit_tells_the_way_to_it() {
        let line = json!({"AddLine": {"line": {"sku": "A", "quantity": "many"}}});
        let misfit = written_command(AggregateType::Cart, &line).unwrap_err();
        assert_eq!(misfit.path.first().map(String::as_str), Some("AddLine"));
        assert!(misfit.to_string().starts_with("AddLine.line.quantity: invalid type"), "{misfit}");
        let misfit = written_event(AggregateType::Cart, &json!({"Sold": {}})).unwrap_err();
        assert!(misfit.reason.starts_with("unknown variant `Sold`"), "{misfit}");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let receive = json!({"Receive": {"quantity": 7, "reference": "PO-1"}});
        let asked = written_command(AggregateType::InventoryItem, &receive).unwrap();
        assert_eq!(asked.to_json_value().unwrap(), json!({"inventory_item": receive}));
        assert_eq!(command(&asked.to_json().unwrap()).unwrap(), asked);
        let received = json!({"Received": {"location": "main", "quantity": 7}});
        let happened = written_event(AggregateType::InventoryItem, &received).unwrap();
        assert_eq!(event(AggregateType::InventoryItem, &happened.to_json().unwrap()).unwrap(), happened);
        let held = AnyState::initial(AggregateType::InventoryItem).evolve(happened);
        assert_eq!(state(AggregateType::InventoryItem, &held.to_json().unwrap()).unwrap(), held);
    }
}
