//! What is different between two states, field by field. Sealed values are compared, and never shown.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json};

/// Shown in the place of a sealed value.
pub const SEALED: &str = "[sealed]";

/// What stands where nothing stands.
static NOTHING: Json = Json::Null;

/// A field that is another one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Which.
    pub field: Path,
    /// What it was; null where there was nothing.
    pub old: Json,
    /// What it is; null where there is nothing.
    pub new: Json,
}

/// Where a field stands, such as `lines[0].quantity`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(pub Vec<Part>);

/// A step on the way to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Into a member of that name.
    Name(String),
    /// To a place in a list, from 0.
    Place(usize),
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, part) in self.0.iter().enumerate() {
            match part {
                Part::Place(place) => write!(f, "[{place}]")?,
                Part::Name(name) if is_plain(name) && nth == 0 => f.write_str(name)?,
                Part::Name(name) if is_plain(name) => write!(f, ".{name}")?,
                Part::Name(name) => write!(f, "[{name:?}]")?,
            }
        }
        Ok(())
    }
}

impl Serialize for Path {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Every field that differs, in the order of the newer state.
#[must_use]
pub fn difference(old: &Json, new: &Json) -> Vec<Change> {
    let mut changes = vec![];
    compare(&mut Path::default(), old, new, &mut changes);
    changes
}

fn compare(at: &mut Path, old: &Json, new: &Json, changes: &mut Vec<Change>) {
    if old == new {
        return;
    }
    match (old, new) {
        _ if is_sealed(old) || is_sealed(new) => changes.push(change(at, old, new)),
        (Json::Object(old), Json::Object(new)) => members(at, old, new, changes),
        (Json::Array(old), Json::Array(new)) => entries(at, old, new, changes),
        (old, new) => changes.push(change(at, old, new)),
    }
}

/// A member that is now in another one, or was, has only moved: the two are compared as if it had been there before.
fn members(at: &mut Path, old: &Map<String, Json>, new: &Map<String, Json>, changes: &mut Vec<Change>) {
    let only = |these: &Map<String, Json>, others: &Map<String, Json>| -> Map<String, Json> {
        let only = these.iter().filter(|(name, _)| !others.contains_key(*name));
        only.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let (mut gone, mut come) = (only(old, new), only(new, old));
    let mut moved: Map<String, Json> = Map::new();
    for (name, value) in &come {
        if let Some(before) = inside(&mut gone, value) {
            moved.insert(name.clone(), before);
        }
    }
    for (name, value) in &gone.clone() {
        if let Some(after) = inside(&mut come, value) {
            at.0.push(Part::Name(name.clone()));
            compare(at, value, &after, changes);
            at.0.pop();
            gone.remove(name);
        }
    }
    for (name, value) in new {
        let before = old.get(name).or_else(|| moved.get(name)).or_else(|| come.get(name).map(|_| &NOTHING));
        let Some(before) = before else { continue };
        at.0.push(Part::Name(name.clone()));
        compare(at, before, value, changes);
        at.0.pop();
    }
    for (name, value) in &gone {
        at.0.push(Part::Name(name.clone()));
        compare(at, value, &NOTHING, changes);
        at.0.pop();
    }
}

/// Takes those out that a value holds under the same name with the same content; as a value that holds just them.
fn inside(these: &mut Map<String, Json>, value: &Json) -> Option<Json> {
    let Json::Object(fields) = value else { return None };
    let found: Map<String, Json> = these
        .iter()
        .filter(|(name, value)| !value.is_null() && fields.get(*name) == Some(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if found.is_empty() {
        return None;
    }
    these.retain(|name, _| !found.contains_key(name));
    Some(Json::Object(found))
}

/// What both lists begin and end with is the same; between that, entries are compared in their order.
fn entries(at: &mut Path, old: &[Json], new: &[Json], changes: &mut Vec<Change>) {
    let same =
        |pairs: &mut dyn Iterator<Item = (&Json, &Json)>| pairs.take_while(|(old, new)| old == new).count();
    let begin = same(&mut old.iter().zip(new));
    let (old, new) = (old.get(begin..).unwrap_or_default(), new.get(begin..).unwrap_or_default());
    let end = same(&mut old.iter().rev().zip(new.iter().rev()));
    let (old, new) =
        (old.get(..old.len() - end).unwrap_or_default(), new.get(..new.len() - end).unwrap_or_default());
    for nth in 0..old.len().max(new.len()) {
        at.0.push(Part::Place(begin + nth));
        let of = |list: &[Json]| list.get(nth).cloned().unwrap_or_default();
        compare(at, &of(old), &of(new), changes);
        at.0.pop();
    }
}

fn change(at: &Path, old: &Json, new: &Json) -> Change {
    Change { field: at.clone(), old: without_sealed(old.clone()), new: without_sealed(new.clone()) }
}

/// The value with a word in the place of everything sealed in it.
#[must_use]
pub fn without_sealed(mut value: Json) -> Json {
    hide(&mut value);
    value
}

fn hide(value: &mut Json) {
    if is_sealed(value) {
        *value = SEALED.into();
        return;
    }
    match value {
        Json::Object(fields) => fields.values_mut().for_each(hide),
        Json::Array(values) => values.iter_mut().for_each(hide),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// Whether this is a [`domain::value::Sealed`]: nothing else has just these two members.
fn is_sealed(value: &Json) -> bool {
    let Json::Object(fields) = value else { return false };
    let text = |name: &str| fields.get(name).is_some_and(Json::is_string);
    fields.len() == 2 && text("subject") && text("sealed")
}

#[cfg(test)]
mod tests {
    use domain::value::Sealed;
    use serde_json::json;

    use super::*;

    fn told(old: &Json, new: &Json) -> Vec<String> {
        let text = |Change { field, old, new }| format!("{field}: {old} -> {new}");
        difference(old, new).into_iter().map(text).collect()
    }

    #[test]
    fn what_is_the_same_is_not_told() {
        let state = json!({"a": [1, {"b": null}], "c": "d"});
        assert_eq!(told(&state, &state), [""; 0]);
    }

    #[test]
    fn fields_are_named_where_they_stand() {
        let old = json!({"lines": [{"sku": "A", "quantity": 1}], "places": {"shelf 1": 2}, "gone": true});
        let new = json!({"lines": [{"sku": "A", "quantity": 3}], "places": {"shelf 1": 4}, "new": "x"});
        assert_eq!(
            told(&old, &new),
            [
                "lines[0].quantity: 1 -> 3",
                "new: null -> \"x\"",
                "places[\"shelf 1\"]: 2 -> 4",
                "gone: true -> null"
            ]
        );
    }

    #[test]
    fn an_entry_that_is_taken_out_or_put_in_is_one_change() {
        assert_eq!(told(&json!(["a", "b", "c"]), &json!(["b", "c"])), ["[0]: \"a\" -> null"]);
        assert_eq!(told(&json!(["a", "c"]), &json!(["a", "b", "c"])), ["[1]: null -> \"b\""]);
        assert_eq!(told(&json!(["a", "a"]), &json!(["a"])), ["[1]: \"a\" -> null"]);
    }

    #[test]
    fn what_has_only_moved_is_no_change() {
        let flat = json!({"placement": {"customer": "ada"}, "total": 5, "other": 1});
        let deep = json!({"book": {"placement": {"customer": "ada"}, "total": 5, "entries": []}, "other": 1});
        assert_eq!(told(&flat, &deep), ["book.entries: null -> []"]);
        assert_eq!(told(&deep, &flat), ["book.entries: [] -> null"]);
    }

    #[test]
    fn a_sealed_value_is_compared_and_never_shown() {
        let sealed = |text: &str| Sealed { subject: "customer:ada".into(), sealed: text.into() };
        let state = |text: &str| json!({"contact": serde_json::to_value(sealed(text)).unwrap(), "n": 1});
        assert_eq!(told(&state("x"), &state("x")), [""; 0]);
        assert_eq!(told(&state("x"), &state("y")), ["contact: \"[sealed]\" -> \"[sealed]\""]);
        assert_eq!(
            told(&json!({}), &json!({"to": state("x")})),
            ["to: null -> {\"contact\":\"[sealed]\",\"n\":1}"]
        );
    }
}
