//! Time-based one-time passwords (RFC 6238): SHA-1, six digits, steps of 30 seconds, as every authenticator app makes them.

use ring::hmac;

/// Seconds of a step.
const STEP_S: i64 = 30;
/// Steps that a clock may be off by, either way.
const SKEW: i64 = 1;
const DIGITS: u32 = 6;
/// Bytes of a secret: as long as the hash, as RFC 4226 recommends.
pub const SECRET: usize = 20;

/// RFC 4648's alphabet, in which apps take secrets.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The step whose code this is, if it is one of now and newer than the last that was taken.
#[must_use]
pub fn step_of(secret: &[u8], code: &str, now_s: i64, last_step: i64) -> Option<i64> {
    let digits = usize::try_from(DIGITS).is_ok_and(|digits| code.len() == digits);
    let given: u32 =
        code.parse().ok().filter(|_| digits && code.bytes().all(|byte| byte.is_ascii_digit()))?;
    let now = now_s.div_euclid(STEP_S);
    let mut steps = now - SKEW..=now + SKEW;
    steps.rfind(|step| *step > last_step && truncated(secret, *step) % 10_u32.pow(DIGITS) == given)
}

/// RFC 4226's dynamic truncation: 31 bits.
fn truncated(secret: &[u8], step: i64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let offset = usize::from(bytes.last().copied().unwrap_or_default() & 0xf);
    let four = bytes.iter().skip(offset).take(4);
    four.fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) & 0x7fff_ffff
}

/// Bytes in base 32, without padding.
#[must_use]
pub fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for chunk in bytes.chunks(5) {
        let mut five = [0; 8];
        five[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(five);
        let letters = (chunk.len() * 8).div_ceil(5);
        text.extend((0..letters).map(|nth| char::from(BASE32[(bits >> (35 - 5 * nth) & 31) as usize])));
    }
    text
}

/// The address that an app reads from a QR code.
#[must_use]
pub fn address(secret: &str, account: &str) -> String {
    let account = crate::segment(account);
    format!(
        "otpauth://totp/Daybook:{account}?secret={secret}&issuer=Daybook&algorithm=SHA1&digits=6&period=30"
    )
}

#[cfg(test)]
mod tests {
    use super::{base32, step_of, truncated};

    const SECRET: &[u8] = b"12345678901234567890";

    /// The code of a moment.
    fn code(now_s: i64) -> String {
        format!("{:06}", truncated(SECRET, now_s / 30) % 1_000_000)
    }

    /// Appendix B of RFC 6238, whose codes have eight digits.
    #[test]
    fn the_codes_of_the_rfc_come_out() {
        for (now_s, expected) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ] {
            assert_eq!(truncated(SECRET, now_s / 30) % 100_000_000, expected, "at {now_s}");
            assert_eq!(code(now_s), format!("{:06}", expected % 1_000_000));
        }
    }

    /// Appendix D of RFC 4226.
    #[test]
    fn the_codes_of_the_counter_come_out() {
        let expected =
            [755_224, 287_082, 359_152, 969_429, 338_314, 254_676, 287_922, 162_583, 399_871, 520_489];
        for (counter, expected) in (0..).zip(expected) {
            assert_eq!(truncated(SECRET, counter) % 1_000_000, expected);
        }
    }

    #[test]
    fn a_code_is_good_a_step_early_or_late_and_once() {
        let now_s = 1_111_111_111;
        let step = now_s / 30;
        for (skew, expected) in
            [(-2, None), (-1, Some(step - 1)), (0, Some(step)), (1, Some(step + 1)), (2, None)]
        {
            let code = code(now_s + skew * 30);
            assert_eq!(step_of(SECRET, &code, now_s, 0), expected, "{skew}");
        }
        let code = code(now_s);
        assert_eq!(step_of(SECRET, &code, now_s, step), None, "it was taken");
        for wrong in ["", "12345", "1234567", "-12345", "+12345", " 12345", "１２３４５６"] {
            assert_eq!(step_of(SECRET, wrong, now_s, 0), None, "{wrong:?}");
        }
    }

    /// Section 10 of RFC 4648, without its padding.
    #[test]
    fn base_32_is_that_of_the_rfc() {
        for (plain, expected) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(plain.as_bytes()), expected);
        }
    }
}
