//! Moments, spans of time and amounts of money, as people write them.

use domain::value::{Currency, Money, Time};
use store::rfc3339;

/// A moment: RFC 3339, or counted from `now`.
///
/// # Errors
/// With what would be one.
pub fn time(text: &str, now: Time) -> Result<Time, String> {
    const WANTED: &str = "a time such as 2026-01-01T09:00:00Z, now, or now + 15 minutes";
    let wrong = || format!("\"{text}\" is not {WANTED}");
    if let Some(rest) = text.strip_prefix("now") {
        let rest = rest.trim();
        return match (rest.strip_prefix('+'), rest.strip_prefix('-')) {
            _ if rest.is_empty() => Ok(now),
            (Some(span), _) => Ok(now.plus_millis(duration_ms(span.trim()).ok_or_else(wrong)?)),
            (_, Some(span)) => Ok(now.plus_millis(-duration_ms(span.trim()).ok_or_else(wrong)?)),
            _ => Err(wrong()),
        };
    }
    rfc3339::parse(text).map_err(|_| wrong())
}

/// A moment as it is written in scenarios.
#[must_use]
pub fn time_text(time: Time) -> String {
    rfc3339::format(time)
}

const UNITS: [(&str, i64); 6] = [
    ("week", 604_800_000),
    ("day", 86_400_000),
    ("hour", 3_600_000),
    ("minute", 60_000),
    ("second", 1_000),
    ("millisecond", 1),
];

/// A span of time in milliseconds: `15 minutes`.
#[must_use]
pub fn duration_ms(text: &str) -> Option<i64> {
    let (count, unit) = text.split_once(' ')?;
    let count: i64 = count.parse().ok().filter(|count| *count >= 0)?;
    let unit = unit.trim();
    let (_, ms) = UNITS.iter().find(|(name, _)| unit == *name || unit.strip_suffix('s') == Some(name))?;
    count.checked_mul(*ms)
}

/// A span of time in the largest unit that fits: `15 minutes`.
#[must_use]
pub fn span(ms: i64) -> String {
    let fitting = UNITS.iter().find(|(_, unit)| ms % unit == 0 && ms >= *unit);
    let (name, unit) = fitting.copied().unwrap_or(("millisecond", 1));
    let count = ms / unit;
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

/// An amount such as `15.00 GBP`, with exactly the currency's digits.
///
/// # Errors
/// With what would be one.
pub fn money(text: &str) -> Result<Money, String> {
    let wrong = || format!("\"{text}\" is not money such as 15.00 GBP");
    let (amount, code) = text.rsplit_once(' ').ok_or_else(wrong)?;
    let currency: Currency = code.parse().map_err(|_| wrong())?;
    let (negative, digits) = match amount.trim().strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, amount.trim()),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return Err(wrong());
    }
    let wanted = usize::try_from(currency.minor_digits()).unwrap_or(2);
    if fraction.len() != wanted || (wanted == 0 && digits.contains('.')) {
        let example = Money::new(10_i64.pow(currency.minor_digits()) * 15, currency);
        return Err(format!(
            "{code} has {wanted} digits behind the point, as in {} {code}",
            example.decimal()
        ));
    }
    let minor: i64 = format!("{whole}{fraction}").parse().map_err(|_| wrong())?;
    Ok(Money::new(if negative { -minor } else { minor }, currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_they_are_read() {
        let now = time("2026-01-01T00:00:00Z", Time::from_millis(0)).unwrap();
        assert_eq!(time("now + 15 minutes", now).unwrap().millis() - now.millis(), 900_000);
        assert_eq!(time("now - 1 day", now).unwrap().millis() - now.millis(), -86_400_000);
        assert_eq!(time_text(time("now + 90 seconds", now).unwrap()), "2026-01-01T00:01:30Z");
        assert_eq!(time_text(time("now + 1 millisecond", now).unwrap()), "2026-01-01T00:00:00.001Z");
        assert!(time("tomorrow", now).is_err() && time("now + 3", now).is_err());
        assert_eq!((span(900_000), span(86_400_000)), ("15 minutes".into(), "1 day".into()));
    }

    #[test]
    fn money_has_exactly_its_currencys_digits() {
        assert_eq!(money("15.00 GBP"), Ok(Money::new(1500, Currency::GBP)));
        assert_eq!(money("-0.05 GBP"), Ok(Money::new(-5, Currency::GBP)));
        assert_eq!(money("500 JPY").map(|money| money.amount), Ok(500));
        assert!(money("15 GBP").unwrap_err().contains("15.00 GBP"));
        assert!(money("5.0 JPY").is_err() && money("GBP").is_err() && money("1,5 GBP").is_err());
    }
}
