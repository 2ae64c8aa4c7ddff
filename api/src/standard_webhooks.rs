//! Signs and checks messages as Standard Webhooks says: HMAC-SHA256 over id, time and the body's exact bytes.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::{fmt, str::FromStr};

use axum::http::HeaderMap;
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use domain::value::Time;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// The header that names the message: the same when it is sent again.
pub const ID: &str = "webhook-id";
/// The header that says when this try was made, in seconds since the epoch.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header that holds the signatures, one a secret.
pub const SIGNATURE: &str = "webhook-signature";

/// How far a message's time may be from now.
pub const TOLERANCE_MS: i64 = 5 * 60 * 1_000;
/// Bytes of a secret, as the standard bounds them.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Characters of a message's id.
const ID_MAX: usize = 200;
/// Signatures of one message that are looked at.
const SIGNATURES_MAX: usize = 10;
const PREFIX: &str = "whsec_";
const VERSION: &str = "v1,";

/// Others write secrets with and without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A secret that both sides know.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A text that is not a secret; it is not repeated, for it may be one of something else.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a webhook secret is whsec_ and 24 to 64 bytes in base64")]
pub struct NotASecret;

impl FromStr for Secret {
    type Err = NotASecret;

    fn from_str(text: &str) -> Result<Self, NotASecret> {
        let text = text.trim().strip_prefix(PREFIX).ok_or(NotASecret)?;
        Self::of(LENIENT.decode(text).map_err(|_| NotASecret)?)
    }
}

impl Secret {
    /// A secret of these bytes.
    ///
    /// # Errors
    /// When they are too few or too many.
    pub fn of(bytes: Vec<u8>) -> Result<Self, NotASecret> {
        if SECRET_BYTES.contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(NotASecret) }
    }

    /// The secret as it is shown to its owner, once.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    fn mac(&self, id: &str, seconds: i64, body: &[u8]) -> Option<Hmac<Sha256>> {
        // HMAC takes keys of any length.
        let mut mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(&self.0).ok()?;
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        Some(mac)
    }
}

/// The signature header of a message under each of these secrets.
#[must_use]
pub fn signature(secrets: &[Secret], id: &str, seconds: i64, body: &[u8]) -> String {
    let signed = secrets.iter().filter_map(|secret| secret.mac(id, seconds, body));
    let all: Vec<_> =
        signed.map(|mac| format!("{VERSION}{}", STANDARD.encode(mac.finalize().into_bytes()))).collect();
    all.join(" ")
}

/// Why a message is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotBelieved {
    /// A header is missing or cannot be read.
    #[error("send webhook-id, webhook-timestamp and webhook-signature as Standard Webhooks says")]
    Headers,
    /// It was signed too long ago, or is of the future: it may be somebody's copy.
    #[error("the message's time is more than five minutes from now")]
    Time,
    /// No signature is of one of the secrets.
    #[error("no signature is of a secret known here")]
    Signature,
}

/// The id of a message that one of the secrets has signed within five minutes of now.
///
/// # Errors
/// As [`NotBelieved`] says.
pub fn verify<'a>(
    secrets: &[Secret],
    headers: &'a HeaderMap,
    body: &[u8],
    now: Time,
) -> Result<&'a str, NotBelieved> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).ok_or(NotBelieved::Headers);
    let (id, seconds, signatures) = (header(ID)?, header(TIMESTAMP)?, header(SIGNATURE)?);
    if !(1..=ID_MAX).contains(&id.len()) {
        return Err(NotBelieved::Headers);
    }
    let seconds: i64 = seconds.parse().map_err(|_| NotBelieved::Headers)?;
    let signatures = signatures.split(' ').take(SIGNATURES_MAX).filter_map(|one| one.strip_prefix(VERSION));
    let signatures: Vec<_> = signatures.filter_map(|one| STANDARD.decode(one).ok()).collect();
    let known = |secret: &Secret| {
        let mac = secret.mac(id, seconds, body);
        // `verify_slice` takes the same time wherever the first difference is.
        mac.is_some_and(|mac| signatures.iter().any(|one| mac.clone().verify_slice(one).is_ok()))
    };
    if !secrets.iter().any(known) {
        return Err(NotBelieved::Signature);
    }
    let off_ms = now.millis().saturating_sub(seconds.saturating_mul(1_000)).saturating_abs();
    if off_ms > TOLERANCE_MS { Err(NotBelieved::Time) } else { Ok(id) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_614_265_330_000);
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    fn secret(text: &str) -> Secret {
        text.parse().unwrap()
    }

    fn headers(id: &str, seconds: &str, signature: &str) -> HeaderMap {
        let all = [(ID, id), (TIMESTAMP, seconds), (SIGNATURE, signature)];
        all.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    /// The example that the standard's own libraries are tested with.
    #[test]
    fn the_standards_example_comes_out_as_it_stands_there() {
        let secret = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signed = signature(std::slice::from_ref(&secret), id, 1_614_265_330, BODY);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let headers = headers(id, "1614265330", &signed);
        assert_eq!(verify(std::slice::from_ref(&secret), &headers, BODY, NOW), Ok(id));
    }

    #[test]
    fn a_message_is_believed_under_the_old_and_the_new_secret_and_no_other() {
        let [old, new, other] = [1, 2, 3].map(|byte| Secret::of(vec![byte; 32]).unwrap());
        let signed = signature(&[old.clone(), new.clone()], "m1", 1_614_265_330, BODY);
        let headers = headers("m1", "1614265330", &signed);
        for known in [old, new] {
            assert_eq!(verify(&[other.clone(), known], &headers, BODY, NOW), Ok("m1"));
        }
        assert_eq!(verify(&[other], &headers, BODY, NOW), Err(NotBelieved::Signature));
    }

    #[test]
    fn what_was_changed_or_kept_too_long_is_not_believed() {
        let secrets = [Secret::of(vec![7; 32]).unwrap()];
        let signed = signature(&secrets, "m1", 1_614_265_330, BODY);
        let fine = headers("m1", "1614265330", &signed);
        let check = |headers: &HeaderMap, body, now| verify(&secrets, headers, body, now).map(str::len);
        assert_eq!(check(&fine, BODY, NOW), Ok(2));
        assert_eq!(check(&fine, b"{}", NOW), Err(NotBelieved::Signature));
        assert_eq!(check(&headers("m2", "1614265330", &signed), BODY, NOW), Err(NotBelieved::Signature));
        assert_eq!(check(&headers("m1", "1614265331", &signed), BODY, NOW), Err(NotBelieved::Signature));
        for (off_ms, believed) in [(300_000, true), (300_001, false), (-300_000, true), (-300_001, false)] {
            let expected = if believed { Ok(2) } else { Err(NotBelieved::Time) };
            assert_eq!(check(&fine, BODY, NOW.plus_millis(off_ms)), expected, "{off_ms}");
        }
        for broken in [headers("", "1", &signed), headers("m1", "soon", &signed), HeaderMap::new()] {
            assert_eq!(check(&broken, BODY, NOW), Err(NotBelieved::Headers));
        }
        assert_eq!(
            check(&headers("m1", "1614265330", "v2,AAAA v1,%"), BODY, NOW),
            Err(NotBelieved::Signature)
        );
    }

    #[test]
    fn a_secret_has_its_prefix_and_enough_bytes_and_is_never_shown_by_accident() {
        assert!("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse::<Secret>().is_err());
        assert!("whsec_c2hvcnQ=".parse::<Secret>().is_err());
        let revealed = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        assert_eq!(secret(revealed).reveal(), revealed);
        assert_eq!(format!("{:?}", secret(revealed)), "Secret(…)");
    }
}
