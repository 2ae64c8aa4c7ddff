//! Numbers as people read them. Money is never anything but whole minor units on the way.

use domain::value::{Currency, Money};
use projections::analytics::reports::{Cell, Unit};

/// What stands where there is nothing.
const NOTHING: &str = "–";

/// What stands in a cell.
pub fn cell(cell: &Cell, unit: Unit, currency: Option<Currency>) -> String {
    match cell {
        Cell::Empty => NOTHING.to_owned(),
        Cell::Text(text) => text.clone(),
        Cell::Number(number) => self::number(Some(*number), unit, currency),
    }
}

/// A number in its unit; money without its currency.
pub fn number(number: Option<i64>, unit: Unit, currency: Option<Currency>) -> String {
    let Some(number) = number else { return NOTHING.to_owned() };
    match unit {
        Unit::Text | Unit::Count => grouped(&number.to_string()),
        Unit::Money => match currency {
            Some(currency) => grouped(&Money::new(number, currency).decimal()),
            None => grouped(&number.to_string()),
        },
        Unit::Millis => lasting(number),
        Unit::BasisPoints => {
            let sign = if number < 0 { "-" } else { "" };
            let points = number.unsigned_abs();
            format!("{sign}{}.{:02} %", points / 100, points % 100)
        }
    }
}

/// A number on an axis whose largest is that large: in thousands, millions, … where whole numbers would be long, and money
/// without its minor part where there is none.
pub fn shortened(number: i64, unit: Unit, currency: Option<Currency>, largest: u64) -> String {
    let minor = match (unit, currency) {
        (Unit::Money, Some(currency)) => 10_u64.pow(currency.minor_digits()),
        _ => 1,
    };
    let (times, name) = match largest / minor {
        0..10_000 => {
            let told = self::number(Some(number), unit, currency);
            return told.strip_suffix(".00").map_or(told.clone(), str::to_owned);
        }
        10_000..1_000_000 => (1_000, "k"),
        1_000_000..1_000_000_000 => (1_000_000, "M"),
        1_000_000_000..1_000_000_000_000 => (1_000_000_000, "bn"),
        1_000_000_000_000.. => (1_000_000_000_000, "tn"),
    };
    if number == 0 {
        return "0".to_owned();
    }
    let sign = if number < 0 { "-" } else { "" };
    let hundredths = u128::from(number.unsigned_abs()) * 100 / (u128::from(minor) * times);
    let told = grouped(&format!("{sign}{}.{:02}", hundredths / 100, hundredths % 100));
    format!("{}{name}", told.trim_end_matches('0').trim_end_matches('.'))
}

/// `1234567.50` as `1,234,567.50`.
fn grouped(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, part) = digits.find('.').map_or((digits, ""), |point| digits.split_at(point));
    let mut grouped = String::from(sign);
    for (place, digit) in whole.char_indices() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + part
}

/// A time as its two largest units.
fn lasting(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let ms = ms.unsigned_abs();
    let (seconds, minutes, hours) = (ms / 1_000, ms / 60_000, ms / 3_600_000);
    let told = match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{seconds}.{} s", ms % 1_000 / 100),
        60_000..3_600_000 => format!("{minutes} min {} s", seconds % 60),
        3_600_000..86_400_000 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{} d {} h", hours / 24, hours % 24),
    };
    format!("{sign}{told}")
}

/// What a report is without.
pub fn archived(events: i64) -> String {
    let events = grouped(&events.to_string());
    format!(
        "{events} events of the streams that this report is made of were put away into the archive's files, of whatever day, and \
         are not counted here: `daybook events export` reads them"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_their_units() {
        let money = |minor| number(Some(minor), Unit::Money, Some(Currency::GBP));
        assert_eq!([0, 5, -5, 123_456_789].map(money), ["0.00", "0.05", "-0.05", "1,234,567.89"]);
        let count = |count| number(Some(count), Unit::Count, None);
        assert_eq!([999, 1_000, -12_345_678].map(count), ["999", "1,000", "-12,345,678"]);
        let share = |points| number(Some(points), Unit::BasisPoints, None);
        assert_eq!([0, 7, 10_000, -150].map(share), ["0.00 %", "0.07 %", "100.00 %", "-1.50 %"]);
        let time = |ms| number(Some(ms), Unit::Millis, None);
        let times = [0, 999, 1_000, 59_999, 61_000, 3_599_999, 7_260_000, 90_000_000];
        let told = ["0 ms", "999 ms", "1.0 s", "59.9 s", "1 min 1 s", "59 min 59 s", "2 h 1 min", "1 d 1 h"];
        assert_eq!(times.map(time), told);
        assert_eq!(number(None, Unit::Money, None), "–");
    }

    #[test]
    fn numbers_along_an_axis_are_as_short_as_its_largest_needs() {
        let money = |minor, largest| shortened(minor, Unit::Money, Some(Currency::GBP), largest);
        assert_eq!([0, 250_000, 999_950].map(|minor| money(minor, 999_999)), ["0", "2,500", "9,999.50"]);
        assert_eq!([0, 250_000, 1_500_000].map(|minor| money(minor, 1_500_000)), ["0", "2.5k", "15k"]);
        assert_eq!([-250_000_000, 1_250_000_000].map(|minor| money(minor, 1 << 31)), ["-2.5M", "12.5M"]);
        assert_eq!([i64::MAX, i64::MIN].map(|minor| money(minor, 1 << 63)), ["92,233.72tn", "-92,233.72tn"]);
        let count = |count, largest| shortened(count, Unit::Count, None, largest);
        assert_eq!(
            [count(9_999, 9_999), count(10_000, 20_000), count(5_000_000_000, 5_000_000_000)],
            ["9,999", "10k", "5bn"]
        );
    }
}
