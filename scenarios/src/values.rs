//! Values as they were written, bound to the shapes that they are for.

use domain::{
    shape::{Field, Shape, Variant},
    value::Time,
};
use serde_json::{Value as Json, json};

use crate::{
    pattern::{Form, Pattern},
    text::{Entry, Flaw, Kind, Value, instead_of, money, time},
};

/// Whose key closes personal values in scenarios.
const SUBJECT: &str = "scenario";

/// Binds values, and collects everything that is wrong with them.
pub(crate) struct Binder<'a> {
    /// What time it is in the scenario.
    pub now: Time,
    /// Whether a command's `now` is filled in.
    pub fills_now: bool,
    /// Whether fields may be left open with `..`.
    pub may_leave_open: bool,
    /// What is wrong so far.
    pub flaws: &'a mut Vec<Flaw>,
}

impl Binder<'_> {
    /// The body of `name`, an alternative of a command or event; without a value, its fields must all be optional.
    pub fn body(
        &mut self,
        name: &str,
        at: crate::text::Pos,
        value: Option<&Value>,
        shape: &Shape,
    ) -> Option<Pattern> {
        let empty = Value { at, kind: Kind::Map(vec![], false) };
        match (value, shape) {
            (None, Shape::Nothing) => Some(Pattern::exact(at, Json::Null)),
            (value, Shape::Struct(_, fields)) => match &value.unwrap_or(&empty).kind {
                Kind::Map(entries, rest) => {
                    self.fields(name, value.unwrap_or(&empty), entries, *rest, fields)
                }
                _ => self.wrong(value.unwrap_or(&empty), &format!("{name} wants its fields in {{…}}")),
            },
            (None, _) => self.flaw(at, format!("{name} lacks its value")),
            (Some(value), shape) => self.bind(name, value, shape),
        }
    }

    /// A value for a field.
    pub fn bind(&mut self, field: &str, value: &Value, shape: &Shape) -> Option<Pattern> {
        match (shape, &value.kind) {
            (Shape::Open, _) => Some(Pattern::untyped(value, self.now)),
            (Shape::Option(_), Kind::Bare(word)) if word == "none" => {
                Some(Pattern::exact(value.at, Json::Null))
            }
            (Shape::Option(inner), _) => self.bind(field, value, inner),
            (Shape::Named("Time", _), Kind::Bare(text) | Kind::Quoted(text)) => match time(text, self.now) {
                Ok(time) => Some(Pattern::exact(value.at, json!(time.millis()))),
                Err(message) => self.flaw(value.at, format!("{field}: {message}")),
            },
            (Shape::Named(_, inner), _) => self.bind(field, value, inner),
            (Shape::Nothing, Kind::Map(entries, false)) if entries.is_empty() => {
                Some(Pattern::exact(value.at, Json::Null))
            }
            (Shape::Nothing, _) => self.wrong(value, &format!("{field} holds nothing")),
            (Shape::Bool, Kind::Bare(word)) if word == "true" || word == "false" => {
                Some(Pattern::exact(value.at, json!(word == "true")))
            }
            (Shape::Bool, _) => self.wrong(value, &format!("{field} wants true or false")),
            (Shape::Integer { signed, bits }, Kind::Bare(text)) => {
                self.integer(field, value, text, *signed, *bits)
            }
            (Shape::Integer { .. }, _) => self.wrong(value, &format!("{field} wants a whole number")),
            (Shape::Text, Kind::Bare(text) | Kind::Quoted(text)) => {
                Some(Pattern::exact(value.at, json!(text)))
            }
            (Shape::Text, _) => self.wrong(value, &format!("{field} wants a text")),
            (Shape::Struct("Money", _), Kind::Bare(text) | Kind::Quoted(text)) => match money(text) {
                Ok(money) => {
                    let json = json!({"amount": money.amount, "currency": money.currency.as_str()});
                    Some(Pattern::exact(value.at, json))
                }
                Err(message) => self.flaw(value.at, format!("{field}: {message}")),
            },
            (Shape::Struct("Sealed", _), Kind::Bare(text) | Kind::Quoted(text)) => {
                Some(Pattern::exact(value.at, json!({"subject": SUBJECT, "sealed": text})))
            }
            (Shape::Struct(_, fields), Kind::Map(entries, rest)) => {
                self.fields(field, value, entries, *rest, fields)
            }
            (Shape::Struct(..), _) => self.wrong(value, &format!("{field} wants its fields in {{…}}")),
            (Shape::List(inner), Kind::List(values)) => {
                self.list(field, value, values.iter().map(|v| (v, &**inner)))
            }
            (Shape::Tuple(shapes), Kind::List(values)) if values.len() == shapes.len() => {
                self.list(field, value, values.iter().zip(shapes))
            }
            (Shape::List(_) | Shape::Tuple(_), _) => {
                self.wrong(value, &format!("{field} wants a list in […]"))
            }
            (Shape::Map(_, inner), Kind::Map(entries, rest)) => self.map(value, entries, *rest, inner),
            (Shape::Map(..), _) => self.wrong(value, &format!("{field} wants entries in {{…}}")),
            (Shape::Enum(_, variants), _) => self.alternative(field, value, variants),
        }
    }

    fn flaw(&mut self, at: crate::text::Pos, message: impl Into<String>) -> Option<Pattern> {
        self.flaws.push(Flaw::new(at, message));
        None
    }

    fn wrong(&mut self, value: &Value, wanted: &str) -> Option<Pattern> {
        let got = match &value.kind {
            Kind::Bare(text) => format!("\"{text}\""),
            Kind::Quoted(text) => format!("the text \"{text}\""),
            Kind::Map(..) => "{…}".to_owned(),
            Kind::List(_) => "[…]".to_owned(),
            Kind::Tagged(tag, _) => format!("{tag} {{…}}"),
        };
        self.flaw(value.at, format!("{wanted}, not {got}"))
    }

    fn integer(
        &mut self,
        field: &str,
        value: &Value,
        text: &str,
        signed: bool,
        bits: u32,
    ) -> Option<Pattern> {
        let Ok(number) = text.parse::<i128>() else {
            return self.wrong(value, &format!("{field} wants a whole number"));
        };
        let most = 1_i128.checked_shl(bits - u32::from(signed)).unwrap_or(i128::MAX);
        let least = if signed { -most } else { 0 };
        if number < least || number >= most {
            return self.flaw(value.at, format!("{field} is from {least} to {}, not {number}", most - 1));
        }
        let json = i64::try_from(number)
            .map_or_else(|_| json!(u64::try_from(number).unwrap_or(u64::MAX)), |n| json!(n));
        Some(Pattern::exact(value.at, json))
    }

    fn list<'v>(
        &mut self,
        field: &str,
        list: &Value,
        values: impl Iterator<Item = (&'v Value, &'v Shape)>,
    ) -> Option<Pattern> {
        let bound: Vec<_> = values.map(|(value, shape)| self.bind(field, value, shape)).collect();
        let values = bound.into_iter().collect::<Option<_>>()?;
        Some(Pattern { at: list.at, form: Form::List(values) })
    }

    fn map(&mut self, value: &Value, entries: &[Entry], rest: bool, inner: &Shape) -> Option<Pattern> {
        let bound: Vec<_> = entries
            .iter()
            .map(|entry| Some((entry.name.clone(), self.bind(&entry.name, &entry.value, inner)?)))
            .collect();
        let fields = bound.into_iter().collect::<Option<_>>()?;
        Some(Pattern { at: value.at, form: Form::Fields(fields, rest) })
    }

    fn fields(
        &mut self,
        owner: &str,
        value: &Value,
        entries: &[Entry],
        rest: bool,
        known: &[Field],
    ) -> Option<Pattern> {
        let before = self.flaws.len();
        if rest && !self.may_leave_open {
            self.flaws.push(Flaw::new(value.at, "only a Then may leave fields open with .."));
        }
        let mut fields: Vec<(String, Pattern)> = vec![];
        for Entry { at, name, value } in entries {
            match known.iter().find(|field| field.name == name) {
                None => {
                    let instead = match known.iter().find(|field| has_inside(&field.shape, name)) {
                        Some(field) => format!("; it belongs into {}: {{…}}", field.name),
                        None => instead_of(name, known.iter().map(|field| field.name)),
                    };
                    self.flaws.push(Flaw::new(*at, format!("{owner} has no field \"{name}\"{instead}")));
                }
                Some(_) if fields.iter().any(|(known, _)| known == name) => {
                    self.flaws.push(Flaw::new(*at, format!("{name} stands twice")));
                }
                Some(field) => {
                    let bound = self.bind(name, value, &field.shape);
                    fields.extend(bound.map(|bound| (name.clone(), bound)));
                }
            }
        }
        let missing =
            |field: &&Field| !field.optional && !entries.iter().any(|entry| entry.name == field.name);
        let mut missing: Vec<_> = known.iter().filter(missing).collect();
        if self.fills_now
            && let Some(index) = missing.iter().position(|field| is_now(field))
        {
            missing.remove(index);
            fields.push(("now".to_owned(), Pattern::exact(value.at, json!(self.now.millis()))));
        }
        if !missing.is_empty() && !rest {
            let names: Vec<_> = missing.iter().map(|field| field.name).collect();
            self.flaws.push(Flaw::new(value.at, format!("{owner} lacks {}", names.join(", "))));
        }
        (self.flaws.len() == before).then_some(Pattern { at: value.at, form: Form::Fields(fields, rest) })
    }

    fn alternative(&mut self, field: &str, value: &Value, variants: &[Variant]) -> Option<Pattern> {
        let (at, name, body) = match &value.kind {
            Kind::Bare(word) | Kind::Quoted(word) => (value.at, word, None),
            Kind::Tagged(tag, body) => (value.at, tag, Some(&**body)),
            Kind::Map(entries, false) if entries.len() == 1 => {
                let [entry] = entries.as_slice() else { return None };
                (entry.at, &entry.name, Some(&entry.value))
            }
            Kind::Map(..) | Kind::List(_) => {
                let names: Vec<_> = variants.iter().map(|variant| variant.name).collect();
                return self.wrong(value, &format!("{field} is one of {}", names.join(", ")));
            }
        };
        let Some(variant) = variants.iter().find(|variant| variant.name == name) else {
            let instead = instead_of(name, variants.iter().map(|variant| variant.name));
            return self.flaw(at, format!("{field} cannot be \"{name}\"{instead}"));
        };
        match (&variant.body, body) {
            (Shape::Nothing, None) => Some(Pattern::exact(at, json!(variant.name))),
            (Shape::Nothing, Some(body)) => self.wrong(body, &format!("{name} holds nothing")),
            (shape, body) => {
                let body = self.body(name, at, body, shape)?;
                Some(Pattern::tagged(at, name, body))
            }
        }
    }
}

fn has_inside(shape: &Shape, name: &str) -> bool {
    match shape {
        Shape::Option(inner) | Shape::Named(_, inner) => has_inside(inner, name),
        Shape::Struct(_, fields) => fields.iter().any(|field| field.name == name),
        _ => false,
    }
}

/// The clock's time, as commands take it.
fn is_now(field: &Field) -> bool {
    field.name == "now" && matches!(field.shape, Shape::Named("Time", _))
}
