//! Sealed values within a payload, for whoever may read what they say.

use domain::value::Sealed;
use serde_json::Value;

use super::{Vault, VaultError};

/// What every sealed value has in it; where it is not found, nothing has to be read.
const MARK: &str = "\"sealed\":";

impl Vault {
    /// The payload with every sealed value opened, and `null` in place of what was forgotten; `None` when nothing in it is
    /// sealed.
    ///
    /// # Errors
    /// As [`VaultError`] says.
    pub async fn opened(&self, payload: &str) -> Result<Option<String>, VaultError> {
        if !payload.contains(MARK) {
            return Ok(None);
        }
        // What is no JSON is not read by anybody; it is told where it is decoded.
        let Ok(mut value) = serde_json::from_str::<Value>(payload) else { return Ok(None) };
        let mut places = vec![];
        find(&value, &mut String::new(), &mut places);
        if places.is_empty() {
            return Ok(None);
        }
        for (place, sealed) in places {
            let plain = self.open(&sealed).await?;
            if let Some(at) = value.pointer_mut(&place) {
                *at = plain.map_or(Value::Null, |plain| said(&plain));
            }
        }
        Ok(Some(value.to_string()))
    }
}

/// What was sealed: JSON, or a text.
fn said(plain: &[u8]) -> Value {
    serde_json::from_slice(plain)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(plain).into_owned()))
}

/// Every sealed value, and where it is.
fn find(value: &Value, place: &mut String, places: &mut Vec<(String, Sealed)>) {
    let length = place.len();
    match value {
        Value::Object(fields) => {
            if fields.contains_key("sealed")
                && let Ok(sealed) = serde_json::from_value(value.clone())
            {
                places.push((place.clone(), sealed));
                return;
            }
            for (name, inner) in fields {
                place.push('/');
                place.push_str(&name.replace('~', "~0").replace('/', "~1"));
                find(inner, place, places);
                place.truncate(length);
            }
        }
        Value::Array(items) => {
            for (nth, inner) in items.iter().enumerate() {
                place.push_str(&format!("/{nth}"));
                find(inner, place, places);
                place.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

    use super::*;

    #[test]
    fn sealed_values_are_found_wherever_they_are() {
        let payload = serde_json::json!({"Placed": {
            "a/b": [{"subject": "c", "sealed": "AA=="}, {"subject": "c"}],
            "delivery": {"contact": {"subject": "d", "sealed": "AA=="}, "sealed": "a word"},
        }});
        let mut places = vec![];
        find(&payload, &mut String::new(), &mut places);
        let found: Vec<_> = places.iter().map(|(place, sealed)| (&**place, &*sealed.subject)).collect();
        assert_eq!(found, [("/Placed/a~1b/0", "c"), ("/Placed/delivery/contact", "d")]);
        for (place, _) in &places {
            assert!(payload.pointer(place).is_some(), "{place}");
        }
    }
}
