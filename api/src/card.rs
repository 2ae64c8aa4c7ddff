//! What a card's number looks like, so that none gets past the edge: the shop keeps gateways' tokens, and nothing of a card.
//!
//! Looked at are names and texts of a body, save those under names that hold codes of the shop's own, and whatever stands
//! under a name that speaks of cards. A number has 13 to 19 digits, with single spaces or dashes between them or not, a
//! prefix that ISO/IEC 7812 has given to a payment network with that length, and the check digit of Luhn.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::problem::Problem;

/// Digits of a card's number.
const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// Names that hold the shop's and the carriers' codes, which may well be digits alone and fit by chance.
const CODES: &[&str] = &[
    "sku",
    "skus",
    "ean",
    "gtin",
    "upc",
    "barcode",
    "id",
    "key",
    "cart",
    "order",
    "payment",
    "product",
    "customer",
    "reservation",
    "shipment",
    "cancellation",
    "edit",
    "capture",
    "refund",
    "attempt",
    "transfer",
    "tracking",
];

/// Names under which there is nothing but a card: its number needs no known prefix there.
const CARDS: &[&str] = &["number", "pan", "card", "cardnumber", "cardno", "ccnumber", "creditcard", "token"];

/// Names of what stands on a card's back, which nobody may keep at all.
const BACKS: &[&str] = &["cvc", "cvv", "cvc2", "cvv2", "cid", "securitycode", "cardcode"];

/// Prefixes with the lengths that go with them: `(first, last, digits of the prefix, fewest, most)`.
const ISSUERS: &[(u32, u32, u32, usize, usize)] = &[
    // Visa. Its old numbers of 13 digits are left out: German and Japanese EANs begin so.
    (4, 4, 1, 16, 16),
    (4, 4, 1, 19, 19),
    // Mastercard.
    (51, 55, 2, 16, 16),
    (2_221, 2_720, 4, 16, 16),
    // American Express.
    (34, 34, 2, 15, 15),
    (37, 37, 2, 15, 15),
    // Diners Club.
    (300, 305, 3, 14, 14),
    (36, 36, 2, 14, 14),
    (38, 39, 2, 14, 16),
    // Discover, RuPay.
    (6_011, 6_011, 4, 16, 19),
    (644, 649, 3, 16, 19),
    (65, 65, 2, 16, 19),
    (60, 60, 2, 16, 16),
    (81, 82, 2, 16, 16),
    // JCB.
    (3_528, 3_589, 4, 16, 19),
    // UnionPay.
    (62, 62, 2, 16, 19),
    // Maestro.
    (5_018, 5_018, 4, 16, 19),
    (5_020, 5_020, 4, 16, 19),
    (5_038, 5_038, 4, 16, 19),
    (6_304, 6_304, 4, 16, 19),
    (6_759, 6_763, 4, 16, 19),
    // Mir.
    (2_200, 2_204, 4, 16, 19),
];

/// Refuses a JSON body in which something looks like a card's number. What it was is told to nobody.
pub fn none_in(body: &[u8]) -> Result<(), Problem> {
    if !may_hold_one(body) {
        return Ok(());
    }
    let mut found = false;
    let mut json = serde_json::Deserializer::from_slice(body);
    // What is no JSON is told by whoever reads it for what it says; what was found before it breaks off counts.
    let _ = Look { under: Under::Text, found: &mut found }.deserialize(&mut json);
    if found {
        return Err(Problem::new(
            "payment.card_number",
            "something in the body looks like the number or the code of a card; send the gateway's token instead",
        ));
    }
    Ok(())
}

/// Whether a body is worth reading: nearly none is. Escaped letters may hide anything.
fn may_hold_one(body: &[u8]) -> bool {
    let mut digits = 0;
    let run = body.iter().any(|byte| {
        digits = match byte {
            b'0'..=b'9' => digits + 1,
            b' ' | b'-' => digits,
            _ => 0,
        };
        digits >= *DIGITS.start()
    });
    let named = || {
        ["cv", "cid", "code"]
            .iter()
            .any(|name| body.windows(name.len()).any(|window| window.eq_ignore_ascii_case(name.as_bytes())))
    };
    run || body.windows(2).any(|pair| pair == b"\\u") || named()
}

/// What a value stands under.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Under {
    Text,
    Code,
    Card,
    Back,
}

impl Under {
    fn name(name: &str) -> Self {
        let plain: String = name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|letter| letter.to_ascii_lowercase())
            .collect();
        let plain = plain.as_str();
        if BACKS.contains(&plain) {
            Self::Back
        } else if CARDS.contains(&plain) {
            Self::Card
        } else if CODES.contains(&plain) || name.ends_with("_id") {
            Self::Code
        } else {
            Self::Text
        }
    }

    fn refuses(self, text: &str) -> bool {
        match self {
            Self::Text => holds_number(text, true),
            Self::Card => holds_number(text, false),
            Self::Code => false,
            Self::Back => {
                let text = text.trim();
                (3..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
                    || holds_number(text, false)
            }
        }
    }
}

/// Reads everything, repeated names too, and keeps nothing.
struct Look<'a> {
    under: Under,
    found: &'a mut bool,
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        *self.found |= self.under.refuses(text);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        // Amounts and positions are numbers: only where a card stands is one looked at.
        if matches!(self.under, Under::Card | Under::Back) {
            *self.found |= self.under.refuses(&number.to_string());
        }
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Look { under: self.under, found: &mut *self.found })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            *self.found |= Under::Text.refuses(&name);
            members.next_value_seed(Look { under: Under::name(&name), found: &mut *self.found })?;
        }
        Ok(())
    }
}

/// Whether a card's number stands somewhere in a text, alone or beside other groups of digits.
fn holds_number(text: &str, issued: bool) -> bool {
    let joins = |letter: char| letter.is_ascii_digit() || letter == ' ' || letter == '-';
    let mut rest = text;
    let mut before = None;
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        before = rest[..start].chars().next_back().or(before);
        let run = &rest[start..];
        let end = run.find(|letter| !joins(letter)).unwrap_or(run.len());
        let after = run[end..].chars().next();
        if groups_hold(run[..end].trim_end(), (before, after), issued) {
            return true;
        }
        before = run[..end].chars().next_back();
        rest = &run[end..];
    }
    false
}

/// Groups of digits in a row. Letters that touch the first or the last make that group a part of another code, and a plus
/// before them makes all of it a telephone's number.
fn groups_hold(run: &str, (before, after): (Option<char>, Option<char>), issued: bool) -> bool {
    let touches =
        |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    if before == Some('+') {
        return false;
    }
    let dashed = before == Some('-') || run.ends_with('-') && touches(after);
    let groups: Vec<&str> = run.split([' ', '-']).collect();
    let (first, last) = (usize::from(touches(before) || dashed), usize::from(touches(after) || dashed));
    let groups = groups.get(first..groups.len().saturating_sub(last)).unwrap_or_default();
    (0..groups.len()).any(|from| {
        let mut digits = String::new();
        // Nobody writes a card in smaller groups, and lists of numbers are nothing but those.
        groups[from..].iter().take_while(|group| group.len() >= 3).any(|group| {
            digits.push_str(group);
            DIGITS.contains(&digits.len()) && luhn(&digits) && (!issued || is_issued(&digits))
        })
    })
}

fn is_issued(digits: &str) -> bool {
    ISSUERS.iter().any(|(first, last, length, fewest, most)| {
        let length = usize::try_from(*length).unwrap_or(digits.len());
        let prefix: Option<u32> = digits.get(..length).and_then(|prefix| prefix.parse().ok());
        prefix.is_some_and(|prefix| (*first..=*last).contains(&prefix))
            && (*fewest..=*most).contains(&digits.len())
    })
}

/// ISO/IEC 7812-1, annex B.
fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .zip([false, true].into_iter().cycle())
        .map(|(byte, doubled)| {
            let digit = u32::from(byte - b'0');
            let digit = if doubled { digit * 2 } else { digit };
            digit / 10 + digit % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests;
