//! Whether a webhook of Stripe's was sent by who knows the secret, and lately.
//!
//! <https://docs.stripe.com/webhooks#verify-manually>

use std::{fmt, str::FromStr};

use domain::value::Time;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// How far the sender's clock may be from this one.
const TOLERANCE_MS: i64 = 5 * 60 * 1_000;
/// Bytes of the header.
const HEADER_MAX: usize = 4_096;
/// Signatures that are compared: one for each secret that is good while it is replaced.
const SIGNATURES_MAX: usize = 8;
/// Secrets that may be set.
const SECRETS_MAX: usize = 5;

/// The secrets of one endpoint: one as a rule, two while it is replaced. Never printed.
#[derive(Clone)]
pub struct Secrets(Vec<Box<str>>);

/// A text that holds no secrets.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "one to {SECRETS_MAX} secrets of webhook endpoints, which begin with whsec_, with commas between them"
)]
pub struct NoSecrets;

impl FromStr for Secrets {
    type Err = NoSecrets;

    fn from_str(text: &str) -> Result<Self, NoSecrets> {
        let secrets: Vec<Box<str>> = text.split(',').map(|secret| secret.trim().into()).collect();
        let fine = |secret: &str| {
            secret.starts_with("whsec_")
                && secret.len() >= 16
                && secret.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let bounded = (1..=SECRETS_MAX).contains(&secrets.len());
        if bounded && secrets.iter().all(|secret| fine(secret)) { Ok(Self(secrets)) } else { Err(NoSecrets) }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

/// Why a webhook is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disbelieved {
    /// The header is missing or is none.
    #[error("Stripe-Signature is missing or malformed")]
    Malformed,
    /// It was signed too long ago, or by a clock that goes wrong.
    #[error("it was not signed within the last five minutes")]
    TooOld,
    /// No signature fits any secret.
    #[error("no signature fits")]
    Forged,
}

impl Secrets {
    /// Whether `header` signs exactly these bytes, about now.
    ///
    /// # Errors
    /// When it does not.
    pub fn check(&self, header: Option<&str>, body: &[u8], now: Time) -> Result<(), Disbelieved> {
        let header = header.filter(|header| header.len() <= HEADER_MAX).ok_or(Disbelieved::Malformed)?;
        let (mut at, mut signatures) = (None, Vec::new());
        for part in header.split(',') {
            match part.trim().split_once('=') {
                Some(("t", text)) => at = Some(text),
                Some(("v1", text)) if signatures.len() < SIGNATURES_MAX => signatures.extend(bytes(text)),
                // Other schemes are older or newer than this one.
                Some(_) | None => {}
            }
        }
        let at = at.ok_or(Disbelieved::Malformed)?;
        let at_s: i64 = at.parse().map_err(|_| Disbelieved::Malformed)?;
        if signatures.is_empty() {
            return Err(Disbelieved::Malformed);
        }
        if !self.0.iter().any(|secret| signs(secret, at, body, &signatures)) {
            return Err(Disbelieved::Forged);
        }
        let off_ms = at_s.saturating_mul(1_000).saturating_sub(now.millis()).saturating_abs();
        if off_ms > TOLERANCE_MS { Err(Disbelieved::TooOld) } else { Ok(()) }
    }
}

/// Compares in a time that tells nothing of where two signatures differ.
fn signs(secret: &str, at: &str, body: &[u8], signatures: &[[u8; 32]]) -> bool {
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return false;
    };
    let mac = mac.chain_update(at).chain_update(".").chain_update(body);
    signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
}

fn bytes(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"id":"evt_1"}"#;
    /// HMAC-SHA256 of `1700000000.{"id":"evt_1"}` under `whsec_0123456789abcdef`, by `openssl dgst -sha256 -hmac`.
    const SIGNED: &str = "dea1657bd5053cb0f8a75ebf0bd3d22e0cdeb79563b44db6b88864e522fb8bc4";

    fn check(header: &str, at_s: i64) -> Result<(), Disbelieved> {
        let secrets: Secrets = "whsec_another_one_of_them, whsec_0123456789abcdef".parse().unwrap();
        secrets.check(Some(header), BODY, Time::from_millis(at_s * 1_000))
    }

    #[test]
    fn what_openssl_signed_is_believed_for_five_minutes_either_way() {
        let header = format!("t=1700000000,v1={SIGNED},v0={SIGNED}");
        for off_s in [-300, 0, 300] {
            assert_eq!(check(&header, 1_700_000_000 + off_s), Ok(()), "{off_s}");
        }
        for off_s in [-301, 301] {
            assert_eq!(check(&header, 1_700_000_000 + off_s), Err(Disbelieved::TooOld), "{off_s}");
        }
    }

    #[test]
    fn any_of_several_signatures_will_do() {
        let header = format!("t=1700000000,v1={},v1={SIGNED}", "0".repeat(64));
        assert_eq!(check(&header, 1_700_000_000), Ok(()));
    }

    #[test]
    fn another_time_another_body_and_another_scheme_are_not_believed() {
        assert_eq!(check(&format!("t=1700000001,v1={SIGNED}"), 1_700_000_000), Err(Disbelieved::Forged));
        let header = format!("t=1700000000,v0={SIGNED}");
        assert_eq!(check(&header, 1_700_000_000), Err(Disbelieved::Malformed));
        let secrets: Secrets = "whsec_0123456789abcdef".parse().unwrap();
        let header = format!("t=1700000000,v1={SIGNED}");
        let checked = secrets.check(Some(&header), b"{}", Time::from_millis(1_700_000_000_000));
        assert_eq!(checked, Err(Disbelieved::Forged));
    }

    #[test]
    fn headers_that_are_none_are_refused() {
        let long = format!("t=1700000000,v1={SIGNED},{}", "x".repeat(HEADER_MAX));
        let short = format!("t=1700000000,v1={}", &SIGNED[1..]);
        let odd = format!("t=1700000000,v1={}é", &SIGNED[2..]);
        for header in ["", "t=,v1=", "v1", "t=now,v1=00", &long, &short, &odd] {
            assert_eq!(check(header, 1_700_000_000), Err(Disbelieved::Malformed), "{header}");
        }
    }

    #[test]
    fn secrets_are_not_shown_and_have_to_be_some() {
        let secrets: Secrets = "whsec_0123456789abcdef".parse().unwrap();
        assert_eq!(format!("{secrets:?}"), "Secrets(…)");
        for text in ["", "whsec_", "0123456789abcdef0123", "whsec_0123456789abcdef,"] {
            assert!(text.parse::<Secrets>().is_err(), "{text}");
        }
    }
}
